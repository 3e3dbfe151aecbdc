//! Secrets in a folder, one file each: what Kubernetes, Docker and systemd mount.
//!
//! | reference | file |
//! |---|---|
//! | a name | the file of that name; a slash is written `~2f`, so `db/password` is the file `db~2fpassword` |
//! | a native id | the path under the folder: `DB_PASSWORD`, `.dockerconfigjson`, `db/password` |
//!
//! Keys of a Kubernetes secret cannot have a `~`; the `path` of its `items` can.
//!
//! - A secret is the bytes of its file; one line end at the end is cut off by choice
//!   ([`TrailingNewline`](crate::TrailingNewline)).
//! - Names that begin with two dots belong to Kubernetes (`..data`) and are neither read nor listed.
//! - Symbolic links are followed as long as they stay inside the folder; one that leads out is refused.
//!   Every step goes through an open folder, so that exchanging a component meanwhile does not help.
//! - Only regular files are read: never a pipe, a socket or a device, and none waits.
//! - Kubernetes swaps all files of a mount in one step, by the link `..data`. One read never fails for a
//!   swap; `get_secrets` gives all its answers from one side of it, so a certificate and its key
//!   belong together. That holds also where the mount is a folder below this one or above it. A file that is rewritten in place, without a rename, can be seen half-written.
//! - The folder is found anew at each read. When it is missing the answer is `Unavailable`, not
//!   `NotFound`: a mount that is gone does not mean that its secrets are.
//!
//! The provider only reads. A version's id changes with the value and means something to this provider
//! only, until it is dropped; `created` is when the file was written.

mod backend;
mod config;
mod entry_path;
mod provider;
mod scan;
mod walk;

pub use config::DirectoryConfig;
pub use provider::DirectoryProvider;
