//! Errors: what they say, and what they do not repeat.

use std::error::Error as _;
use std::time::Duration;

use secrets_core::{Effect, Error, ErrorKind, InvalidName, Operation, Retry};

const KINDS: [ErrorKind; 19] = [
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::Conflict,
    ErrorKind::InvalidName,
    ErrorKind::InvalidValue,
    ErrorKind::TooLarge,
    ErrorKind::PermissionDenied,
    ErrorKind::Unauthenticated,
    ErrorKind::Disabled,
    ErrorKind::Expired,
    ErrorKind::NotYetValid,
    ErrorKind::PendingDeletion,
    ErrorKind::Destroyed,
    ErrorKind::Throttled,
    ErrorKind::Timeout,
    ErrorKind::Unavailable,
    ErrorKind::Integrity,
    ErrorKind::Unsupported,
    ErrorKind::Internal,
];

#[test]
fn every_kind_has_its_defaults() {
    for kind in KINDS {
        let error = Error::new(kind, "message");
        let retry = match kind {
            ErrorKind::Throttled | ErrorKind::Timeout | ErrorKind::Unavailable => Retry::Backoff,
            ErrorKind::Unauthenticated => Retry::AfterReauth,
            _ => Retry::Never,
        };
        let effect = match kind {
            ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Internal => Effect::Unknown,
            _ => Effect::NotApplied,
        };
        assert_eq!((error.kind(), error.retry(), error.effect()), (kind, retry, effect));
        assert_eq!(error.is_transient(), retry == Retry::Backoff);
        assert_eq!((error.operation(), error.request_id()), (None, None));
        assert!(!error.maybe_absent() && error.source().is_none());
    }
    let names: std::collections::BTreeSet<_> = KINDS.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), KINDS.len());
}

#[test]
fn parts_are_added_without_touching_clones() {
    let plain = Error::new(ErrorKind::PermissionDenied, "no");
    let full = plain
        .clone()
        .with_operation(Operation::GetSecret)
        .with_retry(Retry::After(Duration::from_secs(3)))
        .with_effect(Effect::Partial)
        .with_request_id("req-1")
        .with_maybe_absent();
    assert_eq!(full.operation(), Some(Operation::GetSecret));
    assert_eq!(full.retry(), Retry::After(Duration::from_secs(3)));
    assert_eq!((full.effect(), full.request_id()), (Effect::Partial, Some("req-1")));
    assert!(full.maybe_absent() && full.is_transient());
    assert_eq!((plain.operation(), plain.retry()), (None, Retry::Never));
    assert_eq!(full.to_string(), "get_secret: permission denied: no");
    assert_eq!(plain.to_string(), "permission denied: no");
}

#[test]
fn display_does_not_repeat_the_source() {
    let cause = std::io::Error::other("the disk is full");
    let error =
        Error::new(ErrorKind::Unavailable, "the store cannot be written").with_source(cause);
    assert_eq!(error.to_string(), "unavailable: the store cannot be written");
    assert_eq!(error.source().unwrap().to_string(), "the disk is full");
    // What a client's error shows to developers may hold a whole answer: it is not shown on.
    #[derive(Debug, thiserror::Error)]
    #[error("the service answered 400")]
    struct Answer {
        _body: &'static str,
    }
    let answer = Answer { _body: "{\"SecretString\":\"hunter2\"}" };
    let leaky = Error::new(ErrorKind::Internal, "no answer").with_source(answer);
    assert!(!format!("{leaky:?} {leaky:#?}").contains("hunter2"));
    assert!(format!("{leaky:?}").contains("the service answered 400"));
    // A clone shares the cause.
    assert!(error.clone().source().is_some());
    let error = Error::from(InvalidName::Empty);
    assert_eq!(error.to_string(), "invalid name: the name cannot be used");
    assert_eq!(error.source().unwrap().to_string(), "the name is empty");
    let error = Error::unsupported(Operation::Promote, "no stages");
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Unsupported, Effect::NotApplied));
}

#[test]
fn messages_have_one_style() {
    let reasons = [
        InvalidName::Empty,
        InvalidName::TooLong { len: 2, max: 1 },
        InvalidName::Character { character: 'A', at: 0 },
        InvalidName::EmptySegment { at: 0 },
        InvalidName::LeadingDot { at: 0 },
        InvalidName::NotUsable { reason: "reserved" },
    ];
    for reason in reasons {
        let text = reason.to_string();
        assert!(text.starts_with(char::is_lowercase) && !text.ends_with('.'), "{text}");
    }
    for kind in KINDS {
        assert!(kind.as_str().chars().all(|c| c.is_lowercase() || c == ' '));
    }
}

#[test]
fn an_error_is_small_and_goes_anywhere() {
    fn anywhere<T: std::error::Error + Send + Sync + Clone + 'static>() {}
    anywhere::<Error>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
}
