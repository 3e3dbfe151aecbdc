//! Secrets in environment variables, and in the files that variables name.
//!
//! | reference | variable |
//! |---|---|
//! | a name that the configuration maps | the variable that it is mapped to, and no other |
//! | any other name | prefix and code: `db/password` is `DB_2FPASSWORD`, `api_key` is `API__KEY` |
//! | a native id | prefix and the id as it is |
//!
//! The prefix is a scope: with one, only the mapping reaches other variables.
//!
//! Where `NAME` is asked for and `NAME_FILE` is set, the secret is the content of that file, byte
//! for byte. When both are set reading is an error. A variable that is set and empty is set. A variable
//! that is mapped, or is the code of a name (`X__FILE` is that of `x_file`), holds a secret and names no
//! file.
//!
//! Variables are read at each read of a secret, through [`Variables`]; nothing is kept. The
//! provider only reads: everything else answers `Unsupported`. A version's id changes with the value
//! and means something to this provider only, until it is dropped; `created` is when this version was
//! first read, or when the file was written.
//!
//! What the environment of a process is worth: other processes of the same user can read it
//! (`/proc/PID/environ` on Linux), child processes inherit it, crash reports like to include it. Files are
//! better; this provider is for places where there is no choice.

mod config;
mod provider;
mod source;

pub use config::{EnvConfig, EnvListing, FileVariables};
pub use provider::EnvProvider;
pub use source::{FixedVariables, ProcessVariables, Variables};
