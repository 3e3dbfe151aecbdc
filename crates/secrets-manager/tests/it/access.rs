//! Who loaded what by handle, and how often: exact, whatever threads and handles come and go.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use secrets_core::memory::Personality;
use secrets_core::{ManualClock, SecretProviderExt};
use secrets_manager::audit_log::{
    Action, Actor, Aggregate, AuditLog, Code, Context, ErrorKind as AuditErrorKind, Event, Id,
    MemorySink, Outcome,
};
use secrets_manager::{AccessRow, Reader, SecretHandle, SecretManager};

use crate::PROBE;
use crate::audit::{alice, audited, open};
use crate::support::{
    NAME, Running, Scripted, build, builder, clock, memory, noon, pass, reference, secs, settle,
    version,
};

const POOL: Code = Code::new("pool");
const SIGNER: Code = Code::new("signer");

fn load(handle: &SecretHandle, times: u64) {
    for _ in 0..times {
        assert!(handle.load().secret().is_some());
    }
}

fn row(manager: &SecretManager, reader: &Reader) -> AccessRow {
    let rows = manager.access();
    let mut rows = rows.into_iter().filter(|row| row.reader == *reader);
    let row = rows.next().unwrap();
    assert!(rows.next().is_none(), "two rows of {reader}");
    row
}

/// Of each event that stands for loads: who, how often, when.
fn sums(sink: &MemorySink) -> Vec<(Option<Actor>, Aggregate)> {
    let events = sink.take();
    let sums = events.into_iter().filter(|event| event.code == Some(Code::new("loads")));
    sums.map(|event| (event.context.actor, event.aggregate.unwrap())).collect()
}

fn counts(sink: &MemorySink) -> u64 {
    sums(sink).iter().map(|(_, aggregate)| aggregate.count.get()).sum()
}

fn built(clock: &ManualClock, log: AuditLog) -> SecretManager {
    let provider = Scripted::new(|_, _| async { Ok(version("v1")) });
    builder(provider).audit(log).clock(Arc::new(clock.clone())).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_reader_of_each_secret_has_a_row() {
    let clock = clock();
    let provider = memory(Personality::Aws).await;
    provider.put_text("other", "x").await.unwrap();
    let manager = builder(provider).clock(Arc::new(clock.clone())).build().unwrap();
    let _running = Running::start(&manager).await;

    let plain = manager.handle(NAME).await.unwrap();
    let pool = manager.handle_for(NAME, POOL).await.unwrap();
    let user = alice().scope(manager.handle(NAME)).await.unwrap();
    let signer = plain.labelled(SIGNER);
    let other = manager.handle("other").await.unwrap();

    clock.advance(secs(1));
    load(&plain, 3);
    load(&plain.clone(), 4);
    load(&manager.handle(NAME).await.unwrap(), 1);
    load(&pool, 5);
    assert!(pool.load_checked().is_ok());
    load(&user, 7);

    let rows: Vec<_> = manager.access().into_iter().filter(|row| row.loads > 0).collect();
    let seen: Vec<_> = rows.iter().map(|row| (row.reader.to_string(), row.loads)).collect();
    let expected = [("the service", 8), ("pool", 6), ("alice", 7)];
    assert_eq!(seen, expected.map(|(reader, loads)| (reader.to_owned(), loads)));
    for row in &rows {
        assert_eq!((row.issued, row.last_used), (noon(), Some(noon() + secs(1))));
        assert!(row.is_held && !row.is_unused() && !row.is_followed);
    }
    let shown = rows[1].to_string();
    assert!(
        shown.starts_with("billing/db of ") && shown.ends_with(", by pool: 6 loads"),
        "{shown}"
    );

    let unused = row(&manager, &Reader::Label(SIGNER));
    assert!(unused.is_unused() && unused.first_used.is_none());
    assert!(unused.to_string().ends_with("by signer: 0 loads, never used"));
    // Values derived from a handle load by themselves.
    let _live = signer.live();
    assert!(!row(&manager, &Reader::Label(SIGNER)).is_unused());

    drop((pool, other));
    let gone = row(&manager, &Reader::Label(POOL));
    assert_eq!((gone.loads, gone.is_held), (6, false));
    // The next handle of the same reader goes on where the last one ended.
    clock.advance(secs(1));
    load(&manager.handle_for(NAME, POOL).await.unwrap(), 1);
    let again = row(&manager, &Reader::Label(POOL));
    assert_eq!((again.loads, again.first_used), (7, Some(noon() + secs(1))));
    assert_eq!(again.last_used, Some(noon() + secs(2)));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_given_out_is_a_load() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider);
    let _running = Running::start(&manager).await;
    let mut handle = manager.handle(NAME).await.unwrap();
    manager.cached().put_text(NAME, "two").await.unwrap();
    drop(handle.changed().await.unwrap());
    assert_eq!(row(&manager, &Reader::Service).loads, 1);
    // Looking at a handle is not.
    assert!(!format!("{handle:?}").is_empty());
    assert_eq!(row(&manager, &Reader::Service).loads, 1);
}

