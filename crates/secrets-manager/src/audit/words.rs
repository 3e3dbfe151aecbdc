//! The words and identifiers that stand in events.

use std::fmt::Write as _;

use audit_log::{Actor, Code, Context, EntityActivity, Event, Id};
use secrets_core::{
    Error, ErrorKind, Operation, Precondition, RequestIds, SecretRef, SetOptions, VersionState,
};
use sha2::{Digest, Sha256};

/// What kind of thing events are about.
pub(crate) const SECRET: Code = Code::new("secret");

/// A call of the provider for a value.
pub(crate) const FETCH: Code = Code::new("fetch");
/// A read by name, or by the backend's own id, whether the cache answered or the provider.
pub(crate) const READ: Code = Code::new("read");
/// The issue of a handle.
pub(crate) const HANDLE: Code = Code::new("handle");
/// Loads of handles, in sum.
pub(crate) const LOADS: Code = Code::new("loads");

/// A write that is about to be made.
pub(crate) const INTENDED: Code = Code::new("intended");
/// Given up before the answer came.
pub(crate) const CANCELLED: Code = Code::new("cancelled");

const MANAGER: Code = Code::new("secrets-manager");

/// So many requests stand in an event: those of a batch stand in the event of each of its secrets.
const MOST_REQUESTS: usize = 8;

/// The event with the requests that its call made of the backend: the first, the one that an error
/// names in any case, and how many more there were.
pub(crate) fn with_requests(event: Event, ids: &RequestIds, error: Option<&Error>) -> Event {
    let named = error.and_then(Error::request_id);
    let all = ids.all();
    let others = all.iter().map(|id| &**id).filter(|id| Some(*id) != named);
    let told: Vec<&str> = others.take(MOST_REQUESTS - usize::from(named.is_some())).collect();
    let is_noted = named.is_some_and(|named| all.iter().any(|id| **id == *named));
    let more = all.len() - usize::from(is_noted) - told.len();
    let left_off = ids.left_off().saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
    event
        .with_store_requests(told.into_iter().chain(named).map(id_of_text))
        .with_store_requests_left_off(left_off)
}

/// The context of what the manager does by itself.
pub(crate) fn upkeep() -> Context {
    Context::new().with_actor(Actor::service(Id::from(MANAGER)))
}

/// The longest [`Id`], in bytes.
const LONGEST: usize = 1024;
/// Stands before the hash of what was too long, and in no other identifier.
const CUT: char = '~';
/// The mark and a SHA-256 in hexadecimal.
const TAIL: usize = 65;

/// What a secret is called in events. Names stand as they are. What a backend calls it by itself has
/// `native:` before it, with what an identifier cannot hold as `%` and two hexadecimal digits a byte;
/// cut, with its SHA-256, where it is too long. No two secrets are called the same.
pub(crate) fn id_of(reference: &SecretRef) -> Id {
    match reference {
        SecretRef::Name(name) => id_of_text(name.as_str()),
        SecretRef::Native(id) => id_of_text(&format!("native:{}", id.as_str())),
        other => id_of_text(&other.to_string()),
    }
}

/// Any name as an identifier.
pub(crate) fn id_of_text(text: &str) -> Id {
    let mut id = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_graphic() && byte != b'%' && char::from(byte) != CUT;
        if is_plain {
            id.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(id, "%{byte:02X}");
        }
    }
    if id.len() > LONGEST {
        id.truncate(LONGEST - TAIL);
        id.push(CUT);
        for byte in Sha256::digest(text) {
            let _ = write!(id, "{byte:02x}");
        }
    }
    Id::new(&id).unwrap_or_else(|_| Id::from(UNNAMED))
}

/// For an empty text, which no name is.
const UNNAMED: Code = Code::new("unnamed");

/// Codes by what they stand for.
macro_rules! codes {
    ($of:ident, $all:ident: $type:ty { $($variant:ident = $code:literal,)+ } else $other:literal) => {
        /// The code; that of kinds that did not exist when this was written is the last.
        pub(crate) fn $of(of: $type) -> Code {
            match of {
                $(<$type>::$variant => const { Code::new($code) },)+
                _ => const { Code::new($other) },
            }
        }

        #[cfg(test)]
        const $all: &[$type] = &[$(<$type>::$variant),+];
    };
}

codes! {
    reason, REASONS: ErrorKind {
        NotFound = "not_found",
        AlreadyExists = "already_exists",
        Conflict = "conflict",
        InvalidName = "invalid_name",
        InvalidValue = "invalid_value",
        TooLarge = "too_large",
        PermissionDenied = "permission_denied",
        Unauthenticated = "unauthenticated",
        Disabled = "disabled",
        Expired = "expired",
        NotYetValid = "not_yet_valid",
        PendingDeletion = "pending_deletion",
        Destroyed = "destroyed",
        Throttled = "throttled",
        QuotaExceeded = "quota_exceeded",
        Timeout = "timeout",
        Unavailable = "unavailable",
        Integrity = "integrity",
        Unsupported = "unsupported",
        Internal = "internal",
    } else "other"
}

