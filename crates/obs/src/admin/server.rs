use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::admin::connection::{MOST_THREADS, Shared, serve};
use crate::admin::own::{ConfigRoute, InfoRoute, LoggersRoute, MetricsRoute};
use crate::admin::route::{AdminAuthorizer, AdminRoute};
use crate::admin::router::Router;
use crate::admin::{AdminError, AdminErrorKind};
use crate::setup::Observability;

/// Listens in a thread and on a runtime of its own: it answers while the application's is wedged.
///
/// | request | answer | to whom |
/// |---|---|---|
/// | `GET /metrics` | text or OpenMetrics, as `Accept` says; with feature `gzip`, compressed if `Accept-Encoding` says so | everybody |
/// | `GET /info` | JSON: the resource, the build, how log outputs are | everybody |
/// | `GET /loggers` | JSON: the filter, and when it expires | who is authorized |
/// | `PUT /loggers?for=600` | sets the filter that the body is, for so many seconds, or for good without `for` | who is authorized |
/// | `PUT /loggers?target=app::store&for=600` | sets the level that the body is, for that target alone | who is authorized |
/// | `GET /config` | what [`config`](AdminServerBuilder::config) gives | who is authorized |
///
/// Without an [`AdminAuthorizer`] nobody is authorized. A connection has one request. What comes by a
/// name that is not known ([`host`](AdminServerBuilder::host)), or from a page of another site, is refused.
///
/// ```no_run
/// use obs::admin::AdminServer;
/// use obs::setup::Observability;
///
/// let guard = Observability::builder().install()?;
/// let server = AdminServer::builder(guard.observability())
///     .address(([127, 0, 0, 1], 9464).into())
///     .fact("git.commit", "1f3ccb7")
///     .start()?;
/// println!("metrics at http://{}/metrics", server.address());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "when it is dropped, nobody listens any more"]
pub struct AdminServer {
    address: SocketAddr,
    stop: Arc<Notify>,
    stopped: mpsc::Receiver<()>,
}

/// Builds an [`AdminServer`].
#[must_use = "nobody listens before `start`"]
pub struct AdminServerBuilder {
    address: SocketAddr,
    is_reachable: bool,
    own: Observability,
    facts: Vec<(String, String)>,
    routes: Vec<Arc<dyn AdminRoute>>,
    authorizer: Option<Arc<dyn AdminAuthorizer>>,
    hosts: Vec<String>,
}

/// The port that OpenTelemetry's specification has for Prometheus ("Prometheus Exporter").
const PORT: u16 = 9464;
/// Connections at one time. For one more, the oldest goes that has not asked for anything.
const MOST_CONNECTIONS: usize = 128;
/// Connections that wait to be let in. With fewer, a second goes by for those who come in a rush.
const BACKLOG: u32 = 4_096;
/// How long nobody is let in when a connection could not be taken, as with too many open files.
const PAUSE: Duration = Duration::from_millis(100);
const STOP_WITHIN: Duration = Duration::from_secs(1);

