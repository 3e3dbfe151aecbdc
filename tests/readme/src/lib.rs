//! Compiles and runs the Rust examples of the README at the root, which belongs to no crate.

#![forbid(unsafe_code)]

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
