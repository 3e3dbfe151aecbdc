//! Segments that were left are moved away, or deleted once they are old enough.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audit_log::{Anchor, AuditSink, FileTrail, FindingKind, Report, Verifier};
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use tempfile::TempDir;

use crate::support::*;

/// A trail of one segment for each record, and an empty folder beside it.
async fn segmented(events: u64) -> (TempDir, PathBuf, PathBuf) {
    let (parent, folder) = folder();
    let archive = parent.path().join("archive");
    fs::create_dir(&archive).unwrap();
    write_segments(&folder, events).await;
    (parent, folder, archive)
}

async fn write_segments(folder: &Path, events: u64) {
    let trail = builder(folder).max_segment(1).open().await.unwrap();
    for number in 0..events {
        trail.append_durable(&event(&format!("e{number}"))).await.unwrap();
    }
}

/// Moves what is finished, and gives the ends of it.
fn put_away(folder: &Path, archive: &Path) -> Vec<Anchor> {
    let report = verifier(archive).verify(folder).unwrap();
    assert!(report.is_intact());
    let mut ends = Vec::new();
    for segment in report.writers.iter().flat_map(|writer| writer.finished()) {
        ends.extend(segment.end.clone());
        if segment.path.starts_with(folder) {
            fs::rename(&segment.path, archive.join(segment.path.file_name().unwrap())).unwrap();
        }
    }
    ends
}

fn verifier(archive: &Path) -> Verifier {
    Verifier::new([key()]).with_archive(archive)
}

fn findings(report: &Report) -> Vec<(u64, FindingKind)> {
    let found = report.writers.iter().flat_map(|writer| &writer.findings);
    found.map(|finding| (finding.segment, finding.kind)).collect()
}

#[tokio::test]
async fn a_trail_goes_through_archive_and_folder() {
    let (_parent, folder, archive) = segmented(3).await;
    let whole = verify(&folder);
    put_away(&folder, &archive);
    assert_eq!(fs::read_dir(&archive).unwrap().count(), 2, "the newest stays");

    // The writer goes on where it was.
    write_segments(&folder, 2).await;
    let report = verifier(&archive).verify(&folder).unwrap();
    assert!(report.is_intact(), "{:?}", findings(&report));
    assert!(report.records() > whole.records());
    assert_eq!(report.writers[0].segments.len(), 5);

    put_away(&folder, &archive);
    assert_eq!(fs::read_dir(&archive).unwrap().count(), 4);
    assert!(verifier(&archive).verify(&folder).unwrap().is_intact());

    let alone = verify(&folder);
    let missing = |kind: &FindingKind| matches!(kind, FindingKind::Missing { first: 1, .. });
    assert!(missing(&findings(&alone)[0].1), "{:?}", findings(&alone));
}

#[tokio::test]
async fn what_is_altered_in_the_archive_is_found() {
    let (_parent, folder, archive) = segmented(3).await;
    put_away(&folder, &archive);
    let path = segment(&archive, 2);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("e1", "e9")).unwrap();
    let found = findings(&verifier(&archive).verify(&folder).unwrap());
    assert!(matches!(found[0], (2, FindingKind::Altered { .. })), "{found:?}");

    fs::remove_file(&path).unwrap();
    let found = findings(&verifier(&archive).verify(&folder).unwrap());
    assert!(matches!(found[0], (_, FindingKind::Missing { .. })), "{found:?}");
}

#[tokio::test]
async fn a_segment_in_two_places_is_told() {
    let (_parent, folder, archive) = segmented(3).await;
    fs::copy(segment(&folder, 1), segment(&archive, 1)).unwrap();
    let found = findings(&verifier(&archive).verify(&folder).unwrap());
    assert_eq!(found[0], (1, FindingKind::Twice));
}

