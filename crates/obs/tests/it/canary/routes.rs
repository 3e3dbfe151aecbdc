//! Every way by which a secret can come into a record, as a function that sends it there.

use std::error::Error;
use std::fmt;

use log::Log as _;
use obs::record::{LogBridge, Note, RecordHandle, Value};
use tracing::field::Empty;
use tracing_core::Level;

/// What a route needs.
pub(super) struct Env<'a> {
    pub(super) secret: &'a str,
    pub(super) handle: &'a RecordHandle,
}

/// A secret that is a number.
pub(super) const NUMBER: u64 = 907_352_816_444;

pub(super) type Route = (&'static str, fn(&Env<'_>));

/// What a route leads through is in its name: `complete` compares it with the sources.
pub(super) const ROUTES: &[Route] = &[
    ("message", |env| tracing::info!("password={}", env.secret)),
    ("message of Debug", |env| tracing::info!("{:?}", Login::of(env))),
    ("message of pretty Debug", |env| tracing::info!("{:#?}", Login::of(env))),
    ("message of several lines", |env| {
        tracing::info!("GET / HTTP/1.1\r\nAuthorization: Bearer {0}\r\nCookie: a={0}", env.secret);
    }),
    ("message with a URL", |env| tracing::info!("at postgres://app:{}@db/orders", env.secret)),
    ("record_str by name", |env| tracing::info!(password = env.secret, "m")),
    ("record_str by its text", |env| tracing::info!(body = format!("token={}", env.secret), "m")),
    ("record_str of JSON", |env| {
        tracing::info!(body = format!(r#"{{"a":1,"api_key":"{}"}}"#, env.secret), "m");
    }),
    ("record_str of a field in dots", |env| {
        tracing::info!({ db.password = env.secret }, "m");
    }),
    ("record_debug by name", |env| tracing::info!(secret = ?env.secret, "m")),
    ("record_debug of Display by name", |env| tracing::info!(cookie = %env.secret, "m")),
    ("record_debug of Display by its text", |env| {
        tracing::info!(body = %format_args!("pwd: {}", env.secret), "m");
    }),
    ("record_debug by its text", |env| tracing::info!(login = ?Login::of(env), "m")),
    ("record_debug of Debug of Debug", |env| {
        tracing::info!(login = ?format!("{:?}", Login::of(env)), "m");
    }),
    ("record_debug of headers", |env| {
        tracing::info!(headers = ?[("x-api-key", env.secret), ("accept", "*/*")], "m");
    }),
    ("record_bytes by name", |env| tracing::info!(token = env.secret.as_bytes(), "m")),
    ("record_bytes by its text", |env| {
        tracing::info!(body = format!("token={}", env.secret).as_bytes(), "m");
    }),
    ("record_error by name", |env| tracing::info!(token = dynamic(&env.failure()), "m")),
    ("record_error and its sources", |env| tracing::info!(error = dynamic(&env.failure()), "m")),
    ("record_i64", |_| tracing::info!(pin = signed(), "m")),
    ("record_u64", |_| tracing::info!(pin = NUMBER, "m")),
    ("record_i128", |_| tracing::info!(pin = i128::from(NUMBER), "m")),
    ("record_u128", |_| tracing::info!(pin = u128::from(NUMBER), "m")),
    ("record_f64", |_| tracing::info!(pin = float(), "m")),
    ("span by name", |env| {
        let _span = tracing::info_span!("s", password = env.secret).entered();
        tracing::info!("m");
    }),
    ("span by its text", |env| {
        let _span = tracing::info_span!("s", login = ?Login::of(env)).entered();
        tracing::info!("m");
    }),
    ("outer span", |env| {
        let _outer = tracing::info_span!("outer", error = dynamic(&env.failure())).entered();
        let _inner = tracing::info_span!("inner").entered();
        tracing::info!("m");
    }),
    ("late by name", |env| {
        let span = tracing::info_span!("s", password = Empty).entered();
        span.record("password", env.secret);
        tracing::info!("m");
    }),
    ("late by its text", |env| {
        let span = tracing::info_span!("s", body = "first").entered();
        span.record("body", tracing::field::debug(Login::of(env)));
        tracing::info!("m");
    }),
    ("note: message", |env| env.note(&[], &format!("password={}", env.secret))),
    ("note: by name", |env| env.note(&[("password", Value::Text(env.secret))], &"m")),
    ("note: by its text", |env| {
        env.note(&[("body", Value::Text(&format!("token={}", env.secret)))], &"m");
    }),
    ("note: number", |_env| _env.note(&[("pin", Value::U64(NUMBER))], &"m")),
    ("note: name of a field", |env| {
        env.note(&[(&format!("token={}", env.secret), Value::Bool(true))], &"m");
    }),
    ("note: target", |env| {
        let target = format!("token={}", env.secret);
        env.handle.record(&Note::new(Level::INFO, &target), &"m");
    }),
    ("log: message", |env| env.log(&[], &format!("password={}", env.secret), "t")),
    ("log: visit_str by name", |env| env.log(&[("password", env.secret.into())], "m", "t")),
    ("log: visit_str by its text", |env| {
        env.log(&[("body", (*format!("token={}", env.secret)).into())], "m", "t");
    }),
    ("log: visit_any by name", |env| {
        env.log(&[("password", log::kv::Value::from_debug(&env.secret))], "m", "t");
    }),
    ("log: visit_any by its text", |env| {
        env.log(&[("login", log::kv::Value::from_debug(&Login::of(env)))], "m", "t");
    }),
    ("log: visit_u64", |env| env.log(&[("pin", NUMBER.into())], "m", "t")),
    ("log: visit_i64", |env| env.log(&[("pin", signed().into())], "m", "t")),
    ("log: visit_u128", |env| env.log(&[("pin", u128::from(NUMBER).into())], "m", "t")),
    ("log: visit_i128", |env| env.log(&[("pin", i128::from(NUMBER).into())], "m", "t")),
    ("log: visit_f64", |env| env.log(&[("pin", float().into())], "m", "t")),
    ("log: name of a field", |env| {
        env.log(&[(&format!("token={}", env.secret), true.into())], "m", "t");
    }),
    ("log: target", |env| env.log(&[], "m", &format!("token={}", env.secret))),
];

const fn signed() -> i64 {
    NUMBER.cast_signed()
}

#[expect(clippy::cast_precision_loss, reason = "it has so many digits")]
const fn float() -> f64 {
    NUMBER as f64
}

struct Login {
    secret: String,
}

impl Login {
    fn of(env: &Env<'_>) -> Self {
        Self { secret: env.secret.to_owned() }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &"alice")
            .field("password", &Some(&self.secret))
            .finish()
    }
}

/// An error whose source's source says too much.
#[derive(Debug)]
struct Failure(String, Option<Box<Failure>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

fn dynamic(failure: &Failure) -> &(dyn Error + 'static) {
    failure
}

impl Env<'_> {
    fn failure(&self) -> Failure {
        let inner = Failure(format!("refused: password={}", self.secret), None);
        let middle = Failure("no connection".to_owned(), Some(Box::new(inner)));
        Failure("no order".to_owned(), Some(Box::new(middle)))
    }

    fn note(&self, fields: &[(&str, Value<'_>)], message: &dyn fmt::Display) {
        self.handle.record(&Note::new(Level::INFO, "t").with_fields(fields), message);
    }

    fn log(&self, pairs: &[(&str, log::kv::Value<'_>)], message: &str, target: &str) {
        let mut record = log::Record::builder();
        record.level(log::Level::Info).target(target).key_values(&pairs);
        LogBridge::new(self.handle.clone()).log(&record.args(format_args!("{message}")).build());
    }
}
