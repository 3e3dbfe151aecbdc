//! What a write leaves of a file.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use secrets_core::{
    DeleteMode, Deleted, ErrorKind, Precondition, SecretProvider, SecretProviderExt, SecretValue,
    SetOptions, VersionInfo,
};
use secrets_local::dotenv::DotenvProvider;

use crate::support::{block_on, error, get, native, text, value};

use super::{Place, by_dotenvy};

async fn set(
    provider: &DotenvProvider,
    key: &str,
    to: &str,
    options: SetOptions,
) -> secrets_core::Result<VersionInfo> {
    provider.set_secret(&native(key), value(to), options).await
}

/// What becomes of a file when `A` is set to `new`.
#[test]
fn everything_but_the_value_stays() {
    let cases = [
        ("", "A='new'\n"),
        ("A=old\n", "A='new'\n"),
        ("A=old", "A='new'"),
        ("A=\n", "A='new'\n"),
        ("A='old'\n", "A='new'\n"),
        ("A=\"old\"\n", "A='new'\n"),
        ("# c\nA=old # why\n\nB=x\n", "# c\nA='new' # why\n\nB=x\n"),
        ("A='o # d' # why # else\n", "A='new' # why # else\n"),
        ("A=o#d # why\n", "A='new' # why\n"),
        ("A=# why\n", "A='new' # why\n"),
        ("A=   # why\n", "A='new'   # why\n"),
        ("A=\t#why", "A='new'\t#why"),
        (" export  A = old \t\n", " export  A = 'new' \t\n"),
        ("A='o\nl\nd'\nB=x\n", "A='new'\nB=x\n"),
        ("A=\"o\r\nd\" # c\r\nB=x\r\n", "A='new' # c\r\nB=x\r\n"),
        ("\u{feff}A=old\n", "\u{feff}A='new'\n"),
        ("B=x\n", "B=x\nA='new'\n"),
        ("B=x", "B=x\nA='new'\n"),
        ("B=x\r\n", "B=x\r\nA='new'\r\n"),
        ("B=x\r\n# end", "B=x\r\n# end\r\nA='new'\r\n"),
        ("A=first\nB=x\nA=last\n", "A=first\nB=x\nA='new'\n"),
        ("B=$A\nA=old\nC=${A}\n", "B=$A\nA='new'\nC=${A}\n"),
        ("A=\\\\\\ \\' # c\n", "A='new' # c\n"),
        ("A=old\u{a0}\n", "A='new'\u{a0}\n"),
    ];
    for (before, after) in cases {
        let place = Place::new(before);
        block_on(async {
            let provider = place.provider();
            set(&provider, "A", "new", SetOptions::new()).await.unwrap();
            assert_eq!(place.text(), after, "{before:?}");
            assert_eq!(text(&provider, &native("A")).await, "new");
        });
    }
}

