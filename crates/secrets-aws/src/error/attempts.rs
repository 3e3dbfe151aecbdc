use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::dns::ResolveDnsError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::quiet::Listener;

/// Watches the attempts of one call: whether one of them may have been carried out although the
/// call as a whole failed. Clones watch the same call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts(Arc<Seen>, Listener);

#[derive(Debug, Default)]
struct Seen {
    /// An attempt was made.
    any: AtomicBool,
    /// One is under way: a call that ends now was cut off by its time limit.
    under_way: AtomicBool,
    /// One ended without word of what it did.
    unclear: AtomicBool,
}

impl Attempts {
    /// True when an attempt was seen.
    pub(super) fn was_seen(&self) -> bool {
        self.0.any.load(Ordering::Relaxed)
    }

    /// True when one of them may have been carried out.
    pub(super) fn is_unclear(&self) -> bool {
        self.0.unclear.load(Ordering::Relaxed) || self.0.under_way.load(Ordering::Relaxed)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(self.1.clone());
        Ok(())
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.any.store(true, Ordering::Relaxed);
        self.0.under_way.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.any.store(true, Ordering::Relaxed);
        if self.0.under_way.swap(false, Ordering::Relaxed) && is_unclear(context) {
            self.0.unclear.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Whether an attempt that failed may have been carried out: not when it was refused (4xx), and not
/// when there was no connection.
fn is_unclear(context: &FinalizerInterceptorContextRef<'_>) -> bool {
    let Some(Err(error)) = context.output_or_error() else { return false };
    match context.response() {
        Some(response) => !response.status().is_client_error(),
        None => !never_connected(error),
    }
}

fn never_connected(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.is::<ResolveDnsError>() {
            return true;
        }
        // Only connecting fails for these reasons.
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let refused = matches!(
            kind,
            Some(
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::AddrNotAvailable
            )
        );
        if refused {
            return true;
        }
        next = cause.source();
    }
    false
}
