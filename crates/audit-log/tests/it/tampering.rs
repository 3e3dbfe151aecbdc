//! Somebody without the key touches the trail.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use audit_log::{AuditSink, ErrorKind, FileAnchors, FindingKind, Verifier};

use crate::support::*;

/// Five records in one segment; the first says that it began.
async fn five(folder: &Path) -> Vec<String> {
    write(folder, 4).await;
    let lines = lines(&segment(folder, 1));
    assert_eq!(lines.len(), 5);
    lines
}

fn put<L: AsRef<[u8]>>(folder: &Path, lines: impl IntoIterator<Item = L>) {
    let mut text = Vec::new();
    for line in lines {
        text.extend_from_slice(line.as_ref());
        text.push(b'\n');
    }
    fs::write(segment(folder, 1), text).unwrap();
}

/// Line and kind of all that is wrong with the one writer.
fn found(folder: &Path) -> Vec<(u64, FindingKind)> {
    let report = verify(folder);
    assert_eq!(report.writers.len(), 1);
    report.writers[0].findings.iter().map(|finding| (finding.line, finding.kind)).collect()
}

#[tokio::test]
async fn every_changed_byte_is_found_where_it_is() {
    let (_parent, folder) = folder();
    let lines = five(&folder).await;
    for (number, line) in lines.iter().enumerate() {
        for at in 0..line.len() {
            let mut changed: Vec<_> = lines.iter().map(|l| l.clone().into_bytes()).collect();
            changed[number][at] ^= 0x01;
            put(&folder, changed);
            let first = found(&folder).first().copied();
            let place = number as u64 + 1;
            let kind = FindingKind::Altered { expected: place };
            match first {
                // Of the first record nothing can be told once its key is another.
                Some((0, FindingKind::UnknownKey)) if number == 0 => {}
                first => assert_eq!(first, Some((place, kind)), "line {number}, byte {at}"),
            }
        }
    }
}

#[tokio::test]
async fn a_record_that_is_taken_out_is_missed() {
    for out in 1..4 {
        let (_parent, folder) = folder();
        let mut lines = five(&folder).await;
        lines.remove(out);
        put(&folder, &lines);
        let sequence = out as u64 + 1;
        let kind = FindingKind::Missing { first: sequence, last: sequence };
        assert_eq!(found(&folder), [(sequence, kind)]);
        assert_eq!(verify(&folder).records(), 4);
        let error = builder(&folder).open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    }
}

#[tokio::test]
async fn records_that_change_places_are_found() {
    let (_parent, folder) = folder();
    let mut lines = five(&folder).await;
    lines.swap(2, 3);
    put(&folder, &lines);
    assert_eq!(found(&folder)[0], (3, FindingKind::Moved { sequence: 4 }));
}

#[tokio::test]
async fn a_record_that_is_there_twice_is_found() {
    let (_parent, folder) = folder();
    let mut lines = five(&folder).await;
    lines.insert(4, lines[1].clone());
    put(&folder, &lines);
    assert_eq!(found(&folder), [(5, FindingKind::Moved { sequence: 2 })]);
}

#[tokio::test]
async fn a_record_of_another_writer_or_segment_is_none_of_this_one() {
    let (_parent, folder) = folder();
    let (_other_parent, other) = crate::support::folder();
    let trail = builder(&other).max_segment(1).open().await.unwrap();
    for _ in 0..3 {
        trail.append_durable(&event("x")).await.unwrap();
    }
    let mut lines = five(&folder).await;
    lines[2] = crate::support::lines(&segment(&other, 2))[1].clone();
    put(&folder, &lines);
    assert_eq!(found(&folder)[0], (3, FindingKind::Altered { expected: 3 }));

    let name = audit_log::WriterName::new("somebody").unwrap();
    fs::copy(segment(&folder, 1), folder.join(format!("{name}.00000001.jsonl"))).unwrap();
    let report = verify(&folder);
    assert_eq!(report.writers[0].findings[0].kind, FindingKind::Altered { expected: 1 });
    assert_eq!(report.writers[0].records, 0);
}

