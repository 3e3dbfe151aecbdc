#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod canary;
mod form;

pub use canary::Canary;
