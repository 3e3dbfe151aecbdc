use std::fmt;

use request_context::Actor;

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

    /// Answers. It is called in one of a few threads of the listener's, for several requests at a time: it does not wait for
    /// anything, least of all for the application's runtime. One that hangs keeps its own thread. A panic is an answer of
    /// 500.
    ///
    /// It runs in a [`Context`](request_context::Context) that has who asked, from where, and an id of the request:
    /// what it logs and what it tells an audit trail has them.
    fn answer(&self, request: &AdminRequest<'_>) -> AdminResponse;
}

/// Decides who may use the routes that change or reveal something.
///
/// Any function from a request to who it is from is one. Compare tokens in constant time.
pub trait AdminAuthorizer: Send + Sync + 'static {
    /// Who asks, if that one may; nothing refuses the request. It does not wait for anything.
    fn authorize(&self, request: &AdminRequest<'_>) -> Option<Actor>;
}

impl<F> AdminAuthorizer for F
where
    F: Fn(&AdminRequest<'_>) -> Option<Actor> + Send + Sync + 'static,
{
    fn authorize(&self, request: &AdminRequest<'_>) -> Option<Actor> {
        self(request)
    }
}
