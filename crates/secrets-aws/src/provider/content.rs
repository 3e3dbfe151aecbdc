use aws_sdk_secretsmanager::primitives::Blob;
use secrets_core::{Error, ErrorKind, Result, SecretValue};

/// What marks a value that lies in `SecretBinary` although it would fit in `SecretString`, so that
/// it goes back where it came from.
pub(super) const BINARY: &str = "application/octet-stream";

/// What marks a value that lies in `SecretString` although it would be written to `SecretBinary`,
/// likewise.
pub(super) const TEXT: &str = "text/plain";

/// Where a value lies in Secrets Manager: one or the other, never both.
#[derive(Default)]
pub(super) struct Content {
    pub(super) text: Option<String>,
    pub(super) bytes: Option<Blob>,
}

/// Text lies in `SecretString`, where every other client and the console look for it; all else in
/// `SecretBinary`. Text is UTF-8 without control characters but tab and line ends: what AWS or a
/// client in between does to others is written nowhere.
fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')))
}

impl Content {
    /// How a value is to be written. The copies made here belong to the SDK and are not wiped.
    pub(super) fn of(value: &SecretValue) -> Self {
        let bytes = value.expose_secret();
        let is_binary = match value.content_type() {
            Some(BINARY) => true,
            Some(TEXT) => false,
            _ => !is_text(bytes),
        };
        match std::str::from_utf8(bytes) {
            Ok(text) if !is_binary => Self { text: Some(text.to_owned()), bytes: None },
            _ => Self { text: None, bytes: Some(Blob::new(bytes)) },
        }
    }

    /// The value that was read.
    ///
    /// # Errors
    /// `Internal` for an answer that has neither.
    pub(super) fn into_value(self) -> Result<SecretValue> {
        match (self.text, self.bytes) {
            (Some(text), _) => {
                let is_plain = is_text(text.as_bytes());
                let value = SecretValue::from_string(text);
                match is_plain {
                    true => Ok(value),
                    false => Ok(value.with_content_type(TEXT)),
                }
            }
            (None, Some(bytes)) => {
                let value = SecretValue::from_vec(bytes.into_inner());
                match is_text(value.expose_secret()) {
                    true => Ok(value.with_content_type(BINARY)),
                    false => Ok(value),
                }
            }
            (None, None) => {
                Err(Error::new(ErrorKind::Internal, "the answer has neither text nor bytes"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(value: &SecretValue) -> (bool, SecretValue) {
        let content = Content::of(value);
        (content.text.is_some(), content.into_value().unwrap())
    }

    #[test]
    fn every_value_comes_back_as_it_was() {
        let cases: [(&[u8], bool); 6] = [
            (b"plain", true),
            ("\u{feff}line\r\n\ttab \u{1f511}".as_bytes(), true),
            (b"with \0 zero", false),
            (b"\x1b[31m", false),
            (&[0xff, 0xfe], false),
            ("\u{85}".as_bytes(), false),
        ];
        for (bytes, is_string) in cases {
            let (text, back) = round(&SecretValue::copy_from_slice(bytes));
            assert_eq!((text, back.expose_secret()), (is_string, bytes));
            assert_eq!(back.content_type(), None);
        }
    }

    #[test]
    fn text_that_lies_in_binary_stays_there() {
        let value = SecretValue::from_string("text".to_owned()).with_content_type(BINARY);
        let (text, back) = round(&value);
        assert!(!text);
        assert_eq!(back.content_type(), Some(BINARY));
        assert!(!round(&back).0);
        // And text with control characters, which another client wrote as text.
        let content = Content { text: Some("a\u{c}b".to_owned()), bytes: None };
        let value = content.into_value().unwrap();
        assert_eq!((round(&value).0, value.content_type()), (true, Some(TEXT)));
        // What is not UTF-8 cannot be text, whatever it is called.
        assert!(!round(&SecretValue::copy_from_slice(&[0xff]).with_content_type(TEXT)).0);
        // Other media types are not kept: there is no place for them.
        let json = SecretValue::from_string("{}".to_owned()).with_content_type("application/json");
        assert_eq!(round(&json).1.content_type(), None);
    }
}
