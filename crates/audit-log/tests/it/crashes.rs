//! The process, the machine or the disk gives up in the middle of a write.

use std::fs;
use std::path::Path;

use audit_log::{AuditSink, ErrorKind, FindingKind};

use crate::support::*;

/// What is left when the last write was cut after `len` bytes.
fn cut(folder: &Path, whole: &[u8], len: usize) {
    let _ = fs::remove_file(segment(folder, 2));
    fs::write(segment(folder, 1), &whole[..len]).unwrap();
}

/// Everything that was acknowledged is there, the trail verifies before and after the restart, and
/// the restart goes on.
async fn recovers(folder: &Path, acknowledged: usize, what: &str) {
    let before = verify(folder);
    assert!(before.is_intact(), "{what}: {before:?}");
    let trail = builder(folder).open().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    trail.append_durable(&event("after")).await.unwrap();
    drop(trail);
    let report = verify(folder);
    assert!(report.is_intact(), "{what}: {report:?}");
    let found = ids(folder);
    for number in 0..acknowledged {
        assert!(found.contains(&format!("e{number}")), "{what}: e{number} is lost");
    }
    assert_eq!(found.last().unwrap(), "after");
}

#[tokio::test]
async fn killed_at_every_byte_of_a_write_nothing_acknowledged_is_lost() {
    let (_parent, folder) = folder();
    write(&folder, 2).await;
    let acknowledged = fs::read(segment(&folder, 1)).unwrap().len();
    write(&folder, 1).await;
    let whole = fs::read(segment(&folder, 1)).unwrap();
    for len in acknowledged..=whole.len() {
        cut(&folder, &whole, len);
        recovers(&folder, 2, &format!("{len} of {}", whole.len())).await;
        let is_torn = len > acknowledged && len < whole.len();
        assert_eq!(segment(&folder, 2).exists(), is_torn, "what is torn is not written on");
        assert_eq!(verify(&folder).writers[0].leftovers, u64::from(is_torn));
    }
}

#[tokio::test]
async fn killed_at_every_byte_of_the_first_write_the_trail_begins() {
    let (_parent, folder) = folder();
    write(&folder, 1).await;
    let whole = fs::read(segment(&folder, 1)).unwrap();
    for len in 0..whole.len() {
        cut(&folder, &whole, len);
        let _ = fs::remove_file(segment(&folder, 3));
        recovers(&folder, 0, &format!("{len} of {}", whole.len())).await;
    }
}

/// A batch of many records is cut, or comes to the disk with a hole.
#[tokio::test]
async fn a_batch_that_came_to_the_disk_in_part_is_no_damage() {
    let (_parent, folder) = folder();
    write(&folder, 2).await;
    let acknowledged = fs::read(segment(&folder, 1)).unwrap().len();
    let trail = open(&folder).await;
    for number in 0..20 {
        trail.append(&event(&format!("batch{number}"))).unwrap();
    }
    trail.flush().await.unwrap();
    drop(trail);
    let whole = fs::read(segment(&folder, 1)).unwrap();
    let step = (whole.len() - acknowledged) / 97;
    for len in (acknowledged..whole.len()).step_by(step) {
        cut(&folder, &whole, len);
        recovers(&folder, 2, &format!("cut at {len}")).await;
    }
    for begin in (acknowledged..whole.len() - 512).step_by(step) {
        let mut holed = whole.clone();
        holed[begin..begin + 512].fill(0);
        cut(&folder, &holed, holed.len());
        let trail = builder(&folder).open().await.unwrap();
        trail.append_durable(&event("after")).await.unwrap();
        drop(trail);
        assert!(verify(&folder).is_intact(), "hole at {begin}: {:?}", verify(&folder));
        assert!(ids(&folder).contains(&"e1".to_owned()));
    }
}

