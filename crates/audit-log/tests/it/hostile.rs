//! Folders and files that are not what they should be.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use audit_log::{AuditSink, ChainKey, Code, ErrorKind, Id, InvalidId, Verifier, WriterName};

use crate::support::*;

#[tokio::test]
async fn files_of_others_in_the_folder_are_left_alone_and_named() {
    let (_parent, folder) = folder();
    write(&folder, 1).await;
    let foreign = ["notes.txt", "w.1.jsonl", "w.000000001.jsonl", "W.00000001.jsonl", "x.jsonl"];
    for name in foreign {
        fs::write(folder.join(name), "whatever\n").unwrap();
    }
    let report = verify(&folder);
    assert!(report.is_intact());
    let named: Vec<_> =
        report.foreign.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
    let mut expected = foreign.to_vec();
    expected.sort_unstable();
    assert_eq!(named, expected);
    write(&folder, 1).await;
}

#[tokio::test]
async fn lines_of_any_length_and_content_are_survived() {
    let (_parent, folder) = folder();
    write(&folder, 1).await;
    let good = fs::read(segment(&folder, 1)).unwrap();
    let deep = [b"[".repeat(100_000), b"\n".to_vec()].concat();
    let long = [vec![b'x'; 40 << 20], b"\n".to_vec()].concat();
    for bad in [b"\n".to_vec(), b"{}\n".to_vec(), vec![0xff; 10_000], deep, long, vec![0; 1 << 20]]
    {
        fs::write(segment(&folder, 1), [good.clone(), bad].concat()).unwrap();
        let report = verify(&folder);
        assert_eq!(report.records(), 2);
        assert!(report.writers[0].faults + report.writers[0].leftovers == 1, "{report:?}");
    }
}

#[tokio::test]
async fn what_is_no_folder_is_refused() {
    let (parent, folder) = folder();
    fs::write(&folder, "a file").unwrap();
    assert_eq!(builder(&folder).open().await.unwrap_err().kind(), ErrorKind::Configuration);
    let nowhere = parent.path().join("no/such/parent");
    assert_eq!(builder(&nowhere).open().await.unwrap_err().kind(), ErrorKind::Missing);
    assert_eq!(Verifier::new([key()]).verify(&nowhere).unwrap_err().kind(), ErrorKind::Missing);
}

#[tokio::test]
async fn a_pipe_in_the_place_of_a_segment_keeps_nobody_waiting() {
    let (_parent, folder) = folder();
    write(&folder, 1).await;
    let pipe = segment(&folder, 2);
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = Verifier::new([key()]).verify(&folder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
    assert!(builder(&folder).open().await.is_err());
    assert!(audit_log::Entries::read(&folder).unwrap().any(|entry| entry.is_err()));
}

#[tokio::test]
async fn a_segment_of_the_highest_number_is_reported_and_not_wrapped_around() {
    let (_parent, folder) = folder();
    write(&folder, 1).await;
    fs::write(segment(&folder, u64::MAX), "").unwrap();
    let trail = builder(&folder).open().await.unwrap();
    let error = trail.append_durable(&event("after")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error:?}");
    drop(trail);
    fs::remove_file(segment(&folder, u64::MAX)).unwrap();
    write(&folder, 1).await;
    assert!(verify(&folder).is_intact());
}

#[tokio::test]
async fn what_is_made_is_for_its_owner_alone() {
    let (_parent, folder) = folder();
    write(&folder, 1).await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&segment(&folder, 1))), (0o700, 0o600));
    assert_eq!(mode(&folder.join("w.lock")), 0o600);
}

#[test]
fn names_keys_and_ids_have_rules() {
    for name in ["", "a b", "../x", "A", "ä", &"x".repeat(65)] {
        assert_eq!(WriterName::new(name).unwrap_err().kind(), ErrorKind::Configuration, "{name}");
    }
    for len in [0, 16, 31, 33, 64] {
        assert_eq!(
            ChainKey::from_slice(&vec![0; len]).unwrap_err().kind(),
            ErrorKind::Configuration
        );
    }
    for digits in ["", "07", &"07".repeat(33), &"0A".repeat(32), &"0 ".repeat(32), &"é".repeat(32)]
    {
        let error = ChainKey::from_hex(digits.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{digits}");
        assert!(digits.is_empty() || !error.to_string().contains(digits));
    }
    assert_eq!(Id::new(""), Err(InvalidId::Empty));
    assert_eq!(Id::new(&"x".repeat(1025)), Err(InvalidId::TooLong));
    let unfit = ["two words", "line\n", "\u{202e}evil", "zero\u{200b}width", "nul\0", "tab\t"];
    for id in unfit {
        assert_eq!(Id::new(id), Err(InvalidId::Character), "{id:?}");
    }
    assert_eq!(
        Id::new("arn:aws:secretsmanager:…/ключ").unwrap().as_str(),
        "arn:aws:secretsmanager:…/ключ"
    );
    assert_eq!(format!("{:?}", key()), "ChainKey([REDACTED])");
}

#[test]
#[should_panic(expected = "lower-case")]
fn a_code_made_at_run_time_is_checked_too() {
    let _ = Code::new("Not A Code");
}

/// Seeds for the fuzzer are made by the library itself, so they must stay readable by it.
#[tokio::test]
async fn seeds_of_the_fuzzer_are_what_they_say() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/audit_segment");
    for (name, records, faults, leftovers) in
        [("whole", 4, 0, 0), ("torn", 3, 0, 1), ("altered", 3, 1, 0), ("missing", 3, 1, 0)]
    {
        let (_parent, folder) = folder();
        fs::create_dir(&folder).unwrap();
        fs::copy(format!("{seeds}/{name}"), segment(&folder, 1)).unwrap();
        let report = verify(&folder);
        let writer = &report.writers[0];
        let found = (writer.records, writer.faults, writer.leftovers);
        assert_eq!(found, (records, faults, leftovers), "{name}: {report:?}");
    }
}
