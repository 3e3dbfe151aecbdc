//! One example of what was measured: the value, when, and in which trace.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use request_context::{Context, SpanId, TraceContext, TraceFlags, TraceId};

use super::cell::Shared;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) trace: TraceContext,
    pub(crate) value: f64,
    pub(crate) time: SystemTime,
}

/// The trace of the running task if it is sampled: an example that nobody can look up is none.
#[inline]
fn sampled() -> Option<TraceContext> {
    Context::with_current(|context| {
        context?.trace.filter(|trace| trace.flags.contains(TraceFlags::SAMPLED))
    })
}

/// The examples of a series. They have room once there is one: a service that traces nothing has none.
#[derive(Debug)]
pub(crate) struct Examples {
    shared: Arc<Shared>,
    slots: OnceLock<Box<[Slot]>>,
    places: usize,
}

impl Examples {
    /// For so many, each in a place of its own.
    pub(crate) fn new(shared: &Arc<Shared>, places: usize) -> Self {
        Self { shared: Arc::clone(shared), slots: OnceLock::new(), places }
    }

    /// The first sampled value of a place after each exposition is its example. No clock is asked
    /// but for that one.
    #[inline]
    pub(crate) fn keep(&self, place: usize, value: f64) {
        let generation = self.shared.generation.load(Ordering::Relaxed);
        let slot = self.slots.get().and_then(|slots| slots.get(place));
        if slot.is_some_and(|slot| slot.is_of(generation)) {
            return;
        }
        if self.shared.has_exemplars
            && let Some(trace) = sampled()
        {
            self.write(place, generation, trace, value);
        }
    }

    #[cold]
    fn write(&self, place: usize, generation: u64, trace: TraceContext, value: f64) {
        let slots = self.slots.get_or_init(|| (0..self.places).map(|_| Slot::new()).collect());
        if let Some(slot) = slots.get(place) {
            slot.write(generation, &Exemplar { trace, value, time: (self.shared.clock)() });
        }
    }

    pub(crate) fn read(&self, place: usize) -> Option<Exemplar> {
        self.slots.get()?.get(place)?.read()
    }
}

/// A place for one example, written by many and read by anyone, never torn: a sequence lock all of
/// whose fields are atomics (H. Boehm, "Can Seqlocks Get Along With Programming Language Memory
/// Models?", 2012). A writer that meets another one leaves the place to it.
#[derive(Debug)]
struct Slot {
    /// Odd while it is written.
    sequence: AtomicU64,
    generation: AtomicU64,
    trace_high: AtomicU64,
    trace_low: AtomicU64,
    span: AtomicU64,
    value: AtomicU64,
    /// Milliseconds since 1970.
    time: AtomicU64,
}

/// A reader that meets this many writers shows no example.
const READS: usize = 4;

impl Slot {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            sequence: zero(),
            generation: zero(),
            trace_high: zero(),
            trace_low: zero(),
            span: zero(),
            value: zero(),
            time: zero(),
        }
    }

    /// Whether it was written since exemplars were shown for the `generation`th time.
    #[inline]
    fn is_of(&self, generation: u64) -> bool {
        self.generation.load(Ordering::Relaxed) == generation
    }

    fn write(&self, generation: u64, exemplar: &Exemplar) {
        let before = self.sequence.load(Ordering::Relaxed);
        let is_free = before.is_multiple_of(2)
            && self
                .sequence
                .compare_exchange(before, before + 1, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        if !is_free {
            return;
        }
        fence(Ordering::Release);
        let trace = exemplar.trace.trace_id.to_u128();
        let since = exemplar.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let fields = [
            (&self.generation, generation),
            (&self.trace_high, (trace >> 64) as u64),
            (&self.trace_low, trace as u64),
            (&self.span, exemplar.trace.span_id.to_u64()),
            (&self.value, exemplar.value.to_bits()),
            (&self.time, u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        ];
        for (field, value) in fields {
            field.store(value, Ordering::Relaxed);
        }
        self.sequence.store(before + 2, Ordering::Release);
    }

    /// The example; `None` if there is none, or it is written again and again.
    fn read(&self) -> Option<Exemplar> {
        (0..READS).find_map(|_| self.read_once()).flatten()
    }

    /// `None` when a writer came between.
    fn read_once(&self) -> Option<Option<Exemplar>> {
        let before = self.sequence.load(Ordering::Acquire);
        let [high, low, span, value, time] =
            [&self.trace_high, &self.trace_low, &self.span, &self.value, &self.time]
                .map(|field| field.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        if !before.is_multiple_of(2) || self.sequence.load(Ordering::Relaxed) != before {
            return None;
        }
        let trace = (u128::from(high) << 64) | u128::from(low);
        let ids = TraceId::new(trace).zip(SpanId::new(span));
        Some(ids.map(|(trace, span)| Exemplar {
            trace: TraceContext::new(trace, span).with_flags(TraceFlags::SAMPLED),
            value: f64::from_bits(value),
            time: UNIX_EPOCH + Duration::from_millis(time),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    /// All of whose fields say the same number.
    fn exemplar(number: u64) -> Exemplar {
        let trace = (u128::from(number) << 64) | u128::from(number);
        let ids = (TraceId::new(trace).unwrap(), SpanId::new(number).unwrap());
        Exemplar {
            trace: TraceContext::new(ids.0, ids.1).with_flags(TraceFlags::SAMPLED),
            value: number as f64,
            time: UNIX_EPOCH + Duration::from_millis(number),
        }
    }

    #[test]
    fn an_empty_place_has_no_example_and_a_written_one_has_the_last() {
        let slot = Slot::new();
        assert_eq!(slot.read(), None);
        for number in 1..4 {
            slot.write(number, &exemplar(number));
            assert_eq!(slot.read(), Some(exemplar(number)));
            assert!(slot.is_of(number) && !slot.is_of(number + 1));
        }
    }

    #[test]
    fn no_example_is_ever_torn() {
        let (slot, ends) = (Slot::new(), AtomicBool::new(false));
        let torn = thread::scope(|scope| {
            for writer in 0..3 {
                let (slot, ends) = (&slot, &ends);
                scope.spawn(move || {
                    let mut number = 1 + writer;
                    while !ends.load(Ordering::Relaxed) {
                        slot.write(number, &exemplar(number));
                        number += 3;
                    }
                });
            }
            let (mut seen, mut torn) = (0, 0);
            while seen < 100_000 {
                if let Some(read) = slot.read() {
                    let number = read.trace.span_id.to_u64();
                    torn += u64::from(read != exemplar(number));
                    seen += 1;
                }
            }
            ends.store(true, Ordering::Relaxed);
            torn
        });
        assert_eq!(torn, 0);
    }
}
