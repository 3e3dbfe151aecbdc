//! The providers of a chain, in their order, and what they are called.

use std::iter;
use std::sync::Arc;

use secrets_core::{
    Error, ErrorKind, ProviderId, SecretInfo, SecretProvider, SecretRef, VersionId, VersionInfo,
};

/// What stands between the parts of a chain's identity.
const SEPARATOR: &str = " > ";

/// What ids of versions that are not the primary's begin with.
const MARK: char = '~';

/// One provider of a chain.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) provider: Arc<dyn SecretProvider>,
    /// Stands before its versions' ids; before the primary's only where they begin as marks do, as
    /// those of a chain can.
    mark: String,
    is_primary: bool,
}

impl Member {
    /// The provider at this place of a chain.
    fn new(provider: Arc<dyn SecretProvider>, place: usize) -> Self {
        Self { provider, mark: format!("{MARK}{place}{MARK}"), is_primary: place == 0 }
    }

    /// What the chain calls a version of it: stores that count from 1 must not mean two versions by
    /// one id. One that is too long for it stays as it is.
    pub(crate) fn marked(&self, id: VersionId) -> VersionId {
        if self.is_primary && !id.as_str().starts_with(MARK) {
            return id;
        }
        VersionId::new(&format!("{}{id}", self.mark)).unwrap_or(id)
    }

    /// What it calls this version itself, if it is one of its own.
    pub(crate) fn unmarked(&self, id: &VersionId) -> Option<VersionId> {
        let own = id.as_str().strip_prefix(&*self.mark);
        let own = own.and_then(|own| VersionId::new(own).ok()).unwrap_or_else(|| id.clone());
        (self.marked(own.clone()) == *id).then_some(own)
    }

    /// What to call a version to it, whose ever it is.
    pub(crate) fn called(&self, id: &VersionId) -> VersionId {
        self.unmarked(id).unwrap_or_else(|| id.clone())
    }

    /// A description with the versions called as the chain does.
    pub(crate) fn marked_info(&self, mut info: SecretInfo) -> SecretInfo {
        for id in [&mut info.current, &mut info.previous, &mut info.pending] {
            *id = id.take().map(|id| self.marked(id));
        }
        info
    }

    /// A version called as the chain does.
    pub(crate) fn marked_version(&self, mut version: VersionInfo) -> VersionInfo {
        version.id = self.marked(version.id);
        version
    }

    /// Its error as one of the chain: the same to whoever decides by it, with a name on it.
    pub(crate) fn name(&self, error: Error) -> Error {
        let message = format!("provider `{}` failed", self.provider.id());
        let mut named =
            Error::new(error.kind(), message).with_retry(error.retry()).with_effect(error.effect());
        if let Some(operation) = error.operation() {
            named = named.with_operation(operation);
        }
        if let Some(id) = error.request_id() {
            named = named.with_request_id(id);
        }
        if let Some(version) = error.version() {
            named = named.with_version(self.marked(version.clone()));
        }
        if error.maybe_absent() {
            named = named.with_maybe_absent();
        }
        named.with_source(error)
    }

    /// Whether it can have a secret of this reference at all. Native ids are for the provider itself
    /// to judge.
    pub(crate) fn expresses(&self, reference: &SecretRef) -> bool {
        reference.name().is_none_or(|name| self.provider.name_rules().encode(name).is_ok())
    }
}

/// A primary and those after it.
#[derive(Debug, Clone)]
pub(crate) struct Members {
    pub(crate) primary: Member,
    pub(crate) others: Vec<Member>,
}

impl Members {
    pub(crate) fn new(primary: Arc<dyn SecretProvider>) -> Self {
        Self { primary: Member::new(primary, 0), others: Vec::new() }
    }

    pub(crate) fn with(mut self, provider: Arc<dyn SecretProvider>) -> Self {
        self.others.push(Member::new(provider, self.others.len() + 1));
        self
    }

    /// All, in the order in which they are asked.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Member> {
        iter::once(&self.primary).chain(&self.others)
    }

    /// Those that may have a secret of this reference. The primary is asked in any case: that it
    /// cannot express a name is an error.
    pub(crate) fn for_secret(&self, reference: &SecretRef) -> impl Iterator<Item = &Member> {
        let others = self.others.iter().filter(|member| member.expresses(reference));
        iter::once(&self.primary).chain(others)
    }

    pub(crate) fn is_primary(&self, member: &Member) -> bool {
        std::ptr::eq(member, &raw const self.primary)
    }

    /// Whether this error says that a provider does not have a secret, or cannot.
    pub(crate) fn lacks(&self, member: &Member, reference: &SecretRef, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::NotFound => true,
            ErrorKind::InvalidName => !self.is_primary(member) || reference.name().is_none(),
            _ => false,
        }
    }

    /// One that no other chain has: parts are told apart whatever is in them.
    pub(crate) fn id(&self) -> ProviderId {
        let scope = |id: &ProviderId| {
            format!("{}:{}", escaped(id.kind()).replace(':', "\\:"), escaped(id.scope()))
        };
        let ids = || self.all().map(|member| member.provider.id());
        let scopes: Vec<_> = ids().map(scope).collect();
        let identities: Vec<_> = ids().map(|id| escaped(id.identity())).collect();
        let is_anybody = identities.iter().all(String::is_empty);
        let identity = if is_anybody { String::new() } else { identities.join(SEPARATOR) };
        ProviderId::new("fallback", &scopes.join(SEPARATOR), &identity)
    }
}

fn escaped(part: &str) -> String {
    part.replace('\\', "\\\\").replace('>', "\\>")
}

/// What the chain says when none of its providers has a secret; `first` is what the first one said.
pub(crate) fn nobody_has_it(first: Option<Error>) -> Error {
    let kind = first.as_ref().map_or(ErrorKind::NotFound, Error::kind);
    let error = Error::new(kind, "no provider of the chain has the secret");
    let Some(first) = first else { return error };
    let error = match first.operation() {
        Some(operation) => error.with_operation(operation),
        None => error,
    };
    error.with_source(first)
}
