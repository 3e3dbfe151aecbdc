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

    /// Those of a span within another. A context that began within that one is nearer, if `is_within` what
    /// is current: a worker with a span of its own serves requests.
    pub(crate) fn of_child(&self, is_within: bool) -> Self {
        let mut ids = Self { span_id: Some(random_span_id()), ..self.clone() };
        if is_within {
            Context::with_current(|context| context.iter().for_each(|context| ids.enter(context)));
        }
        ids
    }

    fn enter(&mut self, context: &Context) {
        if let Some(trace) = context.trace.filter(|trace| Some(trace.trace_id) != self.trace_id) {
            (self.trace_id, self.flags) = (Some(trace.trace_id), trace.flags);
        }
        let enter = |id: &mut Option<Id>, of_context: &Option<Id>| {
            if of_context.is_some() && id != of_context {
                id.clone_from(of_context);
            }
        };
        enter(&mut self.request_id, &context.request_id);
        enter(&mut self.correlation_id, &context.correlation_id);
    }

    /// Those of something in a span that knows no request, in the context of one: with the ids of the request.
    pub(crate) fn completed(&self) -> Option<Self> {
        if self.request_id.is_some() {
            return None;
        }
        Context::with_current(|context| {
            let context = context.filter(|context| {
                context.request_id.is_some() || context.correlation_id != self.correlation_id
            })?;
            let correlation_id =
                context.correlation_id.clone().or_else(|| self.correlation_id.clone());
            Some(Self { request_id: context.request_id.clone(), correlation_id, ..self.clone() })
        })
    }

    /// Those of what happens nowhere.
    pub(crate) const fn none() -> Self {
        Self {
            trace_id: None,
            span_id: None,
            flags: TraceFlags::NONE,
            request_id: None,
            correlation_id: None,
        }
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