#[tokio::test(start_paused = true)]
async fn sums_are_events_each_period() {
    let (sink, log) = open();
    let clock = clock();
    let manager = built(&clock, log);
    let running = Running::start(&manager).await;
    let handle = manager.handle_for(NAME, POOL).await.unwrap();
    let user = alice().scope(manager.handle(NAME)).await.unwrap();
    load(&handle, 10);
    load(&user, 3);
    // Of who took the handle: the label, where there was no actor.
    let issued = sink.take().into_iter().filter(|event| event.code == Some(Code::new("handle")));
    let takers: Vec<_> = issued.map(|event| event.context.actor.unwrap().id).collect();
    assert_eq!(takers, [Id::from(POOL), Id::new("alice").unwrap()]);

    clock.advance(secs(60));
    pass(secs(62)).await;
    let events = sink.take();
    let sums: Vec<&Event> = events.iter().filter(|event| event.aggregate.is_some()).collect();
    let shown: Vec<_> = sums
        .iter()
        .map(|event| {
            let Action::Entity { activity, entity, .. } = &event.action else { panic!() };
            assert_eq!((activity.name(), entity.id.as_str()), ("Read", NAME));
            assert_eq!((event.outcome, event.time), (Outcome::Success, noon() + secs(60)));
            let aggregate = event.aggregate.unwrap();
            assert_eq!((aggregate.start, aggregate.end), (noon(), noon() + secs(60)));
            (event.context.actor.clone().unwrap(), aggregate.count.get())
        })
        .collect();
    let pool = Actor::service(Id::from(POOL));
    assert_eq!(shown, [(pool.clone(), 10), (alice().actor.unwrap(), 3)]);

    // What was told is not told again; what nobody did is not told.
    clock.advance(secs(60));
    pass(secs(62)).await;
    assert_eq!(counts(&sink), 0);
    load(&handle, 2);
    clock.advance(secs(60));
    pass(secs(62)).await;
    let told = super::access::sums(&sink);
    let aggregate = told[0].1;
    assert_eq!((told.len(), aggregate.count.get()), (1, 2));
    assert_eq!((aggregate.start, aggregate.end), (noon() + secs(120), noon() + secs(180)));

    // The run future tells what is left when it goes, and then nobody does.
    load(&user, 1);
    running.stop().await;
    assert_eq!(counts(&sink), 1);
    load(&user, 1);
    pass(secs(200)).await;
    assert_eq!(counts(&sink), 0);
    assert_eq!(row(&manager, &Reader::Label(POOL)).loads, 12);
}

