use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_sdk_sts::Client;
use aws_sdk_sts::operation::RequestId;
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use secrets_core::ErrorKind;
use zeroize::Zeroizing;

use super::failure;
use crate::config::{Role, WebIdentity};
use crate::quiet::quietly;

/// The longest token that STS takes (API reference, AssumeRoleWithWebIdentity).
const LONGEST_TOKEN: u64 = 20_000;

/// A role, assumed by whomever the client signs as.
#[derive(Debug)]
pub(super) struct AssumedRole {
    pub(super) link: Arc<str>,
    pub(super) sts: Client,
    pub(super) role: Role,
}

impl AssumedRole {
    async fn assume(&self) -> provider::Result {
        let role = &self.role;
        let tags = role
            .session_tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect::<Result<Vec<_>, _>>()
            .map_err(CredentialsError::invalid_configuration)?;
        let policies = role
            .policy_arns
            .iter()
            .map(|arn| PolicyDescriptorType::builder().arn(arn).build())
            .collect::<Vec<_>>();
        let seconds = role.duration.and_then(|time| i32::try_from(time.as_secs()).ok());
        let request = self
            .sts
            .assume_role()
            .role_arn(&role.role_arn)
            .role_session_name(&role.session_name)
            .set_external_id(role.external_id.clone())
            .set_source_identity(role.source_identity.clone())
            .set_policy(role.policy.clone())
            .set_policy_arns((!policies.is_empty()).then_some(policies))
            .set_duration_seconds(seconds)
            .set_tags((!tags.is_empty()).then_some(tags))
            .set_transitive_tag_keys(
                (!role.transitive_tags.is_empty())
                    .then(|| role.transitive_tags.iter().cloned().collect()),
            );
        // The answer holds keys, the request of a web identity its token.
        let answer = quietly(request.send()).await.map_err(|error| {
            CredentialsError::provider_error(failure::of_sts(&self.link, &error))
        })?;
        told("AssumeRole", answer.request_id());
        taken(&self.link, answer.credentials)
    }
}

/// A role, for a token in a file.
#[derive(Debug)]
pub(super) struct ExchangedToken {
    pub(super) link: Arc<str>,
    /// Without credentials of its own.
    pub(super) sts: Client,
    pub(super) web: WebIdentity,
}

impl ExchangedToken {
    async fn exchange(&self) -> provider::Result {
        let path = self.web.token_file.clone();
        let token = tokio::task::spawn_blocking(move || read_token(&path, LONGEST_TOKEN)).await;
        let token = token.map_err(CredentialsError::unhandled)?.map_err(|what| {
            CredentialsError::provider_error(failure::of(
                &self.link,
                ErrorKind::Unauthenticated,
                what,
            ))
        })?;
        let request = self
            .sts
            .assume_role_with_web_identity()
            .role_arn(&self.web.role_arn)
            .role_session_name(&self.web.session_name)
            .web_identity_token(token.as_str());
        // The answer holds keys, the request of a web identity its token.
        let answer = quietly(request.send()).await.map_err(|error| {
            CredentialsError::provider_error(failure::of_sts(&self.link, &error))
        })?;
        told("AssumeRoleWithWebIdentity", answer.request_id());
        taken(&self.link, answer.credentials)
    }
}

/// What the observer could not say while nobody listened.
fn told(operation: &'static str, request_id: Option<&str>) {
    tracing::debug!(
        target: "secrets_aws::wire",
        service = "STS",
        operation,
        status = 200,
        request_id,
        "answer of AWS"
    );
}

/// Reads a file that whoever issues the token replaces. This blocks.
pub(super) fn read_token(path: &Path, longest: u64) -> Result<Zeroizing<String>, String> {
    let refused = |what: &str| format!("the token in `{}` {what}", path.display());
    let unreadable = |error: std::io::Error| refused(&format!("cannot be read ({})", error.kind()));
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(refused("is no regular file"));
    }
    if metadata.len() > longest {
        return Err(refused("is longer than a token can be"));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(unreadable)?);
    let token = text.trim();
    if token.len() < 4 || !token.bytes().all(|letter| letter.is_ascii_graphic()) {
        return Err(refused("is none"));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

fn taken(
    link: &Arc<str>,
    credentials: Option<aws_sdk_sts::types::Credentials>,
) -> provider::Result {
    let unusable = || {
        let what = "STS answered without credentials that can be used";
        CredentialsError::provider_error(failure::of(link, ErrorKind::Unavailable, what))
    };
    let given = credentials.ok_or_else(unusable)?;
    let expires = SystemTime::try_from(given.expiration).map_err(|_| unusable())?;
    // The SDK makes up what an answer that was cut short does not have: empty, or in 1970.
    let is_whole = expires > SystemTime::UNIX_EPOCH
        && ![&given.access_key_id, &given.secret_access_key, &given.session_token]
            .into_iter()
            .any(String::is_empty);
    if !is_whole {
        return Err(unusable());
    }
    let token = Some(given.session_token);
    Ok(Credentials::new(given.access_key_id, given.secret_access_key, token, Some(expires), "STS"))
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}

impl ProvideCredentials for ExchangedToken {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.exchange())
    }
}
