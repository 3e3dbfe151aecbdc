use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use metrics::{Gauge, Histogram, Key, Label, Level, Metadata};

use super::labels::{Failure, Labels, OTHER, is_same};
use crate::http::metrics::{label, name};

/// The most routes that have series of their own. Whoever has more gives paths instead of patterns.
const MOST_ROUTES: usize = 1024;

/// The most kinds of requests of one route that have series of their own. A client chooses among ten methods, three
/// versions and two schemes: all of them on some routes would take what the recorder has for all routes.
const MOST_KINDS: usize = 64;

static METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// The series of a layer, found without making a label: what was measured once is known by its route
/// and a short list.
#[derive(Debug)]
pub(super) struct Meter {
    routes: ArcSwap<HashMap<Arc<str>, Arc<Route>, RandomState>>,
    unmatched: Arc<Route>,
    beyond: Arc<Route>,
    active: ArcSwap<Vec<(Active, Gauge)>>,
    /// Who adds, adds alone; who looks waits for nobody.
    adding: Mutex<()>,
}

/// The labels of `http.server.active_requests`.
#[derive(Debug, Clone, Copy)]
struct Active {
    method: &'static str,
    scheme: &'static str,
}

/// The series of one route.
#[derive(Debug)]
pub(super) struct Route {
    pattern: Option<Arc<str>>,
    series: ArcSwap<Vec<Arc<Series>>>,
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
        Self {
            routes: ArcSwap::default(),
            unmatched: Arc::new(Route::new(None)),
            beyond: Arc::new(Route::new(Some(Arc::from(OTHER)))),
            active: ArcSwap::default(),
            adding: Mutex::new(()),
        }
    }

    /// The series of a route.
    pub(super) fn route(&self, pattern: Option<&str>) -> Arc<Route> {
        let Some(pattern) = pattern else { return Arc::clone(&self.unmatched) };
        if let Some(route) = self.routes.load().get(pattern) {
            return Arc::clone(route);
        }
        let _alone = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.routes.load_full();
        if let Some(route) = known.get(pattern) {
            return Arc::clone(route);
        }
        if known.len() >= MOST_ROUTES {
            return Arc::clone(&self.beyond);
        }
        let name: Arc<str> = Arc::from(pattern);
        let route = Arc::new(Route::new(Some(Arc::clone(&name))));
        let mut routes = (*known).clone();
        routes.insert(name, Arc::clone(&route));
        if routes.len() == MOST_ROUTES {
            tracing::warn!(
                routes = MOST_ROUTES,
                "no further route has series of its own: are these paths instead of patterns?"
            );
        }
        self.routes.store(Arc::new(routes));
        route
    }

    /// What counts the requests that have not ended.
    pub(super) fn active(&self, method: &'static str, scheme: &'static str) -> Gauge {
        let is_wanted =
            |active: &Active| is_same(active.method, method) && is_same(active.scheme, scheme);
        let find = |known: &[(Active, Gauge)]| {
            known.iter().find(|(active, _)| is_wanted(active)).map(|(_, gauge)| gauge.clone())
        };
        if let Some(gauge) = find(&self.active.load()) {
            return gauge;
        }
        let _alone = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = Vec::clone(&self.active.load());
        if let Some(gauge) = find(&known) {
            return gauge;
        }
        let labels = vec![
            Label::from_static_parts(label::METHOD, method),
            Label::from_static_parts(label::SCHEME, scheme),
        ];
        let key = Key::from_parts(name::ACTIVE_REQUESTS, labels);
        let gauge = metrics::with_recorder(|recorder| recorder.register_gauge(&key, &METADATA));
        known.push((Active { method, scheme }, gauge.clone()));
        self.active.store(Arc::new(known));
        gauge
    }
}

impl Route {
    fn new(pattern: Option<Arc<str>>) -> Self {
        Self { pattern, series: ArcSwap::default(), adding: Mutex::new(()) }
    }

    pub(super) fn pattern(&self) -> Option<&str> {
        self.pattern.as_deref()
    }

    /// Calls `measure` with the series of these labels.
    pub(super) fn with_series(&self, labels: &Labels, measure: impl FnOnce(&Series)) {
        if let Some(series) = find(&self.series.load(), labels) {
            return measure(series);
        }
        measure(&self.add(labels));
    }

    #[cold]
    fn add(&self, labels: &Labels) -> Arc<Series> {
        let _alone = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = Vec::clone(&self.series.load());
        if let Some(series) = find(&known, labels) {
            return Arc::clone(series);
        }
        let labels = if known.len() < MOST_KINDS { *labels } else { labels.merged() };
        let series = Arc::new(self.bind(&labels));
        known.push(Arc::clone(&series));
        self.series.store(Arc::new(known));
        series
    }

    fn bind(&self, labels: &Labels) -> Series {
        let mut own = vec![
            Label::from_static_parts(label::METHOD, labels.method),
            Label::from_static_parts(label::VERSION, labels.version),
            Label::from_static_parts(label::SCHEME, labels.scheme),
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

/// The series of these labels, or what stands for them once there are as many as there may be.
fn find<'a>(known: &'a [Arc<Series>], labels: &Labels) -> Option<&'a Arc<Series>> {
    let of = |labels: &Labels| known.iter().find(|series| series.labels == *labels);
    of(labels).or_else(|| if known.len() < MOST_KINDS { None } else { of(&labels.merged()) })
}
