use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_smithy_json::deserialize::token::skip_value;
use aws_smithy_json::deserialize::{Token, json_token_iter};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::Error;
use aws_smithy_runtime_api::client::orchestrator::{
    HttpRequest, HttpResponse, OrchestratorError, SensitiveOutput,
};
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::date_time::{DateTime, Format};
use secrets_core::ErrorKind;
use zeroize::Zeroizing;

use super::failure;
use crate::config::Container;
use crate::quiet::quietly;

/// As the SDK has it for this source.
const CONNECT: Duration = Duration::from_secs(2);
const READ: Duration = Duration::from_secs(5);
/// Tokens of EKS are JWTs, of a kilobyte or two.
const LONGEST_TOKEN: u64 = 64 << 10;

/// The agent of a container.
///
/// The SDK has this source too, but tells it by variables of the process alone.
#[derive(Debug)]
pub(super) struct Agent {
    link: Arc<str>,
    container: Container,
    operation: Operation<Authorization, Credentials, Refusal>,
}

/// The token that the agent asks for; its `Debug` is the SDK's to print.
struct Authorization(Option<Zeroizing<String>>);

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authorization")
    }
}

/// What the agent answered instead of credentials. Its text is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("the agent answered with status {0}")]
    Status(u16),
    #[error("the agent answered what are no credentials")]
    Unreadable,
}

impl Agent {
    pub(super) fn new(link: Arc<str>, container: Container, http: SharedHttpClient) -> Self {
        let (origin, path) = split(&container.url);
        let operation = Operation::builder()
            .service_name("ContainerCredentials")
            .operation_name("Get")
            .with_connection_poisoning()
            .endpoint_url(origin)
            .no_auth()
            .http_client(http)
            .timeout_config(
                TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(READ).build(),
            )
            .standard_retry(&RetryConfig::standard())
            .retry_classifier(TransientErrorClassifier::<Error>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            // Keeps the answer out of the SDK's traces.
            .runtime_plugin(StaticRuntimePlugin::new().with_config({
                let mut layer = Layer::new("sensitive");
                layer.store_put(SensitiveOutput);
                layer.freeze()
            }));
        let path = path.to_owned();
        let operation = operation
            .serializer(move |token| request(&path, token))
            .deserializer(credentials)
            .build();
        Self { link, container, operation }
    }

    async fn ask(&self) -> provider::Result {
        let token = match &self.container.token_file {
            None => None,
            Some(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_token(&path)).await;
                let refused = |what| self.failure(ErrorKind::Unauthenticated, what);
                Some(read.map_err(CredentialsError::unhandled)?.map_err(refused)?)
            }
        };
        // The request holds the token, the answer keys.
        let answer = quietly(self.operation.invoke(Authorization(token))).await;
        answer.map_err(|error| match error.as_service_error() {
            Some(refusal @ Refusal::Status(400..=499)) => {
                self.failure(ErrorKind::Unauthenticated, refusal.to_string())
            }
            Some(refusal) => self.failure(ErrorKind::Unavailable, refusal.to_string()),
            None => self.failure(ErrorKind::Unavailable, "the agent cannot be reached"),
        })
    }

    fn failure(&self, kind: ErrorKind, what: impl AsRef<str>) -> CredentialsError {
        CredentialsError::provider_error(failure::of(&self.link, kind, what))
    }
}

/// The origin of a URL and the path behind it.
fn split(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    let rest = url.get(host..).unwrap_or_default();
    let path = rest.find('/').map_or(url.len(), |slash| host + slash);
    match url.split_at_checked(path) {
        Some((origin, "")) => (origin, "/"),
        Some(parts) => parts,
        None => (url, "/"),
    }
}

fn request(path: &str, token: Authorization) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(path)?;
    request.headers_mut().try_insert("accept", "application/json")?;
    if let Some(token) = &token.0 {
        request.headers_mut().try_insert("authorization", token.as_str().to_owned())?;
    }
    Ok(request)
}

fn read_token(path: &Path) -> Result<Zeroizing<String>, String> {
    super::role::read_token(path, LONGEST_TOKEN)
}

fn credentials(response: &HttpResponse) -> Result<Credentials, OrchestratorError<Refusal>> {
    if !response.status().is_success() {
        return Err(OrchestratorError::operation(Refusal::Status(response.status().as_u16())));
    }
    let body = response.body().bytes().unwrap_or_default();
    parse(body).ok_or_else(|| OrchestratorError::operation(Refusal::Unreadable))
}

/// `{"AccessKeyId": …, "SecretAccessKey": …, "Token": …, "Expiration": …}`, with other fields.
fn parse(body: &[u8]) -> Option<Credentials> {
    let mut fields: BTreeMap<String, Zeroizing<String>> = BTreeMap::new();
    let mut tokens = json_token_iter(body).peekable();
    let Some(Ok(Token::StartObject { .. })) = tokens.next() else { return None };
    loop {
        let key = match tokens.next()?.ok()? {
            Token::EndObject { .. } => break,
            Token::ObjectKey { key, .. } => key.to_unescaped().ok()?.into_owned(),
            _ => return None,
        };
        if let Some(Ok(Token::ValueString { value, .. })) = tokens.peek() {
            fields.insert(key, Zeroizing::new(value.to_unescaped().ok()?.into_owned()));
        }
        skip_value(&mut tokens).ok()?;
    }
    let mut take = |key: &str| fields.remove(key).filter(|value| !value.is_empty());
    let id = take("AccessKeyId")?;
    let secret = take("SecretAccessKey")?;
    let token = take("Token").map(|token| token.as_str().to_owned());
    let expires = match take("Expiration") {
        None => None,
        Some(text) => {
            let time = DateTime::from_str(&text, Format::DateTime).ok()?;
            Some(SystemTime::try_from(time).ok()?)
        }
    };
    Some(Credentials::new(id.as_str(), secret.as_str(), token, expires, "Container"))
}

impl ProvideCredentials for Agent {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.ask())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_an_agent_is_read() {
        let body = br#"{"RoleArn":"arn:aws:iam::1:role/x","AccessKeyId":"ASIA1","SecretAccessKey":"k/1",
            "Token":"t\u002f1","Expiration":"2030-01-02T03:04:05Z","AccountId":"123456789012","More":{"a":[1]}}"#;
        let found = parse(body).unwrap();
        assert_eq!((found.access_key_id(), found.secret_access_key()), ("ASIA1", "k/1"));
        assert_eq!(found.session_token(), Some("t/1"));
        let expires = SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_553_445);
        assert_eq!(found.expiry(), Some(expires));
    }

    #[test]
    fn a_url_is_split_before_its_path() {
        assert_eq!(split("http://127.0.0.1:7/v1/c"), ("http://127.0.0.1:7", "/v1/c"));
        assert_eq!(split("https://[::1]"), ("https://[::1]", "/"));
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let bad = [
            "",
            "<html></html>",
            "[]",
            "{}",
            "null",
            r#"{"AccessKeyId":"A"}"#,
            r#"{"AccessKeyId":"A","SecretAccessKey":""}"#,
            r#"{"AccessKeyId":7,"SecretAccessKey":"k"}"#,
            r#"{"AccessKeyId":"A","SecretAccessKey":"k","Expiration":"tomorrow"}"#,
            r#"{"AccessKeyId":"A","SecretAccessKey":"k""#,
            r#"{"code":"AccessDenied","message":"no"}"#,
        ];
        for body in bad {
            assert!(parse(body.as_bytes()).is_none(), "{body}");
        }
    }
}