codes! {
    operation, OPERATIONS: Operation {
        GetSecret = "get_secret",
        GetSecrets = "get_secrets",
        SetSecret = "set_secret",
        Promote = "promote",
        DiscardPending = "discard_pending",
        UpdateMetadata = "update_metadata",
        SetVersionState = "set_version_state",
        DescribeSecret = "describe_secret",
        ListVersions = "list_versions",
        ListSecrets = "list_secrets",
        DeleteSecret = "delete_secret",
        RestoreSecret = "restore_secret",
        PurgeSecret = "purge_secret",
        Health = "health",
    } else "other"
}

/// What a new state of a version is to OCSF.
pub(crate) fn activity_of(state: VersionState) -> EntityActivity {
    match state {
        VersionState::Enabled => EntityActivity::Enable,
        VersionState::Disabled => EntityActivity::Disable,
        VersionState::Destroyed => EntityActivity::Delete,
        _ => EntityActivity::Update,
    }
}

/// A write that takes place only where there is nothing yet creates; whether any other one does only
/// the provider knows.
pub(crate) fn creation(options: &SetOptions) -> EntityActivity {
    match options.precondition {
        Precondition::Absent => EntityActivity::Create,
        _ => EntityActivity::Update,
    }
}

#[cfg(test)]
mod tests {
    use secrets_core::{NativeId, SecretName};

    use super::*;

    fn native(text: &str) -> Id {
        id_of(&NativeId::new(text).unwrap().into())
    }

    #[test]
    fn codes_are_the_names_of_kinds_and_operations() {
        for kind in REASONS {
            assert_eq!(reason(*kind).as_str(), kind.as_str().replace(' ', "_"));
        }
        for each in OPERATIONS {
            assert_eq!(operation(*each).as_str(), each.as_str());
        }
    }

    /// What stands in the event of a call that made so many requests, the last of which failed or not.
    fn told(count: usize, error: Option<&Error>) -> (Vec<String>, u64) {
        let ids = RequestIds::new();
        let call = ids.watch(async { (0..count).for_each(|n| RequestIds::note(&n.to_string())) });
        futures_util::FutureExt::now_or_never(call).unwrap();
        let entity = audit_log::Entity::new(SECRET, Id::from(SECRET));
        let action = audit_log::Action::entity(EntityActivity::Read, entity);
        let event = Event::new(action, std::time::SystemTime::UNIX_EPOCH);
        let event = with_requests(event, &ids, error);
        let ids = event.store_requests.iter().map(|id| id.as_str().to_owned());
        (ids.collect(), event.store_requests_left_off)
    }

    #[test]
    fn of_many_requests_the_first_are_told_and_how_many_more_there_were() {
        let first = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(told(0, None), (vec![], 0));
        assert_eq!(told(8, None), (first(8), 0));
        assert_eq!(told(25, None), (first(8), 17));
        assert_eq!(told(1_000, None), (first(8), 992));
        // The one that failed is told in any case, and told and counted once.
        let failed = |id: &str| Error::new(ErrorKind::Throttled, "x").with_request_id(id);
        let with = |id: &str| [first(7), vec![id.to_owned()]].concat();
        assert_eq!(told(25, Some(&failed("20"))), (with("20"), 17));
        assert_eq!(told(1, Some(&failed("0"))), (first(1), 0));
        assert_eq!(told(0, Some(&failed("x"))), (vec!["x".to_owned()], 0));
        assert_eq!(told(25, Some(&failed("x"))), (with("x"), 18));
    }

    #[test]
    fn every_reference_has_an_identifier_of_its_own() {
        let longest = "a/".repeat(127) + "bb";
        let name = SecretRef::from(SecretName::new(&longest).unwrap());
        assert_eq!(id_of(&name).as_str(), longest);
        assert_eq!(native("arn:aws:secret:x").as_str(), "native:arn:aws:secret:x");
        assert_eq!(native("zwei Wörter").as_str(), "native:zwei%20W%C3%B6rter");
        assert_ne!(native("a b"), native("a%20b"));
        assert_ne!(native("a"), id_of(&SecretName::new("a").unwrap().into()));

        let long = "ö".repeat(1_000);
        let (one, other) = (native(&format!("{long}1")), native(&format!("{long}2")));
        assert_eq!((one.as_str().len(), other.as_str().len()), (1024, 1024));
        assert_ne!(one, other);
        assert!(one.as_str().starts_with("native:%C3%B6"));
        // What looks like a cut one is not.
        let posed = one.as_str().strip_prefix("native:").unwrap().replace("%C3%B6", "o");
        assert!(!native(&posed).as_str().contains(CUT));
    }
}