#[tokio::test]
async fn a_trail_cut_at_its_end_is_found_by_its_anchor_alone() {
    let (parent, folder) = folder();
    let anchors = FileAnchors::new(parent.path());
    let trail = builder(&folder).anchors(Arc::new(anchors.clone())).open().await.unwrap();
    for number in 0..4 {
        trail.append_durable(&event(&format!("e{number}"))).await.unwrap();
    }
    drop(trail);
    let mut lines = lines(&segment(&folder, 1));
    lines.truncate(3);
    put(&folder, &lines);
    assert_eq!(found(&folder), [], "the chain itself is whole");
    let verifier = Verifier::new([key()]).with_anchors(anchors.read_all().unwrap());
    let report = verifier.verify(&folder).unwrap();
    let kind = FindingKind::Truncated { last: 3, anchored: 5 };
    assert_eq!(report.writers[0].findings[0].kind, kind);

    let builder = || builder(&folder).anchors(Arc::new(anchors.clone()));
    assert_eq!(builder().open().await.unwrap_err().kind(), ErrorKind::Truncated);
    let trail = builder().continue_after_damage().open().await.unwrap();
    trail.append_durable(&event("after")).await.unwrap();
    let text = fs::read_to_string(segment(&folder, 1)).unwrap();
    assert!(text.contains(r#""activity_name":"Lost""#), "{text}");

    fs::remove_file(segment(&folder, 1)).unwrap();
    let report = verifier.verify(&folder).unwrap();
    let kind = FindingKind::Truncated { last: 0, anchored: 5 };
    assert_eq!(report.writers[0].findings[0].kind, kind, "no file is left to tell of it");
}

/// Somebody who has the key writes another trail.
#[tokio::test]
async fn a_trail_that_is_written_anew_is_found_by_its_anchor_alone() {
    let (parent, folder) = folder();
    let anchors = FileAnchors::new(parent.path());
    let trail = builder(&folder).anchors(Arc::new(anchors.clone())).open().await.unwrap();
    trail.append_durable(&event("true")).await.unwrap();
    drop(trail);
    fs::remove_dir_all(&folder).unwrap();
    let trail = open(&folder).await;
    for _ in 0..3 {
        trail.append_durable(&event("false")).await.unwrap();
    }
    drop(trail);
    assert!(verify(&folder).is_intact());
    let verifier = Verifier::new([key()]).with_anchors(anchors.read_all().unwrap());
    let report = verifier.verify(&folder).unwrap();
    let kind = FindingKind::Rewritten { sequence: 2 };
    assert_eq!(report.writers[0].findings[0].kind, kind);
    let error = builder(&folder).anchors(Arc::new(anchors)).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
}

#[tokio::test]
async fn segments_that_are_taken_away_are_missed() {
    let (_parent, folder) = folder();
    let trail = builder(&folder).max_segment(1).open().await.unwrap();
    for number in 0..5 {
        trail.append_durable(&event(&format!("e{number}"))).await.unwrap();
    }
    drop(trail);
    // Two records each: that of the rotation and the event's.
    for (out, missing) in [(1, (1, 2)), (3, (5, 6))] {
        let kept = fs::read(segment(&folder, out)).unwrap();
        fs::remove_file(segment(&folder, out)).unwrap();
        let (first, last) = missing;
        assert_eq!(found(&folder), [(1, FindingKind::Missing { first, last })]);
        fs::write(segment(&folder, out), kept).unwrap();
    }
    assert!(verify(&folder).is_intact());
}

#[tokio::test]
async fn a_wrong_key_verifies_nothing() {
    let (_parent, folder) = folder();
    write(&folder, 3).await;
    let report = Verifier::new([other_key()]).verify(&folder).unwrap();
    assert_eq!(report.writers[0].findings[0].kind, FindingKind::UnknownKey);
    assert_eq!((report.records(), report.is_intact()), (0, false));
    assert!(Verifier::new([other_key(), key()]).verify(&folder).unwrap().is_intact());
}

/// Somebody who knows how records look, and not the key, adds one.
#[tokio::test]
async fn a_record_that_is_made_up_is_found() {
    let (_parent, folder) = folder();
    let mut lines = five(&folder).await;
    let (_forged_parent, forged) = crate::support::folder();
    let forger = audit_log::FileTrail::at(&forged, writer("w"), PRODUCT, other_key());
    let forger = forger.clock(noon).open().await.unwrap();
    for _ in 0..5 {
        forger.append_durable(&event("forged")).await.unwrap();
    }
    lines.push(crate::support::lines(&segment(&forged, 1))[5].clone());
    put(&folder, &lines);
    assert_eq!(found(&folder), [(6, FindingKind::Altered { expected: 6 })]);
}

/// Somebody alters what was acknowledged, and the writer was told to go on all the same.
#[tokio::test]
async fn damage_that_a_writer_went_on_after_stays_a_fault() {
    let (_parent, folder) = folder();
    let mut lines = five(&folder).await;
    lines[2] = lines[2].replace("e1", "xx");
    put(&folder, &lines);
    let trail = builder(&folder).continue_after_damage().open().await.unwrap();
    trail.append_durable(&event("after")).await.unwrap();
    drop(trail);
    assert_eq!(found(&folder), [(3, FindingKind::LeftOut { first: 3, last: 5 })]);
    assert!(!verify(&folder).is_intact());
}

/// A second process gets the name of a writer that still runs.
#[tokio::test]
async fn a_lock_that_was_taken_away_does_not_hide_what_one_of_two_writers_wrote() {
    let (_parent, folder) = folder();
    let first = open(&folder).await;
    first.append_durable(&event("first")).await.unwrap();
    fs::remove_file(folder.join("w.lock")).unwrap();
    let second = open(&folder).await;
    for _ in 0..2 {
        second.append_durable(&event("second")).await.unwrap();
    }
    first.append_durable(&event("first")).await.unwrap();
    assert_eq!(found(&folder), [(3, FindingKind::LeftOut { first: 3, last: 4 })]);
}

/// The names of keys are no secret: an older one stands in the older segments.
#[tokio::test]
async fn an_opening_that_is_given_the_name_of_an_older_key_is_damage() {
    let (_parent, folder) = folder();
    write(&folder, 2).await;
    let with_other =
        || audit_log::FileTrail::at(&folder, writer("w"), PRODUCT, other_key()).previous_key(key());
    let trail = with_other().open().await.unwrap();
    for _ in 0..3 {
        trail.append_durable(&event("new")).await.unwrap();
    }
    drop(trail);
    let name_of = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let (_, name) = text.split_once(r#""key":""#).unwrap();
        name.split_once('"').unwrap().0.to_owned()
    };
    let (old, new) = (name_of(&segment(&folder, 1)), name_of(&segment(&folder, 2)));
    let text = fs::read_to_string(segment(&folder, 2)).unwrap().replace(&new, &old);
    fs::write(segment(&folder, 2), text).unwrap();

    let error = with_other().open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let verifier = Verifier::new([other_key(), key()]);
    let report = verifier.verify(&folder).unwrap();
    let found = &report.writers[0].findings;
    assert_eq!(found[0].kind, FindingKind::Altered { expected: 4 });
    assert_eq!(found.len(), 1, "what follows is verified all the same: {report:?}");
    let trail = with_other().continue_after_damage().open().await.unwrap();
    trail.append_durable(&event("after")).await.unwrap();
    drop(trail);
    let report = verifier.verify(&folder).unwrap();
    let kind = FindingKind::LeftOut { first: 4, last: 7 };
    assert_eq!(report.writers[0].findings[0].kind, kind, "{report:?}");
}

#[tokio::test]
async fn a_writer_goes_on_after_a_segment_of_an_unknown_key_if_it_is_told_to() {
    let (_parent, folder) = folder();
    let trail = builder(&folder).max_segment(1).open().await.unwrap();
    for number in 0..2 {
        trail.append_durable(&event(&format!("e{number}"))).await.unwrap();
    }
    drop(trail);
    let text = fs::read_to_string(segment(&folder, 2)).unwrap();
    let (before, name) = text.split_once(r#""key":""#).unwrap();
    let (_, after) = name.split_once('"').unwrap();
    let text = format!(r#"{before}"key":"0123456789abcdef"{after}"#);
    fs::write(segment(&folder, 2), &text).unwrap();
    assert_eq!(builder(&folder).open().await.unwrap_err().kind(), ErrorKind::Damaged);
    let trail = builder(&folder).continue_after_damage().open().await.unwrap();
    trail.append_durable(&event("after")).await.unwrap();
    drop(trail);
    assert_eq!(fs::read_to_string(segment(&folder, 2)).unwrap(), text, "the evidence stays");
    assert_eq!(found(&folder), [(0, FindingKind::UnknownKey)]);
    assert_eq!(verify(&folder).records(), 4);
}
