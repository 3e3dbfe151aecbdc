//! How a type of this crate comes by what it is read from: serde's methods carry values, and no
//! lines. The decoder lays it down on the thread, and calls the type, which takes it first of all.

use std::cell::RefCell;

use super::base::Base;
use crate::node::Node;

/// The name by which a type asks for what stands there, unread.
pub(crate) const SUBTREE: &str = "$service-settings::subtree";

/// The name by which a type asks for the places of what is read.
pub(crate) const PLACED: &str = "$service-settings::placed";

thread_local! {
    static HANDED: RefCell<Option<Handed>> = const { RefCell::new(None) };
}

/// A part of the settings, and where it is.
pub(crate) struct Handed {
    pub(crate) base: Base,
    pub(crate) node: Node,
    /// Of the values, where `node` has none.
    pub(crate) fingerprint: Option<u64>,
}

impl Handed {
    /// Calls what takes this.
    pub(super) fn over<T>(self, taker: impl FnOnce() -> T) -> T {
        lay_down(Some(self));
        let taken = taker();
        lay_down(None);
        taken
    }
}

/// What was handed over; nothing where a type is not read by this crate.
pub(crate) fn handed_over() -> Option<Handed> {
    lay_down(None)
}

/// Gives what was there before. A thread that ends has nowhere to lay anything.
fn lay_down(handed: Option<Handed>) -> Option<Handed> {
    HANDED.try_with(|place| place.replace(handed)).ok().flatten()
}