#[test]
fn values_are_written_between_single_quotes() {
    let cases = [
        ("", "''"),
        ("plain", "'plain'"),
        ("two\nlines\r\n", "'two\nlines\r\n'"),
        ("$HOME `id` $(id) \"!\" # ~", "'$HOME `id` $(id) \"!\" # ~'"),
        ("it's", r"'it'\''s'"),
        ("'", r"\'"),
        (r"\", r"\\"),
        (r"a\b\", r"'a\b'\\"),
        (r"a\'b", r"'a'\\\''b'"),
        ("\u{feff}\u{e000}\u{202e}", "'\u{feff}\u{e000}\u{202e}'"),
    ];
    for (value, quoted) in cases {
        let place = Place::new("");
        block_on(set(&place.provider(), "A", value, SetOptions::new())).unwrap();
        assert_eq!(place.text(), format!("A={quoted}\n"));
        let read = by_dotenvy(&place.text()).unwrap();
        assert_eq!(read, [("A".to_owned(), value.to_owned())]);
    }
}

/// A shell is the other program that reads such files.
#[test]
fn a_shell_reads_the_same_and_runs_nothing() {
    let values = [
        "plain",
        "it's",
        "\\",
        "\\'\\\\''",
        "a\nb\\\n",
        "$HOME",
        "`touch run`",
        "$(touch run)",
        "\"; touch run; \"",
        "'; touch run; '",
        "#x",
        " #x ",
        "é\u{1f512}",
        "!!",
        "~",
        "*",
        "\t",
        "a\rb",
        "\\n",
        "\\\n",
    ];
    let place = Place::new("");
    let provider = place.provider();
    let mut script = "set -e; cd \"$1\"; . ./.env; printf '%s\\0'".to_owned();
    for (index, value) in values.iter().enumerate() {
        block_on(set(&provider, &format!("K{index}"), value, SetOptions::new())).unwrap();
        script.push_str(&format!(" \"$K{index}\""));
    }
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", &script, "sh"]).arg(place.folder.path()).output().unwrap();
    let read = String::from_utf8(output.stdout).unwrap();
    let read: Vec<&str> = read.split_terminator('\0').collect();
    assert_eq!(read, values);
    assert!(!place.folder.path().join("run").exists());
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    let place = Place::new("A=old\n");
    let provider = place.provider();
    let binary = SecretValue::copy_from_slice(&[0xff, 0]);
    let large = SecretValue::from_vec(vec![b'x'; (1 << 20) + 1]);
    let largest = SecretValue::from_vec(vec![b'x'; 1 << 20]);
    block_on(async {
        for (value, kind) in [(binary, ErrorKind::InvalidValue), (large, ErrorKind::TooLarge)] {
            let refused = provider.set_secret(&native("A"), value, SetOptions::new()).await;
            assert_eq!(refused.unwrap_err().kind(), kind);
        }
        assert_eq!(place.text(), "A=old\n");
        provider.set_secret(&native("A"), largest, SetOptions::new()).await.unwrap();
        assert_eq!(text(&provider, &native("A")).await.len(), 1 << 20);
    });
}

#[test]
fn a_comment_that_holds_the_lines_behind_it_is_not_touched() {
    // dotenvy takes the quote in the comment for an open one, so `B` is a part of this comment.
    let file = "A=#don't\nB=x'\nC=x\n";
    let place = Place::new(file);
    let provider = place.provider();
    assert_eq!(by_dotenvy(file).unwrap().len(), 2);
    block_on(async {
        let error = set(&provider, "A", "new", SetOptions::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        assert_eq!(place.text(), file);
        // It can be taken away as a whole.
        provider.delete_secret(&native("A"), DeleteMode::Immediate).await.unwrap();
        assert_eq!(place.text(), "C=x\n");
    });
}

#[test]
fn a_deletion_takes_every_entry_of_the_key_and_nothing_else() {
    let cases = [
        ("A=1\n", ""),
        ("A=1", ""),
        ("# c\nA=1 # with it\n\nB=2\n", "# c\n\nB=2\n"),
        ("A=1\nB=2\nA='3\n4'\n", "B=2\n"),
        ("B=2\nA=1", "B=2\n"),
        ("\u{feff}A=1\r\nB=2\r\n", "\u{feff}B=2\r\n"),
    ];
    for (before, after) in cases {
        let place = Place::new(before);
        let provider = place.provider();
        block_on(async {
            let a = native("A");
            let gone = provider.delete_secret(&a, DeleteMode::Immediate).await.unwrap();
            assert_eq!(gone, Deleted::Gone);
            assert_eq!(place.text(), after, "{before:?}");
            assert_eq!(error(&provider, &a).await.kind(), ErrorKind::NotFound);
            let again = provider.delete_secret(&a, DeleteMode::Immediate).await.unwrap_err();
            assert_eq!(again.kind(), ErrorKind::NotFound);
        });
    }
}

#[test]
fn a_value_that_is_there_already_is_not_written_again() {
    let place = Place::new("A=\"same\" # c\n");
    let provider = place.provider();
    block_on(async {
        let before = get(&provider, &native("A")).await.unwrap().version;
        let number = std::fs::metadata(place.path()).unwrap().ino();
        let written = set(&provider, "A", "same", SetOptions::new()).await.unwrap();
        assert_eq!(written, before);
        assert_eq!(std::fs::metadata(place.path()).unwrap().ino(), number);
        assert_eq!(place.text(), "A=\"same\" # c\n");
    });
}

#[test]
fn the_version_of_a_write_is_that_of_the_next_read() {
    let place = Place::new("");
    let provider = place.provider();
    block_on(async {
        let written = provider.put_text("a", "new").await.unwrap();
        assert_eq!(get(&provider, &native("A")).await.unwrap().version, written);
    });
}

#[test]
fn preconditions_are_checked_on_the_file_as_it_is() {
    let place = Place::new("A=1\nB=$UNKNOWN\n");
    let provider = place.provider();
    let when = |precondition| SetOptions::new().when(precondition);
    block_on(async {
        let first = get(&provider, &native("A")).await.unwrap().version.id;
        let absent = set(&provider, "A", "2", when(Precondition::Absent)).await.unwrap_err();
        assert_eq!(absent.kind(), ErrorKind::AlreadyExists);
        std::fs::write(place.path(), "A=foreign\n").unwrap();
        let current = when(Precondition::CurrentIs(first.clone()));
        let stale = set(&provider, "A", "2", current.clone()).await.unwrap_err();
        assert_eq!(stale.kind(), ErrorKind::Conflict);
        // The same value has the same version, whoever wrote it.
        std::fs::write(place.path(), "A=\"1\"\n").unwrap();
        set(&provider, "A", "2", current.clone()).await.unwrap();
        let other = set(&provider, "C", "2", current).await.unwrap_err();
        assert_eq!(other.kind(), ErrorKind::Conflict);
        assert_eq!(place.text(), "A='2'\n");
    });
}
