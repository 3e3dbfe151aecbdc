//! That the tables have everything: compared with the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::outputs::OUTPUTS;
use super::process::FORMATS;
use super::routes::ROUTES;

fn source(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path)).unwrap()
}

/// All files, with their paths from the crate on.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut folders) = (Vec::new(), vec![root.join("src")]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

/// The names after `before` in a text.
fn named<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> + 'a {
    text.split(before).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

/// Constructors and options of everything that is a layout.
fn layouts() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/log");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|name| name == "rs"));
    let mut found = BTreeSet::new();
    for text in files.map(|path| fs::read_to_string(path).unwrap()) {
        for layout in named(&text, "impl Layout for ") {
            let own = text.split(&format!("impl {layout} {{")).nth(1).unwrap();
            let own = own.split("\n}\n").next().unwrap();
            let calls = named(own, "    pub fn ").chain(named(own, "    pub const fn "));
            found.extend(calls.map(|call| format!("{layout}::{call}")));
        }
    }
    found
}

#[test]
fn every_layout_with_every_option_is_looked_at() {
    let listed: BTreeSet<String> = OUTPUTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(layouts(), listed);
    assert!(listed.len() >= 18);
}

#[test]
fn every_format_of_a_set_up_is_written_to() {
    let sources = sources();
    let of_enum =
        |(_, text): &(String, String)| text.split("pub enum Format {").nth(1).map(str::to_owned);
    let formats = sources.iter().find_map(of_enum).unwrap();
    let formats = formats.split("\n}").next().unwrap();
    let formats: BTreeSet<_> =
        formats.lines().map(str::trim).filter(|line| line.ends_with(',')).collect();
    let listed = FORMATS.map(|format| format!("{format:?},"));
    assert_eq!(formats, listed.iter().map(String::as_str).collect());
}

/// What visits values has a route for each kind that can be a secret.
#[test]
fn every_way_to_give_a_value_is_gone() {
    let visits = [("record/capture.rs", "    fn record_"), ("record/bridge.rs", "    fn visit_")];
    let harmless = ["record_bool", "visit_bool", "visit_pair"];
    let mut seen = 0;
    for (file, before) in visits {
        let text = source(file);
        for name in named(&text, before)
            .map(|name| format!("{}{name}", before.trim().trim_start_matches("fn ")))
        {
            seen += 1;
            let is_gone = ROUTES.iter().any(|(route, _)| route.contains(&name));
            assert!(is_gone || harmless.contains(&&*name), "no route through `{name}` of {file}");
        }
    }
    assert!(seen >= 18, "{seen}");
}

/// Where records are made: whoever makes them in another place has to think of what is in them.
#[test]
fn records_are_made_in_known_places_only() {
    let makes = |line: &str| {
        line.ends_with("= Record {") || line.starts_with("Record {") || line.contains("(Record {")
    };
    let of_code = |line: &&str| !line.starts_with("//");
    let places = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().map(str::trim_start).filter(of_code).any(makes));
    let places: BTreeSet<_> = places.map(|(path, _)| path).collect();
    // By the layer, redacted; and what outputs and writers say of themselves.
    let known = ["src/log/output.rs", "src/record/core.rs"].map(str::to_owned);
    assert_eq!(places, BTreeSet::from(known));
}
