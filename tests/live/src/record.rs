//! What came of it, in a file.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use secrets_core::conformance::{Outcome, Report};
use serde_json::{Value, json};

use crate::Failure;
use crate::args::Request;
use crate::harness::Account;

/// Writes the results: when, where, and the outcome of each check.
pub(crate) fn write(
    request: &Request,
    account: &Account,
    report: &Report,
    left: &[String],
) -> Result<(), Failure> {
    let results = report.results.iter().map(|result| {
        json!({
            "check": result.check.id,
            "title": result.check.title,
            "outcome": result.outcome.as_str(),
            "detail": detail(&result.outcome),
        })
    });
    let record = json!({
        "date": DateTime::from(SystemTime::now()).fmt(Format::DateTime)?,
        "region": request.region,
        "endpoint": request.endpoint,
        "provider": account.provider_id(),
        "names": account.root(),
        "conformant": report.is_conformant(),
        "passed": report.count("passed"),
        "failed": report.count("failed"),
        "not_deleted": left,
        "results": results.collect::<Vec<Value>>(),
    });
    let text = serde_json::to_string_pretty(&record)?;
    std::fs::write(&request.out, text + "\n")
        .map_err(|error| format!("`{}` cannot be written: {error}", request.out.display()))?;
    Ok(())
}

fn detail(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Failed(failure) => json!({
            "step": failure.step,
            "expected": failure.expected,
            "seen": failure.seen,
        }),
        Outcome::NotRun { waived, .. } => json!(waived),
        _ => Value::Null,
    }
}
