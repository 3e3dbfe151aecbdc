use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::value::SecretValue;

/// A value is a string of so many characters (Key Vault, "About secrets": 25k bytes).
pub(crate) const MAX_VALUE: usize = 25_600;
/// A media type takes so many characters (API reference, `Set Secret`).
pub(crate) const MAX_TYPE: usize = 255;
/// The media type of values that are no text; what the user's type was stands after it.
const BASE64: &str = "application/x-mainstay-base64";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A value as the vault keeps it: a string and its `contentType`.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) value: SecretValue,
    pub(crate) content_type: Option<String>,
}

/// Text stays as it is; other bytes are encoded. `kept` is the media type to use where the value
/// has none of its own.
pub(crate) fn encode(value: &SecretValue, kept: Option<&str>, max: usize) -> Result<Text> {
    let user_type = value.content_type().or(kept);
    let bytes = value.expose_secret();
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    let (len, content_type) = match (text, user_type) {
        (Some(text), user_type) => (text.chars().count(), user_type.map(str::to_owned)),
        (None, None) => (bytes.len().div_ceil(3) * 4, Some(BASE64.to_owned())),
        (None, Some(user_type)) => {
            (bytes.len().div_ceil(3) * 4, Some(format!("{BASE64}; {user_type}")))
        }
    };
    let reserved = user_type.is_some_and(|user_type| user_type.starts_with(BASE64));
    let long = |stored: &String| stored.chars().count() > MAX_TYPE;
    if reserved || content_type.as_ref().is_some_and(long) {
        let message = "the media type is reserved or longer than 255 characters, about 220 of what \
                       is no text";
        return Err(Error::new(ErrorKind::InvalidValue, message));
    }
    if len > max {
        let message = "a value takes 25600 characters at most, about 18 KB of what is no text";
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let value = if text.is_some() { value.clone() } else { to_base64(bytes) };
    Ok(Text { value, content_type })
}

/// The value that [`encode`] made this of.
pub(crate) fn decode(text: &Text) -> Result<SecretValue> {
    let stored_type = text.content_type.as_deref();
    let encoded = stored_type.and_then(|t| t.strip_prefix(BASE64));
    let value = match encoded {
        None => SecretValue::copy_from_slice(text.value.expose_secret()),
        Some(_) => from_base64(text.value.expose_secret())
            .ok_or_else(|| Error::new(ErrorKind::Integrity, "the stored value is not base64"))?,
    };
    Ok(match user_type(stored_type) {
        Some(user_type) => value.with_content_type(user_type),
        None => value,
    })
}

/// The media type that the user gave.
pub(crate) fn user_type(content_type: Option<&str>) -> Option<&str> {
    let content_type = content_type?;
    match content_type.strip_prefix(BASE64) {
        None => Some(content_type),
        Some(rest) => rest.strip_prefix("; "),
    }
}

/// RFC 4648, section 4.
fn to_base64(bytes: &[u8]) -> SecretValue {
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len().div_ceil(3) * 4));
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let index = (group >> (18 - 6 * position) & 0x3f) as usize;
            let digit = ALPHABET.get(index).copied().unwrap_or(b'=');
            text.push(if position <= chunk.len() { digit } else { b'=' });
        }
    }
    SecretValue::from_vec(std::mem::take(&mut *text))
}

fn from_base64(text: &[u8]) -> Option<SecretValue> {
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() * 3 / 4));
    if !text.len().is_multiple_of(4) {
        return None;
    }
    for chunk in digits.chunks(4) {
        let mut group = 0_u32;
        for digit in chunk {
            let value = ALPHABET.iter().position(|known| known == digit)?;
            group = group << 6 | u32::try_from(value).ok()?;
        }
        group <<= 6 * (4 - chunk.len());
        let [_, first, second, third] = group.to_be_bytes();
        bytes.extend_from_slice([first, second, third].get(..chunk.len() - 1)?);
    }
    Some(SecretValue::from_vec(std::mem::take(&mut *bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        // RFC 4648, section 10.
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, encoded) in vectors {
            assert_eq!(to_base64(plain.as_bytes()).expose_secret(), encoded.as_bytes());
            let decoded = from_base64(encoded.as_bytes()).unwrap();
            assert_eq!(decoded.expose_secret(), plain.as_bytes());
        }
        for garbage in ["Zg=", "Z", "Zm9v!", "===="] {
            assert!(from_base64(garbage.as_bytes()).is_none(), "{garbage}");
        }
    }

    #[test]
    fn any_bytes_come_back_with_their_type() {
        for len in 0..70 {
            let bytes: Vec<u8> = (0..len).map(|n: u8| 0x80 ^ n.wrapping_mul(37)).collect();
            for user_type in [None, Some("image/png")] {
                let mut value = SecretValue::copy_from_slice(&bytes);
                if let Some(user_type) = user_type {
                    value = value.with_content_type(user_type);
                }
                let stored = encode(&value, None, MAX_VALUE).unwrap();
                assert!(stored.value.expose_secret_text().is_ok());
                let back = decode(&stored).unwrap();
                assert_eq!(back.expose_secret(), bytes);
                assert_eq!(back.content_type(), user_type);
            }
        }
    }
}
