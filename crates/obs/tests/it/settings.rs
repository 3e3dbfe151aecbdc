//! Logs and metrics from the settings of a service.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs::metric::Exposition;
use obs::record::Resource;
use obs::settings::ObservabilitySettings;
use obs::setup::{Guard, Observability, Profile, SetupErrorKind};
use serde_json::Value;
use service_settings::{Format, Layers, Problem, Problems, Rules};
use tracing_subscriber::Layer;

use crate::child;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Settings {
    #[serde(default)]
    pub(crate) observability: ObservabilitySettings,
}

impl Rules for Settings {
    fn problems(&self) -> Vec<Problem> {
        self.observability.problems()
    }
}

fn alone(test: &str, work: impl FnOnce()) -> String {
    child::alone(&format!("settings::{test}"), work)
}

fn load(text: &str) -> Result<ObservabilitySettings, Problems> {
    let layers = Layers::<Settings>::new().defaults(Format::Toml, text);
    layers.load().map(|loaded| loaded.settings.observability)
}

fn in_folder(text: &str) -> String {
    let folder = child::folder().unwrap();
    text.replace("FOLDER", folder.to_str().unwrap())
}

fn read(text: &str) -> ObservabilitySettings {
    load(&in_folder(text)).unwrap()
}

fn set_up(text: &str) -> Guard {
    Observability::builder().settings(&read(text)).unwrap().install().unwrap()
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(child::folder().unwrap().join(name)).unwrap()
}

