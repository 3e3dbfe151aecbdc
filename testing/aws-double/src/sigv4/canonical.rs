//! The canonical form of a request, over which the signature goes.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{Request, hex};

/// The canonical request: method, path, query, headers, names of headers, hash of the body, a line each.
pub(super) fn request(request: &Request<'_>, signed: &[&str]) -> String {
    let mut out = format!("{}\n{}\n{}\n", request.method, path(request.path), query(request.query));
    for name in signed {
        let values: Vec<String> = request
            .headers
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let _ = writeln!(out, "{name}:{}", values.join(","));
    }
    let _ = write!(out, "\n{}\n{}", signed.join(";"), hex(&Sha256::digest(request.body)));
    out
}

/// Every service but S3 signs the path with each segment encoded once more than it is sent.
fn path(sent: &str) -> String {
    if sent.is_empty() { "/".to_owned() } else { encode(sent.as_bytes(), true) }
}

/// Pairs sorted by name, then value, both encoded.
fn query(sent: &str) -> String {
    let mut pairs: Vec<(String, String)> = sent
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (recode(name), recode(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
    pairs.join("&")
}

/// Encodes anew, whatever was encoded before and how.
fn recode(text: &str) -> String {
    encode(&decode(text), false)
}

/// The bytes behind `%XX`.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%')
            .then(|| tail.get(..2).filter(|two| two.iter().all(u8::is_ascii_hexdigit)))
            .flatten()
            .and_then(|two| std::str::from_utf8(two).ok())
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        out.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    out
}

fn encode(bytes: &[u8], keep_slash: bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~')
            || (keep_slash && byte == b'/');
        if plain {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_in_the_path_is_encoded_again() {
        assert_eq!(path("/a%20b/c"), "/a%2520b/c");
        assert_eq!(path(""), "/");
    }

    #[test]
    fn pairs_are_sorted_and_encoded() {
        assert_eq!(query("b=2&a=%7e&a=1&c"), "a=1&a=~&b=2&c=");
    }
}
