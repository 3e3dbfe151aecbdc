#![doc = include_str!("../README.md")]

mod allocator;
mod counts;
mod scan;
mod watching;

pub use allocator::Probe;
pub use counts::Counts;
pub use scan::{Findings, Scan};
