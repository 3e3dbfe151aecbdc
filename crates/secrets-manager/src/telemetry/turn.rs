use std::time::SystemTime;

use audit_log::Code;
use secrets_core::{ErrorKind, ProviderId, SecretRef, VersionId};

use crate::audit::words::{id_of, reason};
use crate::cache::held::Kind;
use crate::subscription::SecretChange;

/// What handles on a secret show from now on.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) reference: SecretRef,
    pub(crate) from: VersionId,
    pub(crate) version: VersionId,
    pub(crate) before: Kind,
    pub(crate) kind: Kind,
    /// It is another value than before.
    pub(crate) is_new: bool,
    /// What the provider said last, where it was an error.
    pub(crate) error: Option<ErrorKind>,
}

impl Turn {
    pub(crate) fn change(&self, provider: &ProviderId, at: SystemTime) -> SecretChange {
        SecretChange {
            provider: provider.clone(),
            reference: self.reference.clone(),
            from: self.from.clone(),
            to: self.version.clone(),
            is_new: self.is_new,
            before: self.before.into(),
            after: self.kind.into(),
            error: self.error,
            at,
        }
    }

    pub(crate) fn tell(&self, manager: Code) {
        let (manager, name) = (manager.as_str(), id_of(&self.reference));
        let (name, version) = (name.as_str(), self.version.as_str());
        if self.is_new {
            tracing::info!(
                secrets.manager = manager,
                secrets.name = name,
                secrets.version = version,
                "handles show another version of a secret"
            );
        }
        if self.kind == self.before {
            return;
        }
        let (state, before) = (self.kind.as_str(), self.before.as_str());
        let why = self.error.map(|kind| reason(kind).as_str());
        if self.kind == Kind::Fresh {
            tracing::info!(
                secrets.manager = manager,
                secrets.name = name,
                secrets.version = version,
                state,
                before,
                "handles show a fresh secret"
            );
        } else {
            tracing::warn!(
                secrets.manager = manager,
                secrets.name = name,
                secrets.version = version,
                state,
                before,
                error.r#type = why,
                "handles show a secret that is not fresh"
            );
        }
    }
}

pub(crate) fn started(manager: Code) {
    tracing::info!(secrets.manager = manager.as_str(), "the run future has started");
}

pub(crate) fn stopped(manager: Code) {
    tracing::info!(secrets.manager = manager.as_str(), "the run future has stopped");
}
