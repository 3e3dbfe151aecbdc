//! Sources that are not what they should be.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;

use service_settings::ProblemKind::{Syntax, Unreadable, WrongType};

use crate::support::*;

#[test]
fn what_is_no_file_of_settings_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("folder.toml")).unwrap();
    fs::write(at("large.toml"), vec![b'#'; 2 << 20]).unwrap();
    fs::write(at("huge.toml"), "").unwrap();
    fs::File::options().write(true).open(at("huge.toml")).unwrap().set_len(100 << 30).unwrap();
    fs::write(at("latin.toml"), b"# ok\nname = \"\xe9\"").unwrap();
    fs::write(at("app.ini"), "").unwrap();
    assert!(Command::new("mkfifo").arg(at("pipe.toml")).status().unwrap().success());
    for (name, part) in [
        ("folder.toml", "is a folder"),
        ("large.toml", "takes 2097152 bytes"),
        ("huge.toml", "takes 107374182400 bytes"),
        ("latin.toml", "is not UTF-8 text, first in line 2"),
        ("app.ini", "ends with none of"),
        ("pipe.toml", "is no regular file"),
        ("absent.toml", "is not there"),
    ] {
        let layers = layers().file(at(name));
        assert_eq!(wrong(&layers), [(String::new(), Unreadable, name.to_owned())]);
        assert!(message(&layers).contains(part), "{}", message(&layers));
    }
}

#[test]
fn a_bomb_of_aliases_is_refused_and_not_expanded() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let before = format!("*a{}", level - 1);
        let all = [before.as_str(); 9].join(", ");
        bomb += &format!("a{level}: &a{level} [{all}]\n");
    }
    let (_folder, path) = file("bomb.yaml", bomb);
    let layers = layers().file(path);
    assert_eq!(wrong(&layers), [(String::new(), Syntax, "bomb.yaml:1".to_owned())]);
    assert!(message(&layers).contains("anchors are not read in settings"));
    for text in ["a: *b", "a: !!python/object:os.system x", "a: 1\n---\nb: 2\n", "? [a]\n: b\n"] {
        let (_folder, path) = file("a.yaml", text);
        let found = wrong(&crate::support::layers().file(path));
        assert_eq!(found[0].1, Syntax, "{text}: {found:?}");
    }
}

#[test]
fn deep_nesting_is_refused_in_every_format() {
    let depth = 100_000;
    let json = "[".repeat(depth);
    let object = "{\"a\":".repeat(depth);
    let yaml = "[".repeat(depth);
    let block: String = (0..500).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    let toml = format!("a = {}", "[".repeat(depth));
    let dotted = format!("{} = 1", vec!["a"; 50_000].join("."));
    for (name, text) in [
        ("a.json", json),
        ("b.json", object),
        ("a.yaml", yaml),
        ("b.yaml", block),
        ("a.toml", toml),
        ("b.toml", dotted),
    ] {
        let (_folder, path) = file(name, text);
        let found = wrong(&layers().file(path));
        assert_eq!(found[0].1, Syntax, "{name}: {found:?}");
    }
}

