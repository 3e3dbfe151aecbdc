//! What a secret has to be like.

mod entropy;
mod format;
mod json;
mod pattern;
mod pem;
mod url;
mod violation;

use secrets_core::SecretValue;
use serde::Deserialize;

use crate::known;

pub(crate) use entropy::estimate as entropy_estimate;
pub use format::{Format, UrlPart};
use pattern::MAX_VALUE as MAX_PATTERN_VALUE;
pub use pattern::{InvalidPattern, Pattern};
pub(crate) use pem::fault as pem_fault;
pub(crate) use url::{hosts_of_url, parse as parse_url, password_of_url};
pub use violation::{JsonFault, PemFault, RulesProblem, UrlFault, Violation};

/// The most fields, labels, schemes that one rule may list: each field is looked for on its own.
const MAX_LISTED: usize = 64;

/// What the value of a secret has to be like, to be checked before a service relies on it.
///
/// Without any setting two rules hold: a secret is not empty, and it is nothing that many know (see
/// [`WellKnown`]). Everything else is added by name, here or in settings:
///
/// | setting | what it asks for |
/// |---|---|
/// | `min_length`, `max_length` | so many bytes at least (1 unless set) and at most |
/// | `pattern` | a regular expression that the whole value matches; see [`Pattern`] |
/// | `format` | `text`, `pem`, `url` or `json`; see [`Format`] |
/// | `pem_labels` | every block has one of these labels, such as `PRIVATE KEY` |
/// | `url_schemes` | one of these, such as `postgres` |
/// | `url_parts` | these are there and not empty: `host`, `port`, `user`, `password`, `path`; `host` unless set |
/// | `json_fields` | one object in which each of these stands once, and is neither `null` nor empty |
/// | `min_entropy_bits` | an estimate of what it takes to guess; see [`with_min_entropy_bits`](Self::with_min_entropy_bits) |
/// | `well_known` | `refuse`, or `allow` what everybody knows |
///
/// ```
/// use secrets_core::SecretValue;
/// use secrets_manager::{Format, SecretRules, Violation};
///
/// let rules = SecretRules::new().with_format(Format::Url).with_url_schemes(["postgres"]);
/// assert!(rules.problems().is_empty());
///
/// let url = SecretValue::copy_from_slice(b"postgres://app:s3cr3t@db.internal/app");
/// assert!(rules.violations(&url).is_empty());
///
/// let todo = SecretValue::copy_from_slice(b"<your-database-url>");
/// let told: Vec<String> = rules.violations(&todo).iter().map(Violation::to_string).collect();
/// assert_eq!(told, ["is a placeholder, default or example that many know", "is no URL"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretRules {
    min_length: usize,
    max_length: Option<usize>,
    pattern: Option<Pattern>,
    format: Option<Format>,
    pem_labels: Vec<String>,
    url_schemes: Vec<String>,
    url_parts: Option<Vec<UrlPart>>,
    json_fields: Vec<String>,
    min_entropy_bits: u32,
    well_known: WellKnown,
}

/// What is done about values that many know: placeholders (`<your-key>`, `TODO`, `xxxx`), default
/// passwords (`changeme`, `minioadmin`), and keys that stand in manuals (`AKIAIOSFODNN7EXAMPLE`).
/// Only a whole value counts, never a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WellKnown {
    /// They break the rules.
    #[default]
    Refuse,
    /// They are as good as any other, as on a developer's machine.
    Allow,
}

impl Default for SecretRules {
    fn default() -> Self {
        Self::new()
    }
}

