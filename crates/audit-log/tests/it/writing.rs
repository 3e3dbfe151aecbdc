//! What is written, when, and together with what.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use audit_log::{
    Anchor, AnchorStore, AuditSink, ErrorKind, FileAnchors, FileTrail, Result, Verifier,
    WriterName, async_trait,
};

use crate::support::*;

#[tokio::test]
async fn a_trail_goes_on_where_it_ended() {
    let (_parent, folder) = folder();
    for _ in 0..3 {
        write(&folder, 2).await;
    }
    let report = verify(&folder);
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.records(), 7, "it began once");
    assert_eq!(ids(&folder), ["e0", "e1", "e0", "e1", "e0", "e1"]);
    assert!(!segment(&folder, 2).exists());
}

#[tokio::test]
async fn a_full_segment_is_followed_by_another() {
    let (_parent, folder) = folder();
    let trail = builder(&folder).max_segment(2_000).open().await.unwrap();
    for number in 0..20 {
        trail.append_durable(&event(&format!("e{number}"))).await.unwrap();
    }
    drop(trail);
    let report = verify(&folder);
    assert!(report.is_intact(), "{report:?}");
    let segments = (1..).take_while(|number| segment(&folder, *number).exists()).count() as u64;
    assert!(segments > 4, "{segments}");
    assert_eq!(report.records(), 20 + segments);
    for number in 2..=segments {
        assert!(lines(&segment(&folder, number))[0].contains(r#""activity_name":"Rotate""#));
    }
    assert_eq!(ids(&folder).len(), 20);
}

#[tokio::test]
async fn several_writers_have_a_chain_each() {
    let (_parent, folder) = folder();
    let one = FileTrail::at(&folder, writer("service-1"), PRODUCT, key()).open().await.unwrap();
    let other = FileTrail::at(&folder, writer("command"), PRODUCT, key()).open().await.unwrap();
    for number in 0..5 {
        one.append_durable(&event(&format!("s{number}"))).await.unwrap();
        other.append_durable(&event(&format!("c{number}"))).await.unwrap();
    }
    let report = verify(&folder);
    assert!(report.is_intact());
    let names: Vec<_> = report.writers.iter().map(|writer| writer.writer.as_str()).collect();
    assert_eq!(names, ["command", "service-1"]);
    assert_eq!(report.records(), 12);
}

#[tokio::test]
async fn two_writers_of_one_name_are_refused() {
    let (_parent, folder) = folder();
    let first = open(&folder).await;
    let error = builder(&folder).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains("`w`"), "{error}");
    drop(first);
    open(&folder).await;
}

/// Counts batches: each keeps one anchor.
#[derive(Debug, Default)]
struct Counting(AtomicU64);

#[async_trait]
impl AnchorStore for Counting {
    async fn keep(&self, _anchor: &Anchor) -> Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn last(&self, _writer: &WriterName) -> Result<Option<Anchor>> {
        Ok(None)
    }
}

/// Many at once: each four events, one after the other.
async fn write_at_once(trail: &FileTrail, writers: u64) {
    let writers = (0..writers).map(|writer| async move {
        for number in 0..4 {
            trail.append_durable(&event(&format!("t{writer}-{number}"))).await.unwrap();
        }
    });
    futures_util::future::join_all(writers).await;
}

/// On one thread most that are woken queue their next event before a batch that ended is followed; how
/// many do depends on how fast the disk is.
#[tokio::test]
async fn what_is_written_at_once_goes_to_the_disk_together() {
    let (_parent, folder) = folder();
    let batches = Arc::new(Counting::default());
    let trail = builder(&folder).anchors(batches.clone()).open().await.unwrap();
    write_at_once(&trail, 64).await;
    let report = verify(&folder);
    assert!(report.is_intact());
    assert_eq!(report.records(), 257);
    let batches = batches.0.load(Ordering::SeqCst);
    assert!(batches < 128, "{batches} batches for 256 events");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_several_threads_write_at_once_is_all_there() {
    let (_parent, folder) = folder();
    let trail = builder(&folder).open().await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let trail = trail.clone();
            tokio::spawn(async move { write_at_once(&trail, 8).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let report = verify(&folder);
    assert!(report.is_intact());
    assert_eq!(report.records(), 257);
}

/// Whoever gives up must not take the others' events along.
#[tokio::test]
async fn a_writer_that_is_cancelled_harms_nobody() {
    let (_parent, folder) = folder();
    let trail = open(&folder).await;
    for round in 0..50_u32 {
        let (one, other) = (event(&format!("one{round}")), event(&format!("other{round}")));
        let kept = trail.append_durable(&other);
        let given_up = tokio::time::timeout(
            Duration::from_micros(u64::from(round) * 20),
            trail.append_durable(&one),
        );
        let (_, kept) = tokio::join!(given_up, kept);
        kept.unwrap();
        // Alone, and given up at its first wait.
        let alone = event("alone");
        let mut alone = Box::pin(trail.append_durable(&alone));
        let _ = futures_util::FutureExt::now_or_never(&mut alone);
        drop(alone);
    }
    trail.flush().await.unwrap();
    drop(trail);
    let report = verify(&folder);
    assert!(report.is_intact(), "{report:?}");
    let found = ids(&folder);
    assert!((0..50).all(|round| found.contains(&format!("other{round}"))));
    assert_eq!(found.iter().filter(|id| *id == "alone").count(), 50, "the next one took it along");
}

/// Panics once.
#[derive(Debug, Default)]
struct Panicking(AtomicU64);

#[async_trait]
impl AnchorStore for Panicking {
    async fn keep(&self, _anchor: &Anchor) -> Result<()> {
        assert!(self.0.fetch_add(1, Ordering::SeqCst) > 0, "a fault of the store");
        Ok(())
    }

    async fn last(&self, _writer: &WriterName) -> Result<Option<Anchor>> {
        Ok(None)
    }
}

#[tokio::test]
async fn a_store_of_anchors_that_panics_harms_only_its_batch() {
    let (_parent, folder) = folder();
    let store = Arc::new(Panicking::default());
    let trail = builder(&folder).anchors(store).open().await.unwrap();
    let error = trail.append_durable(&event("unanchored")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Anchor, "{error:?}");
    trail.append_durable(&event("anchored")).await.unwrap();
    assert_eq!(ids(&folder), ["unanchored", "anchored"]);
}

/// Keeps everybody waiting until there is a permit.
#[derive(Debug)]
struct Hanging(tokio::sync::Semaphore);

#[async_trait]
impl AnchorStore for Hanging {
    async fn keep(&self, _anchor: &Anchor) -> Result<()> {
        let _permit = self.0.acquire().await.unwrap();
        Ok(())
    }

    async fn last(&self, _writer: &WriterName) -> Result<Option<Anchor>> {
        Ok(None)
    }
}

#[tokio::test]
async fn what_was_given_up_while_the_disk_hung_is_bounded_and_counted() {
    let (_parent, folder) = folder();
    let store = Arc::new(Hanging(tokio::sync::Semaphore::new(0)));
    let trail = builder(&folder).anchors(store.clone()).queue(20_000).open().await.unwrap();
    let (first, kept) = (trail.clone(), trail.clone());
    let first = tokio::spawn(async move { first.append_durable(&event("first")).await });
    while trail.head().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let kept = tokio::spawn(async move { kept.append_durable(&event("kept")).await });
    trail.append(&event("promised")).unwrap();
    tokio::task::yield_now().await;
    for _ in 0..1_000 {
        let given_up = event("given-up");
        let given_up = futures_util::FutureExt::now_or_never(trail.append_durable(&given_up));
        assert!(given_up.is_none());
        assert!(futures_util::FutureExt::now_or_never(trail.flush()).is_none());
    }
    let dropped = trail.dropped();
    assert!(dropped > 900, "{dropped}");
    store.0.add_permits(1);
    first.await.unwrap().unwrap();
    kept.await.unwrap().unwrap();
    trail.flush().await.unwrap();
    let found = ids(&folder);
    assert!(found.contains(&"kept".to_owned()) && found.contains(&"promised".to_owned()));
    assert_eq!(found.len() as u64 + dropped, 1_003, "what is not written is counted");
    assert!(verify(&folder).is_intact());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_waited_for_is_written_by_the_run_future() {
    let (_parent, folder) = folder();
    let trail = open(&folder).await;
    let running = tokio::spawn(trail.run(Duration::from_millis(100)));
    for number in 0..10 {
        trail.append(&event(&format!("e{number}"))).unwrap();
    }
    assert!(ids(&folder).is_empty());
    while ids(&folder).len() < 10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    trail.append(&event("last")).unwrap();
    drop(trail);
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    assert_eq!(ids(&folder).len(), 11, "what was taken along before is written");
    assert!(verify(&folder).is_intact());
}

#[tokio::test]
async fn what_is_dropped_is_said() {
    let (_parent, folder) = folder();
    let trail = builder(&folder).queue(4_000).open().await.unwrap();
    let results: Vec<_> = (0..100).map(|n| trail.append(&event(&format!("e{n}")))).collect();
    let taken = results.iter().filter(|result| result.is_ok()).count();
    assert!(taken > 2 && taken < 20, "{taken}");
    let error = results.into_iter().find_map(Result::err).unwrap();
    assert_eq!(error.kind(), ErrorKind::Overflow);
    assert_eq!(trail.dropped(), 100 - taken as u64);
    trail.append_durable(&event("last")).await.unwrap();
    assert_eq!((trail.dropped(), ids(&folder).len()), (0, taken + 1));
    let told = lines(&segment(&folder, 1)).into_iter().find(|line| line.contains("Drop")).unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["count"], 100 - taken as u64);
    assert_eq!((&told["class_uid"], &told["severity_id"]), (&1008.into(), &4.into()));
    assert!(verify(&folder).is_intact());
}

#[tokio::test]
async fn a_key_can_be_replaced() {
    let (_parent, folder) = folder();
    write(&folder, 2).await;
    let same = audit_log::ChainKey::from_hex("07".repeat(32).as_bytes()).unwrap();
    assert!(Verifier::new([same]).verify(&folder).unwrap().is_intact());
    let with_other = || FileTrail::at(&folder, writer("w"), PRODUCT, other_key());
    let error = with_other().open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    let trail = with_other().previous_key(key()).open().await.unwrap();
    trail.append_durable(&event("new")).await.unwrap();
    drop(trail);
    with_other().previous_key(key()).open().await.unwrap();
    let report = Verifier::new([other_key(), key()]).verify(&folder).unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.records(), ids(&folder).len()), (5, 3));
    assert!(lines(&segment(&folder, 2))[0].contains(r#""activity_name":"Rotate""#));
    assert!(!verify(&folder).is_intact());
}

#[tokio::test]
async fn anchors_are_kept_before_an_event_is_acknowledged() {
    let (parent, folder) = folder();
    let store = parent.path().join("anchors");
    fs::create_dir(&store).unwrap();
    let anchors = FileAnchors::new(&store);
    let trail = builder(&folder).anchors(Arc::new(anchors.clone())).open().await.unwrap();
    for number in 0..3 {
        trail.append_durable(&event(&format!("e{number}"))).await.unwrap();
        let anchor = anchors.last(&writer("w")).await.unwrap().unwrap();
        assert_eq!(Some(&anchor), trail.head().as_ref());
        assert_eq!(anchor.sequence, number + 2);
    }
    fs::remove_dir_all(&store).unwrap();
    let error = trail.append_durable(&event("unanchored")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Missing);
    assert!(ids(&folder).contains(&"unanchored".to_owned()), "it is written, and not promised");
    trail.append(&event("taken-along")).unwrap();
    trail.flush().await.unwrap_err();
    assert!(ids(&folder).contains(&"taken-along".to_owned()));
    assert_eq!(trail.dropped(), 0, "what is written was not dropped");
}

/// A clock that panics in the batch of one must not spoil it for the others.
#[tokio::test]
async fn a_clock_that_panics_costs_what_it_was_read_for() {
    let (_parent, folder) = folder();
    let is_broken = Arc::new(AtomicBool::new(false));
    let broken = Arc::clone(&is_broken);
    let clock = move || if broken.load(Relaxed) { panic!("no time") } else { noon() };
    let trail = builder(&folder).clock(clock).open().await.unwrap();
    trail.append_durable(&event("before")).await.unwrap();
    trail.append(&event("taken-along")).unwrap();
    is_broken.store(true, Relaxed);
    let error = trail.append_durable(&event("during")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(trail.append(&event("during")).is_err());
    trail.flush().await.unwrap_err();
    is_broken.store(false, Relaxed);
    trail.append_durable(&event("after")).await.unwrap();
    assert_eq!(ids(&folder), ["before", "after"]);
    assert_eq!(trail.dropped(), 0, "it was written down");
    let text = fs::read_to_string(segment(&folder, 1)).unwrap();
    assert!(text.contains(r#""count":2"#), "{text}");
}
