//! The encrypted file store.

mod basics;
mod child;
mod conformance;
mod disk;
mod golden;
mod keeping;
mod leaks;
mod model;
mod power;
mod processes;
mod rollback;
mod slots;
mod support;
mod surroundings;
mod tamper;
mod wrapping;
