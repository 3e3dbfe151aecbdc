//! What is looked at in every request and every answer.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use secrets_core::{Error, ErrorKind};

use super::code;
use super::identity::Cached;
use crate::config::is_loopback;
use crate::quiet::Listener;

/// Codes of answers that say: these credentials are no longer good, whatever their expiry says
/// (IAM, "common errors", and what Secrets Manager and KMS answer to ended sessions).
const STALE: [&str; 4] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
];

/// Refuses requests without TLS that would leave the machine, tells the request id of every
/// answer, and has credentials fetched anew when a service does not know them any more.
#[derive(Debug, Clone)]
pub(super) struct Observer {
    pub(super) allow_http: bool,
    /// Whose requests these are; none for those without a signature.
    pub(super) credentials: Option<Cached>,
}

impl Intercept for Observer {
    fn name(&self) -> &'static str {
        "mainstay"
    }

    /// The last look before the request goes: whatever chose the endpoint, it cannot be past this.
    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.allow_http {
            return Ok(());
        }
        let uri = context.request().uri();
        let is_safe = uri.strip_prefix("http://").is_none_or(|rest| {
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            let host = match authority.find(']') {
                Some(end) => authority.get(..=end),
                None => authority.split(':').next(),
            };
            host.is_some_and(is_loopback)
        });
        if is_safe {
            return Ok(());
        }
        // Providers find the contract's error among the causes of the SDK's.
        let message = "the endpoint is plain HTTP and not on this machine; nothing was sent";
        Err(Error::new(ErrorKind::InvalidValue, message).into())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let operation = bag.load::<Metadata>();
        let say = || {
            tracing::debug!(
                target: "secrets_aws::wire",
                service = operation.map(Metadata::service),
                operation = operation.map(Metadata::name),
                status = response.status().as_u16(),
                request_id = response.headers().get("x-amzn-requestid"),
                "answer of AWS"
            );
        };
        Listener::hear(bag, say);
        if let Some(credentials) = &self.credentials
            && code::of(response).is_some_and(|code| STALE.contains(&code.as_str()))
        {
            credentials.doubt();
        }
        Ok(())
    }
}
