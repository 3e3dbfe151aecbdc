//! Texts that say that a secret should stand in their place.

use zeroize::Zeroizing;

/// Pairs that people and templates put around a name: `<your-key>`, `${DB_PASSWORD}`, `{{ token }}`.
/// The longer ones first.
const BRACKETS: &[(&str, &str)] = &[
    ("{{", "}}"),
    ("${", "}"),
    ("$(", ")"),
    ("#{", "}"),
    ("__", "__"),
    ("<", ">"),
    ("[", "]"),
    ("{", "}"),
    ("%", "%"),
    ("@", "@"),
];

/// Words that say so; with them, those of [`FILLERS`] may stand. None is made of hexadecimal digits alone:
/// with numbers around it, random digits would be taken for it.
const MARKERS: &[&str] = &[
    "your",
    "yours",
    "my",
    "here",
    "change",
    "changed",
    "changeme",
    "changethis",
    "replace",
    "replaced",
    "replaceme",
    "insert",
    "enter",
    "fill",
    "put",
    "paste",
    "set",
    "provide",
    "todo",
    "fixme",
    "tbd",
    "tba",
    "placeholder",
    "dummy",
    "example",
    "sample",
    "fake",
    "mock",
    "none",
    "null",
    "nil",
    "undefined",
    "unset",
    "notset",
    "empty",
    "missing",
    "redacted",
    "removed",
    "masked",
    "hidden",
    "censored",
    "na",
    "xxx",
    "foo",
    "foobar",
    "bar",
    "baz",
    "lorem",
    "ipsum",
    "asdf",
    "not",
];

/// Words that stand beside them.
const FILLERS: &[&str] = &[
    "add",
    "a",
    "an",
    "the",
    "this",
    "that",
    "it",
    "to",
    "in",
    "with",
    "for",
    "of",
    "and",
    "or",
    "at",
    "be",
    "is",
    "me",
    "please",
    "must",
    "should",
    "will",
    "use",
    "only",
    "before",
    "production",
    "prod",
    "development",
    "dev",
    "local",
    "test",
    "testing",
    "real",
    "actual",
    "own",
    "new",
    "some",
    "any",
    "random",
    "strong",
    "super",
    "very",
    "long",
    "secure",
    "safe",
    "unique",
    "generated",
    "valid",
    "secret",
    "secrets",
    "key",
    "keys",
    "token",
    "tokens",
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pw",
    "pwd",
    "api",
    "apikey",
    "access",
    "auth",
    "client",
    "id",
    "user",
    "username",
    "name",
    "account",
    "admin",
    "root",
    "app",
    "application",
    "service",
    "server",
    "db",
    "database",
    "url",
    "uri",
    "host",
    "jwt",
    "signing",
    "encryption",
    "session",
    "cookie",
    "private",
    "public",
    "webhook",
    "bot",
    "value",
    "string",
    "text",
    "default",
    "least",
    "min",
    "minimum",
    "char",
    "chars",
    "character",
    "characters",
    "bit",
    "bits",
    "byte",
    "bytes",
    "hex",
    "base",
    "encoded",
    "aws",
    "azure",
    "gcp",
    "google",
    "github",
    "gitlab",
    "stripe",
    "slack",
    "openai",
    "postgres",
    "mysql",
    "redis",
    "smtp",
    "mail",
    "email",
    "later",
    "now",
    "than",
    "make",
    "one",
    "from",
    "env",
    "file",
    "vault",
    "goes",
];

pub(super) fn is_placeholder(text: &str) -> bool {
    is_one_character(text) || is_bracketed(text) || is_words(text)
}

/// `xxxx`, `****`, `....`.
fn is_one_character(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_ascii_lowercase());
    text.len() >= 3 && characters.all(|c| Some(c.to_ascii_lowercase()) == first)
}

