use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use aws_sdk_secretsmanager::operation::get_secret_value::{
    GetSecretValueInput, GetSecretValueOutput,
};
use aws_sdk_secretsmanager::primitives::DateTime;
use aws_secretsmanager_caching::SecretsManagerCachingClient;
use aws_smithy_mocks::{RuleMode, mock, mock_client};

use super::HOUR;
use super::draws::{Draws, glimpse};
use crate::harness::Case;
use crate::names::value;

pub(super) const NAME: &str = "aws_secretsmanager_caching 2.1.0";

/// The vendor's caching client, over an SDK that answers by itself.
#[derive(Clone)]
pub(super) struct AwsCache(Arc<SecretsManagerCachingClient>);

impl AwsCache {
    /// A cache that has read all of them.
    pub(super) fn new(names: &[String]) -> Self {
        let numbered = names.iter().cloned().enumerate().map(|(number, name)| (name, number));
        let numbers: HashMap<_, _> = numbered.collect();
        let rule = mock!(aws_sdk_secretsmanager::Client::get_secret_value)
            .then_compute_output(move |input| answer(&numbers, input));
        let client = mock_client!(aws_sdk_secretsmanager, RuleMode::MatchAny, [&rule]);
        let room = NonZeroUsize::new(names.len()).unwrap();
        let cache = SecretsManagerCachingClient::new(client, room, HOUR, false).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            for name in names {
                cache.get_secret_value(name, None, None, false).await.unwrap();
            }
        });
        Self(Arc::new(cache))
    }

    pub(super) fn case(&self, draws: &Draws) -> Case {
        let cache = Arc::clone(&self.0);
        draws.async_case(async move |draw| {
            let output = cache.get_secret_value(draw.name, None, None, false).await.unwrap();
            glimpse(output.secret_string.unwrap().as_bytes())
        })
    }
}

/// All that the service says about a secret.
fn answer(numbers: &HashMap<String, usize>, input: &GetSecretValueInput) -> GetSecretValueOutput {
    let name = input.secret_id().unwrap();
    let number = numbers[name];
    GetSecretValueOutput::builder()
        .arn(format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}-AbCdEf"))
        .name(name)
        .version_id(format!("00000000-0000-4000-8000-{number:012}"))
        .secret_string(str::from_utf8(&value(number)).unwrap())
        .version_stages("AWSCURRENT")
        .created_date(DateTime::from_secs(1_790_000_000))
        .build()
}
