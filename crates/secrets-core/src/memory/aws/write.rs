use crate::error::{Error, ErrorKind, Result};
use crate::memory::adapter::{Place, conflict, not_found};
use crate::memory::aws::adapter::{AwsAdapter, info};
use crate::memory::aws::cloud::{AwsCloud, AwsError, Described, Label, MAX_TAGS};
use crate::memory::session::{Access, Failure, Session};
use crate::metadata::{Change, MetadataPatch, Tags};
use crate::options::SetOptions;
use crate::value::SecretValue;
use crate::version::{VersionId, VersionInfo};

/// A tag's name and value take so many characters (API reference, `Tag`).
const MAX_TAG_NAME: usize = 128;
const MAX_TAG_VALUE: usize = 256;

/// One `set_secret`.
pub(super) struct Write<'a> {
    adapter: &'a AwsAdapter,
    session: &'a Session<'a>,
    place: &'a Place,
    value: SecretValue,
    token: String,
    pub(super) options: SetOptions,
}

impl AwsAdapter {
    pub(super) fn write<'a>(
        &'a self,
        session: &'a Session<'a>,
        place: &'a Place,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<Write<'a>> {
        if value.len() > self.max_value() {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "the value is larger than this provider takes",
            ));
        }
        if value.is_empty() {
            return Err(Error::new(ErrorKind::InvalidValue, "a value has one byte at least"));
        }
        let token = match &options.token {
            Some(token) => token.as_str().to_owned(),
            None => self.cloud().token(),
        };
        Ok(Write { adapter: self, session, place, value, token, options })
    }

    /// Carries a patch out over the tags that are there.
    pub(super) async fn patch(
        &self,
        session: &Session<'_>,
        place: &Place,
        tags: &Tags,
        patch: &MetadataPatch,
    ) -> Result<()> {
        check_tags(tags, patch)?;
        if !patch.remove_tags.is_empty() {
            let untag = |aws: &mut AwsCloud, at| {
                let keep = |tag: &String| !patch.remove_tags.contains(tag);
                aws.update(at, &place.main, |secret| secret.tags.retain(|tag, _| keep(tag)))
            };
            self.send(session, "UntagResource", Access::Write, untag).await?;
        }
        if !patch.set_tags.is_empty() {
            let tag = |aws: &mut AwsCloud, at| {
                let new = patch.set_tags.clone();
                aws.update(at, &place.main, |secret| secret.tags.extend(new))
            };
            self.send(session, "TagResource", Access::Write, tag).await?;
        }
        let description = match &patch.description {
            Change::Keep => return Ok(()),
            Change::Set(text) => Some(text.clone()),
            Change::Clear => None,
        };
        let update = |aws: &mut AwsCloud, at| {
            aws.update(at, &place.main, |secret| secret.description = description)
        };
        Ok(self.send(session, "UpdateSecret", Access::Write, update).await?)
    }
}

