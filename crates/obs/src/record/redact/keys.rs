use std::collections::BTreeSet;

/// Words and pairs of words that name what is not to be seen in a log, after the OWASP Logging Cheat
/// Sheet ("Data to exclude"), the headers that carry credentials (RFC 9110, RFC 6265), and the
/// parameters of OAuth 2 (RFC 6749, RFC 7636, RFC 8628).
const SENSITIVE: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "pin",
    "otp",
    "totp",
    "secret",
    "secrets",
    "token",
    "jwt",
    "bearer",
    "credential",
    "credentials",
    "authorization",
    "cookie",
    "signature",
    "sig",
    "hmac",
    "salt",
    "pepper",
    "nonce",
    "apikey",
    "privatekey",
    "secretkey",
    "accesskey",
    "sessionid",
    "csrf",
    "xsrf",
    "api key",
    "private key",
    "access key",
    "encryption key",
    "signing key",
    "master key",
    "data key",
    "account key",
    "shared key",
    "license key",
    "session id",
    "session key",
    "code verifier",
    "device code",
    "user code",
    "recovery code",
    "auth code",
    "connection string",
    "dsn",
    "card number",
    "credit card",
    "cvv",
    "cvc",
    "pan",
    "iban",
    "account number",
    "routing number",
    "ssn",
    "social security",
    "passport number",
    "tax id",
    // Query parameters of presigned URLs (OpenTelemetry's semantic conventions for `url.query`).
    "awsaccess key",
];

/// Words that make a name tell of a sensitive thing without being it.
const HARMLESS_ENDINGS: &[&str] = &[
    "name",
    "names",
    "type",
    "kind",
    "count",
    "counts",
    "len",
    "length",
    "size",
    "bytes",
    "version",
    "ttl",
    "age",
    "expiry",
    "expires",
    "expired",
    "expiration",
    "state",
    "status",
    "valid",
    "present",
    "missing",
    "policy",
    "algorithm",
    "alg",
    "endpoint",
    "url",
    "uri",
    "issuer",
    "provider",
    "bucket",
    "limit",
    "usage",
    "duration",
    "seconds",
    "ms",
    "path",
    "file",
];

/// Longest run of words that is looked at.
const MOST_WORDS: usize = 4;

/// Which names are of things that are not shown: fields, and what stands before a `=` or `:` in
/// messages and in the output of `Debug`.
///
/// A name is taken apart into words at `_`, `-`, `.`, spaces and where capital letters
/// or digits begin, in lower case. It is sensitive if some of its words in a row are, unless its last word says that it
/// only tells of the thing: `db.password` and `X-Api-Key` are, `password_policy` and `tokens` are not.
///
/// ```
/// use obs::record::RedactedKeys;
///
/// let keys = RedactedKeys::default().and("patient id").except("pin");
/// assert!(keys.is_sensitive("dbPassword") && keys.is_sensitive("patientId"));
/// assert!(!keys.is_sensitive("secret_name") && !keys.is_sensitive("pin"));
/// ```
#[derive(Debug, Clone)]
pub struct RedactedKeys {
    sensitive: BTreeSet<Box<str>>,
    harmless: BTreeSet<Box<str>>,
}

impl Default for RedactedKeys {
    /// The names of credentials, keys, sessions and payment data.
    fn default() -> Self {
        let sensitive = SENSITIVE.iter().map(|words| Box::from(*words)).collect();
        Self { sensitive, harmless: BTreeSet::new() }
    }
}

impl RedactedKeys {
    /// No names at all: everything is shown but passwords in URLs. Whoever asks for it knows that no credential can come
    /// into a log, or that nobody reads it.
    #[must_use]
    pub const fn insecure_none() -> Self {
        Self { sensitive: BTreeSet::new(), harmless: BTreeSet::new() }
    }

    /// With these words, too: `patient id` is in `patientId`, `patient_id` and `x-patient-id`.
    #[must_use]
    pub fn and(mut self, words: &str) -> Self {
        self.sensitive.insert(normal(words).into());
        self
    }

    /// Without these: names that are exactly of these words are shown.
    #[must_use]
    pub fn except(mut self, words: &str) -> Self {
        self.harmless.insert(normal(words).into());
        self
    }

    /// Whether what has this name is not shown.
    #[must_use]
    pub fn is_sensitive(&self, name: &str) -> bool {
        let name = normal(name);
        let words: Vec<&str> = name.split(' ').collect();
        let tells_only = words.last().is_some_and(|last| HARMLESS_ENDINGS.contains(last));
        if tells_only && !self.sensitive.contains(name.as_str())
            || self.harmless.contains(name.as_str())
        {
            return false;
        }
        (1..=MOST_WORDS.min(words.len())).any(|length| {
            words.windows(length).any(|run| self.sensitive.contains(run.join(" ").as_str()))
        })
    }
}

/// Its words in lower case, with a space between them.
fn normal(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    for character in name.chars() {
        let begins = character.is_uppercase() && (before.is_lowercase() || before.is_numeric())
            || character.is_numeric() && before.is_alphabetic();
        if (begins || !character.is_alphanumeric()) && !words.is_empty() && !words.ends_with(' ') {
            words.push(' ');
        }
        if character.is_alphanumeric() {
            words.extend(character.to_lowercase());
        }
        before = character;
    }
    words.truncate(words.trim_end().len());
    words
}