#[tokio::test]
async fn the_rest_verifies_from_where_it_begins() {
    let (_parent, folder, archive) = segmented(4).await;
    let ends = put_away(&folder, &archive);
    let rest = |begin: &Anchor| Verifier::new([key()]).beginning_after([begin.clone()]);
    let newest = ends.last().unwrap();
    let report = rest(newest).verify(&folder).unwrap();
    assert!(report.is_intact() && report.records() > 0, "{:?}", findings(&report));
    // What is not deleted yet is not looked at.
    let report = rest(newest).with_archive(&archive).verify(&folder).unwrap();
    assert!(report.is_intact());

    // More was deleted than is told.
    let report = rest(&ends[0]).verify(&folder).unwrap();
    assert!(matches!(findings(&report)[0].1, FindingKind::Missing { .. }));
    // Another record stood there.
    let forged = newest.to_json().replace(&mac_of(newest), &mac_of(&ends[0]));
    let report = rest(&Anchor::from_json(&forged).unwrap()).verify(&folder).unwrap();
    let altered = FindingKind::Altered { expected: newest.sequence + 1 };
    assert_eq!(findings(&report)[0].1, altered);
}

fn mac_of(anchor: &Anchor) -> String {
    let json: serde_json::Value = serde_json::from_str(&anchor.to_json()).unwrap();
    json["mac"].as_str().unwrap().to_owned()
}

/// The end of a segment is the record that the chain goes on from, whatever a crash left behind it.
#[tokio::test]
async fn what_a_crash_left_is_no_end() {
    let (_parent, folder) = folder();
    write(&folder, 2).await;
    let last = verify(&folder).writers[0].last.clone().unwrap();
    let mut file = OpenOptions::new().append(true).open(segment(&folder, 1)).unwrap();
    file.write_all(b"{\"activity_id\":2,\"torn").unwrap();
    write(&folder, 1).await;

    let report = verify(&folder);
    assert!(report.is_intact());
    let finished = report.writers[0].finished();
    assert_eq!((finished.len(), finished[0].end.clone()), (1, Some(last.clone())));
    fs::remove_file(segment(&folder, 1)).unwrap();
    let verifier = Verifier::new([key()]).beginning_after([last]);
    assert!(verifier.verify(&folder).unwrap().is_intact());
}

/// The newest file may hold nothing yet, and the one before it is where the writer goes on.
#[tokio::test]
async fn the_newest_segment_with_records_is_not_finished() {
    let (_parent, folder) = folder();
    write(&folder, 1).await;
    fs::write(segment(&folder, 2), "").unwrap();
    assert!(verify(&folder).writers[0].finished().is_empty());
}

#[tokio::test]
async fn a_key_does_not_come_back() {
    let (_parent, folder) = folder();
    let under = |now, before: Option<_>| {
        let trail = FileTrail::at(&folder, writer("w"), PRODUCT, now).clock(noon);
        before.into_iter().fold(trail, |trail, key| trail.previous_key(key))
    };
    for (now, before) in [(key(), None), (other_key(), Some(key())), (key(), Some(other_key()))] {
        let trail = under(now, before).open().await.unwrap();
        trail.append_durable(&event("x")).await.unwrap();
    }
    let report = Verifier::new([other_key(), key()]).verify(&folder).unwrap();
    assert_eq!(findings(&report), [(3, FindingKind::OlderKey)]);
    // In the order in which they were in use, nothing is wrong with the first two.
    fs::remove_file(segment(&folder, 3)).unwrap();
    assert!(Verifier::new([other_key(), key()]).verify(&folder).unwrap().is_intact());
}

