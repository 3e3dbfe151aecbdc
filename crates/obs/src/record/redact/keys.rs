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
    "token",
    "jwt",
    "bearer",
    "credential",
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
    "sessid",
    "mnemonic",
    "seed phrase",
    "security code",
    "verification code",
    "backup code",
    "auth key",
    "ssh key",
    "subscription key",
    "decryption key",
    "key material",
    "basic auth",
    "access tokens",
    "refresh tokens",
    "session tokens",
    "auth tokens",
    "api tokens",
    "pw",
    "cred",
    "creds",
    "db pass",
    "database pass",
    "smtp pass",
    "mail pass",
    "email pass",
    "user pass",
    "mysql pass",
    "postgres pass",
    "redis pass",
    "rabbitmq pass",
    "mongo pass",
    "ldap pass",
    "ftp pass",
    "admin pass",
    "root pass",
    "auth pass",
    "key pass",
    "mfa code",
    "sms code",
    "confirmation code",
    "app key",
    "tls key",
    "ssl key",
    "consumer key",
    "client assertion",
    "saml response",
];

/// Those that are names by themselves only: `pass`, of which tests and compilers have many kinds.
const ALONE: &[&str] = &["pass"];

/// Those of which only what is made like a credential is hidden: the `auth` of registries' settings, but not
/// `auth=enabled`; the `code` of an OAuth 2 redirection (RFC 6749, section 4.1.2), but not `code=404`.
const DOUBTFUL: &[&str] = &["auth", CODE];

/// That of them that is looked for in queries of URLs only.
pub(super) const CODE: &str = "code";

/// Those of them that are found at the end of a word, too: `pgpassword`, `clientsecret`, `oauth2token`.
const JOINED: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "authorization",
    "cookie",
    "apikey",
    "privatekey",
    "secretkey",
    "accesskey",
    "sessionid",
    "sessid",
];

/// The shortest word that is found with an `s` behind it, in bytes: `cookies`, not `pins`.
const SHORTEST_OF_MANY: usize = 5;

/// Many of them are counted, by whoever works with models of languages, and are no secret.
const COUNTED: &str = "token";

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
    "at",
    "enabled",
    "required",
];

/// How types and variants begin that tell what is wrong with a sensitive thing: `InvalidToken("at 7")`.
const COMPLAINTS: &[&str] = &[
    "bad",
    "duplicate",
    "empty",
    "expected",
    "expired",
    "invalid",
    "malformed",
    "missing",
    "no",
    "not",
    "revoked",
    "unexpected",
    "unknown",
    "unsupported",
    "weak",
    "wrong",
];

/// Which names are of things that are not shown: fields, and what stands before a `=` or `:` in
/// messages and in the output of `Debug`.
///
/// A name is taken apart into words at `_`, `-`, `.`, spaces and where capital letters
/// or digits begin, in lower case. It is sensitive if some of its words in a row are, one or many of them, unless its last
/// word says that it only tells of the thing: `db.password`, `X-Api-Key`, `PGPASSWORD` and `cookies` are, `password_policy`
/// and `tokens` (which are counted) are not.
///
/// Of two more names only what is made like a credential is hidden, in texts: `auth`, and `code` in the query of a URL.
/// What has no name in front of it is not found, nor what prose tells: `hunter2 is the password`.
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
    /// Sensitive if there are no other words.
    alone: BTreeSet<Box<str>>,
    /// Sensitive if what they stand before looks like it.
    doubtful: &'static [&'static str],
    harmless: BTreeSet<Box<str>>,
    /// Words of the longest of them.
    most_words: usize,
}

impl Default for RedactedKeys {
    /// The names of credentials, keys, sessions and payment data.
    fn default() -> Self {
        let mut keys = Self::insecure_none();
        keys.alone.extend(ALONE.iter().map(|word| Box::from(*word)));
        keys.doubtful = DOUBTFUL;
        SENSITIVE.iter().fold(keys, |keys, words| keys.and(words))
    }
}