impl SecretRules {
    /// Not empty, and nothing that many know.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            min_length: 1,
            max_length: None,
            pattern: None,
            format: None,
            pem_labels: Vec::new(),
            url_schemes: Vec::new(),
            url_parts: None,
            json_fields: Vec::new(),
            min_entropy_bits: 0,
            well_known: WellKnown::Refuse,
        }
    }

    /// So many bytes at least; 1 unless set.
    #[must_use]
    pub const fn with_min_length(mut self, bytes: usize) -> Self {
        self.min_length = bytes;
        self
    }

    /// So many bytes at most.
    #[must_use]
    pub const fn with_max_length(mut self, bytes: usize) -> Self {
        self.max_length = Some(bytes);
        self
    }

    /// The whole value matches this.
    #[must_use]
    pub fn with_pattern(mut self, pattern: Pattern) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// The value is of this form.
    #[must_use]
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Every PEM block has one of these labels.
    #[must_use]
    pub fn with_pem_labels<T: Into<String>>(mut self, labels: impl IntoIterator<Item = T>) -> Self {
        self.pem_labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// The URL has one of these schemes, in whatever case.
    #[must_use]
    pub fn with_url_schemes<T: Into<String>>(
        mut self,
        schemes: impl IntoIterator<Item = T>,
    ) -> Self {
        self.url_schemes = schemes.into_iter().map(Into::into).collect();
        self
    }

    /// The URL has these parts, and they are not empty; the host unless set.
    #[must_use]
    pub fn with_url_parts(mut self, parts: impl IntoIterator<Item = UrlPart>) -> Self {
        self.url_parts = Some(parts.into_iter().collect());
        self
    }

    /// The value is one JSON object with these fields, each once, neither `null` nor empty.
    #[must_use]
    pub fn with_json_fields<T: Into<String>>(
        mut self,
        fields: impl IntoIterator<Item = T>,
    ) -> Self {
        self.json_fields = fields.into_iter().map(Into::into).collect();
        self
    }

    /// The estimate of the value's entropy is so many bits at least.
    ///
    /// The estimate is the empirical Shannon entropy of single bytes (C. E. Shannon, "A Mathematical
    /// Theory of Communication", 1948, section 6: `H = -Σ pᵢ log₂ pᵢ`, with `pᵢ` the share of each
    /// byte in the value) times the number of bytes; of what repeats as a whole only one turn
    /// counts, and where it is lower, the same of the differences between neighbours counts, so that
    /// `aaaa…`, `abcabc…` and `abcdef…` come to little. The first 4,096 bytes are looked at.
    ///
    /// It is a net against what is plainly weak, no measure of strength. It cannot see words, names,
    /// dates, keyboard rows, or that a value was leaked: `correct-horse` scores about as a random
    /// value does. And of short random values it says too little, for no byte can be seen more
    /// rarely than once: 98 of 100 values of 32 random hexadecimal digits (128 bits) come to between
    /// 104 and 124, of 22 random letters and digits (131 bits) to between 82 and 97, of 32 random bytes
    /// (256 bits) to between 148 and 160. So ask for half of what the value should have at most, and for a
    /// length besides.
    #[must_use]
    pub const fn with_min_entropy_bits(mut self, bits: u32) -> Self {
        self.min_entropy_bits = bits;
        self
    }

    /// What is done about values that many know; refused unless set.
    #[must_use]
    pub const fn with_well_known(mut self, well_known: WellKnown) -> Self {
        self.well_known = well_known;
        self
    }

    /// What makes these rules unusable: no value could keep to them, or a part of them has no
    /// effect. Empty when they are sound.
    #[must_use]
    pub fn problems(&self) -> Vec<RulesProblem> {
        let is = |format| self.format == Some(format);
        let contradicts_json = self.format.is_some_and(|format| format != Format::Json);
        let lists = [
            ("pem_labels", &self.pem_labels),
            ("url_schemes", &self.url_schemes),
            ("json_fields", &self.json_fields),
        ];
        let lists = lists.map(|(setting, list)| {
            (list.len() <= MAX_LISTED, RulesProblem::TooManyListed { setting })
        });
        let rules = [
            (self.max_length.is_none_or(|max| self.min_length <= max), RulesProblem::LengthsCross),
            (
                self.pattern.is_none() || self.min_length <= MAX_PATTERN_VALUE,
                RulesProblem::TooLongForPattern,
            ),
            (self.pem_labels.is_empty() || is(Format::Pem), RulesProblem::NotPem),
            (
                (self.url_schemes.is_empty() && self.url_parts.is_none()) || is(Format::Url),
                RulesProblem::NotUrl,
            ),
            (self.json_fields.is_empty() || !contradicts_json, RulesProblem::NotJson),
            (self.can_be_so_random(), RulesProblem::EntropyOutOfReach),
        ];
        rules
            .into_iter()
            .chain(lists)
            .filter(|(holds, _)| !holds)
            .map(|(_, problem)| problem)
            .collect()
    }

    /// No value of the greatest length reaches more than 8 bits a byte.
    fn can_be_so_random(&self) -> bool {
        let bytes = self.max_length.unwrap_or(entropy::LOOKED_AT).min(entropy::LOOKED_AT);
        self.min_entropy_bits == 0 || f64::from(self.min_entropy_bits) <= entropy::most(bytes)
    }

    /// Everything in which a value breaks the rules; none when it keeps to them. They say which rule
    /// and its limit, and nothing of the value: not a part of it, nor its length.
    #[must_use]
    pub fn violations(&self, value: &SecretValue) -> Vec<Violation> {
        let bytes = value.expose_secret();
        let mut found = Vec::new();
        if bytes.len() < self.min_length {
            found.push(Violation::TooShort { min: self.min_length });
        }
        if let Some(max) = self.max_length.filter(|max| bytes.len() > *max) {
            found.push(Violation::TooLong { max });
        }
        if self.well_known == WellKnown::Refuse && known::sort_of(bytes).is_some() {
            found.push(Violation::WellKnown);
        }
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.matches(bytes)) {
            found.push(Violation::Pattern);
        }
        found.extend(self.format_violations(value));
        let bits = self.min_entropy_bits;
        if bits > 0 && entropy::estimate(bytes) < f64::from(bits) {
            found.push(Violation::Entropy { min_bits: bits });
        }
        found
    }

    fn format_violations(&self, value: &SecretValue) -> Vec<Violation> {
        let bytes = value.expose_secret();
        match self.format {
            Some(Format::Text) if std::str::from_utf8(bytes).is_err() => {
                vec![Violation::Text]
            }
            Some(Format::Pem) => {
                let fault = pem::fault(bytes, &self.pem_labels);
                fault.map(|fault| Violation::Pem { fault }).into_iter().collect()
            }
            Some(Format::Url) => {
                let parts = self.url_parts.as_deref().unwrap_or(&[UrlPart::Host]);
                let faults = url::faults(bytes, &self.url_schemes, parts);
                faults.into_iter().map(|fault| Violation::Url { fault }).collect()
            }
            None if self.json_fields.is_empty() => Vec::new(),
            Some(Format::Json) | None => {
                let faults = json::faults(value, &self.json_fields);
                faults.into_iter().map(|fault| Violation::Json { fault }).collect()
            }
            Some(Format::Text) => Vec::new(),
        }
    }
}