/// A record as who has a key makes it: the body of another one, at this place in the chain.
fn forge(body: &str, chain: &str, key: [u8; 32]) -> String {
    let (event, _) = body.split_once(r#""chain":{"#).unwrap();
    let sealed = format!(r#"{event}"chain":{{{chain}"#);
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(b"audit-log record v1\n");
    mac.update(sealed.as_bytes());
    let mac = mac.finalize().into_bytes();
    let mac: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(r#"{sealed},"mac":"{mac}"}}}}}}"#)
}

fn chain_of(line: &str) -> serde_json::Value {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line["unmapped"]["chain"].clone()
}

/// Who has a key that was replaced cuts off the end of a newer segment, and writes on in it.
#[tokio::test]
async fn an_older_key_does_not_take_over_a_segment() {
    let (_parent, folder) = folder();
    write(&folder, 1).await;
    let trail = FileTrail::at(&folder, writer("w"), PRODUCT, other_key()).previous_key(key());
    let trail = trail.open().await.unwrap();
    trail.append_durable(&event("new")).await.unwrap();
    trail.append_durable(&event("cut")).await.unwrap();
    drop(trail);
    let verifier = Verifier::new([other_key(), key()]);
    assert!(verifier.verify(&folder).unwrap().is_intact());

    let mut kept = lines(&segment(&folder, 2));
    let cut = chain_of(&kept.pop().unwrap());
    let (last, old) = (chain_of(kept.last().unwrap()), chain_of(&lines(&segment(&folder, 1))[0]));
    let chain = |opening: &str| {
        let (sequence, prev) = (&cut["sequence"], &last["mac"]);
        format!(
            r#""writer":"w","segment":2,"sequence":{sequence},"batch":{sequence}{opening},"prev":{prev}"#
        )
    };
    let opening = format!(r#","key":{},"after":{{"segment":1,"sequence":2}}"#, old["key"]);
    let expected = FindingKind::Altered { expected: cut["sequence"].as_u64().unwrap() };
    // The same made with the key in use verifies: the forger knows how.
    for (opening, key, found) in [
        (String::new(), [8; 32], vec![]),
        (String::new(), [7; 32], vec![(2, expected)]),
        (opening, [7; 32], vec![(2, expected)]),
    ] {
        let forged = forge(&kept[0], &chain(&opening), key);
        let text =
            kept.iter().chain([&forged]).fold(String::new(), |text, line| text + line + "\n");
        fs::write(segment(&folder, 2), text).unwrap();
        let report = verifier.verify(&folder).unwrap();
        assert_eq!(findings(&report), found, "{opening}");
    }
}

/// Anchors are not secret, and come from outside.
#[tokio::test]
async fn a_beginning_that_cannot_be_is_told_at_once() {
    let (_parent, folder, archive) = segmented(3).await;
    let ends = put_away(&folder, &archive);
    let newest = ends.last().unwrap();
    let at = |sequence: u64| {
        let was = format!(r#""sequence":{}"#, newest.sequence);
        let json = newest.to_json().replace(&was, &format!(r#""sequence":{sequence}"#));
        Anchor::from_json(&json).unwrap()
    };
    for sequence in [u64::MAX, u64::MAX - 1, 1 << 60] {
        let verifier = Verifier::new([key()]).beginning_after([at(sequence)]);
        let found = findings(&verifier.verify(&folder).unwrap());
        assert!(matches!(found[0].1, FindingKind::Moved { .. }), "{found:?}");
    }
    // It says another thing than what was anchored.
    let forged = newest.to_json().replace(&mac_of(newest), &mac_of(&ends[0]));
    let forged = Anchor::from_json(&forged).unwrap();
    let verifier = Verifier::new([key()]).with_anchors([newest.clone()]);
    let found = findings(&verifier.beginning_after([forged]).verify(&folder).unwrap());
    assert_eq!(found[0].1, FindingKind::Rewritten { sequence: newest.sequence });
}

/// How many records are missing does not matter to how long it takes to say so.
#[tokio::test]
async fn a_gap_of_any_size_is_told_at_once() {
    let (_parent, folder) = folder();
    write(&folder, 1).await;
    let mut kept = lines(&segment(&folder, 1));
    let last = chain_of(kept.last().unwrap());
    let chain = format!(
        r#""writer":"w","segment":1,"sequence":{0},"batch":{0},"prev":{1}"#,
        1_u64 << 60,
        last["mac"]
    );
    kept.push(forge(&kept[0], &chain, [7; 32]));
    fs::write(segment(&folder, 1), kept.join("\n") + "\n").unwrap();
    let missing = FindingKind::Missing { first: 3, last: (1 << 60) - 1 };
    let reading = tokio::task::spawn_blocking(move || findings(&verify(&folder)));
    let found = tokio::time::timeout(Duration::from_secs(60), reading).await;
    assert_eq!(found.expect("in time").unwrap(), [(1, missing)]);
}
