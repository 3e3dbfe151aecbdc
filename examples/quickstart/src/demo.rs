//! The main process: builds the store, starts the parts, and reports.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use secrets_core::{SecretProviderExt, SecretValue};
use secrets_manager::audit_log::ChainKey;
use serde::Serialize;
use tokio::process::ChildStdin;
use tokio::task::JoinHandle;

use crate::args::Place;
use crate::away::Away;
use crate::process::{Part, Ready, print_line};
use crate::resource::{Counts, Setup};
use crate::rotator::{Event, ROTATOR, new_password};
use crate::service::{HANDLE, READ_ONCE, Seen};
use crate::trail::Checked;
use crate::verifier::Verifier;
use crate::{Failure, load, names, observed, process, store, trail};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Outcome {
    /// Requests to the service with a handle.
    requests: u64,
    /// Of those, the ones that were not answered with 200.
    failures: u64,
    /// Logins of that service that the resource refused: no retry hides them.
    refused: u64,
    /// Rotations that the service with a handle saw.
    rotations: usize,
    /// The longest time from the promotion of a version until the service used it.
    reload_max_ms: u64,
    /// How long each old password went on working.
    grace_ms: u64,
    /// Requests to the service that read the secret once.
    read_once_requests: u64,
    /// Of those, the ones that failed.
    read_once_failures: u64,
    /// Logins of that service that the resource refused.
    read_once_refused: u64,
    /// Requests that the metrics of the service with a handle tell of.
    measured: u64,
    /// Of those, the ones that were not answered with 200.
    measured_failures: u64,
    /// Requests that its log tells of, each with its ids.
    logged: u64,
    /// Whether a secret is in the log of a service.
    secrets_in_logs: bool,
    /// Records of the audit trail that are in order.
    audit_records: u64,
    /// Loads by handle that it tells of, in sums.
    audit_loads: u64,
    /// Whether nothing in it was altered, taken out or cut off.
    audit_verified: bool,
    /// Whether the verifier finds what was changed in a copy of it.
    audit_tampering_found: bool,
}

/// Runs the demonstration, until it is done or somebody wants it to end. Either way the processes
/// and the temporary folder are gone afterwards.
pub(crate) async fn run(json: bool, place: &Place) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let away = Away::prepare(place, folder.path()).await?;
    let ended = tokio::select! {
        shown = show(json, folder.path(), away.as_ref()) => shown,
        asked = process::interrupted() => asked.and(Err("interrupted".into())),
    };
    let cleared = match &away {
        Some(away) => away.clear().await,
        None => Ok(()),
    };
    clear(folder.path()).await;
    ended.and(cleared)
}

/// Parts that were just killed may still be writing where the folder is taken away.
async fn clear(folder: &Path) {
    for _ in 0..100 {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            _ => return,
        }
    }
}

