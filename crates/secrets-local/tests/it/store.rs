//! The encrypted file store.

mod basics;
mod bounds;
mod child;
mod conformance;
mod disk;
mod golden;
mod hooked;
mod keeping;
mod leaks;
mod marks;
mod model;
mod power;
mod processes;
mod rollback;
mod slots;
mod support;
mod surroundings;
mod tamper;
mod together;
mod wrapping;
