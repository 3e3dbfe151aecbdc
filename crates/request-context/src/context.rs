//! Who did something, in which request, and where the request came from.

use std::future::Future;

use crate::origin::Origin;
use crate::scoped::Scoped;
use crate::shared::SharedContext;
use crate::state::TraceState;
use crate::trace::TraceContext;
use crate::word::Id;

/// What is known of the request in which something happens. Whoever learns a part of it adds it: the
/// outermost layer the ids, the layer that knows the proxies the origin, authentication the actor.
///
/// Within a task it travels by [`scope`](Self::scope); with an HTTP request from one task to another as its extension, a
/// [`SharedContext`](crate::SharedContext).
///
/// ```
/// use request_context::{Actor, Context, Id};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()
///     .with_request_id(Id::new("01J9ZK3V7C")?)
///     .with_actor(Actor::user(Id::new("alice")?));
/// context.scope(async {
///     assert!(Context::current().is_some_and(|context| context.actor.is_some()));
/// }).await;
/// assert!(Context::current().is_none());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Context {
    /// Names the request at this service, for whoever asks about it later.
    pub request_id: Option<Id>,
    /// Names the whole of what somebody asked for, across the services that take part in it.
    pub correlation_id: Option<Id>,
    /// The trace it belongs to.
    pub trace: Option<TraceContext>,
    /// What tracing systems say of that trace, for the next service. It means nothing with another one.
    pub trace_state: Option<TraceState>,
    /// Who acts.
    pub actor: Option<Actor>,
    /// Where the request came from.
    pub origin: Option<Origin>,
}

impl Context {
    /// Nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With the id of the request.
    #[must_use]
    pub fn with_request_id(mut self, id: Id) -> Self {
        self.request_id = Some(id);
        self
    }

    /// With the id that crosses services.
    #[must_use]
    pub fn with_correlation_id(mut self, id: Id) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// With the ids of the trace. What was said of another one is left out.
    #[must_use]
    pub fn with_trace(mut self, trace: TraceContext) -> Self {
        let is_other = |known: TraceContext| known.trace_id != trace.trace_id;
        if self.trace.is_none_or(is_other) {
            self.trace_state = None;
        }
        self.trace = Some(trace);
        self
    }

    /// With what tracing systems say of the trace, which is given before.
    #[must_use]
    pub fn with_trace_state(mut self, state: TraceState) -> Self {
        self.trace_state = Some(state);
        self
    }

    /// With whom acts.
    #[must_use]
    pub fn with_actor(mut self, actor: Actor) -> Self {
        self.actor = Some(actor);
        self
    }

    /// With where the request came from.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Runs a future in this context. What it spawns does not inherit it.
    pub fn scope<F: Future>(self, future: F) -> Scoped<F> {
        SharedContext::new(self).scope(future)
    }

    /// Runs a closure in this context.
    pub fn sync_scope<R>(self, work: impl FnOnce() -> R) -> R {
        SharedContext::new(self).sync_scope(work)
    }

    /// Looks at the context of the running task, if it runs in one, without a copy of it.
    pub fn with_current<R>(look: impl FnOnce(Option<&Self>) -> R) -> R {
        SharedContext::with_current(look)
    }

    /// The context of the running task, if it runs in one.
    #[must_use]
    pub fn current() -> Option<Self> {
        Self::with_current(|context| context.cloned())
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Actor {
    /// What it is.
    pub kind: UserKind,
    /// Its id, never a display name, which may be anything.
    pub id: Id,
    /// The session in which it acts.
    pub session: Option<Id>,
    /// Which of its credentials it used, by the id of that.
    pub credential: Option<Id>,
}

impl Actor {
    /// A person.
    #[must_use]
    pub fn user(id: Id) -> Self {
        Self::new(UserKind::User, id)
    }

    /// Another service, or this one by itself.
    #[must_use]
    pub fn service(id: Id) -> Self {
        Self::new(UserKind::Service, id)
    }

    /// Any kind of actor.
    #[must_use]
    pub fn new(kind: UserKind, id: Id) -> Self {
        Self { kind, id, session: None, credential: None }
    }

    /// In this session.
    #[must_use]
    pub fn with_session(mut self, session: Id) -> Self {
        self.session = Some(session);
        self
    }

    /// By this credential.
    #[must_use]
    pub fn with_credential(mut self, credential: Id) -> Self {
        self.credential = Some(credential);
        self
    }
}

/// What kind of account it is: `user.type_id` of OCSF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum UserKind {
    /// Not known.
    #[default]
    Unknown,
    /// A regular user.
    User,
    /// An administrator.
    Admin,
    /// The system itself.
    System,
    /// A service.
    Service,
}
