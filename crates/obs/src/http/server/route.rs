use std::sync::Arc;

/// The route that was matched, as routers other than axum's tell it: an extension of the request. It is
/// the pattern (`/orders/{id}`), never the path: each value is a series of its own for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedRoute(Arc<str>);

impl MatchedRoute {
    /// A pattern of the router's.
    #[must_use]
    pub fn new(pattern: impl Into<Arc<str>>) -> Self {
        Self(pattern.into())
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(super) fn matched_route(extensions: &http::Extensions) -> Option<&str> {
    extensions.get::<MatchedRoute>().map(MatchedRoute::as_str)
}

/// The route that axum matched, for [`ServerLayer::route_by`](super::ServerLayer::route_by). There is
/// none where the layer stands around the router instead of within it
/// ([`Router::layer`](axum::Router::layer)): axum knows it only there.
#[cfg(feature = "axum")]
#[must_use]
pub fn axum_route(extensions: &http::Extensions) -> Option<&str> {
    extensions.get::<axum::extract::MatchedPath>().map(axum::extract::MatchedPath::as_str)
}
