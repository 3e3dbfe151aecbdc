//! Parts of settings that are kept unread: whatever stands in them, what is read of them is a value or
//! problems on one line each, in every order in which a plugin may look. The first byte chooses the format.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use service_settings::{
    DurationSetting, Format, Placed, Problem, Problems, Rules, SecretSetting, Subtree,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read and thrown away")]
struct Options {
    path: Option<String>,
    timeout: Option<DurationSetting>,
    token: Option<SecretSetting>,
    size: Option<u32>,
    others: Option<BTreeMap<String, Placed<Vec<i64>>>>,
    #[serde(default)]
    rest: Placed<Inner>,
}

#[derive(Debug, Default, Deserialize)]
#[allow(dead_code, reason = "read and thrown away")]
struct Inner {
    part: Option<Subtree>,
    mode: Option<Mode>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "read and thrown away")]
enum Mode {
    Plain,
    Named { of: String },
}

impl Rules for Options {
    fn problems(&self) -> Vec<Problem> {
        vec![self.rest.problem("mode", "makes no sense"), Problem::invalid("size", "nor this")]
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((format, text)) = bytes.split_first() else { return };
    let format = match format % 3 {
        0 => Format::Toml,
        1 => Format::Yaml,
        _ => Format::Json,
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let whole = match Subtree::parse(format, "fuzz", text) {
        Ok(whole) => whole,
        Err(problems) => return told(&problems),
    };
    look(&whole, 0);
});

fn look(part: &Subtree, depth: usize) {
    part.read::<Options>().map_or_else(|found| told(&found), drop);
    part.read_checked::<Options>().map_or_else(|found| told(&found), drop);
    part.read::<BTreeMap<String, Subtree>>().map_or_else(|found| told(&found), drop);
    assert!(part.is_same(&part.clone()));
    // Each level reads all that lies below it.
    if depth == 3 {
        return;
    }
    for key in part.keys().iter().take(8) {
        let rest = part.without(key);
        assert!(rest.part(key).is_none(), "{key:?} is left out");
        let Some(inner) = part.part(key) else { panic!("{key:?} is named and not there") };
        let is_below = inner.path().len() > part.path().len() || key.is_empty();
        assert!(is_below, "{:?} of {:?}", inner.path(), part.path());
        part.text(key).map_or_else(|found| told(&found), drop);
        told(&part.problem(key, "is not liked").into());
        told(&part.missing(key).into());
        look(&inner, depth + 1);
    }
}

/// Whatever names are in it, each problem takes one line.
fn told(problems: &Problems) {
    let (text, count) = (problems.to_string(), problems.iter().count());
    assert!(count > 0 && text.lines().count() == count + usize::from(count > 1), "{text}");
}
