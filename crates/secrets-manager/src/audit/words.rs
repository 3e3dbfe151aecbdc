//! The words and identifiers that stand in events.

use std::fmt::Write as _;

use audit_log::{Actor, Code, Context, EntityActivity, Id};
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

/// A batch of more requests tells none: all of them would stand in the event of each secret.
const MOST_REQUESTS: usize = 8;

/// The requests that a call made of the backend; those of a batch that is too large to tell leave the one
/// that an error names.
pub(crate) fn requests(ids: &RequestIds, error: Option<&Error>) -> Vec<Id> {
    let all = ids.all();
    if (1..=MOST_REQUESTS).contains(&all.len()) {
        return all.iter().map(|id| id_of_text(id)).collect();
    }
    error.and_then(Error::request_id).map(id_of_text).into_iter().collect()
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
