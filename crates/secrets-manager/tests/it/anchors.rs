//! Anchors of audit trails in a provider.

use std::sync::Arc;
use std::time::Duration;

use audit_log::{
    Action, Anchor, AnchorStore, AuditSink, ChainKey, Code, Entity, EntityActivity, ErrorKind,
    Event, FileTrail, Id, Product, Verifier, WriterName,
};
use secrets_core::memory::{Chance, Fault, FaultRule, Faults, Gate, MemoryProvider, Personality};
use secrets_core::{
    Operation, PageRequest, SecretName, SecretProvider, SecretProviderExt, SecretRef, VersionState,
};
use secrets_manager::ProviderAnchors;

use crate::support::{TokioSleep, noon, secs};

fn writer(name: &str) -> WriterName {
    WriterName::new(name).unwrap()
}

fn anchor_of(writer: &str, sequence: u64, mac: u8) -> Anchor {
    let mac = format!("{mac:02x}").repeat(32);
    let json = format!(
        r#"{{"writer":"{writer}","segment":{},"sequence":{sequence},"mac":"{mac}"}}"#,
        sequence / 10
    );
    Anchor::from_json(&json).unwrap()
}

fn anchor(sequence: u64) -> Anchor {
    anchor_of("billing-1", sequence, 7)
}

fn memory(personality: Personality) -> MemoryProvider {
    MemoryProvider::builder(personality).sleeper(Arc::new(TokioSleep)).build().unwrap()
}

fn over(provider: &MemoryProvider) -> ProviderAnchors {
    ProviderAnchors::new(provider.clone(), SecretName::new("audit/anchors").unwrap())
}

fn place() -> SecretRef {
    SecretName::new("audit/anchors/billing-1").unwrap().into()
}

/// Versions that still hold a value.
async fn versions(provider: &MemoryProvider) -> usize {
    let (mut count, mut page) = (0, PageRequest::first());
    loop {
        let listed = provider.list_versions(&place(), page).await.unwrap();
        count += listed.items.iter().filter(|v| v.state == VersionState::Enabled).count();
        match listed.next {
            Some(token) => page = PageRequest::after(token),
            None => return count,
        }
    }
}

async fn kept(provider: &MemoryProvider) -> Option<u64> {
    let last = over(provider).last(&writer("billing-1")).await.unwrap();
    last.map(|anchor| anchor.sequence)
}

