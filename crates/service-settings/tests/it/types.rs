//! Types of every shape, and what is found around one that is wrong.

use std::collections::BTreeMap;

use serde::Deserialize;
use service_settings::ProblemKind::{Conflict, Invalid, Missing, UnknownKey, WrongType};
use service_settings::{Format, Layers, Problem, ProblemKind, Rules, SecretSetting, Subtree};

use crate::support::{Mode, Settings, file, layers, message, variables, wrong};

#[derive(Debug, Deserialize)]
#[serde(try_from = "u32")]
struct Even;

impl TryFrom<u32> for Even {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        number.is_multiple_of(2).then_some(Self).ok_or_else(|| format!("{number} is odd"))
    }
}

fn paths<T: serde::de::DeserializeOwned + Rules>(layers: &Layers<T>) -> Vec<(String, ProblemKind)> {
    wrong(layers).into_iter().map(|(path, kind, _)| (path, kind)).collect()
}

fn at<const N: usize>(all: [(&str, ProblemKind); N]) -> Vec<(String, ProblemKind)> {
    all.into_iter().map(|(path, kind)| (path.to_owned(), kind)).collect()
}

/// What stands in for a problem must not be told as one.
#[test]
fn a_type_that_refuses_what_stands_in_for_it_makes_no_problem_of_it() {
    #[derive(Debug, Deserialize)]
    struct Picky {
        #[serde(rename = "count")]
        _count: Even,
    }
    impl Rules for Picky {}
    let layers = |text| Layers::<Picky>::new().defaults(Format::Toml, text);
    assert_eq!(paths(&layers("count = 'x'")), at([("count", WrongType)]));
    assert_eq!(paths(&layers("")), at([("count", Missing)]));
    assert_eq!(paths(&layers("count = 7")), at([("count", Invalid)]));
}

/// Nor what a table finds of itself when a part of it is made up.
#[test]
fn a_table_with_a_wrong_part_is_not_judged_as_a_whole() {
    #[derive(Debug, Deserialize)]
    struct Bounds {
        least: u32,
        most: u32,
    }
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "Bounds")]
    struct Range;
    impl TryFrom<Bounds> for Range {
        type Error = &'static str;
        fn try_from(Bounds { least, most }: Bounds) -> Result<Self, &'static str> {
            (least <= most).then_some(Self).ok_or("the bounds are the wrong way round")
        }
    }
    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(rename = "a")]
        _a: Range,
        #[serde(rename = "z")]
        _z: u8,
    }
    impl Rules for Outer {}
    let layers = |text| Layers::<Outer>::new().defaults(Format::Toml, text);
    let found = paths(&layers("a = { least = 5, most = 'x' }\nz = 'y'"));
    assert_eq!(found, at([("a.most", WrongType), ("z", WrongType)]));
    let found = paths(&layers("a = { least = 5, most = 2 }\nz = 'y'"));
    assert_eq!(found, at([("a", Invalid), ("z", WrongType)]));
}

/// A tuple of the wrong length, a table with other names for its fields: the search goes on.
#[test]
fn every_shape_has_something_stand_in_for_it() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read, and thrown away")]
    enum Shape {
        Pair(u8, u8),
    }
    #[derive(Debug, Deserialize)]
    struct Named {
        #[serde(alias = "title", rename = "name")]
        _name: String,
        #[serde(rename = "shape")]
        _shape: Option<Shape>,
    }
    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(rename = "a")]
        _a: (u8, u8),
        #[serde(rename = "b")]
        _b: [u8; 4],
        #[serde(rename = "c")]
        _c: Named,
        #[serde(rename = "d")]
        _d: Shape,
        #[serde(rename = "e")]
        _e: BTreeMap<String, Named>,
        #[serde(rename = "z")]
        _z: u8,
    }
    impl Rules for Outer {}
    let text =
        "a = [1, 2, 3]\nb = 'x'\nc = 7\nd = { Pair = 1 }\ne.f = { title = 'x', no = 1 }\nz = ''";
    let layers = Layers::<Outer>::new().defaults(Format::Toml, text);
    let expected = [
        ("a", WrongType),
        ("b", WrongType),
        ("c", WrongType),
        ("d.Pair", WrongType),
        ("e.f.no", UnknownKey),
        ("z", WrongType),
    ];
    assert_eq!(paths(&layers), at(expected));
}

