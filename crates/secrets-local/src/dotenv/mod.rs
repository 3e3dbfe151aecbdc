//! Secrets in a `.env` file, to read and to write.
//!
//! | reference | key |
//! |---|---|
//! | a name that the configuration maps | the key that it is mapped to, and no other |
//! | any other name | prefix and code: `db/password` is `DB_2FPASSWORD`, `api_key` is `API__KEY` |
//! | a native id | prefix and the id as it is |
//!
//! dotenvy decides what a file means:
//!
//! - One entry a line, `KEY=value`, with or without `export`. `#` begins a comment at the begin of a
//!   line and behind white space. LF and CRLF both end a line. A byte-order mark is skipped.
//! - Between single quotes everything stands for itself, line ends too. Between double quotes and
//!   without quotes `\n`, `\\`, `\"`, `\'`, `\$` and backslash-space are escapes; any other is an error.
//! - Where a key stands more than once the last entry counts. A write changes that one; a deletion
//!   takes all of them away.
//! - `$NAME` and `${NAME}` are [`Substitution`]: within the file or not at all. dotenvy's own, which
//!   prefers variables of the process and puts nothing for what it does not know, never runs.
//! - A file with one entry that is not well formed gives no secret at all, since nobody can tell where
//!   that entry ends. The error names the line, and nothing of what it holds.
//! - Two oddities of dotenvy 0.15.7 stay: a closing single quote right behind a backslash is not seen,
//!   and neither is a comment behind two blanks, so that a quote in it opens a value. What is written
//!   here never has either.
//! - Files are read up to 10 MiB. A file that is not there holds no secrets; where its folder is not
//!   there either, or a link leads to nothing, the answer is `Unavailable`, not `NotFound`: that may be a
//!   mount that is missing. The swap of a Kubernetes mount is not seen. A file that is rewritten in
//!   place, without a rename, can be seen half-written.
//!
//! Writing keeps every other byte: comments, order, white space, line ends, the byte-order mark. The
//! value is written between single quotes, so that dotenvy and a POSIX shell both read exactly that text;
//! bytes that are not UTF-8 cannot be written. The new file takes the place of the old one in one step,
//! with its owner and permissions (0600 where there was none), under a lock in `<file>.lock` that all
//! writers of this crate take, and that whoever may write the file may take. An editor that does not know
//! the lock loses nothing either, as long as it saves before the new file is put in place. Access control
//! lists and extended attributes are not carried over.
//!
//! The values of the file pass through buffers inside dotenvy that are not wiped.

mod backend;
mod config;
mod document;
mod dollar;
mod edit;
mod fault;
mod place;
mod provider;

pub use config::{DotenvConfig, Substitution};
pub use provider::DotenvProvider;

/// The parser and the writer by themselves, for the fuzzer.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use super::face::{read, remove, set};
}
#[cfg(fuzzing)]
mod face;
