//! Parts that are kept unread, and read by whoever knows their type.

use std::collections::BTreeMap;

use serde::Deserialize;
use service_settings::ProblemKind::{Conflict, Invalid, Missing, UnknownKey, WrongType};
use service_settings::{Format, Layers, Placed, Problem, Problems, Rules, SecretSetting, Subtree};

use crate::support::{file, message, variables, wrong};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outer {
    #[serde(rename = "name")]
    _name: String,
    stores: BTreeMap<String, Subtree>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Disk {
    path: String,
    #[serde(default)]
    most_files: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vault {
    url: String,
    #[serde(rename = "token")]
    _token: SecretSetting,
    #[serde(rename = "part")]
    _part: Option<Subtree>,
}

impl Rules for Disk {
    fn problems(&self) -> Vec<Problem> {
        let is_open = self.path == "/";
        is_open.then(|| Problem::invalid("path", "is everything")).into_iter().collect()
    }
}

/// The application knows the types of stores; what it reads is checked with all the rest.
impl Rules for Outer {
    fn problems(&self) -> Vec<Problem> {
        let check = |store: &Subtree| -> Result<(), Problems> {
            let options = store.without("type");
            match store.text("type")?.as_deref() {
                Some("disk") => options.read_checked::<Disk>().map(drop),
                Some("vault") => options.read::<Vault>().map(drop),
                Some(_) => Err(store.problem("type", "is no store").into()),
                None => Err(store.missing("type").into()),
            }
        };
        self.stores.values().filter_map(|store| check(store).err()).flatten().collect()
    }
}

fn layers(text: &str) -> Layers<Outer> {
    Layers::new().defaults(Format::Toml, text)
}

const GOOD: &str = "\
name = 'x'
[stores.main]
type = 'vault'
url = 'https://vault'
token = 'hunter2'
[stores.main.part]
inner = 'hunter3'
[stores.spare]
type = 'disk'
path = '/data'
";

#[test]
fn everything_wrong_in_all_of_them_is_told_at_once_with_its_place() {
    let text = "\
name = 'x'
[stores.a]
type = 'disk'
paht = 'hunter2'
most-files = 'hunter2'
[stores.b]
type = 'vault'
url = 7
token = 'secret://x y'
[stores.c]
type = 'hunter2'
[stores.d]
[stores.e]
type = 5
[stores.f]
type = 'disk'
path = '/'
";
    let (_folder, path) = file("app.toml", text);
    let layers = Layers::<Outer>::new().file(path);
    let expected = [
        ("stores.a.paht", UnknownKey, "app.toml:4"),
        ("stores.a.most-files", WrongType, "app.toml:5"),
        ("stores.a.path", Missing, "app.toml:2"),
        ("stores.b.token", Invalid, "app.toml:9"),
        ("stores.b.url", WrongType, "app.toml:8"),
        ("stores.c.type", Invalid, "app.toml:11"),
        ("stores.d.type", Missing, "app.toml:12"),
        ("stores.e.type", WrongType, "app.toml:14"),
        ("stores.f.path", Invalid, "app.toml:17"),
    ];
    let mut expected: Vec<_> =
        expected.map(|(path, kind, at)| (path.to_owned(), kind, at.to_owned())).into();
    let mut found = wrong(&layers);
    found.sort_by_key(|(path, ..)| path.clone());
    expected.sort_by_key(|(path, ..)| path.clone());
    assert_eq!(found, expected);
    let text = message(&layers);
    assert!(text.contains("`stores.a.paht`: nothing has this name; is `path` meant?"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn variables_reach_into_it_however_its_names_are_written() {
    let set = [
        ("APP__STORES__MAIN__URL", "https://other"),
        ("APP__STORES__SPARE__MOST_FILES", "7"),
        ("APP__STORES__COLD_STORE__TYPE", "disk"),
        ("APP__STORES__THIRD", r#"{"type": "disk", "path": "/third"}"#),
    ];
    let text = format!("{GOOD}[stores.cold-store]\ntype = 'x'\npath = '/cold'\n");
    let loaded = layers(&text).variables("APP", variables(set)).load().unwrap();
    let stores = &loaded.settings.stores;
    assert_eq!(stores.keys().collect::<Vec<_>>(), ["cold-store", "main", "spare", "third"]);
    let disk = |name: &str| stores[name].without("type").read::<Disk>().unwrap();
    assert_eq!(disk("spare"), Disk { path: "/data".to_owned(), most_files: 7 });
    assert_eq!((disk("cold-store").path, disk("third").path), ("/cold".into(), "/third".into()));
    let vault: Vault = stores["main"].without("type").read().unwrap();
    assert_eq!(vault.url, "https://other");
    assert_eq!(stores["third"].keys(), ["path", "type"]);
    let told = loaded.explanation.to_string();
    let line = "stores.spare.most-files = \"7\"  # APP__STORES__SPARE__MOST_FILES\n";
    assert!(told.contains(line), "{told}");
}

#[test]
fn a_problem_in_a_variable_is_told_by_its_name() {
    let set = [
        ("APP__STORES__SPARE__MOST_FILES", "hunter2"),
        ("APP__STORES__SPARE__MOSTFILES", "1"),
        ("APP__STORES__MAIN__ULR", "hunter2"),
    ];
    let layers = layers(GOOD).variables("APP", variables(set));
    let mut found = wrong(&layers);
    found.sort_by_key(|(path, kind, _)| (path.clone(), format!("{kind:?}")));
    let expected = [
        ("stores.main.ulr", UnknownKey, "APP__STORES__MAIN__ULR"),
        ("stores.spare.most-files", Conflict, "APP__STORES__SPARE__MOSTFILES"),
    ];
    let is_expected = |(path, kind, at): &(&str, _, &str)| {
        found.contains(&((*path).to_owned(), *kind, (*at).to_owned()))
    };
    assert!(expected.iter().all(is_expected), "{found:?}");
    assert!(!message(&layers).contains("hunter2"));
}

/// Values show once somebody has read them as something else than a secret.
#[test]
fn it_shows_nowhere_until_it_is_read() {
    let told = layers(GOOD).load().unwrap().explanation.to_string();
    assert!(told.contains("stores.main.url = \"https://vault\"  # defaults:4"), "{told}");
    assert!(told.contains("stores.main.type = \"vault\"  # defaults:3"), "{told}");
    assert!(told.contains("stores.main.token = ***  # defaults:5"), "{told}");
    assert!(told.contains("stores.main.part.inner = ***  # defaults:7"), "{told}");

    #[derive(Debug, Deserialize)]
    struct Unread {
        stores: Subtree,
        #[serde(rename = "name")]
        _name: String,
    }
    impl Rules for Unread {}
    let loaded = Layers::<Unread>::new().defaults(Format::Toml, GOOD).load().unwrap();
    let told = loaded.explanation.to_string();
    assert!(!told.contains("vault") && !told.contains("/data"), "{told}");
    let shown = format!("{loaded:?} {:?}", loaded.settings.stores.part("main"));
    assert!(!shown.contains("hunter") && shown.contains("stores.main"), "{shown}");
}

/// A part that is in a part, in a list, in a choice, in what stands in for something else.
#[test]
fn it_may_stand_anywhere() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Choice {
        Kept(Subtree),
    }
    #[derive(Debug, Deserialize)]
    struct Anywhere {
        list: Vec<Subtree>,
        choice: Choice,
        absent: Option<Subtree>,
        #[serde(flatten)]
        rest: BTreeMap<String, Subtree>,
    }
    impl Rules for Anywhere {}
    let text = "choice = { kept = { path = 5 } }\nother = { path = 6 }\n[[list]]\npath = 1\n[[list]]\n\nmost-files = 2\n";
    let layers = Layers::<Anywhere>::new().defaults(Format::Toml, text);
    let Anywhere { list, choice, absent, rest } = layers.load().unwrap().settings;
    let Choice::Kept(kept) = choice;
    let told = |part: &Subtree| part.read::<Disk>().unwrap_err().to_string();
    assert!(
        told(&list[0]).contains("defaults:4: `list[0].path`: a whole number"),
        "{}",
        told(&list[0])
    );
    assert!(told(&list[1]).contains("defaults:5: `list[1].path`: this has to be set"));
    assert!(told(&kept).contains("defaults:1: `choice.kept.path`: a whole number"));
    assert!(absent.is_none());
    // serde buffers what is flattened, and the lines are lost; what is wrong is not.
    assert!(told(&rest["other"]).contains("`path`: a whole number"), "{}", told(&rest["other"]));
    let layers = Layers::<Outer>::new().defaults(Format::Toml, "stores = 7");
    let found: Vec<_> = wrong(&layers).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(found, ["stores", "name"]);
}

#[test]
fn it_is_read_out_of_other_formats_too() {
    let part: Subtree = serde_json::from_str(r#"{"path": "/x", "most-files": 3}"#).unwrap();
    assert_eq!(part.read::<Disk>().unwrap(), Disk { path: "/x".to_owned(), most_files: 3 });
    assert_eq!(Subtree::parse(Format::Json, "odd.json", "{").unwrap_err().iter().count(), 1);
}

/// For what is read again: whether anything is another than before.
#[test]
fn parts_tell_whether_they_hold_the_same() {
    let read = |text: &str| Subtree::parse(Format::Toml, "a.toml", text).unwrap();
    let same = "a = [1, 'x', 0.5]\n[t]\nb = true\n";
    let moved = "# elsewhere\n\nt.b = true\na = [1, 'x', 0.5]\n";
    let placed = |text: &str| read(text).read::<Placed<serde::de::IgnoredAny>>().unwrap();
    assert!(read(same).is_same(&read(moved)) && placed(same).is_same(&placed(moved)));
    for other in [
        "a = [1, 'x', 0.5]\n[t]\nb = false\n",
        "a = [1, 'x', 0.5]\n[t]\nc = true\n",
        "a = [1, 'x', 0.5]\n",
        "a = ['x', 1, 0.5]\n[t]\nb = true\n",
        "a = [1, 'y', 0.5]\n[t]\nb = true\n",
        "a = [1, 'x', 0.25]\n[t]\nb = true\n",
        "a = [1, 'x', 0.5, 1]\n[t]\nb = true\n",
        "a = '[1, x, 0.5]'\n[t]\nb = true\n",
        "",
    ] {
        assert!(
            !read(same).is_same(&read(other)) && !placed(same).is_same(&placed(other)),
            "{other}"
        );
    }
    let nowhere = Placed::nowhere(serde::de::IgnoredAny);
    assert!(nowhere.is_same(&nowhere.clone()) && !nowhere.is_same(&placed(same)));
}

/// What is found when settings are put to use has a place as well.
#[test]
fn what_is_found_later_is_told_with_its_place() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Service {
        disks: BTreeMap<String, Placed<Disk>>,
        #[serde(default)]
        spare: Placed<Option<Disk>>,
    }
    impl Rules for Service {}
    let text = "[disks.a]\npath = '/a'\n[disks.b]\npath = '/b'\nmost-files = 3\n";
    let set = variables([("APP__DISKS__A__MOST_FILES", "4")]);
    let layers = Layers::<Service>::new().defaults(Format::Toml, text).variables("APP", set);
    let Service { disks, spare } = layers.load().unwrap().settings;
    assert_eq!((disks["a"].value.most_files, disks["b"].value.most_files), (4, 3));
    for (name, path, told) in [
        ("b", "path", "defaults:4: `disks.b.path`: odd"),
        ("b", "absent", "defaults:3: `disks.b.absent`: odd"),
        ("b", "", "defaults:3: `disks.b`: odd"),
        ("a", "most-files", "APP__DISKS__A__MOST_FILES: `disks.a.most-files`: odd"),
    ] {
        assert_eq!(disks[name].problem(path, "odd").to_string(), told);
    }
    assert_eq!(disks["b"].path(), "disks.b");
    assert!(!format!("{:?}", spare).contains("path: \"/"));
    assert_eq!(spare.problem("path", "odd").to_string(), "`path`: odd");
    let layers = layers.defaults(Format::Toml, "disks.b.most-files = 'x'");
    assert_eq!(wrong(&layers)[0].0, "disks.b.most-files");
}
