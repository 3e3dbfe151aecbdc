//! The encrypted file store.

mod basics;
mod disk;
mod power;
mod processes;
mod rollback;
mod slots;
mod support;
mod surroundings;
mod tamper;
mod wrapping;
