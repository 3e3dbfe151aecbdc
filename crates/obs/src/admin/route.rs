use std::fmt;

use crate::admin::message::{AdminMethod, AdminRequest, AdminResponse};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Whoever reaches the listener: for what neither changes nor reveals anything.
    Open,
    /// Whom the [`AdminAuthorizer`] lets; nobody, if there is none.
    Authorized,
}

/// Something that the listener answers: its own routes are made of this, and those of other crates.
pub trait AdminRoute: fmt::Debug + Send + Sync + 'static {
    /// The path, as `/loggers`. It is compared as a whole.
    fn path(&self) -> &str;

    /// What it answers, and to whom.
    fn methods(&self) -> &[(AdminMethod, Access)];

    /// Answers. It is called in the listener's thread, one request after another: it does not wait for
    /// anything, least of all for the application's runtime. A panic is an answer of 500.
    fn answer(&self, request: &AdminRequest<'_>) -> AdminResponse;
}

/// Decides who may use the routes that change or reveal something.
///
/// Any function on a request is one. Compare tokens in constant time.
pub trait AdminAuthorizer: Send + Sync + 'static {
    /// Whether this request may go on. It does not wait for anything.
    fn allows(&self, request: &AdminRequest<'_>) -> bool;
}

impl<F> AdminAuthorizer for F
where
    F: Fn(&AdminRequest<'_>) -> bool + Send + Sync + 'static,
{
    fn allows(&self, request: &AdminRequest<'_>) -> bool {
        self(request)
    }
}
