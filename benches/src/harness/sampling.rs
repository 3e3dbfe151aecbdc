//! One sample: a batch on pinned threads, timed by their CPU clocks.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use super::case::{Background, Case, Clock};

/// One measurement, in nanoseconds per operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) nanoseconds: f64,
    /// Calls of all its operations, and how many these were.
    pub(super) calls: usize,
    pub(super) operations: u64,
    /// Whether no thread lost its CPU for long enough to matter.
    pub(super) clean: bool,
}

/// How many operations take about as long as `batch`, and the sample that tells.
pub(super) fn calibrate(case: &Case, threads: usize, batch: Duration) -> (u64, Sample) {
    let mut operations = 1;
    loop {
        let found = sample(case, threads, operations);
        let (took, wanted) = (found.nanoseconds * operations as f64, batch.as_nanos() as f64);
        if took >= wanted / 4.0 {
            return (((operations as f64 * wanted / took) as u64).max(1), found);
        }
        operations *= 2;
    }
}

pub(super) fn sample(case: &Case, threads: usize, operations: u64) -> Sample {
    let stop = AtomicBool::new(false);
    let ready = Barrier::new(threads + usize::from(case.background.is_some()));
    thread::scope(|scope| {
        if let Some(background) = &case.background {
            scope.spawn(|| run_background(background, &ready, &stop));
        }
        let measured: Vec<_> = (0..threads)
            .map(|index| {
                let ready = &ready;
                scope.spawn(move || run_measured(case, index, operations, ready))
            })
            .collect();
        let times: Vec<_> =
            measured.into_iter().map(|thread| thread.join().expect("a case panicked")).collect();
        stop.store(true, Ordering::Relaxed);
        let total: f64 = times.iter().map(|times| times.cpu.as_nanos() as f64).sum();
        Sample {
            nanoseconds: total / (threads as f64 * operations as f64),
            calls: times.iter().map(|times| times.calls).sum(),
            operations,
            clean: times.iter().all(Times::is_clean),
        }
    })
}

/// Allocations per operation of one thread.
pub(super) fn allocations(case: &Case, operations: u64, probe: &probe::Probe) -> f64 {
    let operations = operations.min(10_000);
    let mut work = (case.prepare)();
    if case.is_warmed_up {
        work(operations);
    }
    let ((), counts) = probe.count(|| work(operations));
    counts.allocations as f64 / operations as f64
}

struct Times {
    cpu: Duration,
    wall: Duration,
    calls: usize,
}

impl Times {
    fn is_clean(&self) -> bool {
        let away = self.wall.saturating_sub(self.cpu);
        away < self.wall / 20 || away < Duration::from_micros(20)
    }
}

fn run_measured(case: &Case, index: usize, operations: u64, ready: &Barrier) -> Times {
    if case.clock != Clock::Wall {
        pin(index);
    }
    let mut work = (case.prepare)();
    if case.is_warmed_up {
        work(operations.div_ceil(3));
    }
    let calls = || case.calls.as_ref().map_or(0, |calls| (calls.so_far)());
    ready.wait();
    let before = calls();
    let (cpu, wall) = (thread_time(), Instant::now());
    work(operations);
    let (cpu, wall) = (thread_time() - cpu, wall.elapsed());
    let calls = calls() - before;
    match case.clock {
        Clock::Busy => Times { cpu, wall, calls },
        Clock::Computing => Times { cpu, wall: cpu, calls },
        Clock::Wall => Times { cpu: wall, wall, calls },
    }
}

fn run_background(background: &Background, ready: &Barrier, stop: &AtomicBool) {
    ready.wait();
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        (background.work)();
        next += background.period;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Keeps the calling thread on one of the CPUs that the process may use.
fn pin(index: usize) {
    let allowed = sched_getaffinity(None).expect("the kernel says which CPUs we may use");
    let cpus: Vec<_> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    let mut one = CpuSet::new();
    one.set(cpus[index % cpus.len()]);
    sched_setaffinity(None, &one).expect("a thread may choose among its CPUs");
}

fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).expect("CPU time is not negative")
}
