use metric_table::Metric;

use super::name::{attribute, metric};

/// What the conventions advise for calls of models and tools: doubled from 10 ms.
const CALLS: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// What they advise for agents: doubled from 100 ms.
const AGENTS: &[f64] = &[0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6];

/// What they advise for tokens: powers of 4.
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

const OF_CALL: &[&str] = &[attribute::OPERATION, attribute::PROVIDER, attribute::MODEL];

/// The metrics of this module, for the catalog: those of the conventions, and those that begin with `obs.`, which are
/// ours because there is no convention.
pub const METRICS: &[Metric] = &[
    Metric::histogram(metric::AGENT, "s", "how long invocations of agents took")
        .with_labels(&[attribute::AGENT, attribute::ERROR])
        .with_buckets(AGENTS),
    Metric::histogram(metric::TOOL, "s", "how long executions of tools took")
        .with_labels(&[attribute::TOOL, attribute::TOOL_TYPE, attribute::AGENT, attribute::ERROR])
        .with_buckets(CALLS),
    Metric::histogram(metric::CALL, "s", "how long calls of models took")
        .with_labels(&[
            attribute::OPERATION,
            attribute::PROVIDER,
            attribute::MODEL,
            attribute::ERROR,
        ])
        .with_buckets(CALLS),
    Metric::histogram(metric::FIRST_CHUNK, "s", "how long the first part of an answer took")
        .with_labels(OF_CALL)
        .with_buckets(CALLS),
    Metric::histogram(metric::NEXT_CHUNK, "s", "how long each further part of an answer took")
        .with_labels(OF_CALL)
        .with_buckets(CALLS),
    Metric::histogram(metric::TOKENS, "{token}", "tokens of calls, by `input` and `output`")
        .with_labels(&[
            attribute::OPERATION,
            attribute::PROVIDER,
            attribute::MODEL,
            attribute::TOKEN,
        ])
        .with_buckets(TOKENS),
    Metric::gauge(metric::ACTIVE, "{invocation}", "invocations of agents that have not ended")
        .with_labels(&[attribute::AGENT]),
    Metric::counter(
        metric::CACHED,
        "{token}",
        "tokens of input that the provider had cached; they are among those of `input`",
    )
    .with_labels(OF_CALL),
    Metric::counter(
        metric::COST,
        "{billionth}",
        "what calls cost, in billionths of the currency's unit",
    )
    .with_labels(&[attribute::PROVIDER, attribute::MODEL, attribute::CURRENCY]),
    Metric::counter(
        metric::OTHERS,
        "{name}",
        "names that are shown as `_OTHER`: too long, of odd characters, or one too many",
    )
    .with_labels(&[attribute::OTHER_OF]),
];
