//! Lists over all providers, page by page, and descriptions.

use futures_util::{StreamExt, stream};
use secrets_core::{
    DeletedSecrets, Error, ErrorKind, GetOptions, Operation, Page, PageRequest, PageToken, Result,
    Secret, SecretFilter, SecretInfo, SecretProvider, SecretRef, VersionInfo,
};

use crate::fallback::Fallback;
use crate::fallback::batch::AT_A_TIME;
use crate::fallback::members::{Member, nobody_has_it};

impl Fallback {
    pub(crate) async fn list(
        &self,
        filter: &SecretFilter,
        request: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        let (at, request) = self.place(request, Operation::ListSecrets)?;
        let Some(member) = self.members.all().nth(at) else {
            return Err(foreign_token(Operation::ListSecrets));
        };
        let page = member.provider.list_secrets(filter, request).await;
        let page = page.map_err(|error| member.name(error))?;
        let next = match page.next {
            Some(token) => Some(self.token(at, Some(&token))),
            None => (at < self.members.others.len()).then(|| self.token(at + 1, None)),
        };
        let items = page.items.into_iter().map(|info| member.marked_info(info)).collect();
        Ok(Page::new(self.uncovered(at, items).await?, next))
    }

    /// Leaves out what a provider before the one at `at` has.
    async fn uncovered(&self, at: usize, items: Vec<SecretInfo>) -> Result<Vec<SecretInfo>> {
        if at == 0 {
            return Ok(items);
        }
        let covered = items.iter().map(|info| self.is_covered(at, &info.reference));
        let covered: Vec<_> = covered.collect();
        let covered: Vec<_> = stream::iter(covered).buffered(AT_A_TIME).collect().await;
        let mut left = Vec::with_capacity(items.len());
        for (info, is_covered) in items.into_iter().zip(covered) {
            if !is_covered? {
                left.push(info);
            }
        }
        Ok(left)
    }

