use serde::Deserialize;
use service_settings::{Problem, Rules};

use super::not_compiled_in;
use crate::record::RedactedKeys;

/// What is not shown, beyond what never is. That nothing is redacted cannot be set: it takes a line in the program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RedactionSettings {
    keys: Vec<String>,
    allowed_keys: Vec<String>,
    shapes: Option<bool>,
    allowed_shapes: Vec<ShapeSetting>,
}

/// [`Shape`](crate::record::Shape), whether it is compiled in or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShapeSetting {
    Jwt,
    PrivateKey,
    AwsKey,
    ServiceToken,
    Bearer,
    Card,
}

/// Longer ones name nothing.
const LONGEST: usize = 128;
const MOST: usize = 1_000;

impl RedactionSettings {
    /// What is said, beside what is not shown anyway.
    pub(super) fn over(&self, before: RedactedKeys) -> RedactedKeys {
        let keys = self.keys.iter().fold(before, |keys, words| keys.and(words));
        self.allowed_keys.iter().fold(keys, |keys, words| keys.except(words))
    }

    #[cfg(feature = "redact-patterns")]
    pub(super) fn are_shapes_shown(&self) -> bool {
        self.shapes == Some(false)
    }

    #[cfg(feature = "redact-patterns")]
    pub(super) fn shapes(&self) -> Option<crate::record::RedactedShapes> {
        use crate::record::{RedactedShapes, Shape};
        let shape = |shape: &ShapeSetting| match shape {
            ShapeSetting::Jwt => Shape::Jwt,
            ShapeSetting::PrivateKey => Shape::PrivateKey,
            ShapeSetting::AwsKey => Shape::AwsKey,
            ShapeSetting::ServiceToken => Shape::ServiceToken,
            ShapeSetting::Bearer => Shape::Bearer,
            ShapeSetting::Card => Shape::Card,
        };
        let allowed = self.allowed_shapes.iter().map(shape);
        let shapes = || allowed.fold(RedactedShapes::default(), RedactedShapes::without);
        (self.shapes == Some(true)).then(shapes)
    }
}

impl Rules for RedactionSettings {
    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        for (path, words) in [("keys", &self.keys), ("allowed_keys", &self.allowed_keys)] {
            for (at, words) in words.iter().enumerate() {
                let has_words = words.chars().any(char::is_alphanumeric);
                if !has_words || words.len() > LONGEST {
                    let message =
                        format!("is no name: those have a letter, and {LONGEST} bytes at most");
                    found.push(Problem::invalid(format!("{path}[{at}]"), message));
                }
            }
            if words.len() > MOST {
                found.push(Problem::invalid(path, format!("are more than {MOST}")));
            }
        }
        if self.shapes == Some(true) && cfg!(not(feature = "redact-patterns")) {
            found.push(not_compiled_in("shapes", "redact-patterns"));
        }
        if self.shapes != Some(true) && !self.allowed_shapes.is_empty() {
            let message = "no shape is looked for: set `shapes = true`";
            found.push(Problem::invalid("allowed_shapes", message));
        }
        found
    }
}
