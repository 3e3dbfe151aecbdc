//! What a text may hold, told from its bytes alone.

/// Which kinds of bytes a text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signs(u8);

/// What comes between a name and a value, or before both of them.
const PAIR: u8 = 1;
/// What begins options of commands and the lines around a private key, twice.
const DASH: u8 = 4;
/// What is not printable ASCII, or has to be escaped between quotes.
const SPECIAL: u8 = 2;

/// The kinds of each byte.
const KINDS: [u8; 256] = {
    let (mut kinds, mut byte) = ([0; 256], 0);
    let mut rest: &mut [u8] = &mut kinds;
    while let [kind, others @ ..] = rest {
        *kind = kind_of(byte);
        byte = byte.wrapping_add(1);
        rest = others;
    }
    kinds
};

const fn kind_of(byte: u8) -> u8 {
    match byte {
        b'=' | b':' | b'(' | b'[' | b'{' | b'<' | b'%' | b'\'' => PAIR,
        b'-' => DASH,
        b'"' | b'\\' => SPECIAL,
        b' '..=b'~' => 0,
        _ => SPECIAL,
    }
}

impl Signs {
    pub(crate) fn of(text: &str) -> Self {
        let kind = |byte: u8| KINDS.get(usize::from(byte)).copied().unwrap_or_default();
        Self(text.bytes().fold(0, |kinds, byte| kinds | kind(byte)))
    }

    /// Whether there is anything in the text that a rule by name begins with: a sign, an option, the dashes of a
    /// private key.
    pub(crate) fn may_hide(self, text: &str) -> bool {
        self.0 & PAIR != 0 || self.0 & DASH != 0 && text.contains("--")
    }

    /// Whether it is printable ASCII without quotes and backslashes.
    pub(crate) const fn is_plain(self) -> bool {
        self.0 & SPECIAL == 0
    }
}

/// Whether a name and a value may be on both sides of it, or behind it.
pub(crate) const fn begins_pair(byte: u8) -> bool {
    kind_of(byte) == PAIR
}