/// Something that may be a name, in brackets.
fn is_bracketed(text: &str) -> bool {
    let inner = BRACKETS.iter().find_map(|(open, close)| {
        text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close))
    });
    let Some(inner) = inner.map(str::trim) else { return false };
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || " _-.:/'".contains(c);
    let letters = inner.chars().filter(char::is_ascii_alphabetic).count();
    // Names are letters for the most part; what is random has digits.
    inner.chars().all(is_of_name) && letters >= 2 && letters * 4 >= inner.len() * 3
}

/// Nothing but words of the lists and short numbers, a marker among them.
fn is_words(text: &str) -> bool {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || " _-.:,;!?()+*/<>[]{}\"'#$%&@=".contains(c);
    if !text.chars().all(is_plain) {
        return false;
    }
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let mut marked = false;
    for part in parts {
        let part = Zeroizing::new(part.to_ascii_lowercase());
        match words_in(&part) {
            Some(has_marker) => marked |= has_marker,
            None => return false,
        }
    }
    marked
}

/// Whether words and numbers of up to four digits make up a part, with a marker among them.
fn words_in(part: &str) -> Option<bool> {
    // For each place: whether it can be reached, and with a marker on the way.
    let mut reached: Vec<Option<bool>> = vec![None; part.len() + 1];
    *reached.first_mut()? = Some(false);
    for at in 0..part.len() {
        let Some(marked) = reached.get(at).copied().flatten() else { continue };
        let rest = part.get(at..)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = (1..=4).contains(&digits).then_some((digits, false));
        let x = rest.bytes().take_while(|b| *b == b'x').count();
        let xs = (x >= 3).then_some((x, true));
        let of = |list: &'static [&'static str], is_marker: bool| {
            let words = list.iter().filter(|word| rest.starts_with(**word));
            words.map(move |word| (word.len(), is_marker))
        };
        for (len, is_marker) in of(MARKERS, true).chain(of(FILLERS, false)).chain(number).chain(xs)
        {
            if let Some(place) = reached.get_mut(at + len) {
                *place = Some(place.unwrap_or(false) || marked || is_marker);
            }
        }
    }
    reached.last().copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told() {
        for text in [
            "xxx",
            "XXXXXXXX",
            "********",
            "......",
            "<your-key>",
            "<YOUR_API_KEY>",
            "${DB_PASSWORD}",
            "{{ vault.db.password }}",
            "$(DB_PASSWORD)",
            "%DB_PASSWORD%",
            "__TOKEN__",
            "[secret]",
            "TODO",
            "todo: set this",
            "FIXME",
            "tbd",
            "your-api-key",
            "your_password_here",
            "YOUR_SECRET",
            "yourSecretKey",
            "replace-me",
            "REPLACE_WITH_REAL_TOKEN",
            "insert token here",
            "example",
            "dummy",
            "dummy-token",
            "null",
            "undefined",
            "change this",
            "ChangeMe123",
            "not-a-real-secret",
            "sk_test_xxxxxxxxxxxx",
            "enter your password here!",
            "PLACEHOLDER",
            "foobar",
            "your-256-bit-secret-key-for-development-only-change-in-production",
        ] {
            // A prefix of a vendor is no word.
            let is_vendor = text.starts_with("sk_");
            assert_eq!(is_placeholder(text), !is_vendor, "{text}");
        }
    }

    #[test]
    fn no_marker_is_found_in_hexadecimal_digits() {
        for word in MARKERS {
            assert!(!word.bytes().all(|byte| byte.is_ascii_hexdigit()), "{word}");
        }
        for digits in ["1700aadd59a2", "7add3821", "aaadd7"] {
            assert!(!is_placeholder(digits), "{digits}");
        }
    }

    #[test]
    fn what_could_be_a_secret_is_not() {
        for text in [
            "q7Zt0vR2mXc9LbW4",
            "correct horse",
            "my dog eats 14 socks",
            "password",
            "x",
            "xy",
            "Tr0ub4dor&3",
            "<q7Zt0vR2mXc9LbW4>",
            "{8f14e45f-ceea-467f-a8e5-61e5ae6c0b4d}",
            "1234",
            "https://example.com/hook",
            "todo-list-of-barbara",
            "nullpointer",
            "",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
