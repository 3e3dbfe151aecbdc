use std::borrow::Cow;

use crate::name::{InvalidName, SecretName};

/// How a backend writes the letters of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameCase {
    /// Letters keep their case and differ by it.
    Sensitive,
    /// The backend takes `A` and `a` for one letter (Azure Key Vault).
    Insensitive,
    /// Names are written in capitals (environment variables).
    Upper,
}

/// What names a backend takes, and with it the one injective code from [`SecretName`] to them.
///
/// A byte that the backend takes stands for itself; the escape byte stands for itself when doubled;
/// any other byte is the escape byte and two hexadecimal digits. So every name has exactly one form
/// and every form one name, on backends that ignore case as well. A form that is too long is
/// refused, never hashed.
///
/// ```
/// use secrets_core::{DecodedName, NameRules, SecretName};
///
/// let azure = NameRules::new(|b| b.is_ascii_alphanumeric() || b == b'-', b'-', 127)
///     .case_insensitive()
///     .with_companion_suffix("-pending");
/// let name = SecretName::new("billing/db-password")?;
/// assert_eq!(azure.encode(&name)?, "billing-2fdb--password");
/// assert_eq!(azure.decode("billing-2fdb--password"), DecodedName::Name(name));
/// assert_eq!(azure.decode("Billing"), azure.decode("billing")); // one entry to the backend
/// assert_eq!(azure.decode("billing-db"), DecodedName::Foreign);
/// # Ok::<(), secrets_core::InvalidName>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct NameRules {
    allowed: fn(u8) -> bool,
    escape: u8,
    case: NameCase,
    max_len: usize,
    companion_suffix: &'static str,
}

/// What the name of an existing entry means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodedName {
    /// The form of a [`SecretName`].
    Name(SecretName),
    /// The companion that holds the pending value of this secret.
    Companion(SecretName),
    /// Not the form of any name: somebody else's entry.
    Foreign,
}

impl NameRules {
    /// Rules of a backend that takes the bytes for which `allowed` holds, `max_len` at most.
    ///
    /// `allowed` must hold for the escape byte, the digits and the letters in the backend's case;
    /// [`problems`](Self::problems) tells.
    pub const fn new(allowed: fn(u8) -> bool, escape: u8, max_len: usize) -> Self {
        Self { allowed, escape, case: NameCase::Sensitive, max_len, companion_suffix: "" }
    }

    /// For a backend that takes `A` and `a` for one letter.
    #[must_use]
    pub const fn case_insensitive(mut self) -> Self {
        self.case = NameCase::Insensitive;
        self
    }

    /// For a backend whose names are written in capitals.
    #[must_use]
    pub const fn upper_case(mut self) -> Self {
        self.case = NameCase::Upper;
        self
    }

    /// Reserves a suffix for companion entries: the escape byte, then a byte that is neither the
    /// escape byte nor a hexadecimal digit, so that no name encodes to it.
    #[must_use]
    pub const fn with_companion_suffix(mut self, suffix: &'static str) -> Self {
        self.companion_suffix = suffix;
        self
    }

    /// How the backend writes letters.
    pub fn case(&self) -> NameCase {
        self.case
    }

