//! A leak in each channel is found, and named by its place.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

use audit_log::{Action, AuditSink, Code, Entity, EntityActivity, Event, Id};
use service_test_kit::secrets_core::{Error, ErrorKind};
use service_test_kit::{Canary, Capture, ErrorChain, Files, LogCapture, MemorySink, Piece, Shown};

fn canary() -> Canary {
    Canary::named("planted")
}

/// The only place, without the form.
fn place(capture: &dyn Capture) -> String {
    let leaks = canary().leaks_in(&[capture]);
    assert_eq!(leaks.len(), 1, "{leaks:?}");
    leaks[0].place.clone()
}

#[test]
fn in_the_text_of_an_event() {
    let (logs, _guard) = LogCapture::start();
    tracing::info!("harmless");
    tracing::trace!("password is {}", canary().text());
    assert_eq!(place(&logs), "an event of `it::channels`");
}

#[test]
fn in_a_field_of_an_event_as_text_debug_display_and_error() {
    for way in 0..4 {
        let (logs, _guard) = LogCapture::start();
        let text = canary().text().to_owned();
        let error = std::io::Error::other(text.clone());
        match way {
            0 => tracing::info!(password = text, "x"),
            1 => tracing::info!(password = ?text, "x"),
            2 => tracing::info!(password = %text, "x"),
            _ => tracing::info!(error = &error as &(dyn std::error::Error + 'static), "x"),
        }
        assert_eq!(place(&logs), "an event of `it::channels`", "{way}");
    }
}

#[test]
fn in_a_source_of_an_error_that_is_logged() {
    let (logs, _guard) = LogCapture::start();
    let error =
        Error::new(ErrorKind::Internal, "x").with_source(std::io::Error::other(canary().text()));
    tracing::warn!(error = &error as &(dyn std::error::Error + 'static), "x");
    assert_eq!(place(&logs), "an event of `it::channels`");
}

#[test]
fn in_a_span_from_its_beginning_or_recorded_later() {
    let (logs, _guard) = LogCapture::start();
    let span = tracing::debug_span!("connect", password = canary().text());
    drop(span);
    assert_eq!(place(&logs), "the span `connect` of `it::channels`");
    logs.clear();
    let span = tracing::debug_span!("later", password = tracing::field::Empty);
    assert!(canary().leaks_in(&[&logs]).is_empty());
    span.record("password", canary().text());
    assert_eq!(place(&logs), "the span `later` of `it::channels`");
}

fn met_first_elsewhere() {
    tracing::info!("password is {}", canary().text());
}

/// What is said is met first by a thread where nobody listens: a test beside this one. The test below
/// starts it once more, alone.
#[test]
fn alone_in_its_process() {
    let (logs, _guard) = LogCapture::start();
    std::thread::spawn(met_first_elsewhere).join().unwrap();
    assert!(logs.lines().is_empty(), "recorded from another thread");
    met_first_elsewhere();
    assert_eq!(place(&logs), "an event of `it::channels`");
}

/// In a process of its own: captures of other tests here would hide it.
#[test]
fn in_an_event_that_another_thread_met_first() {
    let half = "channels::alone_in_its_process";
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([half, "--exact"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn in_an_audit_event() {
    let sink = MemorySink::new();
    let note = |id: &str| {
        let secret = Entity::new(Code::new("secret"), Id::new(id).unwrap());
        let event = Event::new(Action::entity(EntityActivity::Read, secret), SystemTime::now());
        sink.append(&event).unwrap();
    };
    note("db");
    assert!(canary().leaks_in(&[&sink]).is_empty());
    note(canary().text());
    assert_eq!(place(&sink), "audit event 1");
}

#[test]
fn in_an_error_and_in_its_sources() {
    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("failed")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let plain = Error::new(ErrorKind::Internal, canary().text().to_owned());
    assert_eq!(place(&ErrorChain::of(&plain)), "an error");
    // The text alone, and not the debug form.
    let hidden =
        Error::new(ErrorKind::Internal, "x").with_source(std::io::Error::other(canary().text()));
    let places: Vec<_> =
        canary().leaks_in(&[&ErrorChain::of(&hidden)]).into_iter().map(|l| l.place).collect();
    assert!(places.contains(&"source 1 of an error".to_owned()), "{places:?}");
    let outer = Outer(std::io::Error::other(canary().text()));
    assert_eq!(canary().leaks_in(&[&ErrorChain::of(&outer)]).len(), 2);
}

#[test]
fn in_a_debug_form_on_one_line_or_several() {
    #[derive(Debug)]
    #[allow(dead_code, reason = "its debug form is looked at")]
    struct Config {
        password: Vec<u8>,
    }
    let config = Config { password: canary().text().into() };
    assert_eq!(
        place(&Shown::new("the configuration", &config)),
        "the debug form of the configuration"
    );
    assert!(canary().leaks_in(&[&Shown::new("the value", &canary().value())]).is_empty());
}

#[test]
fn in_a_file_its_name_and_the_target_of_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a/b");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::write(inner.join("clean"), "x").unwrap();
    assert!(canary().leaks_in(&[&Files::under(folder.path()).unwrap()]).is_empty());
    std::fs::write(inner.join("core"), [b"\0\xff", canary().text().as_bytes()].concat()).unwrap();
    let at = place(&Files::under(folder.path()).unwrap());
    assert!(at.starts_with("the file `") && at.ends_with("a/b/core`"), "{at}");
    std::fs::remove_file(inner.join("core")).unwrap();
    std::fs::write(inner.join(canary().text()), "x").unwrap();
    // By its name, and by the path at which it was read.
    let leaks = canary().leaks_in(&[&Files::under(folder.path()).unwrap()]);
    assert_eq!(
        leaks.iter().map(|leak| leak.place.as_str()).collect::<Vec<_>>(),
        ["the name of a file"]
    );
    std::fs::remove_file(inner.join(canary().text())).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(canary().text(), inner.join("link")).unwrap();
        assert!(place(&Files::under(folder.path()).unwrap()).ends_with("a/b/link`"));
    }
    assert!(Files::under(folder.path().join("none")).is_err());
}

#[test]
fn in_what_a_service_captures_itself() {
    struct Metrics;
    impl Capture for Metrics {
        fn pieces(&self) -> Vec<Piece> {
            vec![Piece::new("labels", format!("user={}", canary().text()))]
        }
    }
    assert_eq!(place(&Metrics), "labels");
    assert_eq!(place(&canary().text().to_owned()), "text");
    assert_eq!(place(&canary().text().as_bytes().to_vec()), "bytes");
}

#[test]
fn the_assertion_fails_with_every_place_and_without_the_secret() {
    let (one, two) = (canary().text().to_owned(), format!("{:?}", canary().text().as_bytes()));
    let clean = "clean".to_owned();
    canary().assert_absent_from(&[&clean]);
    canary().assert_absent_from(&[]);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let failed =
        catch_unwind(AssertUnwindSafe(|| canary().assert_absent_from(&[&clean, &one, &two])));
    std::panic::set_hook(hook);
    let message = failed.unwrap_err().downcast_ref::<String>().unwrap().clone();
    assert_eq!(message, "the secret was found as it is in text, a list of numbers in text");
    assert!(canary().leaks_in(&[&message]).is_empty());
    assert!(
        canary()
            .leaks_in(&[&format!("{:?} {:?}", canary(), canary().leaks_in(&[&one]))])
            .is_empty()
    );
}
