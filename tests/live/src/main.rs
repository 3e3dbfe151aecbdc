//! The conformance suite of the contract on a cloud account of one's own, by explicit opt-in.
//!
//! Credentials come from AWS's default chain. What is written lies under the prefix that is named and is
//! deleted at the end; what came of each check stands in a file, with the day and the region.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks through its standard streams"
)]

mod args;
mod harness;
mod record;

use std::process::ExitCode;
use std::time::Duration;

use args::Request;
use harness::Account;
use secrets_core::conformance;

/// What ends the program before its time. The text never holds a secret.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let request = match Request::parse(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(problem) => {
            eprintln!("error: {problem}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&request).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// True when the provider conforms and nothing is left.
async fn run(request: &Request) -> Result<bool, Failure> {
    let account = Account::connect(request).await?;
    account.greet().await?;
    println!("writes and deletes secrets under `{}/` in {}", account.root(), request.region);
    println!("this takes some minutes, mostly waiting until deletions have taken effect");
    let report = tokio::select! {
        report = conformance::run(account.harness()) => report,
        stopped = tokio::signal::ctrl_c() => return Err(interrupted(&account, stopped).await),
    };
    // The suite takes away what it wrote; this is for what it could not.
    let cleared = account.clear().await;
    let left = match &cleared {
        Ok(()) => Vec::new(),
        Err(left) => left.clone(),
    };
    record::write(request, &account, &report, &left)?;
    println!("{report}");
    for name in &left {
        println!("not deleted: `{name}`");
    }
    println!("recorded in {}", request.out.display());
    Ok(report.is_conformant() && left.is_empty())
}

/// What was written until then is deleted, as far as it is listed.
async fn interrupted(account: &Account, stopped: std::io::Result<()>) -> Failure {
    let how = match stopped {
        Ok(()) => "interrupted".to_owned(),
        Err(error) => format!("interrupts cannot be heard: {error}"),
    };
    // What was under way may still arrive.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let root = account.root();
    match account.clear().await {
        Ok(()) => format!(
            "{how}; what is listed under `{root}/` is deleted. Lists of AWS may be five minutes behind: \
             look again"
        )
        .into(),
        Err(left) => format!("{how}; not deleted: `{}`", left.join("`, `")).into(),
    }
}