    /// The longest form in bytes; of it the companion's suffix is taken off for plain names.
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    /// The suffix of companion entries; empty where there are none.
    pub fn companion_suffix(&self) -> &'static str {
        self.companion_suffix
    }

    /// What makes these rules unusable; empty when they are sound. Conformance asks for it.
    pub fn problems(&self) -> Vec<&'static str> {
        let mut problems = Vec::new();
        if !self.escape.is_ascii() || !(self.allowed)(self.escape) {
            problems.push("the escape byte is not allowed in names");
        }
        if self.case != NameCase::Sensitive && self.escape.is_ascii_uppercase() {
            problems.push("the escape byte is a letter in the backend's case");
        }
        let digits = (b'0'..=b'9').chain(b'a'..=b'f');
        if !digits.map(|b| self.in_backend_case(b)).all(self.allowed) {
            problems.push("a hexadecimal digit is not allowed in names");
        }
        if self.max_len <= self.companion_suffix.len() {
            problems.push("no name fits beside the companion suffix");
        }
        if !self.companion_suffix.is_empty() {
            let mut bytes = self.companion_suffix.bytes();
            let marks = bytes.next() == Some(self.escape)
                && bytes.next().is_some_and(|b| b != self.escape && !b.is_ascii_hexdigit());
            let folds = self.case == NameCase::Insensitive
                && self.companion_suffix.bytes().any(|b| b.is_ascii_uppercase());
            if !marks || folds || !self.companion_suffix.bytes().all(self.allowed) {
                problems.push("the companion suffix could end the form of a name");
            }
        }
        problems
    }

    /// True when the backend itself takes `form` as a name, whether it is the form of one of ours or
    /// not: what a native id is checked by.
    pub fn accepts(&self, form: &str) -> bool {
        (1..=self.max_len).contains(&form.len()) && form.bytes().all(self.allowed)
    }

    /// The form of `name` in this backend.
    ///
    /// # Errors
    /// [`InvalidName::TooLong`] when the form does not fit.
    pub fn encode(&self, name: &SecretName) -> Result<String, InvalidName> {
        let mut form = String::with_capacity(name.as_str().len() + 8);
        for byte in name.as_str().bytes() {
            if byte == self.escape {
                form.push(char::from(byte));
                form.push(char::from(byte));
            } else if self.stands_for_itself(byte) {
                form.push(char::from(self.in_backend_case(byte)));
            } else {
                form.push(char::from(self.escape));
                for nibble in [byte >> 4, byte & 0x0f] {
                    let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
                    form.push(char::from(self.in_backend_case(digit as u8)));
                }
            }
        }
        let max = self.max_len.saturating_sub(self.companion_suffix.len());
        if form.len() > max {
            return Err(InvalidName::TooLong { len: form.len(), max });
        }
        Ok(form)
    }

    /// The form of the companion of `name`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode); [`InvalidName::NotUsable`] where the backend has no companions.
    pub fn encode_companion(&self, name: &SecretName) -> Result<String, InvalidName> {
        if self.companion_suffix.is_empty() {
            return Err(InvalidName::NotUsable { reason: "this backend has no companions" });
        }
        let mut form = self.encode(name)?;
        form.push_str(self.companion_suffix);
        Ok(form)
    }

    /// What the name of an existing entry means. Only the one form that [`encode`](Self::encode)
    /// gives is taken for a name, in any case where the backend takes `A` and `a` for one letter;
    /// all else is foreign.
    pub fn decode(&self, form: &str) -> DecodedName {
        let form: Cow<'_, str> = match self.case {
            NameCase::Insensitive => form.to_ascii_lowercase().into(),
            NameCase::Sensitive | NameCase::Upper => form.into(),
        };
        if let Some(name) = self.decode_name(&form) {
            return DecodedName::Name(name);
        }
        let stem = form.strip_suffix(self.companion_suffix).filter(|s| s.len() < form.len());
        match stem.and_then(|stem| self.decode_name(stem)) {
            Some(name) => DecodedName::Companion(name),
            None => DecodedName::Foreign,
        }
    }

    fn decode_name(&self, form: &str) -> Option<SecretName> {
        let mut text = String::with_capacity(form.len());
        let mut bytes = form.bytes();
        while let Some(byte) = bytes.next() {
            if byte != self.escape {
                text.push(char::from(byte.to_ascii_lowercase()));
                continue;
            }
            let first = bytes.next()?;
            if first == self.escape {
                text.push(char::from(self.escape));
                continue;
            }
            let high = char::from(first).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            text.push(char::from(u8::try_from(high << 4 | low).ok()?));
        }
        let name = SecretName::new(&text).ok()?;
        // Only the canonical form: this refuses needless escapes and over-long forms.
        (self.encode(&name).ok()? == form).then_some(name)
    }

    fn stands_for_itself(&self, byte: u8) -> bool {
        (self.allowed)(self.in_backend_case(byte))
    }

    fn in_backend_case(&self, byte: u8) -> u8 {
        match self.case {
            NameCase::Upper => byte.to_ascii_uppercase(),
            NameCase::Sensitive | NameCase::Insensitive => byte,
        }
    }
}
