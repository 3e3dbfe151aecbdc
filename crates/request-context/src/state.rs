use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The most that is kept of a list, in bytes, and its longest members that are spared: by section 3.3 of the specification.
const LONGEST: usize = 512;
const LONG_MEMBER: usize = 128;

/// The most members of a list, by the same section.
const MOST_MEMBERS: usize = 32;

/// The longest key and the longest value, in bytes, by the same section.
const LONGEST_PART: usize = 256;

/// What tracing systems say of a trace beside its ids: the header `tracestate` of
/// [W3C Trace Context](https://www.w3.org/TR/trace-context-2/#tracestate-header), as one line. Nobody but the system whose key a
/// member has knows what it means; others pass it on.
///
/// It has 32 members and 512 bytes at most. Of a longer list members of more than 128 bytes are left out, then
/// others, from its end, as the specification asks.
///
/// ```
/// use request_context::TraceState;
///
/// let state: TraceState = "rojo=00f067aa0ba902b7 , congo=t61rcWkgMzE".parse()?;
/// assert_eq!(state.as_str(), "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
/// assert_eq!(TraceState::of_lines(["rojo=1", "", "congo=2"])?.as_str(), "rojo=1,congo=2");
/// # Ok::<(), request_context::InvalidTracestate>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TraceState(Arc<str>);

/// A text is no `tracestate` that says anything. It is not quoted: whoever sends a request can write what they like there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidTracestate {
    /// It has no members.
    Empty,
    /// It has more than 32 members, or none that is short enough to be kept.
    TooLong,
    /// A member is no key and value, or has a character that none takes.
    Member,
    /// A key stands twice.
    Twice,
}

impl fmt::Display for InvalidTracestate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "this `tracestate` has no members",
            Self::TooLong => "this `tracestate` is too long",
            Self::Member => "this is no `tracestate` of W3C Trace Context",
            Self::Twice => "a key of this `tracestate` stands twice",
        })
    }
}

impl std::error::Error for InvalidTracestate {}

impl TraceState {
    /// Reads the lines of a header, which are one list: their members in order, without the white space and the
    /// empty members between them. One that is wrong makes all of it wrong.
    ///
    /// # Errors
    /// [`InvalidTracestate`], which does not quote it.
    pub fn of_lines<'a>(
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidTracestate> {
        let members = lines.into_iter().flat_map(|line| line.split(','));
        let mut list = Vec::<(&str, &str)>::new();
        for member in members.map(|member| member.trim_matches([' ', '\t'])) {
            if member.is_empty() {
                continue;
            }
            if list.len() == MOST_MEMBERS {
                return Err(InvalidTracestate::TooLong);
            }
            let key = key_of(member).ok_or(InvalidTracestate::Member)?;
            if list.iter().any(|(known, _)| *known == key) {
                return Err(InvalidTracestate::Twice);
            }
            list.push((key, member));
        }
        if list.is_empty() {
            return Err(InvalidTracestate::Empty);
        }
        let list = shortened(list.into_iter().map(|(_, member)| member).collect());
        if list.is_empty() {
            return Err(InvalidTracestate::TooLong);
        }
        Ok(Self(list.join(",").into()))
    }

    /// The value of a header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The members that fit.
fn shortened(mut members: Vec<&str>) -> Vec<&str> {
    let length = |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>();
    // The last one has no comma behind it.
    while length(&members) > LONGEST + 1 {
        match members.iter().rposition(|member| member.len() > LONG_MEMBER) {
            Some(at) => drop(members.remove(at)),
            None => drop(members.pop()),
        }
    }
    members
}

/// The key of a member, if both it and the value are what they may be.
fn key_of(member: &str) -> Option<&str> {
    let (key, value) = member.split_once('=')?;
    let is_of_key = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@')
    };
    let begins = key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_key = begins && key.len() <= LONGEST_PART && key.bytes().all(is_of_key);
    // No comma, for it ends the member, and no space at its end, for that is not of the member.
    let is_of_value = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    let is_value = (1..=LONGEST_PART).contains(&value.len()) && value.bytes().all(is_of_value);
    (is_key && is_value).then_some(key)
}

impl FromStr for TraceState {
    type Err = InvalidTracestate;

    /// Reads a header of one line.
    fn from_str(line: &str) -> Result<Self, InvalidTracestate> {
        Self::of_lines([line])
    }
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TraceState {
    /// Without what others wrote there, which nobody has looked at.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceState").field("bytes", &self.0.len()).finish_non_exhaustive()
    }
}