/// Fails unless it shows what it is there to show.
async fn show(json: bool, folder: &Path, away: Option<&Away>) -> Result<(), Failure> {
    let say = Story { silent: json, start: Instant::now() };
    let chain_key = new_password()?;
    let Filled { setup, secrets } = fill_store(&say, folder, away, chain_key.clone()).await?;
    let (resource, resource_at) = start_resource(folder, &setup).await?;
    say.line(&format!("resource on {resource_at}: holds two password hashes, counts refusals"));

    let service = |mode: &str| {
        let writer = format!("service-{mode}");
        Part::start_as(&writer, folder, "service", &[mode, &resource_at])
    };
    let (mut handle, mut read_once) = (service(HANDLE)?, service(READ_ONCE)?);
    let Ready { listening: handle_at, admin } = handle.expect().await?;
    let admin = admin.ok_or("the service has no metrics")?;
    let handle_at = handle_at.to_string();
    let read_once_at = read_once.expect::<Ready>().await?.listening.to_string();
    say.line(&format!("service with a handle on {handle_at}, the other on {read_once_at}"));
    say.line(&format!("metrics of the first at http://{admin}/metrics"));

    let mut load = Part::start(folder, "load", &[&handle_at, &read_once_at])?;
    let (handle_stdin, seen) = watch(handle);
    let Rotations { promoted, grace_ms } = rotate(&say, folder, &resource_at).await?;

    load.close();
    let report: load::Report = load.expect().await?;
    load.finish().await?;
    let measured = observed::measured(admin, report.handle.requests).await?;
    drop(handle_stdin);
    let seen = seen.await??;
    let counts = counts(&resource_at).await?;
    read_once.finish().await?;
    resource.finish().await?;

    let logged = observed::logged(folder, HANDLE, &secrets)?;
    let shows_secret = observed::logged(folder, READ_ONCE, &secrets)?.shows_secret;
    let trail = trail::check(folder, &ChainKey::from_hex(chain_key.expose_secret())?)?;
    let reloads = reloads(&promoted, &seen);
    let refused = |client: &str| counts.get(client).map_or(0, |logins| logins.refused);
    let outcome = Outcome {
        requests: report.handle.requests,
        failures: report.handle.failures,
        refused: refused(HANDLE),
        rotations: reloads.len(),
        reload_max_ms: reloads.iter().copied().max().unwrap_or_default(),
        grace_ms,
        read_once_requests: report.read_once.requests,
        read_once_failures: report.read_once.failures,
        read_once_refused: refused(READ_ONCE),
        measured: measured.requests,
        measured_failures: measured.requests - measured.succeeded,
        logged: logged.requests,
        secrets_in_logs: logged.shows_secret || shows_secret,
        audit_records: trail.records,
        audit_loads: trail.loads,
        audit_verified: trail.verified,
        audit_tampering_found: trail.tampered.is_some(),
    };
    say.outcome(&outcome, &reloads);
    say.trail(&trail);
    if json {
        print_line(&outcome)?;
    }
    verdict(&outcome, promoted.len())
}

/// What the store was filled with.
struct Filled {
    /// What the resource is told of the secrets.
    setup: Setup,
    /// What must be in no log.
    secrets: Vec<SecretValue>,
}

/// From the `.env` file into the store.
async fn fill_store(
    say: &Story,
    folder: &Path,
    away: Option<&Away>,
    chain_key: SecretValue,
) -> Result<Filled, Failure> {
    let password = store::read_env_file(&folder.join(".env")).await?;
    let admin = new_password()?;
    let setup = Setup {
        password: Verifier::of(password.expose_secret())?.to_hex(),
        admin: Verifier::of(admin.expose_secret())?.to_hex(),
    };
    let known = vec![password.clone(), admin.clone(), chain_key.clone()];
    let secrets = [
        (names::STORED_PASSWORD, password),
        (names::STORED_ADMIN_TOKEN, admin),
        (names::STORED_CHAIN_KEY, chain_key),
    ];
    match away {
        Some(away) => {
            say.line(&away.announcement());
            away.fill(folder, secrets).await?;
            say.line("moved the secret of a .env file there");
        }
        None => {
            let store = store::create(folder).await?;
            for (name, value) in secrets {
                store.put(name, value).await?;
            }
            say.line("moved the secret of a .env file into an encrypted store");
        }
    }
    Ok(Filled { setup, secrets: known })
}

async fn start_resource(folder: &Path, setup: &Setup) -> Result<(Part, String), Failure> {
    let mut resource = Part::start(folder, "resource", &[])?;
    resource.send(setup).await?;
    let address = resource.expect::<Ready>().await?.listening.to_string();
    Ok((resource, address))
}

/// What the rotator did.
struct Rotations {
    /// Each version and when it was promoted.
    promoted: Vec<(String, u64)>,
    grace_ms: u64,
}

/// Lets the rotator do its work, and tells of it.
async fn rotate(say: &Story, folder: &Path, resource_at: &str) -> Result<Rotations, Failure> {
    let mut rotator = Part::start_as(ROTATOR, folder, "rotator", &[resource_at])?;
    let mut rotations = Rotations { promoted: Vec::new(), grace_ms: 0 };
    while let Some(event) = rotator.next::<Event>().await? {
        match event {
            Event::Promoted { version, at_ms, grace_ms } => {
                say.line(&format!("version {version} is current; the old one works {grace_ms} ms"));
                rotations.promoted.push((version, at_ms));
                rotations.grace_ms = grace_ms;
            }
            Event::Revoked { version } => say.line(&format!("version {version} is revoked")),
        }
    }
    rotator.finish().await?;
    Ok(rotations)
}

