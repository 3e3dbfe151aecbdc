//! What holds for every file and every value.

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;
use secrets_core::{DeleteMode, ErrorKind, SecretProvider, SetOptions};
use secrets_local::dotenv::{DotenvConfig, DotenvProvider, Substitution};

use crate::support::{block_on, get, native, value};

use super::{Place, by_dotenvy};

type Entries = Vec<(String, String)>;

/// Text of the pieces that mean something, so that they meet often.
fn soup(longest: usize) -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "A", "B", "=", "A=", "B=", "\nA=", "'", "\"", "\\", "#", " #", "  ", " ", "\n", "\r\n",
        "\r", "\t", "x", "9", "export ", "é", "\u{e000}", "\u{a0}", "\u{2028}", "\u{feff}", "\0",
        "{", "}", "0", "1",
    ];
    proptest::collection::vec(select(PIECES), 0..longest).prop_map(|pieces| pieces.concat())
}

/// The same with dollar signs, which dotenvy would look up in the environment.
fn armed_soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![3 => soup(4), 1 => select(&["$", "$A", "${A}", "\\$", "$$", "${"][..])
        .prop_map(str::to_owned)];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![armed_soup(), any::<String>(), soup(6).prop_map(|text| text.repeat(30))]
}

/// An entry whose value and surroundings are known.
#[derive(Debug, Clone)]
struct Known {
    key: &'static str,
    head: String,
    value: &'static str,
    tail: String,
}

impl Known {
    fn text(&self) -> String {
        format!("{}{}{}", self.head, self.value, self.tail)
    }
}

fn known() -> impl Strategy<Value = Known> {
    let keys = select(&["A", "B", "C", "D_E.f", "export"][..]);
    let heads = (select(&["", " ", "export ", "\texport\t"][..]), keys.clone());
    let spaces = select(&["", " ", "\t"][..]);
    let values = select(
        &["x", "'x'", "\"x\\n\"", "'a\nb'", "\"a\r\n# b\"", "x#y", r"a\ b", "'o'\\''s'", r"\\"][..],
    );
    let tails = select(&["", " ", " # c", "\t# it's \"", " #"][..]);
    let ends = select(&["\n", "\r\n"][..]);
    (heads, spaces.clone(), spaces, values, tails, ends).prop_map(
        |((export, key), before, behind, value, tail, end)| {
            // `export` alone before a key; as a key it stands by itself.
            let export = if key == "export" { "" } else { export };
            Known {
                key,
                head: format!("{export}{key}{before}={behind}"),
                value,
                tail: format!("{tail}{end}"),
            }
        },
    )
}

#[derive(Debug, Clone)]
enum Piece {
    Idle(&'static str),
    Entry(Known),
}

impl Piece {
    fn text(&self) -> String {
        match self {
            Self::Idle(text) => (*text).to_owned(),
            Self::Entry(entry) => entry.text(),
        }
    }
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let idle = select(&["\n", "# it's \"A=\n", "  \r\n", " #A=x\r\n", "#\n"][..]);
    let piece = prop_oneof![idle.prop_map(Piece::Idle), known().prop_map(Piece::Entry)];
    proptest::collection::vec(piece, 0..8)
}

fn reader(place: &Place) -> DotenvProvider {
    let config = DotenvConfig::new(place.path()).with_substitution(Substitution::Never);
    DotenvProvider::new(config).unwrap()
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() }
}

/// Of the entries of one key the last one.
fn last<'e>(entries: &'e Entries, key: &str) -> Option<&'e str> {
    entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| &**value)
}

/// The entries with one of them given another value, or one more.
fn with(mut entries: Entries, key: &str, value: &str) -> Entries {
    match entries.iter_mut().rev().find(|(name, _)| name == key) {
        Some((_, old)) => value.clone_into(old),
        None => entries.push((key.to_owned(), value.to_owned())),
    }
    entries
}

