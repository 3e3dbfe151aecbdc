//! User names and passwords in URLs.

use std::ops::Range;

/// Longest user information that is looked at, in bytes: passwords may be tokens of a kilobyte or more.
const LONGEST_AUTHORITY: usize = 4 << 10;

/// The shortest token that is told from a user's name, in bytes.
const SHORTEST_TOKEN: usize = 20;

/// More digits than a port has.
const LONGEST_PORT: usize = 5;

/// The password in `://user:password@`, whose first colon is at `at`; with the user if that is a token.
pub(super) fn userinfo(text: &str, at: usize, is_cut: bool) -> Option<Range<usize>> {
    let rest = text.get(at..)?.strip_prefix("://")?;
    let authority = rest.get(..rest.floor_char_boundary(LONGEST_AUTHORITY))?;
    let is_last = is_cut && authority.len() == rest.len();
    if !authority.contains('@') && !is_last {
        return None;
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>');
    // A password that was not encoded may hold what ends an authority: the last `@` before a space decides.
    let word = authority.split(|c: char| c.is_whitespace() || c == '"').next()?;
    let plain = authority.split(ends).next()?;
    let begin = at + "://".len();
    let user_part = match plain.rfind('@') {
        Some(end) => plain.get(..end)?,
        None => match word.rfind('@') {
            Some(end) => word.get(..end).filter(|part| !has_port(part))?,
            None if word.len() == rest.len() => {
                let is_host = !plain.contains(':') || plain.starts_with('[') || has_port(word);
                return (!is_host).then_some(begin + word.find(':')? + 1..text.len());
            }
            None => spaced(authority, word)?,
        },
    };
    let (user, begin_password) = match user_part.split_once(':') {
        Some((user, _)) => (user, Some(begin + user.len() + 1)),
        None => (user_part, None),
    };
    let end = begin + user_part.len();
    // `https://ghp_…@github.com/`: the name is the token.
    let begin = if is_token(user) { begin } else { begin_password? };
    Some(begin..end)
}

/// A name and a password with spaces in it, which nobody encoded: what follows its `@` is a host with a port or a path,
/// as no address of mail has it.
fn spaced<'a>(authority: &'a str, word: &str) -> Option<&'a str> {
    let is_user = word.contains(':') && !word.contains('/');
    if has_port(word) || !is_user {
        return None;
    }
    let ends = |c: char| matches!(c, '\n' | '\r' | '"' | '\'' | '<' | '>');
    let line = authority.split(ends).next()?;
    let line = line.split("://").next()?;
    let is_of_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let (part, behind) = line.split_once('@')?;
    let behind = behind.trim_start_matches(is_of_host);
    let is_port = |port: &str| port.starts_with(|c: char| c.is_ascii_digit());
    let is_host = behind.starts_with('/') || behind.strip_prefix(':').is_some_and(is_port);
    is_host.then_some(part)
}

/// Whether a user's name is made like a token: long, with digits, and of their characters only.
fn is_token(user: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    user.len() >= SHORTEST_TOKEN
        && user.bytes().any(|byte| byte.is_ascii_digit())
        && user.bytes().all(is_of_token)
}

/// Whether what follows the first colon is a port: `host:80/path/@name`.
fn has_port(authority: &str) -> bool {
    let Some((_, after)) = authority.split_once(':') else { return false };
    let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let path = after.get(digits..).unwrap_or_default();
    let is_end = path.is_empty() || path.starts_with(['/', '?', '#']);
    (1..=LONGEST_PORT).contains(&digits) && is_end || after.is_empty()
}
