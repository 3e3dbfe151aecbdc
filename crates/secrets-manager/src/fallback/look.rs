//! Looking for one secret: what a provider's answer means for the chain.

use std::num::NonZeroU32;

use secrets_core::{
    Error, ErrorKind, GetOptions, Operation, PageRequest, Result, Secret, SecretRef, Staging,
    VersionSelector,
};

use crate::fallback::abilities::reads;
use crate::fallback::members::{Member, Members, nobody_has_it};
use crate::fallback::{Fallback, OnUnavailable};

/// What a provider's answer says.
#[derive(Debug)]
pub(crate) enum Look {
    /// It has the secret, or may have it: this is its answer.
    Has(Result<Secret>),
    /// It does not have the secret.
    Lacks(Error),
}

/// A question on its way along the chain.
#[derive(Debug)]
pub(crate) struct Quest<'a> {
    pub(crate) reference: &'a SecretRef,
    pub(crate) options: &'a GetOptions,
    answer: Option<Result<Secret>>,
    /// Of the first provider that could not be reached.
    failure: Option<Error>,
    /// Of the first provider that does not have it; rather one that says so than one that does not
    /// understand the reference.
    absence: Option<Error>,
}

impl<'a> Quest<'a> {
    pub(crate) fn new(reference: &'a SecretRef, options: &'a GetOptions) -> Self {
        Self { reference, options, answer: None, failure: None, absence: None }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.answer.is_none()
    }

    pub(crate) fn refuse(&mut self, error: Error) {
        self.answer = Some(Err(error));
    }

    /// Takes what one provider answered.
    pub(crate) fn hear(&mut self, chain: &Fallback, member: &Member, look: Look) {
        match look {
            Look::Has(Ok(secret)) => self.answer = Some(Ok(secret)),
            Look::Has(Err(error)) if chain.passes_over(&error, &self.options.version) => {
                self.failure.get_or_insert_with(|| member.name(error));
            }
            Look::Has(Err(error)) => self.answer = Some(Err(member.name(error))),
            Look::Lacks(error) => {
                let is_clearer = |kept: &Error| {
                    kept.kind() != ErrorKind::NotFound && error.kind() == ErrorKind::NotFound
                };
                if self.absence.as_ref().is_none_or(is_clearer) {
                    self.absence = Some(error);
                }
            }
        }
    }

    pub(crate) fn end(self) -> Result<Secret> {
        match (self.answer, self.failure) {
            (Some(Ok(secret)), _) => Ok(secret),
            // What was passed over explains what came after.
            (_, Some(failure)) => Err(failure),
            (Some(answer), None) => answer,
            (None, None) => Err(nobody_has_it(self.absence)),
        }
    }
}

impl Fallback {
    pub(crate) async fn read(&self, reference: &SecretRef, options: &GetOptions) -> Result<Secret> {
        self.allow(&options.version)?;
        let mut quest = Quest::new(reference, options);
        for member in self.members.for_secret(reference) {
            let look = self.members.look(member, reference, options).await;
            quest.hear(self, member, look);
            if !quest.is_open() {
                break;
            }
        }
        quest.end()
    }

    /// What the chain does not declare it refuses before any call.
    pub(crate) fn allow(&self, version: &VersionSelector) -> Result<()> {
        if reads(&self.capabilities, version) {
            return Ok(());
        }
        let message = "the primary of the chain does not have such versions";
        Err(Error::unsupported(Operation::GetSecret, message))
    }

    /// Whether a read goes on though this provider may have the secret.
    pub(crate) fn passes_over(&self, error: &Error, version: &VersionSelector) -> bool {
        use ErrorKind::{Throttled, Timeout, Unavailable};
        self.on_unavailable == OnUnavailable::Fall
            && *version == VersionSelector::Current
            && matches!(error.kind(), Unavailable | Timeout | Throttled)
    }
}

impl Members {
    async fn look(&self, member: &Member, reference: &SecretRef, options: &GetOptions) -> Look {
        match asked_for(member, options) {
            Some(asked) => {
                let answer = member.provider.get_secret(reference, asked).await;
                self.judge(member, reference, options, answer).await
            }
            None => self.cover(member, reference, options).await,
        }
    }

