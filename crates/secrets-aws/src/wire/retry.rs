//! When a call is tried again: by code, and out of one budget for all clients.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_sts::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason,
};
use aws_smithy_types::retry::ErrorKind;

use super::{code, observer};
use crate::config::Network;

/// What an attempt beyond the first costs, and what is given back for a call that succeeds at
/// once: the SDK's own numbers, which make its budget of 500 worth 100 attempts.
const COST: u32 = 5;

/// The budget that all clients of one configuration draw on.
///
/// The SDK has one for each service; a throttled account would be hammered by each of them, and
/// by STS beside them.
pub(super) fn budget(network: &Network) -> RetryPartition {
    let bucket = TokenBucket::builder()
        .capacity(usize::from(network.retry_budget) * COST as usize)
        .retry_cost(COST)
        .throttling_retry_cost(COST)
        .timeout_retry_cost(COST)
        .build();
    RetryPartition::custom("mainstay").token_bucket(bucket).build()
}

pub(super) fn config(network: &Network) -> RetryConfig {
    RetryConfig::standard().with_max_attempts(network.attempts)
}

/// What the SDK's classifiers get wrong for these services. It runs after them.
///
/// They hold every `LimitExceededException` for throttling. Secrets Manager and KMS mean a quota of
/// things (secrets, versions, grants), which no repetition lifts. And they know AWS's header for
/// the pause that a server wants, but not HTTP's, which load balancers and proxies send.
///
/// Nor can they know that others are there for credentials that have ended before their time: such a
/// call is made once more.
///
/// A pause longer than the SDK or the call would wait is not begun: it would come back too early, or
/// have the caller wait for nothing. The failure tells it instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Corrections {
    longest: Duration,
}

impl Corrections {
    pub(super) fn of(network: &Network) -> Self {
        Self { longest: config(network).max_backoff().min(network.operation_timeout) }
    }
}

impl ClassifyRetry for Corrections {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().and_then(code::of).as_deref() {
            Some("LimitExceededException") => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn classify_retry_v2(
        &self,
        context: &InterceptorContext,
        previous: &RetryAction,
    ) -> RetryAction {
        if self.classify_retry(context) == RetryAction::RetryForbidden {
            return RetryAction::RetryForbidden;
        }
        if context.response().is_some_and(observer::is_renewed) {
            return RetryAction::retryable_error_with_explicit_delay(
                ErrorKind::TransientError,
                Duration::ZERO,
            );
        }
        let RetryAction::RetryIndicated(RetryReason::RetryableError { kind, retry_after }) =
            previous
        else {
            return RetryAction::NoActionIndicated;
        };
        let asked = || {
            let header = context.response()?.headers().get("retry-after")?;
            // The form with a date is left alone: it needs the server's clock to agree with ours.
            header.trim().parse().ok().map(Duration::from_secs)
        };
        match retry_after.or_else(asked) {
            None => RetryAction::NoActionIndicated,
            Some(pause) if pause > self.longest => RetryAction::RetryForbidden,
            Some(pause) => RetryAction::retryable_error_with_explicit_delay(*kind, pause),
        }
    }

    fn name(&self) -> &'static str {
        "mainstay corrections"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}
