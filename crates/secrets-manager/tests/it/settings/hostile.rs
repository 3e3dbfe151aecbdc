//! Settings that are wrong, or meant to do harm, one of each kind.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrets_core::ErrorKind;
use secrets_core::memory::{MemoryProvider, Personality};
use secrets_manager::service_settings::{Format, Layers, ProblemKind};
use secrets_manager::{Registry, RequiredReason};

use super::{Service, layers, refused, registry, told, variables, wrong};
use crate::PROBE;

const GOOD: &str = "\
[secrets]
provider = 'main'
[secrets.providers.main]
type = 'directory'
root = '/run/secrets'
";

fn file(name: &str, text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

/// The one problem of the settings in a file.
fn problem(path: &Path) -> String {
    let layers = Layers::<Service>::new().file(path);
    let found = told(layers.load().expect_err("a problem"));
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

#[test]
fn unknown_key() {
    let found = wrong(&GOOD.replace("root", "rooot"));
    assert!(
        found.contains(
            &"defaults:5: `secrets.providers.main.rooot`: nothing has this name; is `root` meant?"
                .to_owned()
        )
    );
}

#[test]
fn wrong_type() {
    let found = wrong(&GOOD.replace("'/run/secrets'", "['hunter2']"));
    assert_eq!(
        found,
        ["defaults:5: `secrets.providers.main.root`: a list stands where path string is asked for"]
    );
    let found =
        wrong(&GOOD.replace("[secrets.providers.main]\n", "providers = 'hunter2'\n[other]\n"));
    assert!(
        found
            .iter()
            .any(|told| told
                .starts_with("defaults:3: `secrets.providers`: a text stands where a map")),
        "{found:?}"
    );
}

#[test]
fn missing_file_and_folder() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.toml");
    assert!(problem(&absent).ends_with("absent.toml: is not there"));
    let of_folder = folder.path().join("folder.toml");
    fs::create_dir(&of_folder).unwrap();
    assert!(problem(&of_folder).ends_with("folder.toml: is a folder"));
}

/// It is not read: neither the one that is sparse, nor the one that is there.
#[test]
fn a_file_of_100_megabytes() {
    let (_folder, path) = file("large.toml", vec![b'#'; 100 << 20]);
    let (found, counts) = PROBE.count(|| problem(&path));
    assert!(found.ends_with("takes 104857600 bytes; settings take 1048576 at most"), "{found}");
    assert!(counts.bytes < 1 << 20, "{} bytes", counts.bytes);
}

#[test]
fn bombs_of_yaml() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let before = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [before.as_str(); 9].join(", "));
    }
    let (_folder, path) = file("bomb.yaml", format!("secrets:\n  providers: {{}}\n{bomb}"));
    assert!(problem(&path).ends_with("bomb.yaml:3: anchors are not read in settings"));
}

#[test]
fn deep_nesting() {
    let deep = format!(
        "{{\"secrets\": {{\"providers\": {{\"main\": {}1{}}}}}}}",
        "{\"a\":".repeat(100_000),
        "}".repeat(100_000)
    );
    let (_folder, path) = file("deep.json", deep);
    assert!(problem(&path).contains("settings are at most 64 levels deep"));
    let text = "{\"a\":".repeat(100_000);
    let layers =
        layers(GOOD).variables("APP", variables([("APP__SECRETS__PROVIDERS__MAIN", &text)]));
    let found = told(layers.load().unwrap_err());
    assert!(
        found[0].starts_with("APP__SECRETS__PROVIDERS__MAIN: `secrets.providers.main"),
        "{found:?}"
    );
}

