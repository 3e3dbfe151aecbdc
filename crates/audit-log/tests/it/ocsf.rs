//! Events against the schema that OCSF publishes.

use std::fs::{self, File};
use std::io::Write;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use audit_log::{
    AccountActivity, Action, Actor, Aggregate, ApiActivity, AuditSink, AuthProtocol,
    AuthenticationActivity, Code, Context, Entity, EntityActivity, Event, Grant, Id, Origin,
    Outcome, Provenance, Scheme, Severity, SpanId, TraceContext, TraceId, User, UserKind,
};

use crate::support::*;

const REQUIREMENTS: &str = include_str!("ocsf_requirements.txt");

/// A Python with the package that carries the schema, made once.
fn python() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("ocsf-python");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (python, made) = (folder.join("venv/bin/python"), folder.join("made"));
    if fs::read_to_string(&made).is_ok_and(|made| made == REQUIREMENTS) && python.exists() {
        return python;
    }
    let _ = fs::remove_dir_all(folder.join("venv"));
    run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(&folder));
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).unwrap();
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"];
    run(Command::new(&python).args(pip).arg(&requirements));
    fs::write(made, REQUIREMENTS).unwrap();
    python
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; this test needs python3 with venv (`cargo xtask setup`)")
    });
    assert!(status.success(), "{command:?} failed");
}

/// What is wrong with these lines, and how many there are.
fn check(lines: &[String]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/ocsf_check.py");
    let mut child = Command::new(python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

fn actions() -> Vec<Action> {
    let user = || User::new(UserKind::User, id("alice"));
    let secret = || {
        let entity = Entity::new(Code::new("secret"), id("billing/db"));
        entity.with_version(id("v7")).with_store(id("file:/var/lib/billing"))
    };
    let mut actions = Vec::new();
    for activity in AccountActivity::ALL {
        actions.push(Action::Account { activity: *activity, user: user() });
    }
    for activity in AuthenticationActivity::ALL {
        actions.push(Action::authentication(*activity, user(), Code::new("web")));
    }
    for protocol in AuthProtocol::ALL {
        actions.push(Action::Authentication {
            activity: AuthenticationActivity::Logon,
            user: user(),
            service: Code::new("web"),
            protocol: Some(*protocol),
            is_mfa: Some(true),
            session: Some(id("s-1")),
        });
    }
    for grant in [Grant::Privileges(vec![id("read"), id("write")]), Grant::Group(id("admins"))] {
        actions.push(Action::Authorization { user: user(), grant, session: Some(id("s-1")) });
    }
    for activity in EntityActivity::ALL {
        actions.push(Action::entity(*activity, secret()));
        let (activity, entity, result) = (*activity, secret(), Some(secret()));
        actions.push(Action::Entity { activity, entity, result });
    }
    for activity in ApiActivity::ALL {
        actions.push(Action::Api {
            activity: *activity,
            operation: Code::new("get_secret"),
            service: Code::new("secrets"),
            resources: vec![secret()],
        });
    }
    actions
}

fn contexts() -> Vec<Context> {
    let origin = Origin::of_peer("127.0.0.1:5000".parse().unwrap());
    let proxied = origin
        .clone()
        .with_client("127.0.0.9".parse().unwrap(), Provenance::Forwarded)
        .with_scheme(Scheme::Https, Provenance::XForwarded)
        .with_host(id("example.org"), Provenance::Request);
    let actor = Actor::user(id("alice")).with_session(id("s-1")).with_credential(id("key-3"));
    let whole = Context::new()
        .with_request_id(id("r-1"))
        .with_correlation_id(id("c-1"))
        .with_trace(TraceContext::new(TraceId::new(7).unwrap(), SpanId::new(8).unwrap()))
        .with_actor(actor);
    vec![
        Context::new(),
        whole.clone().with_origin(origin),
        whole.with_origin(proxied).with_actor(Actor::new(UserKind::System, id("cron"))),
    ]
}

fn outcomes() -> [Outcome; 3] {
    let reason = Code::new("permission_denied");
    [Outcome::Success, Outcome::Failure(reason), Outcome::Unknown(reason)]
}

#[tokio::test]
async fn every_event_is_one_of_ocsf() {
    let (_parent, folder) = folder();
    let trail = builder(&folder).max_segment(100_000).queue(400).open().await.unwrap();
    let severities = [Severity::Informational, Severity::Low, Severity::Medium, Severity::High];
    for (number, action) in actions().into_iter().enumerate() {
        for context in contexts() {
            let mut event = Event::new(action.clone(), noon())
                .with_outcome(outcomes()[number % 3])
                .with_severity(severities[number % 4])
                .with_context(context);
            if number % 3 == 0 {
                event = event.with_code(Code::new("fetch"));
            }
            if number % 4 == 0 {
                let left_off = u64::try_from(number).unwrap();
                event = event.with_store_requests([id("7c1b"), id("9d2a")]);
                event = event.with_store_requests_left_off(left_off);
            }
            if number % 5 == 0 {
                let end = noon() + Duration::from_secs(60);
                let many = NonZeroU64::new(17).unwrap();
                event = event.with_aggregate(Aggregate::new(many, noon(), end));
            }
            trail.append_durable(&event).await.unwrap();
        }
    }
    // One that is too large for the queue, so that the trail says that it was dropped.
    trail.append(&event("e")).unwrap_err();
    trail.flush().await.unwrap();
    drop(trail);
    let mut all = Vec::new();
    for number in 1.. {
        let path = segment(&folder, number);
        if !path.exists() {
            break;
        }
        all.extend(lines(&path));
    }
    let whole = all.join("\n");
    for own in ["Start", "Rotate", "Drop"] {
        assert!(whole.contains(&format!(r#""activity_name":"{own}""#)), "no {own} is among them");
    }
    assert!(whole.contains(r#""store_requests":["7c1b","9d2a"],"store_requests_left_off":4"#));
    assert!(!whole.contains(r#""store_requests_left_off":0"#), "none left off is not told");
    let found = check(&all);
    let (count, problems) = (found.lines().count(), found.lines().take(20).collect::<Vec<_>>());
    assert_eq!((count, problems), (1, vec![format!("{} events", all.len()).as_str()]));
}

/// The checker itself: what it must not let pass.
#[tokio::test]
async fn the_checker_finds_what_is_wrong() {
    let (_parent, folder) = folder();
    write(&folder, 1).await;
    let good = lines(&segment(&folder, 1)).pop().unwrap();
    let changes = [
        (r#""severity_id":1"#, r#""severity_id":77"#, "none of"),
        (r#""uid":"e0""#, r#""name_":"e0""#, "no attribute"),
        (r#""activity_id":2"#, r#""activity_id":3"#, "type_uid"),
        (r#""time":18"#, r#""time_":18"#, "missing"),
        (r#""class_uid":3004"#, r#""class_uid":3999"#, "no class"),
        (r#""type":"secret","uid":"e0""#, r#""type":"secret""#, "none of"),
        (r#""class_name":"Entity Management""#, r#""class_name":5"#, "no string_t"),
    ];
    for (from, to, expected) in changes {
        assert!(good.contains(from), "{from} in {good}");
        let found = check(&[good.replace(from, to)]);
        assert!(found.contains(expected), "{to}: {found}");
    }
}