    async fn is_covered(&self, at: usize, reference: &SecretRef) -> Result<bool> {
        let before = self.members.all().take(at).filter(|member| member.expresses(reference));
        for member in before {
            let has = self.is_listed(member, reference).await;
            let has =
                has.map_err(|error| member.name(error.with_operation(Operation::ListSecrets)));
            if has? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a provider has a secret, deleted or not. It can be listed, or the chain could not.
    async fn is_listed(&self, member: &Member, reference: &SecretRef) -> Result<bool> {
        let provider = &member.provider;
        if provider.capabilities().describe.is_available() {
            return match provider.describe_secret(reference).await {
                Ok(_) => Ok(true),
                Err(error) if self.members.lacks(member, reference, &error) => Ok(false),
                Err(error) => Err(error),
            };
        }
        let text = match reference {
            SecretRef::Native(id) => id.as_str().to_owned(),
            other => other.to_string(),
        };
        let mut filter = SecretFilter::prefix(text);
        if provider.capabilities().recover.is_available() {
            filter = filter.with_deleted(DeletedSecrets::Include);
        }
        let mut request = PageRequest::first();
        loop {
            let page = provider.list_secrets(&filter, request).await?;
            if page.items.iter().any(|info| info.reference == *reference) {
                return Ok(true);
            }
            let Some(next) = page.next else { return Ok(false) };
            request = PageRequest::after(next);
        }
    }

    pub(crate) async fn versions(
        &self,
        reference: &SecretRef,
        request: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        const OPERATION: Operation = Operation::ListVersions;
        if !self.capabilities.versions.is_available() {
            let message = "the primary of the chain does not have versions";
            return Err(Error::unsupported(OPERATION, message));
        }
        // A page that goes on is that provider's alone.
        let most = if request.token.is_some() { 1 } else { usize::MAX };
        let (at, request) = self.place(request, OPERATION)?;
        let asked = self.members.all().enumerate().skip(at).take(most);
        let mut absence = None;
        for (at, member) in asked {
            if at > 0 && !member.expresses(reference) {
                continue;
            }
            match self.versions_of(member, reference, request.clone()).await {
                Ok(page) => {
                    let next = page.next.map(|token| self.token(at, Some(&token)));
                    let items = page.items.into_iter();
                    let items = items.map(|version| member.marked_version(version)).collect();
                    return Ok(Page::new(items, next));
                }
                Err(error) if self.members.lacks(member, reference, &error) => {
                    absence.get_or_insert(error);
                }
                Err(error) => return Err(member.name(error)),
            }
        }
        Err(nobody_has_it(absence))
    }

    async fn versions_of(
        &self,
        member: &Member,
        reference: &SecretRef,
        request: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        if member.provider.capabilities().versions.is_available() {
            return member.provider.list_versions(reference, request).await;
        }
        if request.token.is_some() {
            return Err(foreign_token(Operation::ListVersions));
        }
        let current = current(member, reference, Operation::ListVersions).await?;
        Ok(Page::new(vec![current.version], None))
    }

    pub(crate) async fn describe(&self, reference: &SecretRef) -> Result<SecretInfo> {
        if !self.capabilities.describe.is_available() {
            let message = "the primary of the chain does not describe secrets";
            return Err(Error::unsupported(Operation::DescribeSecret, message));
        }
        let mut absence = None;
        for member in self.members.for_secret(reference) {
            match describe(member, reference).await {
                Ok(info) => return Ok(member.marked_info(info)),
                Err(error) if self.members.lacks(member, reference, &error) => {
                    absence.get_or_insert(error);
                }
                Err(error) => return Err(member.name(error)),
            }
        }
        Err(nobody_has_it(absence))
    }

    /// `1f0c…/1` asks the second provider for its first page, `1f0c…/1/token` for the page at that
    /// token. The first part is of this chain alone.
    fn token(&self, at: usize, inner: Option<&PageToken>) -> PageToken {
        let mark = self.mark();
        match inner {
            Some(inner) => PageToken::new(format!("{mark}/{at}/{}", inner.as_str())),
            None => PageToken::new(format!("{mark}/{at}")),
        }
    }

    /// Which provider to ask, and for what.
    fn place(
        &self,
        mut request: PageRequest,
        operation: Operation,
    ) -> Result<(usize, PageRequest)> {
        let Some(token) = request.token.take() else { return Ok((0, request)) };
        let foreign = || foreign_token(operation);
        let mut parts = token.as_str().splitn(3, '/');
        let is_ours = parts.next() == Some(self.mark().as_str());
        let at = parts.next().filter(|_| is_ours).ok_or_else(foreign)?;
        let number = at.parse().map_err(|_| foreign())?;
        let inner = parts.next();
        // Only what `token` makes: no signs, no zeros in front, no first page of the primary, which
        // needs no token.
        let is_exact = format!("{number}") == at && (number > 0 || inner.is_some());
        if !is_exact || number > self.members.others.len() {
            return Err(foreign());
        }
        request.token = inner.map(PageToken::new);
        Ok((number, request))
    }

    /// What no other chain's tokens begin with: FNV-1a over the identity.
    fn mark(&self) -> String {
        const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let text = self.id.to_string();
        let hash = text.bytes().fold(BASIS, |hash, b| (hash ^ u64::from(b)).wrapping_mul(PRIME));
        format!("{hash:016x}")
    }
}

async fn describe(member: &Member, reference: &SecretRef) -> Result<SecretInfo> {
    if member.provider.capabilities().describe.is_available() {
        return member.provider.describe_secret(reference).await;
    }
    let current = current(member, reference, Operation::DescribeSecret).await?;
    let mut info = SecretInfo::new(reference.clone());
    info.current = Some(current.version.id);
    Ok(info)
}

/// Whatever a provider has that has nothing else.
async fn current(member: &Member, reference: &SecretRef, operation: Operation) -> Result<Secret> {
    let options = GetOptions::default().ignore_validity();
    let read = member.provider.get_secret(reference, options).await;
    read.map_err(|error| error.with_operation(operation))
}

fn foreign_token(operation: Operation) -> Error {
    Error::new(ErrorKind::InvalidValue, "the page token is not of this chain")
        .with_operation(operation)
}