    /// What a provider says to a version of another one: that it has the secret and not the version, or
    /// that it does not have the secret.
    pub(crate) async fn cover(
        &self,
        member: &Member,
        reference: &SecretRef,
        options: &GetOptions,
    ) -> Look {
        match self.absence(member, reference, &options.version).await {
            Ok(None) => Look::Has(Err(no_such_version())),
            Ok(Some(absence)) => Look::Lacks(absence.with_operation(Operation::GetSecret)),
            Err(unknown) => Look::Has(Err(unknown.with_operation(Operation::GetSecret))),
        }
    }

    /// What an answer to [`asked_for`] means.
    pub(crate) async fn judge(
        &self,
        member: &Member,
        reference: &SecretRef,
        options: &GetOptions,
        answer: Result<Secret>,
    ) -> Look {
        let error = match answer {
            Ok(mut secret) => {
                secret.version = member.marked_version(secret.version);
                let is_asked_for = reads(member.provider.capabilities(), &options.version);
                return Look::Has(match is_asked_for {
                    true => Ok(secret),
                    false => only_current(secret, &options.version),
                });
            }
            Err(error) => error,
        };
        if !self.lacks(member, reference, &error) {
            return Look::Has(Err(error));
        }
        // Of one that has nothing but current versions there is no more to know.
        let is_told = !reads(member.provider.capabilities(), &options.version)
            || options.version == VersionSelector::Current
            || error.kind() != ErrorKind::NotFound;
        if is_told {
            return Look::Lacks(error);
        }
        match self.absence(member, reference, &options.version).await {
            Ok(None) => Look::Has(Err(error)),
            Ok(Some(_)) => Look::Lacks(error),
            Err(unknown) => Look::Has(Err(unknown.with_operation(Operation::GetSecret))),
        }
    }

    /// Why a provider does not have a secret at all of which it does not have this version, or `None`
    /// if it has; without reading a value where there is another way.
    async fn absence(
        &self,
        member: &Member,
        reference: &SecretRef,
        missing: &VersionSelector,
    ) -> Result<Option<Error>> {
        let (provider, capabilities) = (&member.provider, member.provider.capabilities());
        if capabilities.describe.is_available() {
            let described = provider.describe_secret(reference).await.map(drop);
            return self.lack(member, reference, described);
        }
        if capabilities.versions.is_available() {
            let page = PageRequest::first().with_limit(NonZeroU32::MIN);
            let listed = provider.list_versions(reference, page).await.map(drop);
            return self.lack(member, reference, listed);
        }
        let mut others = vec![VersionSelector::Current];
        if capabilities.staging != Staging::No {
            others.push(VersionSelector::Pending);
        }
        others.retain(|other| other != missing);
        let mut absence = None;
        for other in others {
            let options = GetOptions::version(other).ignore_validity();
            let read = provider.get_secret(reference, options).await.map(drop);
            match self.lack(member, reference, read)? {
                Some(error) => absence = absence.or(Some(error)),
                None => return Ok(None),
            }
        }
        Ok(absence.or_else(|| Some(no_such_version())))
    }

    fn lack(
        &self,
        member: &Member,
        reference: &SecretRef,
        told: Result<()>,
    ) -> Result<Option<Error>> {
        match told {
            Ok(()) => Ok(None),
            Err(error) if self.lacks(member, reference, &error) => Ok(Some(error)),
            Err(error) => Err(error),
        }
    }
}

/// What to ask a provider: where it does not have such versions, for the current one; nothing where
/// the version is another provider's.
pub(crate) fn asked_for(member: &Member, options: &GetOptions) -> Option<GetOptions> {
    let own = match &options.version {
        VersionSelector::Id(id) => VersionSelector::Id(member.unmarked(id)?),
        other => other.clone(),
    };
    let is_there = reads(member.provider.capabilities(), &own);
    let version = if is_there { own } else { VersionSelector::Current };
    let mut asked = options.clone();
    asked.version = version;
    Some(asked)
}

/// The answer of a provider that has nothing but current versions.
fn only_current(current: Secret, version: &VersionSelector) -> Result<Secret> {
    match version {
        VersionSelector::Id(id) if current.version.id == *id => Ok(current),
        _ => Err(no_such_version()),
    }
}

fn no_such_version() -> Error {
    let message = "the provider does not have the version";
    Error::new(ErrorKind::NotFound, message).with_operation(Operation::GetSecret)
}
