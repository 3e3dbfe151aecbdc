//! Everything that is wrong, at once, with its place, and without a value.

use service_settings::ProblemKind::{Conflict, Invalid, Missing, Syntax, UnknownKey, WrongType};
use std::collections::BTreeMap;

use service_settings::{DurationSetting, Format, Layers, Rules};

use crate::support::*;

#[test]
fn all_problems_are_told_at_once_with_their_lines() {
    let text = "\
name = 5
prot = 8080
ratio = \"hunter2\"
hosts = [\"a\", 7, \"b\", true]
mode = \"read-onyl\"

[database]
url = true
pasword = \"secret://x\"

[database.pool]
least = 70000000000
most = -1
";
    let (_folder, path) = file("app.toml", text);
    let layers = Layers::<Settings>::new().file(path);
    let mut found = wrong(&layers);
    found.sort_by_key(|(path, ..)| path.clone());
    let expected = [
        ("database.password", Missing, "app.toml:7"),
        ("database.pasword", UnknownKey, "app.toml:9"),
        ("database.pool.least", Invalid, "app.toml:12"),
        ("database.pool.most", Invalid, "app.toml:13"),
        ("database.url", WrongType, "app.toml:8"),
        ("hosts[1]", WrongType, "app.toml:4"),
        ("hosts[3]", WrongType, "app.toml:4"),
        ("mode", Invalid, "app.toml:5"),
        ("name", WrongType, "app.toml:1"),
        ("port", Missing, "settings"),
        ("prot", UnknownKey, "app.toml:2"),
        ("ratio", WrongType, "app.toml:3"),
    ];
    let expected = expected.map(|(path, kind, at)| (path.to_owned(), kind, at.to_owned()));
    assert_eq!(found, expected);
    let text = message(&layers);
    assert!(text.starts_with("12 problems with the settings:\n"), "{text}");
    assert!(text.contains("`prot`: nothing has this name; is `port` meant?"), "{text}");
    assert!(text.contains("`database.pasword`: nothing has this name; is `password` meant?"));
    assert!(text.contains("`mode`: there is no such choice; is `read-only` meant?"), "{text}");
    assert!(text.contains("`name`: a whole number stands where a string is asked for"), "{text}");
    for value in ["hunter2", "70000000000", "onyl"] {
        assert!(!text.contains(value), "{value} is quoted: {text}");
    }
}

#[test]
fn lines_are_told_in_every_format() {
    let yaml =
        "name: billing\nport: 8080\ndatabase:\n  url: x\n  password: secret://x\n  size: 7\n";
    let json = "{\n\"name\": \"billing\",\n\"port\": 8080,\n\"database\": {\n\"url\": \"x\",\n\
        \"password\":\n\"secret://x\", \"size\":\n7}}";
    for (name, text, line) in [("app.yaml", yaml, 6), ("app.json", json, 8)] {
        let (_folder, path) = file(name, text);
        let found = wrong(&Layers::<Settings>::new().file(path));
        assert_eq!(found, [("database.size".to_owned(), UnknownKey, format!("{name}:{line}"))]);
    }
}

#[test]
fn the_rules_of_the_application_are_told_with_their_places() {
    let (_folder, path) = file("app.toml", "name = ''\n[database.pool]\nmost = 2\nleast = 3\n");
    let found = wrong(&layers().file(path));
    let expected = [("database.pool.least", "app.toml:4"), ("name", "app.toml:1")];
    let expected = expected.map(|(path, at)| (path.to_owned(), Invalid, at.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn mistakes_of_form_are_told_by_line() {
    for (name, text, line) in [
        ("a.toml", "name = 1\nname = 2\n", 2),
        ("a.toml", "\nx = [1,\n", 2),
        ("a.yaml", "a: 1\nb: [1\n", 3),
        ("a.json", "{\n\"a\": 1,\n}", 3),
    ] {
        let (_folder, path) = file(name, text);
        let found = wrong(&layers().file(path));
        assert_eq!(found, [(String::new(), Syntax, format!("{name}:{line}"))], "{text:?}");
    }
}

#[test]
fn what_is_set_twice_is_told() {
    for (name, text, line) in
        [("a.yaml", "port: 1\nport: 2\n", 2), ("a.json", "{\"port\": 1,\n\"port\": 2}", 2)]
    {
        let (_folder, path) = file(name, text);
        let found = wrong(&layers().file(path));
        assert_eq!(found, [("port".to_owned(), Conflict, format!("{name}:{line}"))]);
    }
    let both = variables([("APP__DATABASE", "{}"), ("APP__DATABASE__URL", "x")]);
    let found = wrong(&layers().variables("APP", both));
    assert!(found.contains(&(
        "database.url".to_owned(),
        Conflict,
        "APP__DATABASE__URL".to_owned()
    )));
}

#[test]
fn variables_are_named_where_they_are_wrong() {
    let layers = layers().variables(
        "APP",
        variables([
            ("APP__PORT", "many"),
            ("APP__PROT", "1"),
            ("APP__", "x"),
            ("APP__A____B", "x"),
        ]),
    );
    let found = wrong(&layers);
    let at = |path: &str, kind, variable: &str| (path.to_owned(), kind, variable.to_owned());
    assert!(found.contains(&at("port", WrongType, "APP__PORT")), "{found:?}");
    assert!(found.contains(&at("prot", UnknownKey, "APP__PROT")));
    assert!(found.contains(&at("", Syntax, "APP__")));
    assert!(found.contains(&at("a..b", Syntax, "APP__A____B")));
    assert_eq!(found.len(), 4);
}

/// A source that cannot be read must not make everything else look missing.
#[test]
fn what_may_stand_in_an_unreadable_file_is_not_called_missing() {
    let found = wrong(&Layers::<Settings>::new().file("/not/there.toml"));
    assert_eq!(found.len(), 1, "{found:?}");
    let text = message(&Layers::<Settings>::new().file("/not/there.toml"));
    assert_eq!(text, "a problem with the settings: /not/there.toml: is not there");
}

/// Types that take no stand-in end the search, and lose nothing that was found.
#[test]
fn a_type_of_its_own_mind_loses_no_problem() {
    #[derive(Debug)]
    struct Even;
    impl<'de> serde::Deserialize<'de> for Even {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let number: u32 = serde::Deserialize::deserialize(deserializer)?;
            let refuse = || serde::de::Error::custom("the number is odd");
            number.is_multiple_of(2).then_some(Self).ok_or_else(refuse)
        }
    }
    #[derive(Debug, serde::Deserialize)]
    struct Picky {
        _a: Even,
        _b: u8,
    }
    impl Rules for Picky {}
    let layers = Layers::<Picky>::new().defaults(Format::Toml, "_a = 3\n_b = 'x'\n_c = 1");
    let text = message(&layers);
    assert!(text.contains("`_a`: the number is odd") && text.contains("`_c`"), "{text}");
}

/// A name in a file that is not what it should be may be anything.
#[test]
fn names_are_shown_so_that_they_cannot_pass_for_something_else() {
    let (_folder, path) = file("a.json", "{\"a\\nport: all is well\\u001b[2J\": 1}");
    let text = message(&layers().file(path));
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("`\"a\\nport: all is well\\u{1b}[2J\"`"), "{text}");
}

/// Of types that refuse what stands in for them: an address, a length of time.
#[derive(Debug, serde::Deserialize)]
#[allow(dead_code, reason = "only read")]
struct Picky {
    #[serde(default)]
    first: Times,
    listen: Option<DurationSetting>,
    #[serde(default)]
    all: Vec<DurationSetting>,
    #[serde(default)]
    by_name: BTreeMap<String, Times>,
    needed: DurationSetting,
    last: u16,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(dead_code, reason = "only read")]
struct Times {
    one: DurationSetting,
    other: DurationSetting,
    number: u8,
}

impl Rules for Picky {}

#[test]
fn what_nothing_can_stand_in_for_hides_nothing_else() {
    let text = "\
needed = \"1s\"
last = \"no\"
listen = \"soon\"
all = [\"1s\", \"later\", \"2s\", \"never\"]
[first]
one = \"x\"
number = 300
odd = 1
[by_name.a]
one = \"y\"
other = \"z\"
[by_name.b]
number = true
";
    let layers = Layers::<Picky>::new().defaults(Format::Toml, text);
    let mut found: Vec<_> =
        wrong(&layers).into_iter().map(|(path, kind, _)| (path, kind)).collect();
    found.sort_by_key(|(path, _)| path.clone());
    let expected = [
        ("all[1]", Invalid),
        ("by_name.a.one", Invalid),
        ("by_name.a.other", Invalid),
        ("by_name.b.number", WrongType),
        ("first.number", Invalid),
        ("first.odd", UnknownKey),
        ("first.one", Invalid),
        ("last", WrongType),
        ("listen", Invalid),
    ];
    assert_eq!(found, expected.map(|(path, kind)| (path.to_owned(), kind)));

    // It has to be there and can be nothing that stands in for it: what comes after stays untold.
    let text = text.replace("needed = \"1s\"", "needed = \"x\"");
    let found = wrong(&Layers::<Picky>::new().defaults(Format::Toml, &text));
    assert!(found.iter().any(|(path, kind, _)| path == "needed" && *kind == Invalid));
}