#[test]
fn a_choice_that_carries_settings_may_stand_in_a_variable() {
    let set = |text| layers().variables("APP", variables([("APP__MODE", text)]));
    let loaded = set(r#"{"replica": {"of": "main"}}"#).load().unwrap();
    assert_eq!(loaded.settings.mode, Mode::Replica { of: "main".to_owned() });
    assert!(loaded.explanation.to_string().contains("mode = ***  # APP__MODE"));
    assert_eq!(paths(&set(r#"{"replica": {}}"#)), at([("mode.replica.of", Missing)]));
}

/// What may stand in a source that was not read is not called missing; the rest is.
#[test]
fn a_source_that_is_lost_hides_what_it_may_hold_and_no_more() {
    for (name, text) in [("a.yaml", "name: x\nname: y\n"), ("a.json", r#"{"name": 1, "name": 2}"#)]
    {
        let (_folder, path) = file(name, text);
        assert_eq!(paths(&Layers::<Settings>::new().file(path)), at([("name", Conflict)]));
    }
    let layers =
        Layers::<Settings>::new().profile("production", Format::Toml, crate::support::GOOD);
    let text = message(&layers.select("prodution"));
    assert!(text.starts_with("a problem with the settings: there is no profile"), "{text}");
    let odd = variables([("APP__", "x")]);
    let found = paths(&Layers::<Settings>::new().variables("APP", odd));
    assert!(found.contains(&("name".to_owned(), Missing)), "{found:?}");
}

/// What a type of the application says may quote the value; a name may move the cursor.
#[test]
fn what_types_say_is_told_without_the_value() {
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "String")]
    struct Token;
    impl TryFrom<String> for Token {
        type Error = String;
        fn try_from(text: String) -> Result<Self, String> {
            Err(format!("no token: {text:?}, `{text}`, {}", text.trim()))
        }
    }
    #[derive(Debug, Deserialize)]
    struct Pair {
        user: String,
        key: String,
    }
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "Pair")]
    struct Login;
    impl TryFrom<Pair> for Login {
        type Error = String;
        fn try_from(Pair { user, key }: Pair) -> Result<Self, String> {
            Err(format!("{user} may not use {key}\u{1b}[2J\nall is well"))
        }
    }
    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(rename = "count")]
        _count: Option<Even>,
        #[serde(rename = "token")]
        _token: Option<Token>,
        #[serde(rename = "login")]
        _login: Option<Login>,
    }
    impl Rules for Outer {}
    impl Rules for Login {}
    let told = |text| message(&Layers::<Outer>::new().defaults(Format::Toml, text));
    let told = [
        told("count = 4711"),
        told(r#"token = " hun'\"ter2\\""#),
        told("login = { user = 'al', key = 'al-hunter2' }"),
    ];
    let text = told.join("\n");
    for quoted in ["4711", "ter2", "hunter2", "al may", "\u{1b}"] {
        assert!(!text.contains(quoted), "{quoted}: {text}");
    }
    assert!(text.contains("`count`: *** is odd") && text.contains("*** may not use ***"), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    let all = Layers::<Login>::new().defaults(Format::Toml, "user = 'root'\nkey = 'hunter2'");
    assert!(!message(&all).contains("hunter2"), "{}", message(&all));
}

#[test]
fn the_names_in_a_map_are_whatever_is_asked_for() {
    #[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
    struct Label(String);
    #[derive(Debug, Deserialize)]
    struct Maps {
        ports: BTreeMap<u16, String>,
        labels: BTreeMap<Label, u8>,
    }
    impl Rules for Maps {}
    let layers = |text| Layers::<Maps>::new().defaults(Format::Toml, text);
    let loaded = layers("ports = { 80 = 'web' }\nlabels = { x = 1 }").load().unwrap();
    assert_eq!(loaded.settings.ports[&80], "web");
    assert_eq!(loaded.settings.labels[&Label("x".to_owned())], 1);
    let found =
        paths(&layers("labels = { x = '' }\n[ports]\n80 = 1\nweb = 'x'\n443 = 'y'\nno = 2"));
    let expected = [
        ("labels.x", WrongType),
        ("ports.80", WrongType),
        ("ports.no", WrongType),
        ("ports.web", WrongType),
    ];
    assert_eq!(found, at(expected));
}

#[test]
fn two_variables_for_one_setting_are_told_however_they_are_written() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Sized {
        #[serde(rename = "max-size")]
        _max_size: u32,
    }
    impl Rules for Sized {}
    let layers =
        |set| Layers::<Sized>::new().defaults(Format::Toml, "max-size = 1").variables("APP", set);
    let both = variables([("APP__MAX_SIZE", "1"), ("APP__MAXSIZE", "2")]);
    let found = wrong(&layers(both));
    assert_eq!(found, [("max-size".to_owned(), Conflict, "APP__MAXSIZE".to_owned())]);
    layers(variables([("APP__MAXSIZE", "2")])).load().unwrap();
}

#[test]
fn names_cannot_pass_for_something_else_in_an_explanation() {
    let (_folder, path) = file("a.json", r#"{"labels": {"x\nport = 1  # defaults:1": "y"}}"#);
    let text = layers().file(path).load().unwrap().explanation.to_string();
    assert_eq!(text.lines().filter(|line| line.starts_with("port = ")).count(), 1, "{text}");
}

#[test]
fn a_number_that_is_too_large_for_its_type_is_told() {
    #[derive(Debug, Deserialize)]
    struct Small {
        #[serde(rename = "ratio")]
        _ratio: f32,
    }
    impl Rules for Small {}
    let layers = |text| Layers::<Small>::new().defaults(Format::Toml, text);
    assert_eq!(paths(&layers("ratio = 1e300")), at([("ratio", Invalid)]));
    layers("ratio = inf").load().unwrap();
}

#[test]
fn a_profile_in_several_parts_is_taken_whole() {
    let layers =
        layers().profile("p", Format::Toml, "port = 1").profile("p", Format::Toml, "port = 2");
    assert_eq!(layers.select("p").load().unwrap().settings.port, 2);
}

/// A choice whose first one holds itself again.
#[test]
fn choices_within_choices_have_something_stand_in_for_them() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    #[expect(dead_code, reason = "read, and thrown away")]
    enum Test {
        Not(Box<Test>),
        Both(Box<Test>, Box<Test>),
        Always(bool),
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read, and thrown away")]
    enum Endless {
        More(Box<Endless>),
    }
    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(rename = "a")]
        _a: Test,
        #[serde(rename = "b")]
        _b: u8,
        #[serde(rename = "c")]
        _c: Option<Endless>,
    }
    impl Rules for Outer {}
    let layers = Layers::<Outer>::new().defaults(Format::Toml, "a = 1\nb = 'x'\nc = 1");
    assert_eq!(paths(&layers), at([("a", WrongType), ("b", WrongType), ("c", WrongType)]));
}