impl Write<'_> {
    /// Whatever is there.
    pub(super) async fn any(self) -> Result<VersionInfo> {
        let tags = self.tags_before().await?;
        let described = match self.put(&[Label::Current], Access::Write).await {
            Err(Failure::Refused(AwsError::ResourceNotFound)) => match self.create().await {
                // Somebody else created it meanwhile.
                Err(Failure::Refused(AwsError::ResourceExists)) => {
                    self.put(&[Label::Current], Access::Write).await?
                }
                created => created?,
            },
            put => put?,
        };
        self.finish(&tags, described).await
    }

    /// Only where there is nothing.
    pub(super) async fn absent(self) -> Result<VersionInfo> {
        check_tags(&Tags::new(), &self.options.metadata)?;
        match self.create().await {
            Ok(described) => self.finish(&Tags::new(), described).await,
            Err(Failure::Refused(AwsError::ResourceExists)) => self.not_absent().await,
            Err(failure) => Err(failure.into()),
        }
    }

    /// `ResourceExists` says both that the name is taken and that the token was used for another
    /// value: whether there is such a version tells them apart.
    async fn not_absent(&self) -> Result<VersionInfo> {
        use crate::memory::aws::cloud::Wanted;
        let (name, token) = (&self.place.main, Wanted::Version(&self.token));
        let read = |aws: &mut AwsCloud, at| aws.get(at, name, token);
        match self.adapter.send(self.session, "GetSecretValue", Access::Read, read).await {
            Ok(_) => Err(conflict("the token was used for another value")),
            Err(Failure::Refused(_)) => {
                Err(Error::new(ErrorKind::AlreadyExists, "the secret exists"))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Only over `base`. The service has no conditional put, but it moves labels conditionally: the
    /// version is put under a label of ours that no reader asks for, and then made current.
    pub(super) async fn after(&self, base: &VersionId) -> Result<VersionInfo> {
        let secret = match self.adapter.living(self.session, self.place).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(conflict("the base is not current"));
            }
            secret => secret?,
        };
        check_tags(&secret.tags, &self.options.metadata)?;
        let token = self.token.as_str();
        let current = secret.label(Label::Current);
        if current != Some(base.as_str()) && current != Some(token) {
            return Err(conflict("the base is not current"));
        }
        let mut described = self.put(&[Label::Staged], Access::Prepare).await?;
        if current != Some(token) {
            let moved = (Some(base.as_str()), Some(token));
            let moved = self.adapter.move_label(self.session, self.place, Label::Current, moved);
            if let Err(error) = moved.await {
                if error.kind() == ErrorKind::Conflict {
                    self.unstage().await?;
                }
                return Err(error);
            }
        }
        // A concurrent writer may have taken our label over: the version is current all the same.
        match self.unstage().await {
            Err(error) if error.kind() != ErrorKind::Conflict => return Err(error),
            _ => {}
        }
        described.labels = vec![Label::Current];
        self.finish(&secret.tags, described).await
    }

    async fn unstage(&self) -> Result<()> {
        let moved = (Some(self.token.as_str()), None);
        self.adapter.move_label(self.session, self.place, Label::Staged, moved).await
    }

    /// Beside the current version.
    pub(super) async fn pending(self) -> Result<VersionInfo> {
        let secret = self.adapter.living(self.session, self.place).await?;
        check_tags(&secret.tags, &self.options.metadata)?;
        // The first version of a secret becomes AWSCURRENT whatever label is asked for, and would
        // be shown to every reader untested.
        let current = secret.label(Label::Current);
        let current = current.ok_or_else(|| not_found("the secret has no current version"))?;
        if let crate::options::Precondition::CurrentIs(base) = &self.options.precondition
            && base.as_str() != current
        {
            return Err(conflict("the base is not current"));
        }
        let described = self.put(&[Label::Pending], Access::Write).await?;
        self.finish(&secret.tags, described).await
    }

    async fn create(&self) -> Result<Described, Failure<AwsError>> {
        let (name, token) = (&self.place.main, &self.token);
        let create = |aws: &mut AwsCloud, at| aws.create(at, name, token, self.value.clone());
        self.adapter.send(self.session, "CreateSecret", Access::Write, create).await
    }

    async fn put(&self, labels: &[Label], access: Access) -> Result<Described, Failure<AwsError>> {
        let (name, token) = (&self.place.main, &self.token);
        let put = |aws: &mut AwsCloud, at| aws.put(at, name, token, self.value.clone(), labels);
        self.adapter.send(self.session, "PutSecretValue", access, put).await
    }

    /// The tags that are there, where tags are to be changed: too many are refused before the value
    /// is written.
    async fn tags_before(&self) -> Result<Tags> {
        if self.options.metadata.is_empty() {
            return Ok(Tags::new());
        }
        let tags = match self.adapter.described(self.session, self.place).await {
            Ok(secret) => secret.tags,
            Err(Failure::Refused(AwsError::ResourceNotFound)) => Tags::new(),
            Err(failure) => return Err(failure.into()),
        };
        check_tags(&tags, &self.options.metadata)?;
        Ok(tags)
    }

    async fn finish(&self, tags: &Tags, described: Described) -> Result<VersionInfo> {
        self.adapter.patch(self.session, self.place, tags, &self.options.metadata).await?;
        info(&described)
    }
}

fn check_tags(tags: &Tags, patch: &MetadataPatch) -> Result<()> {
    let mut after = tags.clone();
    patch.apply_tags(&mut after);
    let unfit = |(name, value): (&String, &String)| {
        name.is_empty()
            || name.chars().count() > MAX_TAG_NAME
            || value.chars().count() > MAX_TAG_VALUE
            || name.starts_with("aws:")
    };
    if after.len() > MAX_TAGS || patch.set_tags.iter().any(unfit) {
        let message = "a secret has 50 tags of 128 and 256 characters at most, none named `aws:`";
        return Err(Error::new(ErrorKind::InvalidValue, message));
    }
    Ok(())
}
