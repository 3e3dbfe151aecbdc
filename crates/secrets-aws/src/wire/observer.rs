//! What is looked at in every answer.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use secrets_core::RequestIds;

use super::code;
use super::identity::Cached;
use crate::quiet::Listener;

/// Codes of answers that say: these credentials are no longer good, whatever their expiry says
/// (IAM, "common errors", and what Secrets Manager and KMS answer to ended sessions).
const STALE: [&str; 4] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
];

/// Tells the request id of every answer, and has credentials fetched anew when a service does not
/// know them any more.
#[derive(Debug, Clone)]
pub(super) struct Observer {
    /// Whose requests these are; none for those without a signature.
    pub(super) credentials: Option<Cached>,
}

impl Intercept for Observer {
    fn name(&self) -> &'static str {
        "mainstay"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let operation = bag.load::<Metadata>();
        let request_id = response.headers().get("x-amzn-requestid");
        if let Some(id) = request_id {
            RequestIds::note(id);
        }
        let say = || {
            tracing::debug!(
                target: "secrets_aws::wire",
                service = operation.map(Metadata::service),
                operation = operation.map(Metadata::name),
                status = response.status().as_u16(),
                request_id,
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