#[test]
fn what_is_set_by_two_of_its_names_is_told_by_name() {
    #[derive(Debug, Deserialize)]
    struct Named {
        #[serde(rename = "name", alias = "title")]
        _name: String,
    }
    impl Rules for Named {}
    let layers = Layers::<Named>::new().defaults(Format::Toml, "name = 'x'");
    let text = message(&layers.defaults(Format::Toml, "title = 'y'"));
    assert!(text.contains("`name` is set twice, by different names"), "{text}");
}

/// A number is kept as it is written, or told.
#[test]
fn whole_numbers_are_not_rounded_in_silence() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Numbers {
        double: Option<f64>,
        single: Option<f32>,
        whole: Option<u64>,
    }
    impl Rules for Numbers {}
    let toml = |text: &str| Layers::<Numbers>::new().defaults(Format::Toml, text);
    let json = |text: &str| Layers::<Numbers>::new().defaults(Format::Json, text);
    let yaml = |text: &str| Layers::<Numbers>::new().defaults(Format::Yaml, text);
    let variable = |name: &str, text: &str| {
        Layers::<Numbers>::new().variables("APP", variables([(name, text)]))
    };
    let doubles =
        ["9007199254740993", "-9007199254740993", "170141183460469231731687303715884105727"];
    for number in doubles {
        let found = [
            paths(&json(&format!("{{\"double\": {number}}}"))),
            paths(&yaml(&format!("double: {number}"))),
            paths(&variable("APP__DOUBLE", number)),
        ];
        assert!(
            found.iter().all(|found| *found == at([("double", Invalid)])),
            "{number}: {found:?}"
        );
    }
    assert_eq!(paths(&toml("double = 9007199254740993")), at([("double", Invalid)]));
    assert_eq!(paths(&toml("single = 16777217")), at([("single", Invalid)]));
    assert_eq!(paths(&variable("APP__DOUBLE", &"9".repeat(60))), at([("double", Invalid)]));
    for text in ["double = 9007199254740992", "double = -1e300", "double = 0.1", "double = inf"] {
        toml(text).load().unwrap();
    }
    let loaded = toml("single = 16777216\ndouble = 9223372036854775807e0").load().unwrap();
    assert_eq!(loaded.settings.single, Some(16_777_216.0));
    for text in ["whole = 1.0", "whole = 1e3", "whole = 1.5"] {
        assert_eq!(paths(&toml(text)), at([("whole", WrongType)]), "{text}");
    }
    assert_eq!(paths(&variable("APP__WHOLE", "1.0")), at([("whole", WrongType)]));
    for layers in [
        toml("double = 1e400"),
        json("{\"double\": 1e400}"),
        yaml("double: 1e400"),
        json(&format!("{{\"double\": {}}}", "9".repeat(60))),
        yaml(&format!("double: {}", "9".repeat(60))),
    ] {
        assert_eq!(paths(&layers), at([("", ProblemKind::Syntax)]));
    }
    assert_eq!(paths(&variable("APP__DOUBLE", "-1e400")), at([("double", Invalid)]));
    assert_eq!(variable("APP__DOUBLE", "inf").load().unwrap().settings.double, Some(f64::INFINITY));
}