/// Asks the resource what it counted.
async fn counts(resource_at: &str) -> Result<Counts, Failure> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let answer = http.get(format!("http://{resource_at}/counts")).send().await?;
    Ok(answer.error_for_status()?.json().await?)
}

/// When each version came into use, by its id.
type SeenAt = BTreeMap<String, u64>;

/// Collects what the service says about the versions it saw, until it ends. It ends when the first
/// half of the answer is dropped.
fn watch(mut service: Part) -> (Option<ChildStdin>, JoinHandle<Result<SeenAt, Failure>>) {
    let stdin = service.take_stdin();
    let seen = tokio::spawn(async move {
        let mut seen = SeenAt::new();
        while let Some(Seen { version, at_ms }) = service.next().await? {
            seen.entry(version).or_insert(at_ms);
        }
        service.finish().await?;
        Ok(seen)
    });
    (stdin, seen)
}

/// How long after each promotion the version came into use, in milliseconds; those never seen are
/// left out.
fn reloads(promoted: &[(String, u64)], seen: &SeenAt) -> Vec<u64> {
    let delay = |(version, at): &(String, u64)| Some(seen.get(version)?.saturating_sub(*at));
    promoted.iter().filter_map(delay).collect()
}

/// The demonstration proves something only if ours failed nothing, the other failed, and every
/// rotation was seen.
fn verdict(outcome: &Outcome, promoted: usize) -> Result<(), Failure> {
    if outcome.failures > 0 || outcome.refused > 0 {
        return Err("requests failed while the secret was rotated".into());
    }
    if outcome.requests == 0 || outcome.rotations == 0 || outcome.rotations < promoted {
        return Err("not every rotation was seen under load".into());
    }
    if outcome.read_once_failures == 0 {
        return Err("the service that read once did not fail: nothing was shown".into());
    }
    if (outcome.measured, outcome.logged) != (outcome.requests, outcome.requests) {
        return Err("the metrics or the log tell of other requests than were sent".into());
    }
    if outcome.measured_failures > 0 {
        return Err("the metrics tell of failures that nobody saw".into());
    }
    if outcome.secrets_in_logs {
        return Err("a secret is in a log".into());
    }
    if !outcome.audit_verified || outcome.audit_records == 0 {
        return Err("the audit trail does not verify".into());
    }
    if !outcome.audit_tampering_found {
        return Err("the audit trail verifies though it was tampered with".into());
    }
    Ok(())
}

/// What a person reads along.
struct Story {
    silent: bool,
    start: Instant,
}

impl Story {
    #[allow(clippy::print_stdout, reason = "the story is the program's output")]
    fn line(&self, text: &str) {
        if !self.silent {
            println!("{:5.1} s  {text}", self.start.elapsed().as_secs_f32());
        }
    }

    fn outcome(&self, outcome: &Outcome, reloads: &[u64]) {
        let Outcome { requests, failures, refused, rotations, .. } = outcome;
        let reloads: Vec<String> = reloads.iter().map(u64::to_string).collect();
        self.line(&format!("{rotations} rotations, in use after {} ms", reloads.join(", ")));
        self.line(&format!(
            "by handle: {requests} requests, {failures} failures, {refused} logins refused"
        ));
        let Outcome { measured, logged, .. } = outcome;
        self.line(&format!("its metrics tell of {measured} requests, its log of {logged}"));
        let (requests, failures) = (outcome.read_once_requests, outcome.read_once_failures);
        let refused = outcome.read_once_refused;
        self.line(&format!(
            "read once: {requests} requests, {failures} failures, {refused} logins refused"
        ));
    }

    fn trail(&self, trail: &Checked) {
        let Checked { records, writers, loads, verified, tampered } = trail;
        let verdict = if *verified { "verified" } else { "DAMAGED" };
        self.line(&format!(
            "audit trail: {records} records of {writers} processes, with {loads} loads, {verdict}"
        ));
        match tampered {
            Some(found) => self.line(&format!(
                "a copy with one write passed off as a read: line {} is {}",
                found.line, found.kind
            )),
            None => self.line("a copy with one write passed off as a read: NOTHING FOUND"),
        }
    }
}