fn lines_of(name: &str) -> Vec<Value> {
    text_of(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn messages_of(name: &str) -> Vec<String> {
    let lines = lines_of(name);
    let each = lines.iter().map(|line| line["message"].as_str().unwrap().to_owned());
    each.filter(|message| message != "observability is set up").collect()
}

fn page(guard: &Guard) -> String {
    let mut page = Vec::new();
    guard.observability().metrics().render(Exposition::OpenMetrics, &mut page).unwrap();
    String::from_utf8(page).unwrap()
}

/// The block of the documentation that has all settings.
fn example() -> &'static str {
    let readme = include_str!("../../README.md");
    let blocks = readme.split("```toml\n").skip(1);
    let mut blocks = blocks.map(|block| block.split("```").next().unwrap());
    blocks.find(|block| block.contains("[observability.outputs")).unwrap()
}

const FILE: &str = "
    [observability.outputs.file]
    to = 'file'
    file = { path = 'FOLDER/log' }
";

#[test]
fn the_example_of_the_documentation_is_sound_and_has_every_setting() {
    let settings = load(example()).unwrap();
    let shown = format!("{settings:?}");
    // Each option is given somewhere: what is of one output alone, in one of them.
    for part in shown.split_inclusive(['{', '}', ',']).map(str::trim) {
        let Some((name, "None,")) = part.split_once(": ") else { continue };
        let is_given = shown.contains(&format!("{name}: Some("));
        assert!(is_given, "`{name}` is not in the example");
    }
}

/// What the table of the documentation names is what there is.
#[test]
fn the_table_of_the_documentation_names_each_table_of_the_example() {
    let readme = include_str!("../../README.md");
    let table = readme.split("| setting | if it is not there |").nth(1).unwrap();
    let table = table.split("\n\n").next().unwrap();
    let example: toml_names::Names = toml_names::of(example());
    for name in example {
        assert!(table.contains(&name), "`{name}` is not in the table");
    }
}

mod toml_names {
    pub(super) type Names = Vec<String>;

    /// The settings that stand at the top, and the tables that stand in the others.
    pub(super) fn of(text: &str) -> Names {
        let mut names = Vec::new();
        let mut is_top = false;
        for line in text.lines() {
            if let Some(table) = line.strip_prefix("[observability") {
                let table = table.trim_matches(['.', ']']);
                is_top = table.is_empty();
                names.extend(
                    table.split('.').next().filter(|first| !first.is_empty()).map(Into::into),
                );
            } else if is_top && let Some((name, _)) = line.split_once(" = ") {
                names.push(format!("`{name}`"));
            }
        }
        names
    }
}

/// As variables, one for each leaf, the settings are the same.
#[test]
fn variables_say_the_same_as_a_file() {
    let from_file = load(example()).unwrap();
    let table: Value = {
        #[derive(serde::Deserialize)]
        struct Any {
            observability: Value,
        }
        impl Rules for Any {}
        Layers::<Any>::new()
            .defaults(Format::Toml, example())
            .load()
            .unwrap()
            .settings
            .observability
    };
    let mut variables = Vec::new();
    leaves("APP__OBSERVABILITY", &table, &mut variables);
    assert!(variables.len() > 60, "{variables:?}");
    let layers = Layers::<Settings>::new().variables("APP", variables);
    let from_variables = layers.load().unwrap().settings.observability;
    assert_eq!(format!("{from_variables:?}"), format!("{from_file:?}"));
}

fn leaves(name: &str, value: &Value, into: &mut Vec<(std::ffi::OsString, std::ffi::OsString)>) {
    let is_name = |key: &String| key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    match value {
        Value::Object(table) if table.keys().all(is_name) => {
            for (key, value) in table {
                leaves(&format!("{name}__{}", key.to_uppercase()), value, into);
            }
        }
        Value::String(text) => into.push((name.into(), text.into())),
        other => into.push((name.into(), other.to_string().into())),
    }
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    let text = "
[observability]
profil = 'production'
shutdown_timeout = '1d'
self_test = 'maybe'
[observability.service]
name = ''
attributes = { 'service.name' = 'x' }
[observability.log]
level = 'loud'
targets = { 'a=b' = 'info' }
[observability.outputs.one]
to = 'stdout'
sampling = { levels = { info = 1.5 } }
";
    let problems = load(text).unwrap_err().to_string();
    for told in [
        "defaults:3: `observability.profil`: nothing has this name; is `profile` meant?",
        "defaults:5: `observability.self_test`",
        "defaults:10: `observability.log.level`",
    ] {
        assert!(problems.contains(told), "{problems}");
    }
    // With the types right, the rules find the rest.
    let text =
        text.replace("profil =", "profile =").replace("maybe", "skip").replace("loud", "off");
    let problems = load(&text).unwrap_err().to_string();
    for told in [
        "defaults:4: `observability.shutdown_timeout`: is not between `1ms` and `10m`",
        "defaults:7: `observability.service.name`: is empty",
        "`observability.service.attributes.\"service.name\"`: is `service.name` of the settings",
        "is no target",
        "defaults:14: `observability.outputs.one.sampling.levels.info`: is no share",
    ] {
        assert!(problems.contains(told), "{told}: {problems}");
    }
}

/// Each of these is refused, at this place.
const HOSTILE: &[(&str, &str)] = &[
    ("shutdown_timeout = '0s'", "shutdown_timeout"),
    ("shutdown_timeout = '36500d'", "shutdown_timeout"),
    ("format = 'xml'", "format"),
    ("service.name = \"a\\nb\"", "service.name"),
    ("log.targets = { '' = 'info' }", "log.targets"),
    ("log.targets = { 'a,b' = 'info' }", "log.targets"),
    ("traces.targets = { 'a b' = 'info' }", "traces.targets"),
    ("outputs.'' = { to = 'stdout' }", "outputs"),
    ("outputs.'a b' = { to = 'stdout' }", "outputs"),
    ("outputs.a = {}", "outputs.a.to"),
    ("outputs.a = { to = 'file' }", "outputs.a.file"),
    ("outputs.a = { to = 'stdout', file = { path = '/x' } }", "outputs.a.file"),
    ("outputs.a = { to = 'stdout' }\noutputs.b = { to = 'stdout' }", "outputs.b.to"),
    ("outputs.a = { to = 'file', file = { path = '' } }", "outputs.a.file.path"),
    ("outputs.a = { to = 'file', file = { path = '/' } }", "outputs.a.file.path"),
    ("outputs.a = { to = 'file', file = { path = '/tmp/' } }", "outputs.a.file.path"),
    (
        "outputs.a = { to = 'file', file = { path = '/x', rotate_at = '0B' } }",
        "outputs.a.file.rotate_at",
    ),
    (
        "outputs.a = { to = 'file', file = { path = '/x', rotate_at = 5 } }",
        "outputs.a.file.rotate_at",
    ),
    (
        "outputs.a = { to = 'file', file = { path = '/x', rotate_at = '99999999TiB' } }",
        "outputs.a.file.rotate_at",
    ),
    (
        "outputs.a = { to = 'file', file = { path = '/x', rotate_every = 'day', keep_files = 0 } }",
        "outputs.a.file.keep_files",
    ),
    (
        "outputs.a = { to = 'file', file = { path = '/x', rotate_every = 'day', keep_for = '0s' } }",
        "outputs.a.file.keep_for",
    ),
    (
        "outputs.a = { to = 'file', file = { path = '/x', keep_files = 3 } }",
        "outputs.a.file.keep_files",
    ),
    ("outputs.a = { to = 'file', file = { path = '/x', mode = '0666' } }", "outputs.a.file.mode"),
    ("outputs.a = { to = 'file', file = { path = '/x', mode = '0999' } }", "outputs.a.file.mode"),
    ("outputs.a = { to = 'file', file = { path = '/x', mode = '0400' } }", "outputs.a.file.mode"),
    ("outputs.a = { to = 'stdout', room = '1B' }", "outputs.a.room"),
    ("outputs.a = { to = 'stdout', room = '2TiB' }", "outputs.a.room"),
    ("outputs.a = { to = 'stdout', layout = { ids = true } }", "outputs.a.layout.ids"),
    (
        "outputs.a = { to = 'stdout', format = 'google_cloud', layout = { project = '' } }",
        "outputs.a.layout.project",
    ),
    (
        "outputs.a = { to = 'stdout', sampling = { levels = { info = nan } } }",
        "outputs.a.sampling.levels.info",
    ),
    (
        "outputs.a = { to = 'stdout', sampling = { levels = { info = inf } } }",
        "outputs.a.sampling.levels.info",
    ),
    (
        "outputs.a = { to = 'stdout', sampling = { levels = { info = -0.1 } } }",
        "outputs.a.sampling.levels.info",
    ),
    (
        "outputs.a = { to = 'stdout', sampling = { targets = { x = { warn = 2 } } } }",
        "outputs.a.sampling.targets.x.warn",
    ),
    (
        "outputs.a = { to = 'stdout', rate_limit = { burst = 0, every = '1s' } }",
        "outputs.a.rate_limit.burst",
    ),
    (
        "outputs.a = { to = 'stdout', rate_limit = { burst = 1, every = '0s' } }",
        "outputs.a.rate_limit.every",
    ),
    (
        "outputs.a = { to = 'stdout', rate_limit = { burst = 4294967296, every = '1s' } }",
        "outputs.a.rate_limit.burst",
    ),
    (
        "outputs.a = { to = 'stdout', rate_limit = { burst = 1, every = '1s', all_errors = true, errors = { burst = 1, every = '1s' } } }",
        "outputs.a.rate_limit.all_errors",
    ),
    ("redaction.keys = ['-']", "redaction.keys[0]"),
    ("redaction.allowed_shapes = ['card']", "redaction.allowed_shapes"),
    ("redaction = { shapes = true, allowed_shapes = ['star'] }", "redaction.allowed_shapes[0]"),
    ("limits.value = '1B'", "limits.value"),
    ("limits.record = '1GiB'", "limits.record"),
    ("limits.fields = 0", "limits.fields"),
    ("limits.fields = 1000000000000", "limits.fields"),
    ("limits.error_sources = 65", "limits.error_sources"),
    ("limits = { value = '8KiB', record = '4KiB' }", "limits.value"),
    ("metrics.series_limit = 0", "metrics.series_limit"),
    ("metrics.series_limit = -1", "metrics.series_limit"),
    ("metrics.metric_limit = 9223372036854775807", "metrics.metric_limit"),
    ("metrics.longest_label = '1B'", "metrics.longest_label"),
    ("metrics.idle_after = '1s'", "metrics.idle_after"),
    ("metrics.buckets = { x = [] }", "metrics.buckets.x"),
    ("metrics.buckets = { x = [1.0, nan] }", "metrics.buckets.x"),
    ("metrics.buckets = { x = [2.0, 1.0] }", "metrics.buckets.x"),
    ("admin.address = '0.0.0.0:9464'", "admin.address"),
    ("admin.address = 'localhost'", "admin.address"),
    ("admin = { reachable_from_outside = true }", "admin.reachable_from_outside"),
    ("admin.hosts = ['a/b']", "admin.hosts[0]"),
    ("admin.facts = { '' = 'x' }", "admin.facts"),
];

#[test]
fn what_makes_no_sense_is_refused_where_it_stands() {
    let mut wrong = String::new();
    for (text, path) in HOSTILE {
        let whole = format!("[observability]\n{text}");
        let place = format!("observability.{path}");
        match load(&whole) {
            Ok(_) => writeln!(wrong, "{text}: taken").unwrap(),
            Err(problems) => {
                let told: Vec<_> = problems.iter().map(|problem| &problem.path).collect();
                let is_there = told.iter().any(|path| path.starts_with(&place));
                // Whoever reads this is told where, and one fault is one problem.
                if !is_there || told.len() != 1 {
                    writeln!(wrong, "{text}: {problems}").unwrap();
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_service_an_output_and_what_it_takes_come_from_the_settings() {
    alone("a_service_an_output_and_what_it_takes_come_from_the_settings", || {
        let guard = set_up(&format!(
            "{FILE}
            log.level = 'warn'
            [observability]
            profile = 'staging'
            service = {{ name = 'orders', version = '2', namespace = 'shop', instance = 'o-7', attributes = {{ team = 'a' }} }}
            log = {{ level = 'warn', targets = {{ loud = 'debug' }} }}
            redaction = {{ keys = ['patient id'], allowed_keys = ['pin'] }}
            limits = {{ value = '128B' }}
            "
        ));
        let observability = guard.observability();
        assert_eq!(observability.profile(), Profile::Staging);
        assert_eq!(observability.resource().get(Resource::SERVICE_NAMESPACE), Some("shop"));
        tracing::info!("not seen");
        tracing::warn!(patientId = "p-1", pin = "here", long = "x".repeat(200), "seen");
        tracing::debug!(target: "loud", "not at this output");
        tracing::info!(target: "loud", "not at this output either");
        tracing::warn!(target: "loud", "seen, too");
        assert!(guard.shutdown(SECOND).is_complete());
        let lines = lines_of("log");
        assert_eq!(messages_of("log"), ["seen", "seen, too"]);
        let line = lines.iter().find(|line| line["message"] == "seen").unwrap();
        assert_eq!((&line["patientId"], &line["pin"]), (&"[REDACTED]".into(), &"here".into()));
        assert_eq!(line["long"], "x".repeat(128) + "… [CUT]");
        assert_eq!((&line["service.name"], &line["team"]), (&"orders".into(), &"a".into()));
        assert_eq!(line["deployment.environment.name"], "staging");
    });
}

#[test]
fn the_format_of_all_is_that_of_outputs_that_say_none() {
    alone("the_format_of_all_is_that_of_outputs_that_say_none", || {
        let guard = set_up(
            "
            [observability]
            profile = 'development'
            format = 'ecs_nested'
            [observability.outputs.a]
            to = 'file'
            file = { path = 'FOLDER/a', mode = '0600' }
            [observability.outputs.b]
            to = 'file'
            file = { path = 'FOLDER/b' }
            format = 'datadog'
            layout = { decimal_ids = true }
            [observability.outputs.c]
            to = 'file'
            file = { path = 'FOLDER/c' }
            format = 'json'
            layout = { spans = true, source = true }
            [observability.outputs.d]
            to = 'file'
            file = { path = 'FOLDER/d' }
            format = 'google_cloud'
            layout = { project = 'shop' }
            [observability.outputs.e]
            to = 'file'
            file = { path = 'FOLDER/e' }
            format = 'new_relic'
            layout = { entity_guid = 'MXx' }
            [observability.outputs.f]
            to = 'file'
            file = { path = 'FOLDER/f' }
            format = 'console'
            layout = { colours = true, ids = true }
            [observability.outputs.g]
            enabled = false
            to = 'file'
            file = { path = 'FOLDER/g' }
            ",
        );
        tracing::info_span!("outer").in_scope(|| tracing::info!("here"));
        assert!(guard.shutdown(SECOND).is_complete());
        let line = |name: &str| lines_of(name).pop().unwrap();
        assert_eq!(line("a")["log"]["level"], "INFO");
        assert!(line("b")["dd.trace_id"].as_str().unwrap().parse::<u64>().is_ok());
        assert_eq!(line("c")["spans"][0], "outer");
        assert!(line("c")["source"].as_str().unwrap().starts_with(file!()));
        let trace = line("d")["logging.googleapis.com/trace"].clone();
        assert!(trace.as_str().unwrap().starts_with("projects/shop/traces/"), "{trace}");
        assert_eq!(line("e")["entity.guid"], "MXx");
        let console = text_of("f");
        assert!(console.contains("\u{1b}[") && console.contains("trace_id="), "{console}");
        let folder = child::folder().unwrap();
        assert!(!folder.join("g").exists());
        let mode = std::os::unix::fs::PermissionsExt::mode;
        let permissions = std::fs::metadata(folder.join("a")).unwrap().permissions();
        assert_eq!(mode(&permissions) & 0o777, 0o600);
    });
}

#[test]
fn an_output_has_its_own_filter_share_and_limit() {
    alone("an_output_has_its_own_filter_share_and_limit", || {
        let guard = set_up(
            "
            [observability.outputs.filtered]
            to = 'file'
            file = { path = 'FOLDER/filtered' }
            log = { level = 'error', targets = { special = 'info' } }
            [observability.outputs.limited]
            to = 'file'
            file = { path = 'FOLDER/limited' }
            rate_limit = { burst = 2, every = '1h' }
            [observability.outputs.sampled]
            to = 'file'
            file = { path = 'FOLDER/sampled' }
            sampling = { levels = { info = 0.0 }, targets = { special = { info = 1.0 } } }
            ",
        );
        for _ in 0..5 {
            tracing::info!("again");
        }
        tracing::info!(target: "special", "special");
        tracing::error!("wrong");
        assert!(guard.shutdown(SECOND).is_complete());
        assert_eq!(messages_of("filtered"), ["special", "wrong"]);
        assert_eq!(messages_of("sampled"), ["special", "wrong"]);
        let limited = messages_of("limited");
        assert_eq!(limited, ["again", "again", "special", "wrong", "3 log records suppressed"]);
    });
}

#[test]
fn files_are_moved_aside_as_the_settings_say() {
    alone("files_are_moved_aside_as_the_settings_say", || {
        let guard = set_up(
            "
            [observability.outputs.file]
            to = 'file'
            file = { path = 'FOLDER/log', rotate_at = '64KiB', keep_files = 2 }
            ",
        );
        for _ in 0..300 {
            tracing::info!(long = "x".repeat(1_000), "again");
            guard.observability().records().flush(SECOND).then_some(()).unwrap();
        }
        assert!(guard.shutdown(SECOND).is_complete());
        let there = std::fs::read_dir(child::folder().unwrap()).unwrap();
        let sizes: Vec<u64> = there.map(|file| file.unwrap().metadata().unwrap().len()).collect();
        assert!(sizes.len() == 3 && sizes.iter().all(|size| *size <= 64 << 10), "{sizes:?}");
    });
}

#[test]
fn metrics_go_by_the_settings() {
    alone("metrics_go_by_the_settings", || {
        let guard = set_up(&format!(
            "{FILE}
            [observability.metrics]
            series_limit = 2
            longest_label = '16B'
            exemplars = false
            buckets = {{ 'app.wait' = [1.0, 2.0] }}
            "
        ));
        for number in 0..5 {
            metrics::counter!("app.jobs", "number" => format!("{number}")).increment(1);
        }
        metrics::gauge!("app.name", "name" => "0123456789abcdefgh").set(1.0);
        let context = request_context::Context::new()
            .with_trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap());
        context.sync_scope(|| metrics::histogram!("app.wait").record(1.5));
        let page = page(&guard);
        assert!(page.contains("app_jobs_total{otel_metric_overflow=\"true\"} 3"), "{page}");
        assert!(page.contains("name=\"0123456789abcdef… [CUT]\""), "{page}");
        assert!(page.contains("app_wait_bucket{le=\"2.0\"} 1\n"), "{page}");
        assert!(!page.contains("# {trace_id"), "{page}");
        assert!(page.contains("le=\"+Inf\""), "{page}");
    });
}

#[test]
fn the_environment_counts_unless_the_settings_say_no() {
    let variables =
        || [("RUST_LOG".into(), "trace".into()), ("OTEL_SERVICE_NAME".into(), "e".into())];
    alone("the_environment_counts_unless_the_settings_say_no", || {
        let no = std::env::var_os("OBS_TEST_NO").is_some();
        let settings = read(&format!("{FILE}\n[observability]\nread_environment = {}", !no));
        let builder = Observability::builder().settings(&settings).unwrap();
        let guard = builder.environment(variables()).install().unwrap();
        let filter = guard.observability().filter().to_string();
        let name = guard.observability().resource().get(Resource::SERVICE_NAME).unwrap().to_owned();
        let expected = if no { ("info", "unknown_service") } else { ("trace", "e") };
        assert_eq!((&*filter, &*name), expected);
    });
    if child::folder().is_none() {
        let folder = tempfile::tempdir().unwrap();
        let test = "settings::the_environment_counts_unless_the_settings_say_no";
        let mut command = child::command(test, folder.path());
        command.env("OBS_TEST_NO", "1");
        child::run(command);
    }
}

/// What the program and its settings say comes before the environment, but for `RUST_LOG`.
#[test]
fn settings_come_before_the_environment() {
    alone("settings_come_before_the_environment", || {
        let settings = read(&format!(
            "{FILE}
            [observability]
            limits = {{ value = '1KiB', fields = 10 }}
            log = {{ targets = {{ obs = 'error' }} }}
            service = {{ name = 's' }}
            "
        ));
        let variables = [
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "200"),
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", "2"),
            ("OTEL_LOG_LEVEL", "trace"),
            ("OTEL_SERVICE_NAME", "e"),
        ];
        let builder = Observability::builder().settings(&settings).unwrap();
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let guard = builder.environment(variables).install().unwrap();
        assert_eq!(guard.observability().filter().to_string(), "obs=error,info");
        tracing::info!(long = "x".repeat(500), b = 1, c = 2, "here");
        assert!(guard.shutdown(SECOND).is_complete());
        let lines = lines_of("log");
        let line = lines.iter().find(|line| line["message"] == "here").unwrap();
        assert_eq!((line["long"].as_str().unwrap().len(), &line["c"]), (500, &2.into()));
        assert_eq!(line["service.name"], "s");
    });
}

#[test]
fn outputs_that_are_all_turned_off_leave_none() {
    let said = alone("outputs_that_are_all_turned_off_leave_none", || {
        let guard = set_up("[observability.outputs.stdout]\nto = 'stdout'\nenabled = false");
        tracing::error!("nobody asked for this");
        assert!(guard.observability().outputs().is_empty());
        assert_eq!(guard.self_test(), Ok(()));
        assert!(guard.shutdown(SECOND).is_complete());
    });
    assert!(!said.contains("nobody asked for this"), "{said}");
}

/// Settings come over what the program said before them, also where they say what is the default.
#[cfg(all(feature = "log-bridge", feature = "redact-patterns"))]
#[test]
fn what_settings_say_comes_over_what_the_program_said() {
    use obs::record::RedactedShapes;

    const TOLD: &str =
        "`redaction.shapes` in the settings has no effect: the program looks for shapes";
    alone("what_settings_say_comes_over_what_the_program_said", || {
        let settings = read(&format!(
            "{FILE}
            [observability]
            log_bridge = false
            metrics = {{ exemplars = true }}
            redaction = {{ shapes = false }}
            "
        ));
        let builder = Observability::builder()
            .with_log_bridge()
            .redacted_shapes(RedactedShapes::default())
            .metrics(|metrics| metrics.without_exemplars());
        let guard = builder.settings(&settings).unwrap().install().unwrap();
        log::error!("by the facade");
        tracing::info!("key AKIAIOSFODNN7EXAMPLE");
        let context = request_context::Context::new()
            .with_trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap());
        context.sync_scope(|| metrics::histogram!("app.wait").record(1.5));
        assert!(page(&guard).contains("# {trace_id"), "{}", page(&guard));
        assert!(guard.shutdown(SECOND).is_complete());
        // That nothing is redacted takes a line in the program; but it is said.
        assert_eq!(messages_of("log"), [TOLD, "key [REDACTED]"]);
    });
}

/// Found only when it is opened, and told with its place all the same.
#[test]
fn an_output_that_cannot_be_opened_is_told_with_its_place() {
    alone("an_output_that_cannot_be_opened_is_told_with_its_place", || {
        let folder = child::folder().unwrap();
        std::fs::create_dir(folder.join("log")).unwrap();
        let settings = read(FILE);
        let builder = Observability::builder().settings(&settings).unwrap();
        let error = builder.install().unwrap_err();
        assert_eq!(error.kind(), SetupErrorKind::Output);
        let told = "defaults:2: `observability.outputs.file`: output `file` cannot be opened";
        assert_eq!(error.to_string(), told);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.ends_with("is no regular file"), "{source}");
        let builder = Observability::builder();
        drop(builder.install().unwrap());
    });
}

#[test]
fn settings_with_problems_set_nothing_up() {
    let read: ObservabilitySettings =
        serde_json::from_str(r#"{"shutdown_timeout": "0s", "limits": {"fields": 0}}"#).unwrap();
    let problems = Observability::builder().settings(&read).unwrap_err();
    assert_eq!(problems.iter().count(), 2);
}

#[derive(Clone, Default)]
pub(crate) struct Theirs(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Theirs {
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        _: &tracing::span::Id,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        self.0.lock().unwrap().push(attributes.metadata().name().to_owned());
    }
}

impl Theirs {
    pub(crate) fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn settings_of_traces_that_nobody_takes_are_told() {
    const TOLD: &str = "`traces` in the settings has no effect: no layer is here that takes them";
    alone("settings_of_traces_that_nobody_takes_are_told", || {
        let guard = set_up(&format!("{FILE}\n[observability]\ntraces = {{ level = 'debug' }}"));
        assert!(guard.shutdown(SECOND).is_complete());
        assert!(messages_of("log").iter().any(|message| message == TOLD));
    });
}

#[test]
fn what_quiets_the_log_takes_no_span_from_traces() {
    alone("what_quiets_the_log_takes_no_span_from_traces", || {
        let text = format!(
            "{FILE}
            [observability]
            log = {{ level = 'error' }}
            traces = {{ level = 'info', targets = {{ noisy = 'off' }} }}
            self_test = 'require'
            "
        );
        let traces = Theirs::default();
        let builder = Observability::builder().with_unredacted_traces(traces.clone());
        let guard = builder.settings(&read(&text)).unwrap().install().unwrap();
        traces.taken();
        let spans = || {
            let _ = tracing::info_span!("request");
            let _ = tracing::debug_span!("detail");
            let _ = tracing::info_span!(target: "noisy", "noise");
        };
        spans();
        tracing::info!("not in the log");
        assert_eq!(traces.taken(), ["request"]);
        guard.observability().set_trace_filter("debug".parse().unwrap());
        spans();
        assert_eq!(traces.taken(), ["request", "detail", "noise"]);
        assert_eq!(guard.observability().filter().to_string(), "error");
        assert!(guard.shutdown(SECOND).is_complete());
        assert!(messages_of("log").is_empty());
    });
}

#[cfg(feature = "admin")]
#[test]
fn there_is_a_listener_if_the_settings_have_one() {
    use std::io::{Read as _, Write as _};

    alone("there_is_a_listener_if_the_settings_have_one", || {
        let guard = set_up(FILE);
        let observability = guard.observability();
        assert!(read("[observability]").admin(observability).is_none());
        assert!(read("[observability.admin]\nenabled = false").admin(observability).is_none());
        let text = "
            [observability.admin]
            address = '127.0.0.1:0'
            hosts = ['orders.internal']
            facts = { 'git.commit' = '1f3ccb7' }
        ";
        let server = read(text).admin(observability).unwrap().start().unwrap();
        let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
        assert!(server.address().ip().is_loopback());
        stream.write_all(b"GET /info HTTP/1.1\r\nhost: orders.internal\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("1f3ccb7"), "{answer}");
    });
}
