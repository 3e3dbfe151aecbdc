//! What others than the owner may do with a file.

use std::fs::Metadata;

/// `write` or `read` when group or others may, the worse of them.
#[cfg(unix)]
pub(crate) fn of_others(metadata: &Metadata) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt;

    match metadata.mode() {
        mode if mode & 0o022 != 0 => Some("write"),
        mode if mode & 0o044 != 0 => Some("read"),
        _ => None,
    }
}

/// Not known here.
#[cfg(not(unix))]
pub(crate) fn of_others(_metadata: &Metadata) -> Option<&'static str> {
    None
}
