//! The environment provider.

mod files;
mod listing;
mod reading;