/// What a type says of the whole may quote a part, and a variable holds the whole as one text.
#[test]
fn values_in_the_json_of_a_variable_are_not_quoted() {
    #[derive(Debug, Deserialize)]
    struct Written {
        url: String,
        more: Vec<String>,
    }
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "Written")]
    struct Judged;
    impl TryFrom<Written> for Judged {
        type Error = String;
        fn try_from(Written { url, more }: Written) -> Result<Self, String> {
            Err(format!("cannot use `{url}` with {more:?}"))
        }
    }
    #[derive(Debug, Deserialize)]
    struct Outer {
        #[serde(rename = "database")]
        _database: Judged,
    }
    impl Rules for Outer {}
    let json = r#"{"url": "hunter2-\u0041", "more": ["hunter3 \"x\""]}"#;
    let set = variables([("APP__DATABASE", json)]);
    let told = message(&Layers::<Outer>::new().variables("APP", set));
    assert!(told.ends_with("APP__DATABASE: `database`: cannot use `***` with [\"***\"]"), "{told}");

    let options =
        Layers::<Unread>::new().variables("APP", variables([("APP__OPTIONS__NET", json)]));
    let options = options.load().unwrap().settings.options;
    let told = options.problem_quoting("net", "no such host: hunter2-A").to_string();
    assert_eq!(told, "APP__OPTIONS__NET: `options.net`: no such host: ***");
}

#[derive(Debug, Deserialize)]
struct Unread {
    options: Subtree,
}

impl Rules for Unread {}

