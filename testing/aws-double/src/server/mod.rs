//! The server in front of the services: HTTP, signatures, faults, the record.

mod form;
mod inbound;
mod line;
mod reply;

use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::Response,
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot};

use self::{
    inbound::{Asked, Inbound, subject},
    line::{Cutter, Lines},
    reply::Reply,
};
use crate::{
    calls::CallRecord,
    faults::{Fault, Suffered},
    random,
    service::{Call, Mount, PageRequest, Pages, Protocol, Refusal},
    sigv4::{self, Expected, Signer},
    world::World,
};

/// The largest body that is read; SQS takes 1 MiB.
const LARGEST: usize = 4 * 1024 * 1024;

/// What requests are answered from.
pub(crate) struct Server {
    pub(crate) world: Arc<World>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) pages: Vec<Arc<dyn Pages>>,
}

/// A request on its way through.
struct Passing<'a> {
    server: &'a Server,
    inbound: &'a Inbound,
    request_id: String,
    /// Service and operation.
    operation: String,
    subject: Option<String>,
    /// Whether it is in the record.
    noted: AtomicBool,
}

/// What becomes of a request.
enum Outcome {
    Answered(Reply),
    Cut,
}

/// Serves until told to stop.
///
/// # Errors
///
/// The listener's.
pub(crate) async fn serve(
    listener: TcpListener,
    server: Arc<Server>,
    stop: oneshot::Receiver<()>,
) -> io::Result<()> {
    let router = Router::new().fallback(handle).with_state(server);
    let service = router.into_make_service_with_connect_info::<Cutter>();
    tokio::select! {
        served = async { axum::serve(Lines(listener), service).await } => served,
        _ = stop => Ok(()),
    }
}

/// A free port of the loopback, or this one. The double binds nothing else.
///
/// # Errors
///
/// The system's.
pub(crate) fn bind(port: u16) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn handle(
    State(server): State<Arc<Server>>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST).await.ok();
    let is_whole = body.is_some();
    let inbound = Inbound::new(&parts, body.unwrap_or_default());
    match server.pass(&inbound, is_whole).await {
        Outcome::Answered(reply) => reply.into_response(server.world.clock.signing_time()),
        Outcome::Cut => {
            cutter.cut();
            Response::new(Body::empty())
        }
    }
}

impl Server {
    /// Lets a request through; one whose body is too large, or broke off, is not looked at.
    async fn pass(&self, inbound: &Inbound, is_whole: bool) -> Outcome {
        let request_id = random::uuid();
        let passing = |operation: String, subject| Passing {
            server: self,
            inbound,
            request_id: request_id.clone(),
            operation,
            subject,
            noted: AtomicBool::new(false),
        };
        let asked = if is_whole {
            inbound.asked(&self.mounts)
        } else {
            let refusal = Refusal::new("RequestEntityTooLargeException", "").with_status(413);
            Asked::Refused(Protocol::Json("1.1"), refusal)
        };
        match asked {
            Asked::Operation { mount, operation, input } => {
                let name = format!("{}:{operation}", mount.scope);
                let passing = passing(name, subject(&input));
                self.pass_operation(&passing, mount, &operation, &input).await
            }
            Asked::Refused(protocol, refusal) => {
                let target = inbound.header("x-amz-target").unwrap_or("unknown");
                let passing = passing(target.to_owned(), None);
                let reply = Reply::of_operation(protocol, "", &Err(refusal), &request_id);
                passing.finish(Outcome::Answered(reply))
            }
            Asked::Page => {
                let passing = passing(format!("{} {}", inbound.method, inbound.path), None);
                self.pass_page(&passing).await
            }
        }
    }

    async fn pass_operation(
        &self,
        passing: &Passing<'_>,
        mount: &Mount,
        operation: &str,
        input: &Value,
    ) -> Outcome {
        let suffered = self.strike(passing).await;
        let answer = |result: &Result<Value, Refusal>| {
            Reply::of_operation(mount.protocol, operation, result, &passing.request_id)
        };
        if let Some(fault) = &suffered.before {
            let outcome = self.spoil(passing, mount.protocol, fault, None).await;
            return passing.finish(outcome);
        }
        let result = self.carry_out(passing, mount, operation, input, &suffered).await;
        let outcome = match &suffered.after {
            Some(fault) => self.spoil(passing, mount.protocol, fault, Some(answer(&result))).await,
            None => Outcome::Answered(answer(&result)),
        };
        wait(suffered.delay_after).await;
        passing.finish(outcome)
    }

    async fn pass_page(&self, passing: &Passing<'_>) -> Outcome {
        let suffered = self.strike(passing).await;
        let json = Protocol::Json("1.1");
        if let Some(fault) = &suffered.before {
            let outcome = self.spoil(passing, json, fault, None).await;
            return passing.finish(outcome);
        }
        let request = PageRequest {
            method: &passing.inbound.method,
            path: &passing.inbound.path,
            headers: &passing.inbound.headers,
            now: self.world.clock.now(),
            world: &self.world,
        };
        let mut found = None;
        for pages in &self.pages {
            found = pages.answer(&request).await;
            if found.is_some() {
                break;
            }
        }
        let reply = found.map_or_else(
            || {
                let refusal = Refusal::new("UnknownOperationException", "").with_status(404);
                Reply::of_operation(json, "", &Err(refusal), &passing.request_id)
            },
            Reply::of_page,
        );
        let outcome = match &suffered.after {
            Some(fault) => self.spoil(passing, json, fault, Some(reply)).await,
            None => Outcome::Answered(reply),
        };
        wait(suffered.delay_after).await;
        passing.finish(outcome)
    }

