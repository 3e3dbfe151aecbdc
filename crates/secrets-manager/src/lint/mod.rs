#![doc = include_str!("../../LINTS.md")]

mod code;
mod duplicates;
mod files;
mod finding;
mod linter;
mod origin;
mod parts;
mod settings_file;
mod suppression;
mod value;
mod words;

pub use code::{Environment, LintCode, Severity};
pub use finding::{Finding, LintReport, Subject};
pub use linter::Linter;
pub use suppression::{InvalidSuppression, Suppression};