proptest! {
    #![proptest_config(config())]

    /// This reader and dotenvy agree on every text without a dollar sign.
    #[test]
    fn texts_are_read_as_dotenvy_reads_them(text in soup(24)) {
        let place = Place::new(&text);
        let provider = place.provider();
        block_on(async {
            let Some(entries) = by_dotenvy(&text) else {
                let error = crate::support::error(&provider, &native("A")).await;
                assert_eq!(error.kind(), ErrorKind::Integrity);
                return;
            };
            for key in ["A", "B", "x", "A9", "export"] {
                let read = get(&provider, &native(key)).await;
                match last(&entries, key) {
                    Some(value) => {
                        assert_eq!(read.unwrap().value.expose_secret(), value.as_bytes());
                    }
                    None => assert_eq!(read.unwrap_err().kind(), ErrorKind::NotFound),
                }
            }
        });
    }

    /// In a text of known pieces exactly the value is exchanged.
    #[test]
    fn a_write_changes_the_value_and_no_other_byte(
        pieces in pieces(),
        mark in select(&["", "\u{feff}"][..]),
        new in any_value(),
    ) {
        let text: String = pieces.iter().map(Piece::text).collect();
        let place = Place::new(format!("{mark}{text}"));
        let provider = reader(&place);
        let of_key = |piece: &Piece| matches!(piece, Piece::Entry(entry) if entry.key == "A");
        let position = pieces.iter().rposition(of_key);
        block_on(provider.set_secret(&native("A"), value(&new), SetOptions::new())).unwrap();
        let written = place.text();
        let (before, behind) = match position.map(|at| (at, &pieces[at])) {
            Some((at, Piece::Entry(entry))) => {
                let before: String = pieces[..at].iter().map(Piece::text).collect();
                let behind: String = pieces[at + 1..].iter().map(Piece::text).collect();
                (format!("{mark}{before}{}", entry.head), format!("{}{behind}", entry.tail))
            }
            _ => (format!("{mark}{text}A="), String::new()),
        };
        assert!(written.starts_with(&before), "{written:?} does not begin with {before:?}");
        assert!(written.ends_with(&behind), "{written:?} does not end with {behind:?}");
        assert!(written.len() >= before.len() + behind.len());
        assert_eq!(by_dotenvy(&written), by_dotenvy(&text).map(|old| with(old, "A", &new)));
    }

    /// In any text at all the write is as asked for, or refused.
    #[test]
    fn a_write_is_read_back_or_refused(text in soup(24), new in any_value()) {
        let place = Place::new(&text);
        let provider = reader(&place);
        let written =
            block_on(provider.set_secret(&native("A"), value(&new), SetOptions::new()));
        let old = by_dotenvy(&text);
        match written {
            Ok(_) => {
                let expected = old.map(|old| with(old, "A", &new));
                assert_eq!(by_dotenvy(&place.text()), expected);
                if last(&by_dotenvy(&text).unwrap(), "A").is_none() {
                    assert!(place.text().starts_with(&text));
                }
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Integrity);
                assert_eq!(place.text(), text);
                // Refused for what it is, or for a comment that holds a quote.
                assert!(old.is_none() || text.contains('#'), "{text:?}: {error}");
            }
        }
    }

    /// Dollar signs stay what they are around a write.
    #[test]
    fn a_write_among_dollar_signs(text in armed_soup(), new in any_value()) {
        let place = Place::new(&text);
        let provider = reader(&place);
        block_on(async {
            let before = get(&provider, &native("B")).await;
            let written = provider.set_secret(&native("A"), value(&new), SetOptions::new()).await;
            if written.is_ok() {
                let read = get(&provider, &native("A")).await.unwrap();
                assert_eq!(read.value.expose_secret(), new.as_bytes());
            }
            match (before, get(&provider, &native("B")).await) {
                (Ok(before), Ok(after)) => assert!(before.value.ct_eq(&after.value)),
                (before, after) => assert_eq!(before.unwrap_err().kind(), after.unwrap_err().kind()),
            }
        });
    }

    /// A deletion leaves every other entry, and every byte of every other line.
    #[test]
    fn a_deletion_takes_the_lines_of_its_entries(pieces in pieces()) {
        let text: String = pieces.iter().map(Piece::text).collect();
        let place = Place::new(&text);
        let provider = reader(&place);
        let is_kept = |piece: &&Piece| !matches!(piece, Piece::Entry(entry) if entry.key == "A");
        let kept: String = pieces.iter().filter(is_kept).map(Piece::text).collect();
        let deleted = block_on(provider.delete_secret(&native("A"), DeleteMode::Immediate));
        assert_eq!(deleted.is_ok(), pieces.iter().any(|piece| !is_kept(&piece)));
        assert_eq!(place.text(), kept);
    }

    /// A file whose only purpose is to be read is read or refused, never worse.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let place = Place::new(&bytes);
        if let Err(error) = block_on(get(&place.provider(), &native("A"))) {
            assert!([ErrorKind::NotFound, ErrorKind::Integrity].contains(&error.kind()));
        }
    }

    /// Any text is quoted so that a file of it alone reads back.
    #[test]
    fn any_text_can_be_a_value(new in any_value(), key in Just("A")) {
        let place = Place::new("");
        block_on(place.provider().set_secret(&native(key), value(&new), SetOptions::new())).unwrap();
        assert_eq!(by_dotenvy(&place.text()), Some(vec![(key.to_owned(), new)]));
    }
}
