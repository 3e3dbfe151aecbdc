//! Which source wins, and what is said of it.

use service_settings::{Format, Layers};

use crate::support::*;

#[test]
fn later_layers_stand_over_earlier_ones() {
    let (_one, base) = file("base.yaml", "port: 1\nhosts: [a, b]\ndatabase:\n  pool: {most: 20}\n");
    let (_other, over) = file("over.json", r#"{"port": 2, "hosts": ["c"], "labels": {"x": "y"}}"#);
    let layers = layers()
        .profile("production", Format::Toml, "port = 0\ndebug = true\nratio = 0.5")
        .select("production")
        .file(base)
        .file(over)
        .optional_file("/not/there.toml")
        .variables("APP", variables([("APP__DATABASE__POOL__LEAST", "5"), ("OTHER__PORT", "9")]));
    let settings = layers.load().unwrap().settings;
    assert_eq!((settings.port, settings.debug, settings.ratio), (2, true, Some(0.5)));
    assert_eq!(settings.hosts, ["c"], "lists are replaced, tables joined");
    assert_eq!((settings.database.pool.least, settings.database.pool.most), (5, 20));
    assert_eq!(settings.labels["x"], "y");
    assert_eq!(settings.name, "billing");
}

#[test]
fn variables_are_whatever_is_asked_for() {
    let layers = layers().variables(
        "APP",
        variables([
            ("APP__PORT", "443"),
            ("APP__DEBUG", "True"),
            ("APP__RATIO", "1e-3"),
            ("APP__NAME", "443"),
            ("APP__MODE", "read-only"),
            ("APP__HOSTS", r#"["a", "b"]"#),
            ("APP__LABELS", r#"{"tier": "web"}"#),
        ]),
    );
    let settings = layers.load().unwrap().settings;
    assert_eq!((settings.port, settings.debug, settings.ratio), (443, true, Some(0.001)));
    assert_eq!((settings.name.as_str(), settings.mode), ("443", Mode::ReadOnly));
    assert_eq!((settings.hosts.len(), settings.labels["tier"].as_str()), (2, "web"));
}

#[test]
fn a_choice_may_carry_settings_of_its_own() {
    let settings = layers().defaults(Format::Yaml, "mode:\n  replica:\n    of: main\n").load();
    assert_eq!(settings.unwrap().settings.mode, Mode::Replica { of: "main".to_owned() });
}

#[test]
fn what_set_what_is_explained_and_secrets_are_masked() {
    let (_folder, path) = file("app.toml", "\nport = 1\n[database]\npassword = 'hunter2'\n");
    let layers = layers().file(path.clone()).variables("APP", variables([("APP__PORT", "2")]));
    let loaded = layers.load().unwrap();
    let text = loaded.explanation.to_string();
    let path = path.display();
    let expected = [
        format!("database.password = ***  # {path}:4, over defaults:6"),
        "database.url = \"postgres://localhost/billing\"  # defaults:5".to_owned(),
        "name = \"billing\"  # defaults:1".to_owned(),
        format!("port = \"2\"  # APP__PORT, over {path}:2, over defaults:2"),
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    assert!(!format!("{loaded:?} {layers:?}").contains("hunter2"));
}

#[test]
fn what_nobody_reads_is_masked_too() {
    #[derive(Debug, serde::Deserialize)]
    struct Loose {
        #[serde(flatten)]
        _rest: std::collections::BTreeMap<String, serde::de::IgnoredAny>,
    }
    impl service_settings::Rules for Loose {}
    let layers = Layers::<Loose>::new().defaults(Format::Toml, "token = 'hunter2'");
    assert!(layers.load().unwrap().explanation.to_string().starts_with("token = ***"));
}

#[test]
fn a_profile_has_to_exist() {
    let with = |selected: Option<&str>| {
        let layers = layers().profile("development", Format::Toml, "").profile(
            "production",
            Format::Toml,
            "",
        );
        match selected {
            Some(selected) => message(&layers.select(selected)),
            None => message(&layers),
        }
    };
    assert!(
        with(Some("prodution")).contains("there is no profile `prodution`; is `production` meant?")
    );
    assert!(with(Some("x")).contains("there are `development`, `production`"));
    assert!(with(None).contains("no profile is chosen"));
}

/// The names of variables have neither small letters nor hyphens.
#[test]
fn variables_reach_settings_however_their_names_are_written() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Outer {
        max_size: u32,
        inner_part: Inner,
    }
    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Inner {
        time_out: u32,
        keep_alive: bool,
    }
    impl service_settings::Rules for Outer {}
    let text = "max-size = 1\n[inner-part]\ntimeOut = 2\nkeepAlive = true\n";
    let set = [("APP__MAX_SIZE", "10"), ("APP__INNER_PART__TIME_OUT", "20")];
    let layers =
        Layers::<Outer>::new().defaults(Format::Toml, text).variables("APP", variables(set));
    let loaded = layers.load().unwrap();
    let Outer { max_size, inner_part: Inner { time_out, keep_alive } } = loaded.settings;
    assert_eq!((max_size, time_out, keep_alive), (10, 20, true));
    let told = loaded.explanation.to_string();
    assert!(told.contains("max-size = \"10\"  # APP__MAX_SIZE, over defaults:1\n"), "{told}");
    assert!(
        told.contains("inner-part.timeOut = \"20\"  # APP__INNER_PART__TIME_OUT, over defaults:3")
    );
    // In a file a name is what it is.
    let layers = Layers::<Outer>::new().defaults(Format::Toml, text);
    let found = wrong(&layers.defaults(Format::Toml, "max_size = 3"));
    assert_eq!(found[0].0, "max_size");
}
