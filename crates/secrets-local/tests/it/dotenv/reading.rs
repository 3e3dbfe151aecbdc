//! What a `.env` file means.

use secrets_core::{ErrorKind, SecretFilter, SecretProvider, SecretProviderExt};
use secrets_local::dotenv::{DotenvConfig, DotenvProvider};

use crate::support::{
    block_on, bytes, error, get, listed, make_pipe, name, named, native, shows, text,
};

use super::{Place, by_dotenvy, provider};

const CANARY: &str = "canary-value-5be20a";

/// Checks each key of a file, by this reader and by dotenvy's own.
fn check(file: &str, expected: &[(&str, &str)]) {
    let theirs = by_dotenvy(file).unwrap_or_else(|| panic!("dotenvy refuses {file:?}"));
    let place = Place::new(file);
    block_on(async {
        for (key, value) in expected {
            let found = theirs.iter().rev().find(|(name, _)| name == key);
            assert_eq!(found.map(|(_, value)| &**value), Some(*value), "dotenvy on {file:?}");
            let found = text(&place.provider(), &native(key)).await;
            assert_eq!(found, *value, "{key} in {file:?}");
        }
        assert_eq!(listed(&place.provider()).await.len(), expected.len(), "{file:?}");
    });
}

#[test]
fn quotes_escapes_and_comments() {
    check("A=plain\n", &[("A", "plain")]);
    check("A='single $x \\n #'\n", &[("A", "single $x \\n #")]);
    check("A=\"double \\n \\\" \\$x \\\\ # '\"\n", &[("A", "double \n \" $x \\ # '")]);
    check("A='it'\\''s'\n", &[("A", "it's")]);
    check("A=with\\ blank\n", &[("A", "with blank")]);
    check("A=x#y # comment\n", &[("A", "x#y")]);
    check("# A=no\n  # B=no\n\nC=yes\n", &[("C", "yes")]);
    check("A=\nB=   \nC=  # nothing\nD=\"\"\n", &[("A", ""), ("B", ""), ("C", ""), ("D", "")]);
    check(" A = spaced \n\tB\t=\tx\t\n", &[("A", "spaced"), ("B", "x")]);
    check("a.b_C9=x\n_=y\n", &[("a.b_C9", "x"), ("_", "y")]);
}

#[test]
fn values_of_several_lines() {
    check("A='one\ntwo\n\n# three'\nB=x\n", &[("A", "one\ntwo\n\n# three"), ("B", "x")]);
    check("A=\"one\ntwo\"\nB=x\n", &[("A", "one\ntwo"), ("B", "x")]);
    check(
        "A='-----BEGIN KEY-----\nxyz=\n-----END KEY-----\n'\n",
        &[("A", "-----BEGIN KEY-----\nxyz=\n-----END KEY-----\n")],
    );
}

#[test]
fn export_is_a_word_before_a_key_or_a_key() {
    check("export A=x\nexport   B='y'\n", &[("A", "x"), ("B", "y")]);
    check("export=x\n", &[("export", "x")]);
}

#[test]
fn line_ends_of_both_kinds_and_a_byte_order_mark() {
    check("A=x\r\nB='y\r\nz'\r\n# c\r\nC=w", &[("A", "x"), ("B", "y\r\nz"), ("C", "w")]);
    check("\u{feff}A=x\n", &[("A", "x")]);
    // White space at the very end, which dotenvy refuses by itself.
    check("A=x ", &[("A", "x")]);
    check("A=x\n   ", &[("A", "x")]);
}

#[test]
fn the_last_entry_of_a_key_counts() {
    check("A=first\nB=x\nA=last\n", &[("A", "last"), ("B", "x")]);
}

#[test]
fn names_are_keys_in_capitals_under_the_prefix_or_mapped() {
    let place = Place::new("APP_DB_2FPASSWORD=1\nAPP_plain=2\nPG=3\nOTHER=4\n");
    let config = DotenvConfig::new(place.path()).with_prefix("APP_").map(name("pg"), "PG");
    let provider = DotenvProvider::new(config).unwrap();
    block_on(async {
        assert_eq!(text(&provider, &named("db/password")).await, "1");
        assert_eq!(text(&provider, &native("plain")).await, "2");
        assert_eq!(text(&provider, &named("pg")).await, "3");
        assert_eq!(error(&provider, &native("OTHER")).await.kind(), ErrorKind::NotFound);
        assert_eq!(listed(&provider).await, ["db/password", "native:plain", "pg"]);
    });
}

#[test]
fn what_is_no_key_is_refused_and_not_looked_for() {
    let place = Place::new("A=x\n");
    block_on(async {
        for id in ["A=", "1A", "A B", "A-B", "Ä", "A\\nB", "#A"] {
            let error = error(&place.provider(), &native(id)).await;
            assert_eq!(error.kind(), ErrorKind::InvalidName, "{id}");
        }
        // Without a prefix this would be a key that begins with a digit.
        assert_eq!(error(&place.provider(), &named("2fa")).await.kind(), ErrorKind::InvalidName);
    });
}