/// A choice is a name, too, when something belongs to it.
#[test]
fn variables_choose_however_choices_are_written() {
    #[derive(Debug, Deserialize, PartialEq)]
    enum Place {
        ReadOnly {
            of: String,
            at: u8,
        },
        #[serde(rename = "in-memory")]
        InMemory(u8),
    }
    #[derive(Debug, Deserialize)]
    struct Outer {
        place: Place,
    }
    impl Rules for Outer {}
    let layers = |set| Layers::<Outer>::new().variables("APP", set);
    let set =
        variables([("APP__PLACE__READ_ONLY__OF", "main"), ("APP__PLACE__READ_ONLY__AT", "7")]);
    let loaded = layers(set).load().unwrap();
    assert_eq!(loaded.settings.place, Place::ReadOnly { of: "main".to_owned(), at: 7 });
    let told = loaded.explanation.to_string();
    assert!(told.contains("place.ReadOnly.of = \"main\"  # APP__PLACE__READ_ONLY__OF"), "{told}");
    let loaded = layers(variables([("APP__PLACE__IN_MEMORY", "3")])).load().unwrap();
    assert_eq!(loaded.settings.place, Place::InMemory(3));
    let twice = [("APP__PLACE__INMEMORY", "3"), ("APP__PLACE__IN_MEMORY", "4")];
    assert_eq!(paths(&layers(variables(twice))), at([("place.in-memory", Conflict)]));
    let odd = layers(variables([("APP__PLACE__ON_DISK__AT", "3")]));
    assert_eq!(paths(&odd), at([("place", Invalid)]));
}

/// Who writes settings does not know what their types are called in the program.
#[test]
fn types_of_the_program_have_no_names_in_problems() {
    for (text, told) in [
        ("database = 'x'", "`database`: a text stands where a table is asked for"),
        ("database = [1]", "`database`: a list stands where a table is asked for"),
        (
            "mode = 5",
            "`mode`: a whole number stands where one of `read-write`, `read-only`, `replica` is asked for",
        ),
    ] {
        let found = message(&layers().defaults(Format::Toml, text));
        assert!(found.ends_with(told), "{found}");
    }
}

/// Names with dots lie nowhere else: what is wrong with one says nothing of the other.
#[test]
fn names_with_dots_are_not_taken_for_names_within_names() {
    #[derive(Deserialize)]
    struct Dotted {
        a: BTreeMap<String, u32>,
        #[serde(rename = "a.b")]
        ab: Option<u32>,
        rest: Option<Subtree>,
    }

    impl Rules for Dotted {
        fn problems(&self) -> Vec<Problem> {
            let Some(part) = self.rest.as_ref().and_then(|rest| rest.part("x.y")) else {
                return Vec::new();
            };
            vec![part.problem("z", "is not liked"), Problem::invalid("rest.\"x.y\"", "nor this")]
        }
    }

    let load = |text: &str| Layers::<Dotted>::new().defaults(Format::Toml, text).load();
    let told = |text: &str| {
        let found = load(text).err().into_iter().flatten();
        found.map(|problem| problem.to_string()).collect::<Vec<_>>()
    };
    let found = told("\"a.b\" = 'x'\n[a]\nb = 'y'\n");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("defaults:3: `a.b`: ") && found[1].contains(":1: `\"a.b\"`: "));
    let found = told("a = {}\n[rest.\"x.y\"]\nz = 1\n");
    assert_eq!(
        found,
        ["defaults:3: `rest.\"x.y\".z`: is not liked", "defaults:2: `rest.\"x.y\"`: nor this"]
    );
    let loaded = load("\"a.b\" = 1\n[a]\nb = 2\n\"b.c\" = 3\n").unwrap();
    let shown = loaded.explanation.to_string();
    assert!(shown.contains("\"a.b\" = 1") && shown.contains("a.\"b.c\" = 3"), "{shown}");
    assert_eq!((loaded.settings.ab, loaded.settings.a.len()), (Some(1), 2));
}

/// What may be shown under one name is not shown under another that reads the same.
#[test]
fn a_secret_is_not_shown_for_a_name_with_a_dot() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only explained")]
    struct Login {
        password: SecretSetting,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only explained")]
    struct Settings {
        db: Login,
        #[serde(rename = "db.password")]
        note: String,
    }

    impl Rules for Settings {}

    let text = "\"db.password\" = 'a note'\n[db]\npassword = 'canary-1'\n";
    let loaded = Layers::<Settings>::new().defaults(Format::Toml, text).load().unwrap();
    let shown = loaded.explanation.to_string();
    assert!(shown.contains("a note") && !shown.contains("canary"), "{shown}");
}