impl RedactedKeys {
    /// No names at all: everything is shown but passwords in URLs. Whoever asks for it knows that no credential can come
    /// into a log, or that nobody reads it.
    #[must_use]
    pub const fn insecure_none() -> Self {
        Self {
            sensitive: BTreeSet::new(),
            alone: BTreeSet::new(),
            doubtful: &[],
            harmless: BTreeSet::new(),
            most_words: 0,
        }
    }

    /// With these words, too: `patient id` is in `patientId`, `patient_id` and `x-patient-id`.
    #[must_use]
    pub fn and(mut self, words: &str) -> Self {
        let words = normal(words);
        self.most_words = self.most_words.max(places(&words).count());
        self.sensitive.insert(words.into());
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
        self.is_key(name) || self.is_alone(name)
    }

    /// Whether it is a sensitive name only because there are no other words.
    pub(super) fn is_alone(&self, name: &str) -> bool {
        let name = normal(name);
        self.alone.contains(&*name) && !self.harmless.contains(&*name)
    }

    /// The name, if what stands behind it may be a credential and may be none.
    pub(super) fn doubtful(&self, name: &str) -> Option<&'static str> {
        let name = normal(name);
        let known = self.doubtful.iter().find(|known| **known == name)?;
        (!self.harmless.contains(&*name)).then_some(known)
    }

    /// Whether it is a sensitive name, whatever words there are before it.
    pub(super) fn is_key(&self, name: &str) -> bool {
        let name = normal(name);
        let last = name.rsplit(' ').next().unwrap_or_default();
        let tells_only = HARMLESS_ENDINGS.contains(&last) && !self.sensitive.contains(&*name);
        if tells_only || self.harmless.contains(&*name) {
            return false;
        }
        let mut ends = places(&name);
        ends.any(|end| self.ends_sensitive(name.get(..end).unwrap_or_default(), 1))
    }

    /// Whether these words, with others before them or not, are the name of something that is not shown: at least so
    /// many of them, and nothing behind them.
    pub(super) fn is_phrase(&self, words: &str, at_least: usize) -> bool {
        let words = normal(words);
        !self.harmless.contains(&*words) && self.ends_sensitive(&words, at_least)
    }

    /// Whether a type of this name holds something that is not shown.
    pub(super) fn is_type(&self, name: &str) -> bool {
        let words = normal(name);
        let first = words.split(' ').next().unwrap_or_default();
        let complains = words.len() > first.len() && COMPLAINTS.contains(&first);
        !complains && !self.harmless.contains(&*words) && self.ends_sensitive(&words, 1)
    }

    /// Whether the last words are sensitive: at least so many.
    fn ends_sensitive(&self, words: &str, at_least: usize) -> bool {
        let begins = words.rmatch_indices(' ').map(|(at, _)| at + 1).chain([0]);
        let mut begins = begins.take(self.most_words).skip(at_least - 1);
        begins.any(|begin| self.is_run(words.get(begin..).unwrap_or_default()))
    }

    /// Whether just these words are sensitive, or one of what they name many of.
    fn is_run(&self, run: &str) -> bool {
        let one = run.strip_suffix('s').filter(|one| one.len() >= SHORTEST_OF_MANY);
        let one = one.filter(|one| !one.ends_with(COUNTED));
        let is_known = |run: &str| {
            let is_end = |end: &&str| run.ends_with(*end) && self.sensitive.contains(*end);
            self.sensitive.contains(run) || !run.contains(' ') && JOINED.iter().any(is_end)
        };
        is_known(run) || one.is_some_and(is_known)
    }
}

/// Where the words of a normal name end.
fn places(name: &str) -> impl Iterator<Item = usize> + '_ {
    name.match_indices(' ').map(|(at, _)| at).chain([name.len()])
}

/// Its words in lower case, with a space between them.
fn normal(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        if is_invisible(character) {
            continue;
        }
        // `APIKey` is two words, `apiKey` and `api2` are.
        let ends_capitals = characters.peek().is_some_and(|next| next.is_lowercase());
        let begins = character.is_uppercase()
            && (before.is_lowercase() || before.is_numeric() || ends_capitals)
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

/// Characters without a width, which are no part of a name: `pass\u{200b}word`.
pub(super) const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}
