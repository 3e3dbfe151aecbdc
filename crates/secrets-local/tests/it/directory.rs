//! The directory provider.

mod changes;
mod hostile;
mod kubernetes;
mod reading;

use std::path::Path;

use secrets_local::directory::{DirectoryConfig, DirectoryProvider};

fn provider(root: &Path) -> DirectoryProvider {
    DirectoryProvider::new(DirectoryConfig::new(root)).unwrap()
}
