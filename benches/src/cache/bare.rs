//! The shapes of ours with nothing around them: no time, no state that moves on, nobody who
//! refreshes. Each in two: around the same secrets in memory that ours gives out, and around
//! nothing but bytes, which lie beside their cells.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use secrets_core::{Secret, SecretState};

use super::draws::{Draws, glimpse};
use crate::harness::Case;
use crate::names::value;

/// What a cell holds.
pub(super) trait Content: Send + Sync + 'static {
    fn bytes(&self) -> &[u8];
}

/// Nothing but the bytes.
#[derive(Debug)]
pub(super) struct Bytes(Box<[u8]>);

impl Bytes {
    pub(super) fn new(number: usize) -> Self {
        Self(value(number).into())
    }
}

impl Content for Bytes {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Content for Secret {
    fn bytes(&self) -> &[u8] {
        self.value.expose_secret()
    }
}

impl Content for SecretState {
    fn bytes(&self) -> &[u8] {
        self.secret().map_or(&[], |secret| secret.value.expose_secret())
    }
}

/// A cell for each secret, found by its number; `content` gives what belongs to a number.
pub(super) fn cells<C: Content>(draws: &Draws, content: impl Fn(usize) -> C) -> Case {
    let cell = |number| Arc::new(ArcSwap::from_pointee(content(number)));
    let cells: Vec<_> = (0..draws.names().len()).map(cell).collect();
    draws.case(move |draw| glimpse(cells[draw.number].load().bytes()))
}

/// A map that is replaced when a name comes or goes, of cells that are replaced when a value does;
/// `content` gives what belongs to a number.
pub(super) fn map<C: Content>(draws: &Draws, content: impl Fn(usize) -> C) -> Case {
    let cell = |number| Arc::new(ArcSwap::from_pointee(content(number)));
    let entries = draws.names().iter().enumerate();
    let entries = entries.map(|(number, name)| (Box::from(name.as_str()), cell(number)));
    let map: HashMap<Box<str>, _, RandomState> = entries.collect();
    let map = ArcSwap::from_pointee(map);
    draws.case(move |draw| glimpse(map.load()[draw.name].load().bytes()))
}
