//! What every service of the double is to the server in front of it.

use std::time::SystemTime;

use serde_json::Value;

/// One request, its signature checked.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The operation, such as `GetSecretValue`.
    pub(crate) operation: &'a str,
    /// What it was given.
    pub(crate) input: &'a Value,
    /// The account of the caller, 12 digits.
    pub(crate) account: &'a str,
    /// The principal's ARN.
    pub(crate) principal: &'a str,
    /// The region of the signature's scope.
    pub(crate) region: &'a str,
    /// The double's time.
    pub(crate) now: SystemTime,
}

/// An error as AWS tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The code: `__type` in JSON, `Code` in XML.
    pub(crate) code: &'static str,
    /// The text.
    pub(crate) message: String,
}

/// A service: it answers operations and knows nothing of HTTP.
pub(crate) trait Service: Send + Sync {
    /// Carries an operation out.
    fn call(&self, call: &Call<'_>) -> Result<Value, Refusal>;
}
