use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use foldhash::fast::RandomState;
use metrics::{Gauge, Histogram, Key, Label, Level, Metadata};
use request_context::Scheme;

use super::chain::Chain;
use super::labels::{Failure, Labels, Method, OTHER};
use crate::http::metrics::{label, name};

/// The most routes that have series of their own. Whoever has more gives paths instead of patterns.
const MOST_ROUTES: usize = 1024;

/// The most kinds of requests of one route that have series of their own. A client chooses among ten methods, three
/// versions and two schemes: all of them on some routes would take what the recorder has for all routes.
const MOST_KINDS: usize = 64;

/// So that a chain has about four routes where there are as many as there may be.
const CHAINS: usize = MOST_ROUTES / 4;

static METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// The series of a layer, found without making a label: what was measured once is known by its route
/// and a short list.
#[derive(Debug)]
pub(super) struct Meter {
    /// By the hash of their patterns.
    routes: Box<[Chain<Arc<Route>>]>,
    hasher: RandomState,
    known: AtomicUsize,
    unmatched: Arc<Route>,
    beyond: Arc<Route>,
    active: Arc<Active>,
    /// Who adds, adds alone; who looks waits for nobody.
    adding: Mutex<()>,
}

/// The series of `http.server.active_requests`: by method, in the clear and over TLS.
#[derive(Debug, Default)]
struct Active([[OnceLock<Gauge>; 2]; Method::COUNT]);

/// The series of one route.
#[derive(Debug)]
pub(super) struct Route {
    pattern: Option<Arc<str>>,
    series: Chain<Series>,
    active: Arc<Active>,
    adding: Mutex<()>,
}

/// What is measured of one kind of request.
#[derive(Debug)]
pub(super) struct Series {
    labels: Labels,
    pub(super) duration: Histogram,
    pub(super) request_size: Histogram,
    pub(super) response_size: Histogram,
}

impl Meter {
    pub(super) fn new() -> Self {
        let active = Arc::default();
        let route = |pattern| Arc::new(Route::new(pattern, &active));
        Self {
            routes: (0..CHAINS).map(|_| Chain::new()).collect(),
            hasher: RandomState::default(),
            known: AtomicUsize::new(0),
            unmatched: route(None),
            beyond: route(Some(OTHER)),
            active,
            adding: Mutex::new(()),
        }
    }

    /// The series of a route.
    pub(super) fn route(&self, pattern: Option<&str>) -> &Arc<Route> {
        let Some(pattern) = pattern else { return &self.unmatched };
        let hash = self.hasher.hash_one(pattern);
        let place = usize::try_from(hash % self.routes.len() as u64).unwrap_or_default();
        let Some(chain) = self.routes.get(place) else { return &self.beyond };
        let found = chain.iter().find(|route| route.pattern() == Some(pattern));
        found.unwrap_or_else(|| self.add(chain, pattern))
    }

    #[cold]
    fn add<'a>(&'a self, chain: &'a Chain<Arc<Route>>, pattern: &str) -> &'a Arc<Route> {
        // Most of those that come here then are not there either: they do not wait.
        if self.known.load(Ordering::Relaxed) >= MOST_ROUTES {
            return &self.beyond;
        }
        let _alone = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |route: &Arc<Route>| route.pattern() == Some(pattern);
        if let Some(route) = chain.iter().find(|route| is_wanted(route)) {
            return route;
        }
        let known = self.known.load(Ordering::Relaxed);
        if known >= MOST_ROUTES {
            return &self.beyond;
        }
        let make = || Arc::new(Route::new(Some(pattern), &self.active));
        let route = chain.get_or_add(is_wanted, make);
        self.known.store(known + 1, Ordering::Relaxed);
        if known + 1 == MOST_ROUTES {
            tracing::warn!(
                routes = MOST_ROUTES,
                "no further route has series of its own: are these paths instead of patterns?"
            );
        }
        route
    }
}

impl Active {
    fn gauge(&self, method: Method, scheme: Scheme) -> Option<&Gauge> {
        let place = self.0.get(method as usize)?.get(usize::from(scheme == Scheme::Https))?;
        Some(place.get_or_init(|| {
            let labels = vec![
                Label::from_static_parts(label::METHOD, method.as_str()),
                Label::from_static_parts(label::SCHEME, scheme.as_str()),
            ];
            let key = Key::from_parts(name::ACTIVE_REQUESTS, labels);
            metrics::with_recorder(|recorder| recorder.register_gauge(&key, &METADATA))
        }))
    }
}

impl Route {
    fn new(pattern: Option<&str>, active: &Arc<Active>) -> Self {
        Self {
            pattern: pattern.map(Arc::from),
            series: Chain::new(),
            active: Arc::clone(active),
            adding: Mutex::new(()),
        }
    }

    pub(super) fn pattern(&self) -> Option<&str> {
        self.pattern.as_deref()
    }

    /// One more of the requests that have not ended.
    pub(super) fn begin(&self, labels: &Labels) {
        if let Some(gauge) = self.active.gauge(labels.method, labels.scheme) {
            gauge.increment(1);
        }
    }

    /// One less of them.
    pub(super) fn end(&self, labels: &Labels) {
        if let Some(gauge) = self.active.gauge(labels.method, labels.scheme) {
            gauge.decrement(1);
        }
    }

    /// The series of these labels, or what stands for them once there are as many as there may be.
    pub(super) fn series(&self, labels: &Labels) -> &Series {
        self.find(labels).unwrap_or_else(|| self.add(labels))
    }

    fn find(&self, labels: &Labels) -> Option<&Series> {
        self.series.iter().find(|series| series.labels == *labels)
    }

    #[cold]
    fn add(&self, labels: &Labels) -> &Series {
        let is_full = || self.series.iter().nth(MOST_KINDS - 1).is_some();
        if is_full()
            && let Some(series) = self.find(&labels.merged())
        {
            return series;
        }
        let _alone = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = self.find(labels) {
            return series;
        }
        let labels = if is_full() { labels.merged() } else { *labels };
        self.series.get_or_add(|series| series.labels == labels, || self.bind(&labels))
    }

    fn bind(&self, labels: &Labels) -> Series {
        let mut own = vec![
            Label::from_static_parts(label::METHOD, labels.method.as_str()),
            Label::from_static_parts(label::VERSION, labels.version.as_str()),
            Label::from_static_parts(label::SCHEME, labels.scheme.as_str()),
        ];
        let status = labels.status.map(|status| status.as_str().to_owned());
        own.extend(status.map(|status| Label::new(label::STATUS, status)));
        let failure = labels.failure.as_ref().map(Failure::as_str);
        own.extend(failure.map(|failure| Label::new(label::ERROR, failure.to_owned())));
        own.extend(self.pattern().map(|pattern| Label::new(label::ROUTE, pattern.to_owned())));
        let histogram = |name: &'static str| {
            let key = Key::from_parts(name, own.clone());
            metrics::with_recorder(|recorder| recorder.register_histogram(&key, &METADATA))
        };
        Series {
            labels: *labels,
            duration: histogram(name::REQUEST_DURATION),
            request_size: histogram(name::REQUEST_SIZE),
            response_size: histogram(name::RESPONSE_SIZE),
        }
    }
}
