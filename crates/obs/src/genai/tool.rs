use metrics::{Label, SharedString, histogram};
use tracing::Span;
use tracing::field::Empty;

use super::agent::GenAi;
use super::ending::Ending;
use super::kinds::ToolType;
use super::name::{attribute, metric};

/// A tool at work, until it is dropped.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct ToolExecution {
    name: SharedString,
    of: ToolType,
    agent: &'static str,
    span: Span,
    ending: Ending,
}

impl ToolExecution {
    pub(super) fn begin(
        genai: &GenAi,
        parent: &Span,
        (agent, of): (&'static str, ToolType),
        name: &str,
    ) -> Self {
        // Series are limited, spans are not.
        let known = genai.tools.name(name);
        let span = tracing::info_span!(
            target: "obs::genai",
            parent: parent,
            "execute_tool",
            otel.name = %format_args!("execute_tool {known}"),
            otel.kind = "internal",
            { attribute::OPERATION } = "execute_tool",
            { attribute::TOOL } = name,
            { attribute::TOOL_TYPE } = of.name(),
            { attribute::ERROR } = Empty,
        );
        Self { name: known, of, agent, span, ending: Ending::begin() }
    }

    /// The span of what it does.
    pub const fn span(&self) -> &Span {
        &self.span
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

impl Drop for ToolExecution {
    fn drop(&mut self) {
        let (took, error) = self.ending.end(&self.span);
        let mut labels = vec![
            Label::new(attribute::TOOL, self.name.clone()),
            Label::from_static_parts(attribute::TOOL_TYPE, self.of.name()),
            Label::from_static_parts(attribute::AGENT, self.agent),
        ];
        labels.extend(error.map(|error| Label::from_static_parts(attribute::ERROR, error)));
        histogram!(metric::TOOL, labels).record(took);
    }
}
