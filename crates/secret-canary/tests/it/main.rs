//! A canary is found in every form that leaks take, and nothing else is.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

mod forms;