#[tokio::test(start_paused = true)]
async fn sums_that_cannot_be_recorded_are_kept() {
    let (sink, log) = open();
    let clock = clock();
    let manager = built(&clock, log);
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    load(&handle, 10);
    sink.fail_with(Some(AuditErrorKind::Overflow));
    pass(secs(130)).await;
    load(&handle, 5);
    drop(handle);
    sink.fail_with(None);
    drop(sink.take());
    clock.advance(secs(500));
    pass(secs(62)).await;
    let told = sums(&sink);
    let aggregate = told[0].1;
    assert_eq!((told.len(), aggregate.count.get(), aggregate.start), (1, 15, noon()));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_does_not_turn_periods_round() {
    let (sink, log) = open();
    let clock = clock();
    let manager = built(&clock, log);
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    load(&handle, 1);
    clock.set(noon() - secs(1_000));
    pass(secs(62)).await;
    let told = sums(&sink);
    assert!(told.len() == 1 && told[0].1.start <= told[0].1.end, "{told:?}");
}

/// However many actors took handles, their number is bounded, and no load is lost.
#[tokio::test(start_paused = true)]
async fn readers_of_long_ago_are_summed_up() {
    let manager = build(Scripted::new(|_, _| async { Ok(version("v1")) }));
    for number in 0..10_000 {
        let actor = Actor::user(Id::new(&format!("user-{number}")).unwrap());
        let context = Context::new().with_actor(actor);
        load(&context.scope(manager.handle(NAME)).await.unwrap(), 1);
    }
    let rows = manager.access();
    assert!(rows.len() <= 4_200, "{}", rows.len());
    assert_eq!(rows.iter().map(|row| row.loads).sum::<u64>(), 10_000);
    let others = row(&manager, &Reader::Others);
    assert!(others.loads > 5_000);
    // The latest are known by name.
    let last = Actor::user(Id::new("user-9999").unwrap());
    assert_eq!(row(&manager, &Reader::Actor(last)).loads, 1);
}

/// However many secrets handles were taken on, their number is bounded; the log knows of all.
#[tokio::test(start_paused = true)]
async fn secrets_of_long_ago_are_forgotten_once_they_are_told() {
    const SECRETS: u64 = 16_000;
    let (sink, log) = open();
    let manager = audited(Scripted::new(|_, _| async { Ok(version("v1")) }), log);
    let _running = Running::start(&manager).await;
    let mut told = 0;
    for number in 0..SECRETS {
        load(&manager.handle(&format!("s{number}")).await.unwrap(), 1);
        if number % 1_000 == 999 {
            pass(secs(62)).await;
            settle().await;
            told += counts(&sink);
        }
    }
    assert_eq!(told, SECRETS);
    let rows = manager.access();
    assert!(rows.len() <= 8_400, "{}", rows.len());
    let last = reference(&format!("s{}", SECRETS - 1));
    assert!(rows.iter().any(|row| row.reference == last && row.reader == Reader::Service));
}

/// A log that takes nothing any more must not take the memory there is.
#[tokio::test(start_paused = true)]
async fn what_a_log_refuses_for_good_is_bounded_too() {
    const SECRETS: u64 = 17_500;
    let (sink, log) = open();
    let manager = audited(Scripted::new(|_, _| async { Ok(version("v1")) }), log);
    let _running = Running::start(&manager).await;
    sink.fail_with(Some(AuditErrorKind::Overflow));
    for number in 0..SECRETS {
        load(&manager.handle(&format!("s{number}")).await.unwrap(), 1);
    }
    let rows = manager.access();
    assert!(rows.len() <= 4 * 4_096 + 100, "{}", rows.len());
    sink.fail_with(None);
    drop(sink.take());
    pass(secs(62)).await;
    settle().await;
    let told = counts(&sink);
    assert!((8_000..SECRETS).contains(&told), "the newest are told in the end: {told}");
}

/// What is still to be told of them is told in their own name.
#[tokio::test(start_paused = true)]
async fn nobody_is_summed_up_before_the_log_knows() {
    let (sink, log) = open();
    let manager = audited(Scripted::new(|_, _| async { Ok(version("v1")) }), log);
    let _running = Running::start(&manager).await;
    for number in 0..6_000 {
        let actor = Actor::user(Id::new(&format!("user-{number}")).unwrap());
        let context = Context::new().with_actor(actor);
        load(&context.scope(manager.handle(NAME)).await.unwrap(), 1);
    }
    drop(sink.take());
    pass(secs(62)).await;
    settle().await;
    let told = sums(&sink);
    assert_eq!(told.len(), 6_000);
    assert!(told.iter().all(|(actor, sum)| actor.is_some() && sum.count.get() == 1));
}

#[tokio::test(start_paused = true)]
async fn a_thread_allocates_for_its_first_load_alone() {
    let manager = build(memory(Personality::Aws).await);
    let handle = manager.handle(NAME).await.unwrap();
    let thread = thread::spawn(move || {
        load(&handle, 1);
        PROBE.count(|| load(&handle, 1_000)).1.allocations
    });
    assert_eq!(thread.join().unwrap(), 0);
}

/// A thread-local that outlives the count of its thread loads once more when it is dropped.
#[tokio::test(start_paused = true)]
async fn loads_by_what_a_thread_drops_at_last_count_as_well() {
    struct Last(SecretHandle);
    impl Drop for Last {
        fn drop(&mut self) {
            load(&self.0, 5);
        }
    }
    thread_local! {
        static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    }
    let manager = build(memory(Personality::Aws).await);
    let handle = manager.handle(NAME).await.unwrap();
    let thread = thread::spawn(move || {
        LAST.with(|last| *last.borrow_mut() = Some(Last(handle.clone())));
        load(&handle, 2);
    });
    thread.join().unwrap();
    assert_eq!(row(&manager, &Reader::Service).loads, 7);
}

/// Threads that come and go, more of them than ever at a time; handles cloned, relabelled and
/// dropped wherever; two managers; sums taken all the while, some of them refused by the log.
#[test]
fn no_load_is_lost_and_none_is_counted_twice() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let worlds: Vec<_> = (0..2)
        .map(|_| {
            let (sink, log) = open();
            let manager = builder(Scripted::new(|_, _| async { Ok(version("v1")) }))
                .audit(log)
                .access_period(secs(0))
                .build()
                .unwrap();
            let handle = runtime.block_on(manager.handle(NAME)).unwrap();
            (sink, manager, handle)
        })
        .collect();
    let loads: Arc<Vec<AtomicU64>> = Arc::new((0..2).map(|_| AtomicU64::new(0)).collect());
    let told: Vec<_> = (0..2).map(|_| AtomicU64::new(0)).collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let summing = scope.spawn(|| {
            let mut round = 0_u32;
            while !is_over.load(Ordering::SeqCst) {
                for (world, told) in worlds.iter().zip(&told) {
                    round += 1;
                    let (sink, manager, _) = world;
                    sink.fail_with(round.is_multiple_of(3).then_some(AuditErrorKind::Overflow));
                    let sum = || manager.access().iter().map(|row| row.loads).sum::<u64>();
                    let seen = sum();
                    tell(&runtime, manager);
                    told.fetch_add(counts(sink), Ordering::SeqCst);
                    assert!(seen <= sum() && told.load(Ordering::SeqCst) <= sum());
                }
            }
        });
        for wave in 0..20 {
            let threads: Vec<_> = (0..8)
                .map(|number| {
                    let handles: Vec<_> = worlds.iter().map(|(_, _, h)| h.clone()).collect();
                    let loads = Arc::clone(&loads);
                    scope.spawn(move || stir(&handles, &loads, wave * 8 + number))
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
        is_over.store(true, Ordering::SeqCst);
        summing.join().unwrap();
    });
    for ((sink, manager, _), (loads, told)) in worlds.iter().zip(loads.iter().zip(&told)) {
        sink.fail_with(None);
        let expected = loads.load(Ordering::SeqCst);
        assert_eq!(manager.access().iter().map(|row| row.loads).sum::<u64>(), expected);
        tell(&runtime, manager);
        assert_eq!(told.load(Ordering::SeqCst) + counts(sink), expected);
    }
}

/// The run future comes and goes.
fn tell(runtime: &tokio::runtime::Runtime, manager: &SecretManager) {
    let _ = runtime.block_on(async { tokio::time::timeout(secs(0), manager.run()).await });
}

/// Loads in one thread, by handles that others hold too and by some of its own.
fn stir(handles: &[SecretHandle], loads: &[AtomicU64], seed: u64) {
    const LABELS: [Code; 3] = [Code::new("one"), Code::new("two"), Code::new("three")];
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut own: Vec<(usize, SecretHandle)> = Vec::new();
    for _ in 0..2_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let draw = random >> 40;
        let world = (draw & 1) as usize;
        match draw % 7 {
            0 => own.push((world, handles[world].labelled(LABELS[(draw % 3) as usize]))),
            1 => own.push((world, handles[world].clone())),
            2 if !own.is_empty() => drop(own.swap_remove(draw as usize % own.len())),
            3 if !own.is_empty() => {
                let (world, handle) = &own[draw as usize % own.len()];
                drop(handle.load());
                loads[*world].fetch_add(1, Ordering::SeqCst);
            }
            _ => {
                drop(handles[world].load());
                loads[world].fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}
