/// The tokens of a call, as the provider counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) cached: Option<u64>,
}

impl Usage {
    /// With those that the model was given, cached ones among them.
    #[must_use]
    pub const fn input(mut self, tokens: u64) -> Self {
        self.input = Some(tokens);
        self
    }

    /// With those that it made.
    #[must_use]
    pub const fn output(mut self, tokens: u64) -> Self {
        self.output = Some(tokens);
        self
    }

    /// With those of the input that the provider had cached.
    #[must_use]
    pub const fn cached(mut self, tokens: u64) -> Self {
        self.cached = Some(tokens);
        self
    }
}
