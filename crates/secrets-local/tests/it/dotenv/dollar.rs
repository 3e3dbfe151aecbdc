//! What a dollar sign means.

use secrets_core::ErrorKind;
use secrets_local::dotenv::{DotenvConfig, DotenvProvider, Substitution};

use crate::support::{block_on, error, native, shows, text};

use super::{Place, by_dotenvy};

fn reader(place: &Place, substitution: Substitution) -> DotenvProvider {
    let config = DotenvConfig::new(place.path()).with_substitution(substitution);
    DotenvProvider::new(config).unwrap()
}

/// The value of `X` in a file, where it has one.
fn read(file: &str, substitution: Substitution) -> Result<String, ErrorKind> {
    let place = Place::new(file);
    let provider = reader(&place, substitution);
    block_on(async {
        match crate::support::get(&provider, &native("X")).await {
            Ok(secret) => Ok(secret.value.expose_secret_text().unwrap().to_owned()),
            Err(error) => {
                assert!(!shows(&error, "word"), "a reference may be a piece of a password");
                Err(error.kind())
            }
        }
    })
}

const UNKNOWN: Result<&str, ErrorKind> = Err(ErrorKind::Integrity);

/// File, value with substitution within the file, value without any.
const CASES: [(&str, Result<&str, ErrorKind>, &str); 21] = [
    ("A=1\nX=$A\n", Ok("1"), "$A"),
    ("A=1\nX=${A}\n", Ok("1"), "${A}"),
    ("A=1\nX=\"<${A}>$A<\"\n", Ok("<1>1<"), "<${A}>$A<"),
    ("A=1\nX='$A'\n", Ok("$A"), "$A"),
    ("A=1\nX=\\$A\n", Ok("$A"), "$A"),
    ("A=1\nX=\"\\${A}\"\n", Ok("${A}"), "${A}"),
    ("A=1\nX=\\\\$A\n", Ok("\\1"), "\\$A"),
    ("A=1\nX='a\\'$A\n", UNKNOWN, ""),
    ("A='$B'\nB=1\nX=$A\n", Ok("$B"), "$A"),
    ("A=1\nA=2\nX=$A\nA=3\n", Ok("2"), "$A"),
    ("a.b=1\nX=${a.b}\n", Ok("1"), "${a.b}"),
    ("A_B=1\nX=${A_B}\n", Ok("1"), "${A_B}"),
    // dotenvy would read `$A` and `_B` here, a shell `$A_B`: not ours to choose.
    ("A=1\nA_B=2\nX=$A_B\n", UNKNOWN, "$A_B"),
    // dotenvy puts nothing for each of these, and cuts a password short.
    ("X=pa$word\n", UNKNOWN, "pa$word"),
    ("X=pa$$word\n", UNKNOWN, "pa$$word"),
    ("X=\"pa$%word\"\n", UNKNOWN, "pa$%word"),
    ("X=word$\n", UNKNOWN, "word$"),
    ("X=$A\nA=1\n", UNKNOWN, "$A"),
    ("X=${A:-1}\n", UNKNOWN, "${A:-1}"),
    ("A=$word\nX=$A\n", UNKNOWN, "$A"),
    (
        "X=\u{e000}0\u{e000}\\$\u{e000}\n",
        Ok("\u{e000}0\u{e000}$\u{e000}"),
        "\u{e000}0\u{e000}$\u{e000}",
    ),
];

#[test]
fn a_dollar_sign_refers_to_an_entry_above_or_to_nothing() {
    for (file, within, never) in CASES {
        if file.contains("'a\\'") {
            // A backslash before the closing quote: dotenvy takes the quote for open.
            assert_eq!(by_dotenvy(file), None);
            continue;
        }
        let within = within.map(str::to_owned);
        assert_eq!(read(file, Substitution::WithinFile), within, "{file:?}");
        assert_eq!(read(file, Substitution::Never).as_deref(), Ok(never), "{file:?}");
    }
}

#[test]
fn the_environment_of_the_process_is_never_asked() {
    // dotenvy puts the variable in, though the file says otherwise.
    let file = "PATH=ours\nX=${PATH}\n";
    let real = std::env::var("PATH").unwrap();
    assert_eq!(by_dotenvy(file).unwrap()[1].1, real);
    assert_ne!(real, "ours");
    assert_eq!(read(file, Substitution::WithinFile).as_deref(), Ok("ours"));
    for file in ["X=$PATH\n", "X=\"${PATH}\"\n", "PATH2=x\nX=${PATH}${PATH2}\n"] {
        assert_eq!(read(file, Substitution::WithinFile), Err(ErrorKind::Integrity), "{file}");
    }
}

#[test]
fn where_nothing_is_unknown_dotenvy_reads_the_same() {
    for file in ["A=1\nX=a${A}b$A\n", "A=1\nX=\"${A} ${A}\"\n", "A='x y'\nB=$A\nX=<${B}>\n"] {
        let theirs = by_dotenvy(file).unwrap();
        let (_, theirs) = theirs.last().unwrap();
        assert_eq!(read(file, Substitution::WithinFile).as_ref(), Ok(theirs), "{file}");
    }
}

#[test]
fn an_unknown_reference_spoils_its_own_entry_only() {
    let place = Place::new("A=1\nB=$HOME/x\nC=2\n");
    let provider = reader(&place, Substitution::WithinFile);
    block_on(async {
        assert_eq!(text(&provider, &native("A")).await, "1");
        assert_eq!(text(&provider, &native("C")).await, "2");
        let error = error(&provider, &native("B")).await;
        assert!(error.to_string().contains("line 2 of `"), "{error}");
        assert!(error.to_string().contains("single quotes"), "{error}");
    });
}

#[test]
fn a_few_lines_cannot_ask_for_terabytes() {
    let mut file = "A0=0123456789\n".to_owned();
    for n in 1..20 {
        let before = format!("${{A{}}}", n - 1);
        file.push_str(&format!("A{n}={}\n", before.repeat(10)));
    }
    file.push_str("SMALL=x\n");
    let place = Place::new(file);
    let provider = reader(&place, Substitution::WithinFile);
    block_on(async {
        assert_eq!(text(&provider, &native("A3")).await.len(), 10_000);
        assert_eq!(text(&provider, &native("SMALL")).await, "x");
        assert_eq!(error(&provider, &native("A6")).await.kind(), ErrorKind::TooLarge);
        // What refers to it cannot be read either.
        assert_eq!(error(&provider, &native("A19")).await.kind(), ErrorKind::Integrity);
    });
}
