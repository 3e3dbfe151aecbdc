//! All names of the conventions that are used here. Nothing else of this crate writes one.

/// The version of OpenTelemetry's semantic conventions for generative AI whose names are used: a commit, for there are
/// no releases of them since they were moved out of the general ones (1.42.0).
pub const CONVENTIONS_VERSION: &str =
    "open-telemetry/semantic-conventions-genai@004902b8cb70aa5ae6ca4ae07132b7daabcd3e10";

/// Metrics.
pub(super) mod metric {
    pub(in crate::genai) const TOKENS: &str = "gen_ai.client.token.usage";
    pub(in crate::genai) const CALL: &str = "gen_ai.client.operation.duration";
    pub(in crate::genai) const FIRST_CHUNK: &str = "gen_ai.client.operation.time_to_first_chunk";
    pub(in crate::genai) const NEXT_CHUNK: &str = "gen_ai.client.operation.time_per_output_chunk";
    pub(in crate::genai) const AGENT: &str = "gen_ai.invoke_agent.duration";
    pub(in crate::genai) const TOOL: &str = "gen_ai.execute_tool.duration";
    // No convention has these: they are ours.
    pub(in crate::genai) const ACTIVE: &str = "obs.genai.active_invocations";
    pub(in crate::genai) const CACHED: &str = "obs.genai.cached_tokens";
    pub(in crate::genai) const COST: &str = "obs.genai.cost";
    pub(in crate::genai) const OTHERS: &str = "obs.genai.other_names";
}

/// Attributes of spans and metrics.
pub(super) mod attribute {
    pub(in crate::genai) const OPERATION: &str = "gen_ai.operation.name";
    pub(in crate::genai) const PROVIDER: &str = "gen_ai.provider.name";
    pub(in crate::genai) const MODEL: &str = "gen_ai.request.model";
    pub(in crate::genai) const ANSWERED_BY: &str = "gen_ai.response.model";
    pub(in crate::genai) const TOKEN: &str = "gen_ai.token.type";
    pub(in crate::genai) const AGENT: &str = "gen_ai.agent.name";
    pub(in crate::genai) const TOOL: &str = "gen_ai.tool.name";
    pub(in crate::genai) const TOOL_TYPE: &str = "gen_ai.tool.type";
    pub(in crate::genai) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
    pub(in crate::genai) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
    pub(in crate::genai) const CACHED_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
    pub(in crate::genai) const CONVERSATION: &str = "gen_ai.conversation.id";
    pub(in crate::genai) const INPUT: &str = "gen_ai.input.messages";
    pub(in crate::genai) const OUTPUT: &str = "gen_ai.output.messages";
    pub(in crate::genai) const ERROR: &str = "error.type";
    // Ours.
    pub(in crate::genai) const CURRENCY: &str = "obs.genai.currency";
    pub(in crate::genai) const OTHER_OF: &str = "obs.genai.name";
}
