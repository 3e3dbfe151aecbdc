use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use request_context::{Context, Id, SpanId, TraceFlags, TraceId};

/// The ids by which a record is found again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ids {
    /// The trace.
    pub trace_id: Option<TraceId>,
    /// The span in it.
    pub span_id: Option<SpanId>,
    /// Flags of the trace.
    pub flags: TraceFlags,
    /// The request at this service.
    pub request_id: Option<Id>,
    /// The whole of which the request is a part, across services.
    pub correlation_id: Option<Id>,
}

impl Ids {
    /// The ids of the running task's context.
    pub(crate) fn of_context() -> Self {
        Context::with_current(|context| {
            context.map_or_else(Self::default, |context| Self {
                trace_id: context.trace.map(|trace| trace.trace_id),
                span_id: context.trace.map(|trace| trace.span_id),
                flags: context.trace.map(|trace| trace.flags).unwrap_or_default(),
                request_id: context.request_id.clone(),
                correlation_id: context.correlation_id.clone(),
            })
        })
    }

    /// Those of a span that begins here, as a child of whatever the context names, if it names anything.
    pub(crate) fn of_root() -> Self {
        let mut ids = Self::of_context();
        if ids.trace_id.is_none() {
            ids.trace_id = Some(random_trace_id());
            ids.flags = TraceFlags::RANDOM;
        }
        ids.span_id = Some(random_span_id());
        ids
    }

    /// Those of a span within another.
    pub(crate) fn of_child(&self) -> Self {
        Self { span_id: Some(random_span_id()), ..self.clone() }
    }
}

thread_local! {
    static STATE: Cell<[u64; 4]> = Cell::new(seed());
}

/// The standard library's hash keys come from the operating system, once a thread, and differ each time.
fn seed() -> [u64; 4] {
    std::array::from_fn(|at| RandomState::new().hash_one(at))
}

/// xoshiro256++ (Blackman and Vigna, 2019): fast and even. Ids name; they keep no secret.
pub(crate) fn random() -> u64 {
    STATE.with(|state| {
        let [mut s0, mut s1, mut s2, mut s3] = state.get();
        let result = s0.wrapping_add(s3).rotate_left(23).wrapping_add(s0);
        let t = s1 << 17;
        s2 ^= s0;
        s3 ^= s1;
        s1 ^= s2;
        s0 ^= s3;
        s2 ^= t;
        s3 = s3.rotate_left(45);
        state.set([s0, s1, s2, s3]);
        result
    })
}

pub(crate) fn random_span_id() -> SpanId {
    loop {
        if let Some(id) = SpanId::new(random()) {
            return id;
        }
    }
}

pub(crate) fn random_trace_id() -> TraceId {
    loop {
        if let Some(id) = TraceId::new(u128::from(random()) << 64 | u128::from(random())) {
            return id;
        }
    }
}