impl AdminServer {
    /// A listener for what is set up.
    pub fn builder(observability: &Observability) -> AdminServerBuilder {
        AdminServerBuilder {
            address: (Ipv4Addr::LOCALHOST, PORT).into(),
            is_reachable: false,
            own: observability.clone(),
            facts: Vec::new(),
            routes: Vec::new(),
            authorizer: None,
            hosts: Vec::new(),
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening and closes all connections. Whether that was done within a second.
    pub fn shutdown(self) -> bool {
        self.stop()
    }

    fn stop(&self) -> bool {
        self.stop.notify_one();
        // Its thread is gone, or says that it is.
        !matches!(self.stopped.recv_timeout(STOP_WITHIN), Err(mpsc::RecvTimeoutError::Timeout))
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl AdminServerBuilder {
    /// Where it listens: an address of loopback, instead of `127.0.0.1:9464`. With port 0, at any that is free.
    pub const fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self.is_reachable = false;
        self
    }

    /// Where it listens, also if others than this machine reach it there. Nothing is encrypted: let
    /// nobody in but whoever collects metrics.
    pub const fn reachable_from_outside(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self.is_reachable = true;
        self
    }

    /// A name that requests may call it by, beside its addresses and `localhost`.
    pub fn host(mut self, name: &str) -> Self {
        self.hosts.push(name.to_owned());
        self
    }

    /// Something that `/info` tells of the build: it is seen by everybody. It is redacted as a field of this name.
    pub fn fact(mut self, name: &str, value: &str) -> Self {
        self.facts.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What `/config` shows: the explanation of the settings, as service-settings has it. It is redacted as the message
    /// of a record; a secret that nothing names is not found so.
    pub fn config(mut self, explain: impl Fn() -> String + Send + Sync + 'static) -> Self {
        let (explain, observability) = (Box::new(explain), self.own.clone());
        self.routes.push(Arc::new(ConfigRoute { explain, observability }));
        self
    }

    /// One more route.
    pub fn route(mut self, route: Arc<dyn AdminRoute>) -> Self {
        self.routes.push(route);
        self
    }

    /// Who may change and see things: instead of nobody.
    pub fn authorizer(mut self, authorizer: impl AdminAuthorizer) -> Self {
        self.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// Listens.
    ///
    /// # Errors
    /// [`AdminError`]: the address is not of loopback or cannot be had, two routes have one path, or there is
    /// no thread.
    pub fn start(mut self) -> Result<AdminServer, AdminError> {
        if !self.is_reachable && !self.address.ip().is_loopback() {
            return Err(AdminError::new(AdminErrorKind::NotLoopback, self.address));
        }
        let own: [Arc<dyn AdminRoute>; 3] = [
            Arc::new(MetricsRoute(self.own.clone())),
            Arc::new(InfoRoute { observability: self.own.clone(), facts: self.facts }),
            Arc::new(LoggersRoute(self.own)),
        ];
        self.routes.extend(own);
        let mut paths = HashSet::new();
        for route in &self.routes {
            if !route.path().starts_with('/') || !paths.insert(route.path()) {
                return Err(AdminError::new(AdminErrorKind::Route, route.path()));
            }
        }
        let router = Router { routes: self.routes, authorizer: self.authorizer, hosts: self.hosts };
        run(self.address, Arc::new(Shared::new(router)))
    }
}

/// Starts the thread. The runtime is made and dropped there: the one who calls may be within another.
fn run(address: SocketAddr, shared: Arc<Shared>) -> Result<AdminServer, AdminError> {
    let of_thread = |error| AdminError::new(AdminErrorKind::Thread, "").because(error);
    let stop = Arc::new(Notify::new());
    let asked = Arc::clone(&stop);
    let (say_started, started) = mpsc::channel();
    let (say_stopped, stopped) = mpsc::channel();
    let thread = std::thread::Builder::new().name("obs-admin".to_owned()).spawn(move || {
        match listening(address) {
            Ok((runtime, listener, address)) => {
                let _ = say_started.send(Ok(address));
                runtime.spawn(accept(listener, shared));
                runtime.block_on(asked.notified());
                // What hangs is not waited for.
                runtime.shutdown_background();
            }
            Err(error) => {
                let _ = say_started.send(Err(error));
            }
        }
        let _ = say_stopped.send(());
    });
    thread.map_err(of_thread)?;
    let lost = |_| Err(of_thread(io::ErrorKind::Other.into()));
    let address = started.recv().unwrap_or_else(lost)?;
    Ok(AdminServer { address, stop, stopped })
}

fn listening(address: SocketAddr) -> Result<(Runtime, TcpListener, SocketAddr), AdminError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .thread_name("obs-admin-answer")
        .max_blocking_threads(MOST_THREADS)
        // Those who are let in are heard before many more are.
        .event_interval(8)
        .build()
        .map_err(|error| AdminError::new(AdminErrorKind::Thread, "").because(error))?;
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of the process before may still be closing.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let listening = runtime.block_on(async { listen() });
    let (listener, address) = listening
        .map_err(|error| AdminError::new(AdminErrorKind::Address, address).because(error))?;
    Ok((runtime, listener, address))
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut open: VecDeque<(AbortHandle, Arc<AtomicBool>)> = VecDeque::new();
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        open.retain(|(connection, _)| !connection.is_finished());
        if open.len() >= MOST_CONNECTIONS {
            let idle = open.iter().position(|(_, is_asking)| !is_asking.load(Ordering::Relaxed));
            if let Some((connection, _)) = open.remove(idle.unwrap_or(0)) {
                connection.abort();
            }
        }
        let is_asking = Arc::new(AtomicBool::new(false));
        let task = serve(stream, peer, Arc::clone(&shared), Arc::clone(&is_asking));
        open.push_back((tokio::spawn(task).abort_handle(), is_asking));
        tokio::task::yield_now().await;
    }
}

impl fmt::Debug for AdminServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl fmt::Debug for AdminServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminServerBuilder")
            .field("address", &self.address)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