#[test]
fn an_entry_that_is_not_well_formed_is_told_by_its_line() {
    let cases = [
        (format!("A=x\nB={CANARY} {CANARY}\n"), 2),
        (format!("# c\n\nB='{CANARY}\nC=x\nD=y\n"), 3),
        (format!("A='x\ny'\n\n  \"{CANARY}\n"), 4),
        (format!("A=x\n{CANARY}\n"), 2),
        (format!("A=x\r\n9{CANARY}=x\r\n"), 2),
        (format!("A=\\q{CANARY}\n"), 1),
        (format!("A=x\nB=\"{CANARY}\\q\"\n"), 2),
    ];
    for (file, line) in cases {
        assert_eq!(by_dotenvy(&file), None, "{file:?}");
        let place = Place::new(&file);
        block_on(async {
            let provider = place.provider();
            let listing = provider.list_secrets(&SecretFilter::all(), Default::default()).await;
            let write = provider.put_text("a", "new").await;
            let errors =
                [error(&provider, &named("a")).await, listing.unwrap_err(), write.unwrap_err()];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::Integrity, "{file:?}");
                assert!(error.to_string().contains(&format!("line {line} of `")), "{error}");
                // dotenvy's own error has the line in it.
                assert!(!shows(&error, "canary"), "{error:?}");
            }
        });
        assert_eq!(place.text(), file);
    }
}

#[test]
fn dotenvys_own_error_shows_the_secret() {
    // What the test above guards against; if this fails, that one has lost its point.
    let file = format!("A={CANARY} x\n");
    let error = dotenvy::from_read_iter(file.as_bytes()).next().unwrap().unwrap_err();
    assert!(format!("{error} {error:?}").contains(CANARY));
}

#[test]
fn bytes_that_are_not_utf8_are_told_by_their_line() {
    for (file, line) in [(&b"A=\xff\n"[..], 1), (b"A=x\r\nB=y\n# \xc3(\n", 3), (b"\xef\xbb", 1)] {
        let place = Place::new(file);
        block_on(async {
            let error = error(&place.provider(), &named("a")).await;
            assert_eq!(error.kind(), ErrorKind::Integrity);
            let expected = format!("line {line} of `{}` is not UTF-8", place.path().display());
            assert!(error.to_string().ends_with(&expected), "{error}");
            assert!(place.provider().put_text("a", "x").await.is_err());
        });
        assert_eq!(std::fs::read(place.path()).unwrap(), file);
    }
}

#[test]
fn files_of_10_mib_are_read_and_larger_ones_refused() {
    const MIB_10: usize = 10 * 1024 * 1024;
    let filler = "#".repeat(63) + "\n";
    let mut file = filler.repeat(MIB_10 / 64 - 1);
    file.push_str(&format!("TOKEN='{}'\n", "x".repeat(64 - 9)));
    assert_eq!(file.len(), MIB_10);
    let place = Place::new(&file);
    block_on(async {
        assert_eq!(bytes(&place.provider(), &named("token")).await.len(), 55);
        // A write that would make it larger is refused, one that does not is made.
        let grown = place.provider().put_text("token", &"y".repeat(56)).await.unwrap_err();
        assert_eq!(grown.kind(), ErrorKind::TooLarge);
        assert_eq!(place.text(), file);
        place.provider().put_text("token", &"y".repeat(55)).await.unwrap();

        std::fs::write(place.path(), file.clone() + "#").unwrap();
        assert_eq!(error(&place.provider(), &named("token")).await.kind(), ErrorKind::TooLarge);
    });
}

#[test]
fn a_file_that_is_not_there_holds_no_secrets() {
    let place = Place::new("");
    let provider = provider(&place.folder.path().join("absent"));
    block_on(async {
        assert_eq!(error(&provider, &named("a")).await.kind(), ErrorKind::NotFound);
        assert_eq!(listed(&provider).await, [""; 0]);
    });
}

#[test]
fn what_is_not_a_file_is_refused_at_once() {
    let place = Place::new("");
    let at = |name: &str| place.folder.path().join(name);
    std::fs::create_dir(at("folder")).unwrap();
    make_pipe(&at("pipe"));
    std::os::unix::fs::symlink("loop", at("loop")).unwrap();
    block_on(async {
        for (file, kind) in [
            (at("folder"), ErrorKind::InvalidValue),
            (at("pipe"), ErrorKind::InvalidValue),
            ("/dev/zero".into(), ErrorKind::InvalidValue),
            (at("loop"), ErrorKind::Unavailable),
        ] {
            let provider = provider(&file);
            assert_eq!(error(&provider, &named("a")).await.kind(), kind, "{file:?}");
        }
        let error = provider(&at("pipe")).put_text("a", "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
    });
}

#[test]
fn a_version_belongs_to_its_entry() {
    let place = Place::new("A=1\nB=1\n");
    let provider = place.provider();
    block_on(async {
        let a = get(&provider, &named("a")).await.unwrap().version;
        let b = get(&provider, &named("b")).await.unwrap().version;
        assert_ne!(a.id, b.id);
        assert_eq!(a.created, std::fs::metadata(place.path()).unwrap().modified().unwrap());
        std::fs::write(place.path(), "# new\nB=2\nA='1'\n").unwrap();
        assert_eq!(get(&provider, &named("a")).await.unwrap().version.id, a.id);
        assert_ne!(get(&provider, &named("b")).await.unwrap().version.id, b.id);
    });
}

#[test]
fn nothing_that_is_printed_shows_a_value() {
    let place = Place::new(format!("A={CANARY}\n"));
    let provider = place.provider();
    block_on(async {
        let secret = get(&provider, &named("a")).await.unwrap();
        assert_eq!(secret.value.expose_secret(), CANARY.as_bytes());
        assert!(!format!("{secret:?} {provider:?} {provider:#?}").contains(CANARY));
    });
}
