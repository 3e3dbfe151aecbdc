mod clocks;
mod codec;
mod defaults;
mod errors;
#[cfg(feature = "json")]
mod json;
mod keys;
mod metadata;
mod names;
mod pages;
mod references;
mod signatures;
mod values;
mod versions;
mod wiped;
