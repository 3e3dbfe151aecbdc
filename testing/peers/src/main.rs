//! Installs what the peers need, ahead of the tests.

#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let (text, code) = match peers::Venv::prepare_again() {
        Ok(venv) => (format!("ready: {}", venv.python().display()), ExitCode::SUCCESS),
        Err(error) => (format!("error: {error}"), ExitCode::FAILURE),
    };
    // The exit code tells it too.
    let _ = writeln!(std::io::stderr(), "{text}");
    code
}
