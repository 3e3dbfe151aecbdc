#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[allow(dead_code, reason = "the services come next")]
mod service;
