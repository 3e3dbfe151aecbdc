use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use metrics::{Histogram, Key, Label, Level, Metadata};

use crate::http::metrics::{label, name};

/// The most methods that have series of their own.
const MOST_METHODS: usize = 1024;

/// Bytes of a method's name: what is longer is a path that something answers whatever it is.
const LONGEST_METHOD: usize = 256;

static METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// The status codes of gRPC by their numbers (grpc/grpc, doc/statuscodes.md).
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The number of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(usize);

impl Code {
    pub(super) const OK: Self = Self(0);
    pub(super) const CANCELLED: Self = Self(1);
    pub(super) const UNKNOWN: Self = Self(2);
    pub(super) const PERMISSION_DENIED: Self = Self(7);
    pub(super) const UNIMPLEMENTED: Self = Self(12);
    pub(super) const INTERNAL: Self = Self(13);
    pub(super) const UNAVAILABLE: Self = Self(14);
    pub(super) const UNAUTHENTICATED: Self = Self(16);

    /// What a header says; `UNKNOWN` for what is no code.
    pub(super) fn of(header: &[u8]) -> Self {
        let number = std::str::from_utf8(header).ok().and_then(|text| text.parse().ok());
        number.filter(|number| *number < CODES.len()).map_or(Self::UNKNOWN, Self)
    }

    fn name(self) -> &'static str {
        CODES.get(self.0).copied().unwrap_or("UNKNOWN")
    }

    /// Whether the server is at fault, by the conventions for gRPC 1.44.0.
    const fn is_error(self) -> bool {
        matches!(self.0, 2 | 4 | 12 | 13 | 14 | 15)
    }
}

/// The series of a layer. Paths are chosen by callers: a method is known once a call of it succeeded,
/// and is `_OTHER` before that.
#[derive(Debug, Default)]
pub(super) struct CallMeter {
    methods: ArcSwap<HashMap<Arc<str>, Arc<Method>, RandomState>>,
    other: Method,
    adding: Mutex<()>,
}

#[derive(Debug, Default)]
struct Method([OnceLock<Histogram>; CODES.len()]);

impl CallMeter {
    /// Measures a call of the method at this path.
    pub(super) fn record(&self, path: &str, code: Code, seconds: f64) {
        let name = path.strip_prefix('/').unwrap_or(path);
        if let Some(method) = self.methods.load().get(name) {
            return method.record(name, code, seconds);
        }
        match (code == Code::OK).then(|| self.learn(name)).flatten() {
            Some(method) => method.record(name, code, seconds),
            None => self.other.record(crate::http::server::OTHER, code, seconds),
        }
    }

    fn learn(&self, name: &str) -> Option<Arc<Method>> {
        if name.len() > LONGEST_METHOD {
            return None;
        }
        let _alone = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut methods = HashMap::clone(&self.methods.load());
        if !methods.contains_key(name) && methods.len() >= MOST_METHODS {
            return None;
        }
        let method = Arc::clone(methods.entry(Arc::from(name)).or_default());
        self.methods.store(Arc::new(methods));
        Some(method)
    }
}

impl Method {
    fn record(&self, name: &str, code: Code, seconds: f64) {
        if let Some(place) = self.0.get(code.0) {
            place.get_or_init(|| bind(name, code)).record(seconds);
        }
    }
}

fn bind(method: &str, code: Code) -> Histogram {
    let mut labels = vec![
        Label::from_static_parts(label::RPC_SYSTEM, "grpc"),
        Label::new(label::RPC_METHOD, method.to_owned()),
        Label::from_static_parts(label::RPC_STATUS, code.name()),
    ];
    labels.extend(code.is_error().then(|| Label::from_static_parts(label::ERROR, code.name())));
    let key = Key::from_parts(name::CALL_DURATION, labels);
    metrics::with_recorder(|recorder| recorder.register_histogram(&key, &METADATA))
}
