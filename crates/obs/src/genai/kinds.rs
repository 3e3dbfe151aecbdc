/// What a model is asked for: values of `gen_ai.operation.name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// An answer in a conversation.
    Chat,
    /// A text that goes on.
    TextCompletion,
    /// An answer of several kinds, as text and images.
    GenerateContent,
    /// Vectors that stand for texts.
    Embeddings,
}

impl Operation {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::TextCompletion => "text_completion",
            Self::GenerateContent => "generate_content",
            Self::Embeddings => "embeddings",
        }
    }
}

/// Who runs a model: values of `gen_ai.provider.name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// Anthropic.
    Anthropic,
    /// Amazon Bedrock.
    AwsBedrock,
    /// Azure AI Inference.
    AzureAiInference,
    /// Azure OpenAI.
    AzureOpenAi,
    /// Cohere.
    Cohere,
    /// DeepSeek.
    DeepSeek,
    /// Google's Gemini API.
    Gemini,
    /// Google's Vertex AI.
    VertexAi,
    /// Groq.
    Groq,
    /// IBM watsonx.ai.
    Watsonx,
    /// Mistral AI.
    MistralAi,
    /// OpenAI.
    OpenAi,
    /// Perplexity.
    Perplexity,
    /// xAI.
    XAi,
    /// Another one, as a constant of the program.
    Other(&'static str),
}

impl Provider {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::AwsBedrock => "aws.bedrock",
            Self::AzureAiInference => "azure.ai.inference",
            Self::AzureOpenAi => "azure.ai.openai",
            Self::Cohere => "cohere",
            Self::DeepSeek => "deepseek",
            Self::Gemini => "gcp.gemini",
            Self::VertexAi => "gcp.vertex_ai",
            Self::Groq => "groq",
            Self::Watsonx => "ibm.watsonx.ai",
            Self::MistralAi => "mistral_ai",
            Self::OpenAi => "openai",
            Self::Perplexity => "perplexity",
            Self::XAi => "x_ai",
            Self::Other(name) => name,
        }
    }
}

/// Who executes a tool: values of `gen_ai.tool.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ToolType {
    /// The application, with arguments that the model made.
    Function,
    /// The agent itself, at an interface of others.
    Extension,
    /// What looks up data.
    Datastore,
}

impl ToolType {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Extension => "extension",
            Self::Datastore => "datastore",
        }
    }
}