#[test]
fn duplicate_keys() {
    for (name, text) in [
        ("a.toml", format!("{GOOD}root = '/other'\n")),
        ("a.yaml", "secrets:\n  provider: main\n  provider: other\n".to_owned()),
        ("a.json", r#"{"secrets": {"provider": "main", "provider": "other"}}"#.to_owned()),
    ] {
        let (_folder, path) = file(name, text);
        let found = Layers::<Service>::new().file(path).load().unwrap_err();
        let kinds: Vec<_> = found.iter().map(|problem| problem.kind).collect();
        assert!(matches!(kinds[..], [ProblemKind::Conflict | ProblemKind::Syntax]), "{found}");
    }
}

#[test]
fn cyclic_alias() {
    let text = "[secrets.secret.a]\nreference = 'b'\n[secrets.secret.b]\nreference = 'a'\n";
    let found = wrong(&format!("{GOOD}{text}"));
    assert_eq!(
        found,
        ["defaults:7: `secrets.secret.a.reference`: comes back to this name: `a` → `b` → `a`"]
    );
}

#[tokio::test]
async fn alias_to_nothing() {
    let memory = MemoryProvider::builder(Personality::Google).scope("a").build().unwrap();
    let registry = registry(vec![Arc::new(memory)]);
    let text = "\
[secrets]
provider = 'main'
[secrets.providers.main]
type = 'memory'
scope = 'a'
[secrets.secret.db]
reference = 'not/there'
required = true
";
    let error = refused(text, &registry).await;
    let failure = &error.required().unwrap().failures()[0];
    let RequiredReason::Unreadable(reason) = &failure.reason else { panic!("{error}") };
    assert_eq!((failure.name.as_str(), reason.kind()), ("db", ErrorKind::NotFound));
}

#[test]
fn two_sources_for_one_name() {
    let found = wrong(&format!("{GOOD}[secrets.secret.a]\nreference = 'b'\nnative = 'arn:b'\n"));
    assert_eq!(
        found,
        [
            "defaults:8: `secrets.secret.a.native`: there is a `reference` as well: a name stands for one secret"
        ]
    );
    let set = [
        ("APP__SECRETS__FALL_BACK_ON_UNAVAILABLE", "true"),
        ("APP__SECRETS__FALLBACKONUNAVAILABLE", "true"),
    ];
    let layers = layers(GOOD).variables("APP", variables(set));
    let found = told(layers.load().unwrap_err());
    assert_eq!(
        found,
        [
            "APP__SECRETS__FALLBACKONUNAVAILABLE: `secrets.fall_back_on_unavailable`: another variable sets this too, or a part of it"
        ]
    );
}

#[test]
fn a_profile_that_does_not_exist() {
    let layers = layers(GOOD).profile("production", Format::Toml, "").select("prodution");
    let found = told(layers.load().unwrap_err());
    assert_eq!(found, ["there is no profile `prodution`; is `production` meant?"]);
}

#[test]
fn a_variable_that_is_not_utf_8() {
    let value = std::ffi::OsString::from_vec(b"hunter2\xff".to_vec());
    let layers =
        layers(GOOD).variables("APP", [("APP__SECRETS__PROVIDERS__MAIN__ROOT".into(), value)]);
    let found = told(layers.load().unwrap_err());
    assert_eq!(
        found,
        [
            "APP__SECRETS__PROVIDERS__MAIN__ROOT: `secrets.providers.main.root`: the value of the variable is not UTF-8 text"
        ]
    );
}

#[test]
fn a_reference_to_a_secret_in_itself() {
    let text = "\
[secrets]
provider = 'main'
[secrets.providers.main]
type = 'file'
path = '/x/secrets.store'
passphrase = 'secret://passphrase'
credentials_from = 'main'
";
    let found = wrong(text);
    assert_eq!(
        found,
        [
            "defaults:7: `secrets.providers.main.credentials_from`: is this provider itself: its credentials have to be elsewhere"
        ]
    );
}

#[test]
fn a_fallback_that_loops() {
    let text = GOOD.replace("provider = 'main'", "provider = 'main'\nfallback = ['spare', 'main']");
    let found = wrong(&format!("{text}[secrets.providers.spare]\ntype = 'env'\n"));
    assert_eq!(found, ["defaults:3: `secrets.fallback[1]`: is the provider that is asked first"]);
}

/// As many as one likes, in time that does not grow with their square.
#[test]
fn very_many_providers_and_names() {
    let mut text = "[secrets]\nprovider = 'p0'\n".to_owned();
    for number in 0..2_000 {
        let next = (number + 1) % 2_000;
        text +=
            &format!("[secrets.providers.p{number}]\ntype = 'env'\ncredentials_from = 'p{next}'\n");
        text += &format!("[secrets.secret.s{number}]\nreference = 's{next}'\n");
    }
    let settings = super::parse(&text).unwrap();
    let before = std::time::Instant::now();
    let found = told(settings.check(&Registry::new()));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(before.elapsed().as_secs() < 60, "{:?}", before.elapsed());
}
