//! The ids of W3C Trace Context and the header that carries them.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Names a trace: 16 bytes, not all of them zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(NonZeroU128);

/// Names a span in a trace: 8 bytes, not all of them zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(NonZeroU64);

impl TraceId {
    /// Takes the id; `None` when it is zero, which the specification calls invalid.
    #[must_use]
    pub const fn new(id: u128) -> Option<Self> {
        match NonZeroU128::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The id as a number, its first byte the highest.
    #[must_use]
    pub const fn to_u128(self) -> u128 {
        self.0.get()
    }

    /// 32 lower-case hexadecimal digits, in ASCII.
    #[must_use]
    #[inline]
    pub fn to_hex(self) -> [u8; 32] {
        let mut digits = [0; 32];
        write_hex(&self.to_u128().to_be_bytes(), &mut digits);
        digits
    }
}

impl SpanId {
    /// Takes the id; `None` when it is zero, which the specification calls invalid.
    #[must_use]
    pub const fn new(id: u64) -> Option<Self> {
        match NonZeroU64::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The id as a number, its first byte the highest.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0.get()
    }

    /// 16 lower-case hexadecimal digits, in ASCII.
    #[must_use]
    #[inline]
    pub fn to_hex(self) -> [u8; 16] {
        let mut digits = [0; 16];
        write_hex(&self.to_u64().to_be_bytes(), &mut digits);
        digits
    }
}

/// The digits of a number, eight at once: each nibble comes into a byte of its own, and those above nine are
/// moved on to the letters.
#[inline]
const fn hex_digits(number: u32) -> [u8; 8] {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let wide = number as u64;
    let wide = (wide | wide << 16) & 0x0000_ffff_0000_ffff;
    let wide = (wide | wide << 8) & 0x00ff_00ff_00ff_00ff;
    let wide = (wide | wide << 4) & (ONES * 0x0f);
    let letters = ((wide + ONES * 6) >> 4) & ONES;
    (wide + ONES * b'0' as u64 + letters * (b'a' - b'0' - 10) as u64).to_be_bytes()
}

/// Eight digits for each part of a number, the highest first.
#[inline]
fn write_hex(bytes: &[u8], digits: &mut [u8]) {
    for (part, digits) in bytes.as_chunks::<4>().0.iter().zip(digits.as_chunks_mut::<8>().0) {
        *digits = hex_digits(u32::from_be_bytes(*part));
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The trace flags of a `traceparent`. Bits that the specification has not given a meaning yet are
/// not passed on, as it asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// The caller may have recorded the trace.
    pub const SAMPLED: Self = Self(1);
    /// The trace id is random in its last 7 bytes at least (Trace Context, level 2).
    pub const RANDOM: Self = Self(2);

    /// Both sets of flags together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Debug for TraceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

/// Which span of which trace something belongs to, as W3C Trace Context has it. As text it is the
/// header `traceparent`.
///
/// ```
/// use request_context::{TraceContext, TraceFlags};
///
/// let parent: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
/// assert_eq!(parent.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert!(parent.flags.contains(TraceFlags::SAMPLED));
/// assert_eq!(parent.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
/// # Ok::<(), request_context::InvalidTraceparent>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TraceContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The span in it.
    pub span_id: SpanId,
    /// Whether it is recorded, and how its id was made.
    pub flags: TraceFlags,
}

impl TraceContext {
    /// A span of a trace, without flags.
    #[must_use]
    pub const fn new(trace_id: TraceId, span_id: SpanId) -> Self {
        Self { trace_id, span_id, flags: TraceFlags::NONE }
    }

    /// With these flags instead.
    #[must_use]
    pub const fn with_flags(mut self, flags: TraceFlags) -> Self {
        self.flags = flags;
        self
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags.0)
    }
}

/// A text is no `traceparent`. It is not quoted: whoever sends a request can write what they like there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidTraceparent;

impl fmt::Display for InvalidTraceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no `traceparent` of W3C Trace Context")
    }
}

impl std::error::Error for InvalidTraceparent {}

/// The length of version 00: `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const LENGTH: usize = 55;

impl FromStr for TraceContext {
    type Err = InvalidTraceparent;

    /// Reads the header by section 3.2 of the specification: version 00 to the letter; of later
    /// versions the part that 00 has.
    fn from_str(header: &str) -> Result<Self, InvalidTraceparent> {
        parse(header.as_bytes()).ok_or(InvalidTraceparent)
    }
}

fn parse(header: &[u8]) -> Option<TraceContext> {
    let (known, rest) = header.split_at_checked(LENGTH)?;
    let mut parts = known.split(|byte| *byte == b'-');
    let version = hex(parts.next()?, 2)?;
    let trace_id = TraceId::new(hex(parts.next()?, 32)?)?;
    let span_id = SpanId::new(u64::try_from(hex(parts.next()?, 16)?).ok()?)?;
    let flags = hex(parts.next()?, 2)? & 3;
    let is_complete = parts.next().is_none() && version != 0xff;
    let may_go_on = rest.is_empty() || (version > 0 && rest.starts_with(b"-"));
    if !(is_complete && may_go_on) {
        return None;
    }
    Some(TraceContext { trace_id, span_id, flags: TraceFlags(u8::try_from(flags).ok()?) })
}

/// Exactly so many lower-case hexadecimal digits.
fn hex(digits: &[u8], count: usize) -> Option<u128> {
    if digits.len() != count {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}
