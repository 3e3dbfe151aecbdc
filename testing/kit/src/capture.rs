use std::fmt;

use audit_log::MemorySink;

/// Something that a test has recorded, and in which no secret may stand.
///
/// ```
/// use service_test_kit::{Canary, Capture, Piece};
///
/// struct Responses(Vec<Vec<u8>>);
///
/// impl Capture for Responses {
///     fn pieces(&self) -> Vec<Piece> {
///         self.0.iter().map(|body| Piece::new("response", body.clone())).collect()
///     }
/// }
///
/// let canary = Canary::named("example");
/// canary.assert_absent_from(&[&Responses(vec![b"{}".to_vec()])]);
/// ```
pub trait Capture {
    /// All that was recorded, in pieces that say where they come from.
    fn pieces(&self) -> Vec<Piece>;
}

/// A piece of what was recorded.
#[derive(Clone)]
pub struct Piece {
    pub(crate) place: String,
    pub(crate) bytes: Vec<u8>,
}

impl Piece {
    /// A piece that comes from this place, which is named when something is found in it.
    pub fn new(place: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { place: place.into(), bytes: bytes.into() }
    }
}

/// Shows where it comes from: what stands in it may be what is looked for.
impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A text: a response, a page, a line of output.
impl Capture for str {
    fn pieces(&self) -> Vec<Piece> {
        vec![Piece::new("text", self)]
    }
}

impl Capture for String {
    fn pieces(&self) -> Vec<Piece> {
        self.as_str().pieces()
    }
}

impl Capture for [u8] {
    fn pieces(&self) -> Vec<Piece> {
        vec![Piece::new("bytes", self)]
    }
}

impl Capture for Vec<u8> {
    fn pieces(&self) -> Vec<Piece> {
        self.as_slice().pieces()
    }
}

/// The events of an audit log.
impl Capture for MemorySink {
    fn pieces(&self) -> Vec<Piece> {
        let events = self.events().into_iter().enumerate();
        events
            .map(|(at, event)| Piece::new(format!("audit event {at}"), format!("{event:?}")))
            .collect()
    }
}

/// What a value shows of itself in its `Debug` form.
///
/// ```
/// use service_test_kit::{Canary, Shown, secrets_core::SecretValue};
///
/// let canary = Canary::named("example");
/// let value: SecretValue = canary.value();
/// canary.assert_absent_from(&[&Shown::new("the value", &value)]);
/// ```
#[derive(Debug, Clone)]
pub struct Shown(Piece);

impl Shown {
    /// The `Debug` forms of a value, on one line and on several.
    pub fn new(what: &str, value: &dyn fmt::Debug) -> Self {
        Self(Piece::new(format!("the debug form of {what}"), format!("{value:?}\n{value:#?}")))
    }
}

impl Capture for Shown {
    fn pieces(&self) -> Vec<Piece> {
        vec![self.0.clone()]
    }
}
