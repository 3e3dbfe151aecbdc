//! What is looked at in every answer, and what follows from it.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::{
    IdentityFuture, ResolveCachedIdentity, ResolveIdentity, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use secrets_core::RequestIds;

use super::code;
use super::identity::Cached;
use crate::quiet::Listener;

/// Codes of answers that say: these credentials are no longer good, whatever their expiry says
/// (IAM, "common errors", and what Secrets Manager and KMS answer to ended sessions).
const STALE: [&str; 5] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
];

/// Put into an answer for the retry classifier, which sees nothing else of a call: others than the
/// credentials of this attempt are to be had.
const RENEWED: &str = "x-mainstay-renewed";

/// Tells the request id of every answer, and has credentials fetched anew when a service does not
/// know them any more. The call is then made once more with those.
#[derive(Debug, Clone)]
pub(super) struct Observer {
    /// Whose requests these are; none for those without a signature.
    pub(super) credentials: Option<Cached>,
}

/// The access key that an attempt was signed with.
#[derive(Debug)]
struct SignedBy(Box<str>);

impl Storable for SignedBy {
    type Storer = StoreReplace<Self>;
}

/// A call whose credentials were not known any more waits for others before it is made again.
#[derive(Debug, Clone)]
struct Renewal(Cached);

impl Storable for Renewal {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for Observer {
    fn name(&self) -> &'static str {
        "mainstay"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(key) = access_key(context.request()) {
            bag.interceptor_state().store_put(SignedBy(key.into()));
        }
        Ok(())
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
        Ok(())
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(response) = context.response_mut() else { return Ok(()) };
        // Whoever answers does not decide on it.
        response.headers_mut().remove(RENEWED);
        let Some(credentials) = self.credentials.as_ref().filter(|_| is_stale(response)) else {
            return Ok(());
        };
        let key = bag.load::<SignedBy>().map(|signed| signed.0.clone());
        let others = credentials.doubt(key.as_deref());
        // Once a call: what is not known then either is the caller's to mend.
        if others && bag.load::<Renewal>().is_none() {
            response.headers_mut().insert(RENEWED, "1");
            bag.interceptor_state().store_put(Renewal(credentials.clone()));
        }
        Ok(())
    }
}

fn is_stale(response: &HttpResponse) -> bool {
    code::of(response).is_some_and(|code| STALE.contains(&code.as_str()))
}

/// Whether an answer says that the credentials are no longer good, and others are to be had.
pub(super) fn is_renewed(response: &HttpResponse) -> bool {
    response.headers().get(RENEWED).is_some()
}

/// The key of a signature: `AWS4-HMAC-SHA256 Credential=KEY/20260102/…` (Signature Version 4).
fn access_key(request: &HttpRequest) -> Option<&str> {
    let (_, credential) = request.headers().get("authorization")?.split_once("Credential=")?;
    credential.split('/').next().filter(|key| !key.is_empty())
}

/// In place of the SDK's cache of identities: ours is in front of every source, one more would make
/// readers wait. Only a call that has just been told that its credentials are not good waits.
#[derive(Debug)]
pub(super) struct NoCache;

impl ResolveCachedIdentity for NoCache {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        bag: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        IdentityFuture::new(async move {
            if let Some(Renewal(credentials)) = bag.load::<Renewal>() {
                credentials.renewed().await;
            }
            resolver.resolve_identity(components, bag).await
        })
    }
}
