//! The double as a process: for tests in other languages, and for trying things out.
#![forbid(unsafe_code)]

use std::{
    io::{self, Read, Write},
    process::ExitCode,
    thread,
};

use aws_double::{AwsDouble, AwsDoubleBuilder};

const USAGE: &str = "usage: aws-double [--port PORT] [--region REGION] [--account ACCOUNT] [--key ACCESS_KEY SECRET_KEY]
                  [--strong] [--events QUEUE] [--with-stdin]

Serves AWS on 127.0.0.1 and prints one line of JSON: url, account, region, access_key, secret_key, and with
--events queue_url.
  --port        0, the default, takes a free one
  --key         what the first user signs with; made up by default
  --strong      reads see every write at once
  --events      makes a queue and puts into it what Secrets Manager changes
  --with-stdin  ends when standard input does, instead of when it is killed
";

/// What the command line asks for.
#[derive(Debug)]
struct Wanted {
    builder: AwsDoubleBuilder,
    events: Option<String>,
    with_stdin: bool,
}

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == "--help") {
        let _ = write!(io::stdout(), "{USAGE}");
        return ExitCode::SUCCESS;
    }
    let wanted = match parse(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(problem) => {
            let _ = write!(io::stderr(), "{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(wanted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "aws-double: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted { builder: AwsDouble::builder(), events: None, with_stdin: false };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("`{arg}` needs a value"));
        wanted.builder = match arg.as_str() {
            "--port" => {
                let port = value()?;
                wanted.builder.port(port.parse().map_err(|_| format!("`{port}` is no port"))?)
            }
            "--region" => wanted.builder.region(&value()?),
            "--account" => wanted.builder.account(&value()?),
            "--key" => wanted.builder.key(&value()?, &value()?),
            "--strong" => wanted.builder.strong(),
            "--events" => {
                wanted.events = Some(value()?);
                wanted.builder
            }
            "--with-stdin" => {
                wanted.with_stdin = true;
                wanted.builder
            }
            other => return Err(format!("`{other}` is not known")),
        };
    }
    Ok(wanted)
}

fn run(wanted: Wanted) -> io::Result<()> {
    let double = wanted.builder.start_blocking()?;
    let keys = double.credentials();
    let queue_url = wanted.events.map(|queue| {
        double.events().deliver_to(&queue);
        double.queues().create(&queue)
    });
    let line = serde_json::json!({
        "url": double.url(),
        "account": double.account(),
        "region": double.region(),
        "access_key": keys.access_key(),
        "secret_key": keys.secret_key(),
        "queue_url": queue_url,
    });
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    drop(out);
    if wanted.with_stdin {
        let mut sink = [0; 1024];
        while io::stdin().lock().read(&mut sink)? > 0 {}
        return Ok(());
    }
    loop {
        thread::park();
    }
}
