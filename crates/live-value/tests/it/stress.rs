//! Many threads at once, for a bounded time: what holds under loom's models must hold on a machine.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use live_value::{Live, Publisher};

use crate::support::{Alive, Counted, block_on};

const LENGTH: Duration = Duration::from_millis(400);
/// Fewer publishes show nothing, however long they take.
const LEAST: u64 = 100;

/// A value whose two halves must always belong together.
struct Halves {
    number: u64,
    complement: u64,
    _counted: Counted,
}

impl Halves {
    fn new(number: u64, alive: &Alive) -> Self {
        Self { number, complement: !number, _counted: alive.value(0) }
    }

    fn number(&self) -> u64 {
        assert_eq!(self.number, !self.complement, "torn, or read after it was freed");
        self.number
    }
}

impl Drop for Halves {
    fn drop(&mut self) {
        (self.number, self.complement) = (0, 0);
    }
}

fn write(publisher: &Publisher<Halves>, alive: &Alive, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let current = publisher.load();
        let (version, number) = (current.version(), current.number());
        drop(current);
        drop(publisher.compare_and_publish(version, Halves::new(number + 1, alive)));
    }
}

fn read(live: &Live<Halves>, stop: &AtomicBool) {
    let mut last = 0;
    while !stop.load(Ordering::Relaxed) {
        let guard = live.load();
        assert_eq!(guard.number() + 1, guard.version().get(), "value and version belong together");
        assert!(guard.version().get() >= last, "never back");
        last = guard.version().get();
    }
}

fn derive_and_drop(live: &Live<Halves>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let before = live.version();
        let derived = live.map(Halves::number);
        let guard = derived.load();
        assert!(guard.version() >= before);
        assert_eq!(*guard + 1, guard.version().get());
    }
}

fn watch_to_the_end(live: &Live<Halves>) -> u64 {
    let mut watch = live.watch();
    let mut last = watch.load().number();
    while let Ok(guard) = block_on(watch.changed()) {
        assert!(guard.number() > last);
        last = guard.number();
    }
    last
}

#[test]
fn readers_writers_watchers_and_derivations_at_once() {
    let alive = Alive::default();
    let publisher = Publisher::new(Halves::new(0, &alive));
    let live = publisher.live();
    let derived = live.map(Halves::number).map(|number| number + 1);
    let (stop, last_seen) = (AtomicBool::new(false), AtomicU64::new(0));

    thread::scope(|scope| {
        let watcher = scope.spawn(|| watch_to_the_end(&live));
        thread::scope(|busy| {
            let publisher = &publisher;
            busy.spawn(|| write(publisher, &alive, &stop));
            busy.spawn(|| write(publisher, &alive, &stop));
            busy.spawn(|| read(&live, &stop));
            busy.spawn(|| derive_and_drop(&live, &stop));
            let end = Instant::now() + LENGTH;
            let latest = end + Duration::from_secs(60);
            let is_too_little = || publisher.load().number() <= LEAST;
            while Instant::now() < end || (is_too_little() && Instant::now() < latest) {
                thread::sleep(Duration::from_millis(10));
            }
            stop.store(true, Ordering::Relaxed);
        });
        drop(publisher);
        last_seen.store(watcher.join().unwrap(), Ordering::Relaxed);
    });

    let last = live.load().number();
    assert!(last > LEAST, "only {last} publishes");
    assert_eq!(last_seen.into_inner(), last, "the watcher saw the last value");
    assert_eq!((*derived.load(), derived.version()), (last + 1, live.version()));
    assert_eq!(alive.count(), 1, "all but the last value are gone");
}