    /// The faults that a request suffers, its delay already over.
    async fn strike(&self, passing: &Passing<'_>) -> Suffered {
        let world = &self.world;
        let suffered =
            world.faults.strike(&passing.operation, passing.subject.as_deref(), &world.chance);
        wait(suffered.delay).await;
        suffered
    }

    async fn carry_out(
        &self,
        passing: &Passing<'_>,
        mount: &Mount,
        operation: &str,
        input: &Value,
        suffered: &Suffered,
    ) -> Result<Value, Refusal> {
        let world = &*self.world;
        let now = world.clock.now();
        let signer = if mount.service.is_unsigned(operation) {
            None
        } else {
            Some(self.signer(passing.inbound, mount)?)
        };
        let identity = signer.as_ref().map(|s| &*s.identity);
        let account = identity.map_or("", |i| i.account.as_str());
        if !world.faults.admits(&passing.operation, account, now) {
            return Err(Refusal::new(mount.protocol.throttling(), "Rate exceeded"));
        }
        let call = Call {
            operation,
            input,
            account,
            principal: identity.map_or("", |i| i.principal.as_str()),
            identity,
            region: signer.as_ref().map_or(world.home.region.as_str(), |s| s.region.as_str()),
            now,
            stale: suffered.stale,
            request_id: &passing.request_id,
            world,
        };
        mount.service.call(&call).await
    }

    fn signer(&self, inbound: &Inbound, mount: &Mount) -> Result<Signer, Refusal> {
        let world = &self.world;
        let expected = Expected {
            identities: &world.identities,
            service: mount.scope,
            region: inbound.pinned_region(),
            signing_time: world.clock.signing_time(),
            now: world.clock.now(),
        };
        sigv4::verify(&inbound.signed(), &expected).map_err(|f| f.refusal(mount.protocol))
    }

    /// What a fault makes of a request, and of its answer if it was carried out.
    async fn spoil(
        &self,
        passing: &Passing<'_>,
        protocol: Protocol,
        fault: &Fault,
        reply: Option<Reply>,
    ) -> Outcome {
        let id = &passing.request_id;
        let refuse = |status: u16, code: &str, message: &str| {
            let refusal = Refusal::new(code.to_owned(), message).with_status(status);
            Outcome::Answered(Reply::of_operation(protocol, "", &Err(refusal), id))
        };
        match fault {
            Fault::Throttle => refuse(400, protocol.throttling(), "Rate exceeded"),
            Fault::LimitExceeded => refuse(
                400,
                "LimitExceededException",
                "The request failed because it would exceed one of the Secrets Manager quotas.",
            ),
            Fault::Internal => {
                refuse(500, "InternalServiceError", "An error occurred on the server side.")
            }
            Fault::Unavailable => refuse(503, "ServiceUnavailable", "Service is unavailable"),
            Fault::Refuse { status, code, message } => refuse(*status, code, message),
            Fault::Reset | Fault::LostReply => Outcome::Cut,
            Fault::Hang => {
                // Nothing more will become of it.
                passing.note(0, None);
                pending().await
            }
            Fault::Html => Outcome::Answered(Reply::html(id)),
            Fault::EmptyBody => Outcome::Answered(Reply::empty(id)),
            Fault::TruncatedJson => {
                Outcome::Answered(reply.map_or_else(|| Reply::empty(id), Reply::halved))
            }
            // Delays and age have had their effect before.
            Fault::Slow(_) | Fault::SlowUpTo(_) | Fault::Stale(_) => {
                Outcome::Answered(reply.unwrap_or_else(|| Reply::empty(id)))
            }
        }
    }
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

impl Passing<'_> {
    fn finish(&self, outcome: Outcome) -> Outcome {
        match &outcome {
            Outcome::Answered(reply) => self.note(reply.status, reply.code.clone()),
            Outcome::Cut => self.note(0, None),
        }
        outcome
    }

    /// Enters the request into the record, once.
    fn note(&self, status: u16, code: Option<String>) {
        if self.noted.swap(true, Ordering::Relaxed) {
            return;
        }
        let world = &self.server.world;
        let authorization = self.inbound.header("authorization").unwrap_or_default();
        world.calls.add(CallRecord {
            at: world.clock.now(),
            operation: self.operation.clone(),
            subject: self.subject.clone(),
            status,
            code,
            request_id: self.request_id.clone(),
            access_key: sigv4::claimed_key(authorization).map(str::to_owned),
            region: sigv4::claimed_region(authorization).map(str::to_owned),
        });
    }
}

/// Whoever does not wait for the answer has asked all the same.
impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.note(0, None);
    }
}
