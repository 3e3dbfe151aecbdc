//! The shapes of ours with nothing around them: no time, no state that moves on, nobody who
//! refreshes. Each in two: with the value as the contract has it, with its version and shared by
//! its readers, and with nothing but the bytes.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use secrets_core::{Secret, SecretState};

use super::draws::{Draws, glimpse};
use super::shelf::secret;
use crate::harness::Case;
use crate::names::value;

/// What a cell holds.
pub(super) trait Content: Send + Sync + 'static {
    fn new(number: usize) -> Self;
    fn bytes(&self) -> &[u8];
}

/// Nothing but the bytes.
#[derive(Debug)]
pub(super) struct Bytes(Box<[u8]>);

impl Content for Bytes {
    fn new(number: usize) -> Self {
        Self(value(number).into())
    }

    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Content for Secret {
    fn new(number: usize) -> Self {
        secret(number)
    }

    fn bytes(&self) -> &[u8] {
        self.value.expose_secret()
    }
}

impl Content for SecretState {
    fn new(number: usize) -> Self {
        Self::Fresh(secret(number))
    }

    fn bytes(&self) -> &[u8] {
        self.secret().map_or(&[], |secret| secret.value.expose_secret())
    }
}

fn cell<C: Content>(number: usize) -> Arc<ArcSwap<C>> {
    Arc::new(ArcSwap::from_pointee(C::new(number)))
}

/// A cell for each secret, found by its number.
pub(super) fn cells<C: Content>(draws: &Draws) -> Case {
    let cells: Vec<_> = (0..draws.names().len()).map(cell::<C>).collect();
    draws.case(move |draw| glimpse(cells[draw.number].load().bytes()))
}

/// A map that is replaced when a name comes or goes, of cells that are replaced when a value does.
pub(super) fn map<C: Content>(draws: &Draws) -> Case {
    let entries = draws.names().iter().enumerate();
    let entries = entries.map(|(number, name)| (Box::from(name.as_str()), cell::<C>(number)));
    let map: HashMap<Box<str>, _, RandomState> = entries.collect();
    let map = ArcSwap::from_pointee(map);
    draws.case(move |draw| glimpse(map.load()[draw.name].load().bytes()))
}
