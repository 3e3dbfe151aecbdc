use aws_sdk_secretsmanager::types::Tag;
use secrets_core::{
    Change, Effect, Error, ErrorKind, MetadataPatch, Operation, Precondition, Result, SecretInfo,
    SecretRef, Tags, VersionId,
};

use crate::error::send;
use crate::provider::SecretsManagerProvider;
use crate::provider::capabilities::MAX_TAGS;
use crate::provider::delete::deletion;
use crate::provider::session::{Described, Session, time};

/// A tag's name and value take so many characters (API reference, `Tag`).
const MAX_TAG_NAME: usize = 128;
const MAX_TAG_VALUE: usize = 256;
/// A description takes so many (API reference, `CreateSecret`).
const MAX_DESCRIPTION: usize = 2048;

impl SecretsManagerProvider {
    pub(super) async fn describe(&self, asked: &SecretRef) -> Result<SecretInfo> {
        let session = self.session(asked, Operation::DescribeSecret)?;
        let described = session.describe().await.map_err(|failure| session.told(failure))?;
        let reference = session.target.reference(described.0.arn());
        let reference = reference.unwrap_or_else(|| asked.clone());
        summary(&session, reference, &described)
    }

    pub(super) async fn update(
        &self,
        reference: &SecretRef,
        version: Option<&VersionId>,
        patch: &MetadataPatch,
        precondition: &Precondition,
    ) -> Result<()> {
        let session = self.session(reference, Operation::UpdateMetadata)?;
        if version.is_some() {
            return Err(session.error(ErrorKind::Unsupported, "versions carry no metadata here"));
        }
        if *precondition != Precondition::Any {
            let message = "Secrets Manager has no etags: metadata cannot be guarded";
            return Err(session.error(ErrorKind::Unsupported, message));
        }
        session.check_patch(&Tags::new(), patch)?;
        let described = session.not_deleted(session.existing(self.patience()).await?)?;
        session.check_patch(&tags(&described), patch)?;
        session.patch(patch, &mut Done::nothing()).await
    }
}

fn summary(session: &Session, reference: SecretRef, described: &Described) -> Result<SecretInfo> {
    let version = |id: Option<&str>| id.map(|id| session.version_id(Some(id))).transpose();
    let output = &described.0;
    let mut info = SecretInfo::new(reference);
    info.created = time(output.created_date());
    info.updated = time(output.last_changed_date());
    info.deletion = deletion(output.deleted_date(), output.last_changed_date());
    info.tags = tags(described);
    info.description = output.description.clone().filter(|text| !text.is_empty());
    info.current = version(described.current())?;
    info.previous = version(described.previous())?;
    info.pending = version(described.pending())?;
    Ok(info)
}

/// The tags of a description.
pub(super) fn tags(described: &Described) -> Tags {
    tags_of(described.0.tags())
}

pub(super) fn tags_of(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.iter().filter_map(pair).collect()
}

/// Tags as requests take them.
pub(super) fn to_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// What of an operation is done already, should the rest fail.
#[derive(Debug)]
pub(super) struct Done {
    any: bool,
    version: Option<VersionId>,
}

impl Done {
    pub(super) fn nothing() -> Self {
        Self { any: false, version: None }
    }

    /// This version is written.
    pub(super) fn version(version: &VersionId) -> Self {
        Self { any: true, version: Some(version.clone()) }
    }

    /// The error of a later step.
    pub(super) fn before(&self, error: Error) -> Error {
        match (self.any, &self.version) {
            (false, _) => error,
            (true, None) => error.with_effect(Effect::Partial),
            (true, Some(version)) => {
                error.with_effect(Effect::Partial).with_version(version.clone())
            }
        }
    }
}

impl Session {
    /// Refuses what AWS would refuse, before anything is written.
    pub(super) fn check_patch(&self, tags: &Tags, patch: &MetadataPatch) -> Result<()> {
        if !patch.not_before.is_keep() || !patch.expires.is_keep() {
            let message = "bounds of validity cannot be kept here: reads of a value tell no tags";
            return Err(self.error(ErrorKind::Unsupported, message));
        }
        if let Change::Set(text) = &patch.description
            && text.chars().count() > MAX_DESCRIPTION
        {
            let message = "a description has 2,048 characters at most";
            return Err(self.error(ErrorKind::InvalidValue, message));
        }
        let mut after = tags.clone();
        patch.apply_tags(&mut after);
        let unfit = |(name, value): (&String, &String)| {
            name.is_empty()
                || name.chars().count() > MAX_TAG_NAME
                || value.chars().count() > MAX_TAG_VALUE
                || name.starts_with("aws:")
        };
        if after.len() > MAX_TAGS || patch.set_tags.iter().any(unfit) {
            let message =
                "a secret has 50 tags of 128 and 256 characters at most, none named `aws:`";
            return Err(self.error(ErrorKind::InvalidValue, message));
        }
        Ok(())
    }

    /// Carries a patch out: a request for what goes, one for what comes, one for the description.
    pub(super) async fn patch(&self, patch: &MetadataPatch, done: &mut Done) -> Result<()> {
        let gone = patch.remove_tags.iter().filter(|tag| !patch.set_tags.contains_key(*tag));
        let gone: Vec<String> = gone.cloned().collect();
        if !gone.is_empty() {
            let call = self.write("UntagResource");
            let request = self.client.untag_resource().secret_id(self.id());
            let sent = send!(call, request.set_tag_keys(Some(gone)));
            sent.map_err(|failure| done.before(self.told(failure)))?;
            done.any = true;
        }
        if !patch.set_tags.is_empty() {
            let call = self.write("TagResource");
            let request = self.client.tag_resource().secret_id(self.id());
            let sent = send!(call, request.set_tags(Some(to_tags(&patch.set_tags))));
            sent.map_err(|failure| done.before(self.told(failure)))?;
            done.any = true;
        }
        let text = match &patch.description {
            Change::Keep => return Ok(()),
            Change::Set(text) => text.as_str(),
            Change::Clear => "",
        };
        let call = self.write("UpdateSecret");
        let request = self.client.update_secret().secret_id(self.id()).description(text);
        send!(call, request).map_err(|failure| done.before(self.told(failure)))?;
        Ok(())
    }
}
