use std::time::Instant;

use metrics::{Label, SharedString, counter, histogram};
use tracing::Span;
use tracing::field::Empty;

use super::agent::GenAi;
use super::cost::Cost;
use super::ending::Ending;
use super::kinds::{Operation, Provider};
use super::name::{attribute, metric};
use super::usage::Usage;

/// A call of a model, until it is dropped.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct ModelCall {
    operation: Operation,
    provider: Provider,
    model: SharedString,
    has_content: bool,
    last_chunk: Option<Instant>,
    span: Span,
    ending: Ending,
}

impl ModelCall {
    pub(super) fn begin(
        genai: &GenAi,
        parent: &Span,
        (operation, provider): (Operation, Provider),
        model: &str,
    ) -> Self {
        // Series are limited, spans are not.
        let known = genai.models.name(model);
        let span = tracing::info_span!(
            target: "obs::genai",
            parent: parent,
            "gen_ai_call",
            otel.name = %format_args!("{} {known}", operation.name()),
            otel.kind = "client",
            { attribute::OPERATION } = operation.name(),
            { attribute::PROVIDER } = provider.name(),
            { attribute::MODEL } = model,
            { attribute::ANSWERED_BY } = Empty,
            { attribute::INPUT_TOKENS } = Empty,
            { attribute::OUTPUT_TOKENS } = Empty,
            { attribute::CACHED_TOKENS } = Empty,
            { attribute::INPUT } = Empty,
            { attribute::OUTPUT } = Empty,
            { attribute::ERROR } = Empty,
        );
        let (has_content, ending) = (genai.has_content, Ending::begin());
        Self { operation, provider, model: known, has_content, last_chunk: None, span, ending }
    }

    /// The span of the call.
    pub const fn span(&self) -> &Span {
        &self.span
    }

    /// Which model answers, if it says so.
    pub fn answered_by(&self, model: &str) {
        self.span.record(attribute::ANSWERED_BY, model);
    }

    /// A part of a streamed answer came. Answers that come as a whole have none.
    pub fn chunk(&mut self) {
        let now = Instant::now();
        let name = if self.last_chunk.is_some() { metric::NEXT_CHUNK } else { metric::FIRST_CHUNK };
        let since = self.last_chunk.unwrap_or_else(|| self.ending.began());
        self.last_chunk = Some(now);
        let took = now.saturating_duration_since(since);
        histogram!(name, self.labels()).record(took);
    }

    /// So many tokens were used: once for each call.
    pub fn usage(&self, usage: Usage) {
        let types = [
            (usage.input, "input", attribute::INPUT_TOKENS),
            (usage.output, "output", attribute::OUTPUT_TOKENS),
        ];
        for (tokens, name, attribute) in types {
            let Some(tokens) = tokens else { continue };
            let mut labels = self.labels();
            labels.push(Label::from_static_parts(attribute::TOKEN, name));
            self.span.record(attribute, tokens);
            histogram!(metric::TOKENS, labels).record(tokens as f64);
        }
        if let Some(cached) = usage.cached {
            self.span.record(attribute::CACHED_TOKENS, cached);
            counter!(metric::CACHED, self.labels()).increment(cached);
        }
    }

    /// It costs so much; what it is told several times is summed.
    pub fn cost(&self, cost: Cost) {
        let mut labels = self.labels();
        labels.retain(|label| label.key() != attribute::OPERATION);
        labels.push(Label::new(attribute::CURRENCY, cost.currency.code().to_owned()));
        counter!(metric::COST, labels).increment(cost.billionths);
    }

    /// What the model was told, if that is wanted ([`GenAi::with_content`]).
    pub fn input(&self, messages: &str) {
        if self.has_content {
            self.span.record(attribute::INPUT, messages);
        }
    }

    /// What it answered, if that is wanted ([`GenAi::with_content`]).
    pub fn output(&self, messages: &str) {
        if self.has_content {
            self.span.record(attribute::OUTPUT, messages);
        }
    }

    /// It was answered.
    pub fn succeed(mut self) {
        self.ending.succeed();
    }

    /// It was not, for this reason: one of few that the program knows, as `timeout` or `429`.
    pub fn fail(mut self, error: &'static str) {
        self.ending.fail(error);
    }

    fn labels(&self) -> Vec<Label> {
        vec![
            Label::from_static_parts(attribute::OPERATION, self.operation.name()),
            Label::from_static_parts(attribute::PROVIDER, self.provider.name()),
            Label::new(attribute::MODEL, self.model.clone()),
        ]
    }
}

impl Drop for ModelCall {
    fn drop(&mut self) {
        let (took, error) = self.ending.end(&self.span);
        let mut labels = self.labels();
        labels.extend(error.map(|error| Label::from_static_parts(attribute::ERROR, error)));
        histogram!(metric::CALL, labels).record(took);
    }
}
