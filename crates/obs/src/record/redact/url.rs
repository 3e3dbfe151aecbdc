//! User names and passwords in URLs.

use std::ops::Range;

/// Longest user information that is looked at, in bytes: passwords may be tokens of a kilobyte or more.
const LONGEST_AUTHORITY: usize = 4 << 10;

/// More digits than a port has.
const LONGEST_PORT: usize = 5;

/// The password in `://user:password@`, whose first colon is at `at`.
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
            None if is_last && word.len() == rest.len() => {
                let is_host = !plain.contains(':') || plain.starts_with('[') || has_port(word);
                return (!is_host).then_some(begin + word.find(':')? + 1..text.len());
            }
            None => return None,
        },
    };
    let colon = user_part.find(':')?;
    Some(begin + colon + 1..begin + user_part.len())
}

/// Whether what follows the first colon is a port: `host:80/path/@name`.
fn has_port(authority: &str) -> bool {
    let Some((_, after)) = authority.split_once(':') else { return false };
    let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let path = after.get(digits..).unwrap_or_default();
    let is_end = path.is_empty() || path.starts_with(['/', '?', '#']);
    (1..=LONGEST_PORT).contains(&digits) && is_end || after.is_empty()
}