#[tokio::test(start_paused = true)]
async fn the_newest_anchor_of_each_writer_is_kept_and_found_by_another_process() {
    for personality in Personality::ALL {
        let provider = memory(personality);
        let anchors = over(&provider);
        assert_eq!(anchors.last(&writer("billing-1")).await.unwrap(), None);
        for sequence in [1, 2, 3, 17] {
            anchors.keep(&anchor(sequence)).await.unwrap();
            assert_eq!(kept(&provider).await, Some(sequence), "{personality:?}");
        }
        anchors.keep(&anchor_of("other", 4, 1)).await.unwrap();
        provider.put_text("audit/anchors-of-others", "no anchor").await.unwrap();
        let mut all = over(&provider).read_all().await.unwrap();
        all.sort_by_key(|anchor| anchor.sequence);
        assert_eq!(all, [anchor_of("other", 4, 1), anchor(17)], "{personality:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn going_backwards_and_another_record_of_the_same_number_are_refused() {
    for personality in Personality::ALL {
        let provider = memory(personality);
        let anchors = over(&provider);
        anchors.keep(&anchor(5)).await.unwrap();
        anchors.keep(&anchor(5)).await.unwrap();
        // By the process that kept it, by one that has read it, and by one that has not.
        let other = over(&provider);
        other.last(&writer("billing-1")).await.unwrap();
        for store in [anchors, other, over(&provider)] {
            for wrong in [anchor(4), anchor_of("billing-1", 5, 8)] {
                let refused = store.keep(&wrong).await.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::Anchor);
            }
            store.keep(&anchor(5)).await.unwrap();
        }
        assert_eq!(kept(&provider).await, Some(5), "{personality:?}");
        assert_eq!(versions(&provider).await, 1, "{personality:?}: none was written twice");
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_process_kept_meanwhile_is_seen_before_it_is_replaced() {
    for personality in Personality::ALL {
        let provider = memory(personality);
        let (one, two) = (over(&provider), over(&provider));
        one.keep(&anchor(1)).await.unwrap();
        two.keep(&anchor(2)).await.unwrap();
        one.keep(&anchor(3)).await.unwrap();
        // What this one knows is 2: 9 stands there by now.
        over(&provider).keep(&anchor(9)).await.unwrap();
        let refused = two.keep(&anchor(4)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Anchor, "{personality:?}");
        assert_eq!(kept(&provider).await, Some(9), "{personality:?}");
        two.keep(&anchor(10)).await.unwrap();
        assert_eq!(kept(&provider).await, Some(10), "{personality:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn writers_that_cross_each_other_never_leave_an_earlier_anchor() {
    for personality in Personality::ALL {
        for seed in 0..60 {
            let provider = memory(personality);
            over(&provider).keep(&anchor(1)).await.unwrap();
            let delay = || FaultRule::new(Fault::Delay { min: secs(0), max: secs(2) });
            let mut crossing = Faults::seeded(seed).with(delay());
            for step in 1..8 {
                crossing = crossing.with(delay().step(step.try_into().unwrap()));
            }
            provider.inject(crossing).unwrap();
            let tasks: Vec<_> = (0..4)
                .map(|number| {
                    let anchors = over(&provider);
                    tokio::spawn(async move {
                        let mut most = 0;
                        for sequence in [10 + number, 20 + number, 30 + number] {
                            if anchors
                                .keep(&anchor_of("billing-1", sequence, number as u8))
                                .await
                                .is_ok()
                            {
                                most = sequence;
                            }
                        }
                        most
                    })
                })
                .collect();
            let mut most = 1;
            for task in tasks {
                most = most.max(task.await.unwrap());
            }
            provider.inject(Faults::none()).unwrap();
            let last = kept(&provider).await.unwrap();
            assert!(
                last >= most,
                "{personality:?} {seed}: {most} was acknowledged, {last} is kept"
            );
        }
    }
}

/// Azure and Google cannot keep a write from happening, only tell that it should not have.
#[tokio::test(start_paused = true)]
async fn a_further_anchor_that_was_written_over_is_put_back() {
    for personality in Personality::ALL {
        let mut crossed = 0;
        for step in 1..8 {
            let provider = memory(personality);
            let one = over(&provider);
            one.keep(&anchor(1)).await.unwrap();
            let five = anchor_of("billing-1", 5, 1);
            let pause = FaultRule::new(Fault::Delay { min: secs(1), max: secs(1) });
            let pause = pause.on(Operation::SetSecret).call(1).step(step.try_into().unwrap());
            provider.inject(Faults::seeded(1).with(pause)).unwrap();
            let (slow, ()) = tokio::join!(one.keep(&five), async {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let _ = over(&provider).keep(&anchor_of("billing-1", 9, 2)).await;
            });
            crossed += u32::from(slow.is_err());
            assert_eq!(kept(&provider).await, Some(9), "{personality:?}, step {step}");
        }
        assert!(crossed > 0, "{personality:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lost_requests_and_lost_replies_lose_and_repeat_nothing() {
    for personality in Personality::ALL {
        for fault in [Fault::LostReply, Fault::LostRequest, Fault::Unavailable] {
            let provider = memory(personality);
            let anchors = over(&provider);
            anchors.keep(&anchor(1)).await.unwrap();
            let once = FaultRule::new(fault.clone()).on(Operation::SetSecret).call(1);
            provider.inject(Faults::seeded(1).with(once)).unwrap();
            anchors.keep(&anchor(2)).await.unwrap();
            anchors.keep(&anchor(3)).await.unwrap();
            assert_eq!(kept(&provider).await, Some(3));
            let most = if personality == Personality::Google { 1 } else { 3 };
            assert_eq!(versions(&provider).await, most, "{personality:?} {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn under_any_faults_what_is_acknowledged_is_kept() {
    for personality in Personality::ALL {
        for seed in 0..40 {
            let provider = memory(personality);
            let mut faults = Faults::seeded(seed);
            for fault in [Fault::LostReply, Fault::LostRequest, Fault::Unavailable] {
                faults = faults.with(FaultRule::new(fault).chance(Chance::per_mille(150)));
            }
            provider.inject(faults).unwrap();
            let (anchors, mut acknowledged) = (over(&provider), 0);
            for sequence in 1..30 {
                if anchors.keep(&anchor(sequence)).await.is_ok() {
                    acknowledged = sequence;
                }
            }
            provider.inject(Faults::none()).unwrap();
            assert!(acknowledged > 0);
            assert!(kept(&provider).await.unwrap() >= acknowledged, "{personality:?} {seed}");
            anchors.keep(&anchor(31)).await.unwrap();
            assert_eq!(kept(&provider).await, Some(31));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn versions_do_not_pile_up_where_they_can_be_destroyed() {
    let provider = memory(Personality::Google);
    // What was left by who had no time to destroy it.
    for sequence in 1..6 {
        let value = anchor(sequence).to_json();
        provider.put_text("audit/anchors/billing-1", &value).await.unwrap();
    }
    let anchors = over(&provider);
    for sequence in 10..60 {
        anchors.keep(&anchor(sequence)).await.unwrap();
        assert_eq!(versions(&provider).await, 1);
    }
    // Not being able to destroy does not keep an anchor from being kept.
    let stuck = FaultRule::new(Fault::Unavailable).on(Operation::SetVersionState);
    provider.inject(Faults::seeded(1).with(stuck)).unwrap();
    anchors.keep(&anchor(60)).await.unwrap();
    assert_eq!((kept(&provider).await, versions(&provider).await), (Some(60), 2));
}

#[tokio::test(start_paused = true)]
async fn an_interval_bounds_the_versions_and_settling_keeps_the_last() {
    for personality in Personality::ALL {
        let provider = memory(personality);
        let anchors = over(&provider).with_interval(secs(600));
        for sequence in 1..=3600 {
            anchors.keep(&anchor(sequence)).await.unwrap();
            tokio::time::sleep(secs(1)).await;
        }
        let written = provider.calls(Operation::SetSecret);
        assert_eq!(written, 6, "{personality:?}: one in ten minutes");
        assert!(kept(&provider).await.unwrap() >= 3000);
        // Not yet kept, and still not to be gone back behind.
        assert!(anchors.keep(&anchor(3599)).await.is_err());
        anchors.settle().await.unwrap();
        anchors.settle().await.unwrap();
        assert_eq!(kept(&provider).await, Some(3600));
        assert_eq!(provider.calls(Operation::SetSecret), written + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_ends_in_time_and_holds_up_no_other_writer_for_longer() {
    let provider = memory(Personality::Aws);
    let anchors = Arc::new(over(&provider).with_timeout(secs(3)));
    anchors.keep(&anchor(1)).await.unwrap();
    let hang = FaultRule::new(Fault::Hang(Gate::new())).on(Operation::SetSecret).call(1);
    provider.inject(Faults::seeded(1).with(hang)).unwrap();
    let first = tokio::spawn({
        let anchors = Arc::clone(&anchors);
        async move { anchors.keep(&anchor(2)).await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let start = tokio::time::Instant::now();
    anchors.keep(&anchor_of("other", 1, 1)).await.unwrap();
    assert!(start.elapsed() < secs(1));
    first.await.unwrap().unwrap();
    assert_eq!(kept(&provider).await, Some(2), "tried again after the first was given up on");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_anchor_or_that_of_another_is_neither_believed_nor_replaced() {
    for personality in Personality::ALL {
        for text in ["not an anchor", "", &anchor_of("other", 1, 1).to_json()] {
            let provider = memory(personality);
            if provider.put_text("audit/anchors/billing-1", text).await.is_err() {
                continue;
            }
            let anchors = over(&provider);
            assert_eq!(
                anchors.last(&writer("billing-1")).await.unwrap_err().kind(),
                ErrorKind::Anchor
            );
            assert_eq!(anchors.keep(&anchor(5)).await.unwrap_err().kind(), ErrorKind::Anchor);
            let stays = provider.outside().read(&place()).unwrap();
            assert_eq!(stays.value.expose_secret(), text.as_bytes());
        }
    }
}

#[tokio::test]
async fn a_trail_whose_end_was_cut_off_is_told_by_the_anchor_in_the_provider() {
    for personality in Personality::ALL {
        let folder = tempfile::tempdir().unwrap();
        let provider = memory(personality);
        let key = || ChainKey::from_slice(&[7; 32]).unwrap();
        let open = || {
            let product = Product::new(Code::new("example"), Code::new("billing"));
            FileTrail::at(folder.path(), writer("billing-1"), product, key())
                .anchors(Arc::new(over(&provider)))
                .open()
        };
        let trail = open().await.unwrap();
        for _ in 0..5 {
            let secret = Entity::new(Code::new("secret"), Id::new("db").unwrap());
            let event = Event::new(Action::entity(EntityActivity::Read, secret), noon());
            trail.append_durable(&event).await.unwrap();
        }
        drop(trail);
        let anchors = over(&provider).read_all().await.unwrap();
        let verify =
            || Verifier::new([key()]).with_anchors(anchors.clone()).verify(folder.path()).unwrap();
        assert!(verify().is_intact(), "{personality:?}");

        let segment = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|e| e == "jsonl"))
            .unwrap();
        let text = std::fs::read_to_string(&segment).unwrap();
        let lines: Vec<_> = text.lines().collect();
        std::fs::write(&segment, format!("{}\n", lines[..lines.len() - 2].join("\n"))).unwrap();
        assert!(!verify().is_intact(), "{personality:?}");
        assert_eq!(open().await.unwrap_err().kind(), ErrorKind::Truncated, "{personality:?}");
    }
}

/// A later anchor was written though nobody heard of it: what an interval has held back is not written
/// over it, and it is not destroyed as if it were replaced.
#[tokio::test(start_paused = true)]
async fn an_anchor_that_was_written_unheard_stays() {
    for personality in Personality::ALL {
        let provider = memory(personality);
        let anchors = over(&provider).with_interval(secs(600));
        anchors.keep(&anchor(1)).await.unwrap();
        anchors.keep(&anchor(2)).await.unwrap();
        tokio::time::sleep(secs(601)).await;
        let faults = Faults::seeded(1)
            .with(FaultRule::new(Fault::LostReply).on(Operation::SetSecret))
            .with(FaultRule::new(Fault::Unavailable).on(Operation::GetSecret));
        provider.inject(faults).unwrap();
        assert!(anchors.keep(&anchor(3)).await.is_err(), "{personality:?}");
        provider.inject(Faults::seeded(1)).unwrap();
        assert!(anchors.settle().await.is_err(), "the second is behind what is kept");
        anchors.settle().await.unwrap();
        assert_eq!(kept(&provider).await, Some(3), "{personality:?}");
        anchors.keep(&anchor(3)).await.unwrap();
        assert_eq!(kept(&provider).await, Some(3), "{personality:?}");
        tokio::time::sleep(secs(601)).await;
        anchors.keep(&anchor(4)).await.unwrap();
        assert_eq!(kept(&provider).await, Some(4), "{personality:?}");
    }
}