/// What is closed again is as deep.
#[test]
fn deep_nesting_that_ends_is_refused_in_every_format() {
    let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let json = format!("{{\"a\": {}}}", lists(100_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let toml = format!("a = {}", lists(100_000));
    let header = format!("[{}]\n", vec!["a"; 50_000].join("."));
    for (name, text) in [
        ("a.json", json.clone()),
        ("b.json", objects.clone()),
        ("a.yaml", json.clone()),
        ("a.toml", toml),
        ("b.toml", header),
    ] {
        let (_folder, path) = file(name, text);
        let found = wrong(&layers().file(path));
        assert_eq!(found[0].1, Syntax, "{name}: {found:?}");
    }
    for text in [objects, lists(100_000)] {
        let layers = layers().variables("APP", variables([("APP__HOSTS", &text)]));
        assert_eq!(wrong(&layers), [("hosts".to_owned(), WrongType, "APP__HOSTS".to_owned())]);
    }
}

/// Every value is known by its names: a list under a long one would take memory without bounds.
#[test]
fn names_are_bounded_and_so_are_problems() {
    let name = "k".repeat(300_000);
    for (file_name, text) in [
        ("a.json", format!("{{\n\"labels\": {{\n\"{name}\": \"x\"}}}}")),
        ("a.yaml", format!("debug: true\nlabels:\n  {0}: x\n", "k".repeat(600))),
        ("a.toml", format!("\n[labels]\n{name} = 'x'\n")),
    ] {
        let (_folder, path) = file(file_name, text);
        let layers = layers().file(path);
        assert_eq!(wrong(&layers), [(String::new(), Syntax, format!("{file_name}:3"))]);
        assert!(message(&layers).len() < 1_000);
    }
    let (_folder, path) = file("a.toml", format!("[labels]\n{} = 'x'\n", "k".repeat(500)));
    assert_eq!(layers().file(path).load().unwrap().settings.labels.len(), 1);
    let text: String = (0..20_000).map(|number| format!("k{number} = 1\n")).collect();
    let (_folder, path) = file("a.toml", text);
    assert_eq!(wrong(&layers().file(path)).len(), 200, "more help nobody");
}

#[test]
fn variables_that_are_no_text_are_told() {
    let name = OsString::from("APP__NAME");
    let value = OsString::from_vec(vec![0xff, b'h', b'u', b'n', b't', b'e', b'r']);
    let foreign = (OsString::from_vec(vec![0xfe]), OsString::from("x"));
    let layers = layers().variables("APP", [(name, value), foreign]);
    assert_eq!(wrong(&layers), [("name".to_owned(), Syntax, "APP__NAME".to_owned())]);
    assert!(!message(&layers).contains("hunter"));
    let name = OsString::from_vec(b"APP__NAM\xe9".to_vec());
    let found = wrong(&crate::support::layers().variables("APP", [(name, "x".into())]));
    assert_eq!(found, [(String::new(), Syntax, "APP__NAM\u{fffd}".to_owned())]);
}

#[test]
fn a_document_that_is_no_table_is_refused() {
    for (name, text) in [("a.yaml", "- a\n"), ("a.json", "[1]"), ("b.json", "7"), ("b.yaml", "x")] {
        let (_folder, path) = file(name, text);
        assert_eq!(wrong(&layers().file(path))[0].1, WrongType, "{text}");
    }
    for (name, text) in
        [("a.yaml", ""), ("b.yaml", "# nothing\n"), ("a.toml", ""), ("c.json", "{}")]
    {
        let (_folder, path) = file(name, text);
        layers().file(path).load().unwrap();
    }
    let (_folder, path) = file("bom.toml", "\u{feff}port = 7");
    assert_eq!(layers().file(path).load().unwrap().settings.port, 7);
}

thread_local! {
    static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A number that counts how often one was read.
struct Counted;

impl<'de> serde::Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        READ.set(READ.get() + 1);
        u32::deserialize(deserializer).map(|_| Self)
    }
}

/// Numbers by name, all of which its type has to see.
struct Whole;

impl<'de> serde::Deserialize<'de> for Whole {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> serde::de::Visitor<'de> for Names {
            type Value = Whole;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("numbers")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Whole, A::Error> {
                let mut has_first = false;
                while let Some((name, _)) = map.next_entry::<String, u32>()? {
                    has_first |= name == "k1000";
                }
                match has_first {
                    true => Ok(Whole),
                    false => Err(serde::de::Error::missing_field("k1000")),
                }
            }
        }

        deserializer.deserialize_map(Names)
    }
}

/// Counts what stands further in, and looks for a name there.
struct Outer;

impl<'de> serde::Deserialize<'de> for Outer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Inner {
            #[serde(default)]
            list: Vec<u32>,
            #[serde(default)]
            table: std::collections::BTreeMap<String, u32>,
        }

        let Inner { list, table } = Inner::deserialize(deserializer)?;
        if list.len() < 100 {
            return Err(serde::de::Error::invalid_length(list.len(), &"a hundred"));
        }
        match table.contains_key("k1000") {
            true => Ok(Self),
            false => Err(serde::de::Error::missing_field("k1000")),
        }
    }
}

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "it is not read in the end")]
struct Much {
    #[serde(default)]
    list: Vec<Counted>,
    #[serde(default)]
    table: std::collections::BTreeMap<String, Counted>,
    #[serde(default)]
    lists: Vec<Vec<Counted>>,
    whole: Option<Whole>,
    outer: Option<Outer>,
    fixed: Option<[u32; 32]>,
}

