use std::fmt;
use std::sync::Arc;

use metrics::{Label, gauge, histogram};
use tracing::Span;
use tracing::field::Empty;

use super::bounded::Bounded;
use super::call::ModelCall;
use super::ending::Ending;
use super::kinds::{Operation, Provider, ToolType};
use super::name::{attribute, metric};
use super::tool::ToolExecution;
use crate::metric::kit::Active;

/// So many models and tools have series of their own.
const MOST_MODELS: usize = 100;
const MOST_TOOLS: usize = 100;

/// Measures what agents of generative AI do, and makes spans for it. A clone is another handle on the same.
///
/// What begins is a guard. It ends when [`succeed`](Invocation::succeed) or [`fail`](Invocation::fail) is called; if it is
/// dropped before, `error.type` is `cancelled`, or `panic` during one.
///
/// ```
/// use obs::genai::{Cost, Currency, GenAi, Operation, Price, Provider, ToolType, Usage};
///
/// let genai = GenAi::new();
/// let run = genai.agent("support").invoke();
///
/// let mut call = run.call(Operation::Chat, Provider::OpenAi, "gpt-4o-mini");
/// let price = Price::of_a_million(Cost::billionths(Currency::USD, 150_000_000));
/// call.chunk();
/// call.usage(Usage::default().input(1_200).output(80).cached(1_024));
/// call.cost(price.of(1_280));
/// call.succeed();
///
/// let tool = run.tool("search_orders", ToolType::Function);
/// // Of asynchronous work: `search().instrument(tool.span().clone()).await`.
/// let found = tool.span().in_scope(|| 3);
/// tool.succeed();
/// run.succeed();
/// # assert_eq!(found, 3);
/// ```
///
/// Agents, tools and providers are named by the program; models, and tools of others, by whoever offers them: the first 100
/// of each have series of their own, what comes after them is `_OTHER` (`obs.genai.other_names`).
#[derive(Clone)]
pub struct GenAi {
    pub(super) models: Arc<Bounded>,
    pub(super) tools: Arc<Bounded>,
    pub(super) has_content: bool,
}

impl Default for GenAi {
    fn default() -> Self {
        Self::new()
    }
}

impl GenAi {
    /// Without what users and models say.
    #[must_use]
    pub fn new() -> Self {
        Self {
            models: Arc::new(Bounded::new("model", MOST_MODELS)),
            tools: Arc::new(Bounded::new("tool", MOST_TOOLS)),
            has_content: false,
        }
    }

    /// With what users and models say, in spans: it is redacted and cut like any field, which knows secrets by names
    /// and shapes, not people and what they tell.
    #[must_use]
    pub const fn with_content(mut self) -> Self {
        self.has_content = true;
        self
    }

    /// An agent of this name, one of few that the program knows.
    #[must_use]
    pub fn agent(&self, name: &'static str) -> Agent {
        Agent { genai: self.clone(), name }
    }
}

impl fmt::Debug for GenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenAi").field("has_content", &self.has_content).finish_non_exhaustive()
    }
}

/// An agent that can be invoked.
#[derive(Debug, Clone)]
pub struct Agent {
    genai: GenAi,
    name: &'static str,
}

impl Agent {
    /// It begins to work in this process.
    pub fn invoke(&self) -> Invocation {
        let name = self.name;
        let span = tracing::info_span!(
            target: "obs::genai",
            "invoke_agent",
            otel.name = %format_args!("invoke_agent {name}"),
            otel.kind = "internal",
            { attribute::OPERATION } = "invoke_agent",
            { attribute::AGENT } = name,
            { attribute::CONVERSATION } = Empty,
            { attribute::ERROR } = Empty,
        );
        let active = Active::new(gauge!(metric::ACTIVE, attribute::AGENT => name));
        Invocation { agent: self.clone(), span, ending: Ending::begin(), _active: active }
    }
}

/// An agent at work, until it is dropped.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct Invocation {
    agent: Agent,
    span: Span,
    ending: Ending,
    _active: Active,
}

impl Invocation {
    /// The span of what it does.
    pub const fn span(&self) -> &Span {
        &self.span
    }

    /// Which conversation it is part of.
    pub fn conversation(&self, id: &str) {
        self.span.record(attribute::CONVERSATION, id);
    }

    /// It begins to ask a model.
    pub fn call(&self, operation: Operation, provider: Provider, model: &str) -> ModelCall {
        ModelCall::begin(&self.agent.genai, &self.span, (operation, provider), model)
    }

    /// It begins to use a tool.
    pub fn tool(&self, name: &str, of: ToolType) -> ToolExecution {
        ToolExecution::begin(&self.agent.genai, &self.span, (self.agent.name, of), name)
    }

    /// It has done what it was to do.
    pub fn succeed(mut self) {
        self.ending.succeed();
    }

    /// It has not, for this reason: one of few that the program knows.
    pub fn fail(mut self, error: &'static str) {
        self.ending.fail(error);
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        let (took, error) = self.ending.end(&self.span);
        let mut labels = vec![Label::from_static_parts(attribute::AGENT, self.agent.name)];
        labels.extend(error.map(|error| Label::from_static_parts(attribute::ERROR, error)));
        histogram!(metric::AGENT, labels).record(took);
    }
}
