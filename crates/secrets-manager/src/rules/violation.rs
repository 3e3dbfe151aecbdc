use crate::rules::UrlPart;

/// In what a value breaks the rules. It says the rule and its limit, and nothing of the value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Too few bytes.
    #[error("is shorter than {min} bytes")]
    TooShort {
        /// The least number of bytes.
        min: usize,
    },
    /// Too many bytes.
    #[error("is longer than {max} bytes")]
    TooLong {
        /// The greatest number of bytes.
        max: usize,
    },
    /// It is known to many.
    #[error("is a placeholder, default or example that many know")]
    WellKnown,
    /// The pattern does not match all of it.
    #[error("does not match the pattern")]
    Pattern,
    /// It is not UTF-8.
    #[error("is no UTF-8 text")]
    Text,
    /// It is not the PEM that was asked for.
    #[error("{fault}")]
    Pem {
        /// What is wrong with it.
        fault: PemFault,
    },
    /// It is not the URL that was asked for.
    #[error("{fault}")]
    Url {
        /// What is wrong with it.
        fault: UrlFault,
    },
    /// It is not the JSON that was asked for.
    #[error("{fault}")]
    Json {
        /// What is wrong with it.
        fault: JsonFault,
    },
    /// It may be guessed.
    #[error("has less entropy than {min_bits} bits by estimate")]
    Entropy {
        /// The least estimate.
        min_bits: u32,
    },
}

/// What is wrong with PEM; the first fault is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PemFault {
    /// There is no line that begins a block.
    #[error("is no PEM: no line starts with `-----BEGIN`")]
    NoBlock,
    /// Its line ends are written out, as they come from some variables and tables.
    #[error("is no PEM: its line ends are written as a backslash and an n")]
    EscapedLineEnds,
    /// A block has no end, or the end has another label.
    #[error("is no PEM: a block does not end, or with another label than it began")]
    NoEnd,
    /// A line that begins or ends a block stands outside of all blocks, or is damaged, so that a part
    /// of the value would not be read.
    #[error("holds a line that begins or ends a PEM block and belongs to none")]
    Stray,
    /// A label is not among those asked for.
    #[error("holds a PEM block whose label is not among those allowed")]
    Label,
    /// What stands between the lines is not base64.
    #[error("is no PEM: what stands in a block is no base64")]
    Base64,
    /// What the base64 holds is not whole.
    #[error("holds a PEM block whose content is cut off, or no DER")]
    Content,
}

/// What is wrong with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UrlFault {
    /// It has no scheme, or no authority and no path behind it.
    #[error("is no URL")]
    NotUrl,
    /// It has a character where a URL has none; that may be one of a user or password that is to
    /// be percent-encoded.
    #[error("is no URL: user, password or another part has to be percent-encoded")]
    Encoding,
    /// A host or port that is none; a `/`, `?` or `#` in a password may be the cause.
    #[error("is no URL: the host or port is none (is a password not percent-encoded?)")]
    Host,
    /// The scheme is not among those asked for.
    #[error("has a URL scheme that is not among those allowed")]
    Scheme,
    /// A part that is asked for is not there, or empty.
    #[error("is a URL without {part}")]
    Missing {
        /// Which.
        part: UrlPart,
    },
}

/// What is wrong with JSON.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum JsonFault {
    /// It is no JSON document.
    #[error("is no JSON")]
    NotJson,
    /// It is JSON but no object, and fields are asked for.
    #[error("is no JSON object")]
    NotObject,
    /// A field that is asked for is not there.
    #[error("has no field `{field}`")]
    MissingField {
        /// Its name.
        field: String,
    },
    /// A field is blank, or an empty object or list.
    #[error("has an empty field `{field}`")]
    EmptyField {
        /// Its name.
        field: String,
    },
    /// A field is `null`, stands there twice, or holds what is no text.
    #[error("has a field `{field}` that is null, stands twice or is no text")]
    UnclearField {
        /// Its name.
        field: String,
    },
}

/// Why rules are unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RulesProblem {
    /// No value is as long as one and as short as the other.
    #[error("`min_length` is greater than `max_length`")]
    LengthsCross,
    /// No value so long is matched with a pattern.
    #[error("`min_length` is greater than what a pattern is matched with (65536 bytes)")]
    TooLongForPattern,
    /// Labels without PEM have no effect.
    #[error("`pem_labels` needs `format = \"pem\"`")]
    NotPem,
    /// Schemes or parts without URL have no effect.
    #[error("`url_schemes` and `url_parts` need `format = \"url\"`")]
    NotUrl,
    /// Fields contradict another format.
    #[error("`json_fields` goes with `format = \"json\"` or none")]
    NotJson,
    /// A list is longer than makes sense.
    #[error("`{setting}` lists more than 64")]
    TooManyListed {
        /// Which.
        setting: &'static str,
    },
    /// No value that is allowed reaches the entropy.
    #[error("no value within `max_length` reaches `min_entropy_bits` by the estimate")]
    EntropyOutOfReach,
}

impl RulesProblem {
    /// The setting that it is about.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::LengthsCross | Self::TooLongForPattern => "min_length",
            Self::NotPem => "pem_labels",
            Self::NotUrl => "url_schemes",
            Self::NotJson => "json_fields",
            Self::TooManyListed { setting } => setting,
            Self::EntropyOutOfReach => "min_entropy_bits",
        }
    }
}