impl service_settings::Rules for Much {}

fn much(text: &str) -> Vec<String> {
    READ.set(0);
    let layers = service_settings::Layers::<Much>::new();
    let found = layers.defaults(service_settings::Format::Toml, text).load();
    found.err().into_iter().flatten().map(|problem| problem.path).collect()
}

/// What is good is read once, whatever the number of problems; and each of those is found.
#[test]
fn many_problems_among_many_settings_take_no_longer_than_both() {
    const ALL: usize = 20_000;
    let is_wrong = |n: usize| n % 200 == 199;
    let value = |n: usize| if is_wrong(n) { "'x'" } else { "1" };
    let list: Vec<_> = (0..ALL).map(value).collect();
    let found = much(&format!("list = [{}]", list.join(",")));
    let wrong = || (0..ALL).filter(|n| is_wrong(*n));
    assert_eq!(found, wrong().map(|n| format!("list[{n}]")).collect::<Vec<_>>());
    assert!(READ.get() < 2 * ALL, "{} were read", READ.get());

    let table: String = (0..ALL).map(|n| format!("k{n:05} = {}\n", value(n))).collect();
    let found = much(&format!("[table]\n{table}"));
    assert_eq!(found, wrong().map(|n| format!("table.k{n:05}")).collect::<Vec<_>>());
    assert!(READ.get() < 2 * ALL, "{} were read", READ.get());

    // Within each other.
    let inner = |n: usize| format!("[{}]", vec![value(n); 100].join(","));
    let lists: Vec<_> = (0..200).map(inner).collect();
    let found = much(&format!("lists = [{}]", lists.join(",")));
    assert_eq!(found, (0..100).map(|n| format!("lists[199][{n}]")).collect::<Vec<_>>());
    assert!(READ.get() < 2 * ALL, "{} were read", READ.get());
}

#[test]
fn a_type_that_wants_the_whole_is_shown_it() {
    let of = |first: &str, wrong: usize| {
        let member =
            |n: usize| format!("k{n} = {}\n", if n.is_multiple_of(wrong) { "'x'" } else { "1" });
        format!("[whole]\n{first}{}", (1_001..1_200).map(member).collect::<String>())
    };
    assert_eq!(much(&of("k1000 = 1\n", 1_150)), ["whole.k1150"]);
    assert_eq!(much(&of("k1000 = 1\n", 60)), ["whole.k1020", "whole.k1080", "whole.k1140"]);
    assert_eq!(much(&of("", 10_000)), ["whole.k1000"]);
}

#[test]
fn what_a_type_finds_further_in_is_found_in_the_whole_of_it() {
    let of = |first: &str, items: usize, wrong: usize| {
        let value = |n: usize| if n == wrong { "'x'" } else { "1" };
        let list: Vec<_> = (0..items).map(value).collect();
        let table: String = (1_001..1_200).map(|n| format!("k{n} = {}\n", value(n))).collect();
        format!("[outer]\nlist = [{}]\n[outer.table]\n{first}{table}", list.join(","))
    };
    assert_eq!(much(&of("k1000 = 1\n", 100, 90)), ["outer.list[90]"]);
    assert_eq!(much(&of("k1000 = 1\n", 100, 1_150)), ["outer.table.k1150"]);
    assert_eq!(much(&of("", 100, 10_000)), ["outer.k1000"]);
    assert_eq!(much(&of("", 100, 90)), ["outer.list[90]", "outer.k1000"]);
    assert_eq!(much(&of("k1000 = 1\n", 99, 90)), ["outer.list[90]", "outer"]);
}

/// What is too much is told as that, whatever it is.
#[test]
fn nothing_is_read_beyond_a_fixed_length() {
    let value = |n: usize| if [20, 40, 60].contains(&n) { "'x'" } else { "1" };
    let list: Vec<_> = (0..70).map(value).collect();
    assert_eq!(much(&format!("fixed = [{}]", list.join(","))), ["fixed[20]", "fixed"]);
}