/// Before the last batch a crash leaves no hole.
#[tokio::test]
async fn a_hole_before_the_last_batch_is_damage() {
    let (_parent, folder) = folder();
    write(&folder, 6).await;
    let mut text = fs::read(segment(&folder, 1)).unwrap();
    let third = lines(&segment(&folder, 1))[..2].iter().map(|line| line.len() + 1).sum::<usize>();
    text[third + 40] = 0;
    fs::write(segment(&folder, 1), &text).unwrap();
    let error = builder(&folder).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.to_string().starts_with("line 3 of"), "{error}");
    assert_eq!(fs::read(segment(&folder, 1)).unwrap(), text, "nothing was touched");

    let trail = builder(&folder).continue_after_damage().open().await.unwrap();
    trail.append_durable(&event("after")).await.unwrap();
    drop(trail);
    assert_eq!(fs::read(segment(&folder, 1)).unwrap(), text, "the evidence stays");
    let report = verify(&folder);
    assert_eq!(report.writers[0].leftovers, 5);
    assert_eq!(ids(&folder).last().unwrap(), "after");
}

/// The opening tells the key and what it follows. To spoil it must not make the rest go away.
#[tokio::test]
async fn a_segment_whose_beginning_was_altered_is_damage() {
    let (_parent, folder) = folder();
    let trail = builder(&folder).max_segment(2_500).open().await.unwrap();
    for number in 0..6 {
        trail.append_durable(&event(&format!("e{number}"))).await.unwrap();
    }
    drop(trail);
    let newest = (1..).take_while(|number| segment(&folder, *number).exists()).last().unwrap();
    let path = segment(&folder, newest);
    assert!(newest > 1 && lines(&path).len() > 2);
    let mut text = fs::read(&path).unwrap();
    text[100] ^= 1;
    fs::write(&path, &text).unwrap();
    let error = builder(&folder).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let report = verify(&folder);
    let first = report.writers[0].findings[0].clone();
    assert_eq!((first.segment, first.line), (newest, 1));
    assert_eq!(report.writers[0].faults, 1, "what follows is verified all the same: {report:?}");
    let trail = builder(&folder).continue_after_damage().open().await.unwrap();
    trail.append_durable(&event("after")).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), text, "the evidence stays");
}

#[tokio::test]
async fn a_folder_that_is_taken_away_is_an_error_and_not_a_silent_loss() {
    let (_parent, folder) = folder();
    let trail = open(&folder).await;
    trail.append_durable(&event("before")).await.unwrap();
    let aside = folder.with_extension("aside");
    fs::rename(&folder, &aside).unwrap();
    let error = trail.append_durable(&event("nowhere")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Missing, "{error:?}");
    trail.append(&event("dropped")).unwrap();
    assert!(trail.flush().await.is_err());
    fs::rename(&aside, &folder).unwrap();
    trail.append_durable(&event("again")).await.unwrap();
    drop(trail);
    let report = verify(&folder);
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(ids(&folder), ["before", "again"]);
    let text = fs::read_to_string(segment(&folder, 2)).unwrap();
    assert!(text.contains(r#""activity_name":"Drop""#) && text.contains(r#""count":1"#), "{text}");
}

#[tokio::test]
async fn a_link_in_the_place_of_a_segment_is_not_written_through() {
    let (parent, folder) = folder();
    let trail = open(&folder).await;
    trail.append_durable(&event("before")).await.unwrap();
    let elsewhere = parent.path().join("elsewhere");
    fs::rename(segment(&folder, 1), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, segment(&folder, 1)).unwrap();
    trail.append_durable(&event("after")).await.unwrap();
    assert!(!fs::read_to_string(&elsewhere).unwrap().contains("after"));
    assert!(fs::read_to_string(segment(&folder, 2)).unwrap().contains("after"));
}

#[tokio::test]
async fn a_file_that_somebody_else_writes_to_is_not_written_on() {
    use std::io::Write;
    let (_parent, folder) = folder();
    let trail = open(&folder).await;
    trail.append_durable(&event("e0")).await.unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(segment(&folder, 1)).unwrap();
    file.write_all(b"a line of somebody else\n").unwrap();
    trail.append_durable(&event("e1")).await.unwrap();
    drop(trail);
    assert_eq!(ids(&folder), ["e0", "e1"]);
    let report = verify(&folder);
    assert!(report.is_intact(), "it stands behind the last record: {report:?}");
    assert_eq!(report.writers[0].leftovers, 1);
    fs::remove_file(segment(&folder, 2)).unwrap();
    let findings = verify(&folder).writers[0].findings.clone();
    assert_eq!(findings[0].kind, FindingKind::Altered { expected: 3 });
}
