//! A secret rotated under load.
//!
//! Builds an encrypted store from a real `.env` and starts five processes: a resource that holds two
//! password hashes and counts refusals, a service that logs in with the secret by handle, a service
//! that read the secret once at start, a rotator, and a load generator that sends both services the
//! same requests. The first service fails nothing; the other fails from the first revocation on.
//!
//! The services log and measure each request; their numbers have to be those of the load generator, and no secret
//! may be in their logs.
//!
//! The services and the rotator find their secrets by settings alone, `service.toml` and, for where the
//! secrets are, `file.toml` or `aws.toml`; they write one audit trail, which is verified at the end.

#![forbid(unsafe_code)]

mod args;
mod away;
mod demo;
mod load;
mod names;
mod observed;
mod process;
mod resource;
mod rotator;
mod service;
mod settings;
mod store;
mod trail;
mod verifier;

use std::process::ExitCode;

use args::Role;

/// What ends a process before its time. The text is for a person; it never holds a secret.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[allow(clippy::print_stderr, reason = "a command says on standard error why it failed")]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let Some(role) = Role::parse(&args) else {
        eprintln!("{}", args::USAGE);
        return ExitCode::from(2);
    };
    let ended = tokio::runtime::Runtime::new().map_err(Failure::from).and_then(|runtime| {
        let ended = runtime.block_on(run(role));
        // A read of standard input may be pending: it must not keep the process alive.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("quickstart {}: {failure}", args.first().unwrap_or(&"main"));
            ExitCode::FAILURE
        }
    }
}

async fn run(role: Role) -> Result<(), Failure> {
    match role {
        Role::Main { json, place } => demo::run(json, &place).await,
        Role::Resource => resource::run().await,
        Role::Service { read_once, resource } => service::run(read_once, &resource).await,
        Role::Rotator { resource } => rotator::run(&resource).await,
        Role::Load { handle, read_once } => load::run(&handle, &read_once).await,
    }
}
