use std::fmt;

/// Parameters whose values the conventions 1.44.0 ask to be redacted in `url.query`: they sign URLs.
const SIGNING: &[&str] = &[
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
];

/// A query as it may be shown. What is sensitive by its name is redacted where all records are; these
/// names are of queries alone.
pub(super) struct Query<'a>(pub(super) &'a str);

impl fmt::Display for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, parameter) in self.0.split('&').enumerate() {
            if at > 0 {
                f.write_str("&")?;
            }
            match parameter.split_once('=') {
                Some((name, _)) if signs(name) => write!(f, "{name}=REDACTED")?,
                _ => f.write_str(parameter)?,
            }
        }
        Ok(())
    }
}

/// Whether it is one of the names, written with `%` or not.
fn signs(name: &str) -> bool {
    SIGNING.iter().any(|signing| decoded(name).eq(signing.bytes().map(|b| b.to_ascii_lowercase())))
}

fn decoded(name: &str) -> impl Iterator<Item = u8> + '_ {
    let mut rest = name.as_bytes();
    std::iter::from_fn(move || {
        let (byte, after) = match rest {
            [b'%', high, low, after @ ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', rest.get(1..)?),
            },
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        rest = after;
        Some(byte.to_ascii_lowercase())
    })
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
