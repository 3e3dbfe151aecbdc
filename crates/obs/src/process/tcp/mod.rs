//! TCP in the network namespace of this process.

mod sockets;
mod totals;

use std::path::PathBuf;
use std::time::Duration;

use metric_table::Metric;

use self::sockets::{STATES, Sockets};
use super::look::Look;
use crate::metric::{MetricSource, Samples, SourceError};

const CONNECTIONS: Metric = Metric::gauge(
    "system.network.connections",
    "{connection}",
    "connections by their state, IPv4 and IPv6",
)
.with_labels(&["network.transport", "network.connection.state"]);
const LISTENER_CONNECTIONS: Metric = Metric::gauge(
    "system.network.listener.connections",
    "{connection}",
    "established connections at a port on which somebody listens",
)
.with_labels(&["server.port"]);
const LISTENER_QUEUE: Metric = Metric::gauge(
    "system.network.listener.queue",
    "{connection}",
    "connections at a port that are established and were not accepted yet",
)
.with_labels(&["server.port"]);

pub(super) const TABLE: &[Metric] = &[
    CONNECTIONS,
    LISTENER_CONNECTIONS,
    LISTENER_QUEUE,
    totals::OVERFLOWS,
    totals::DROPS,
    totals::SENT,
    totals::RETRANSMITTED,
    totals::RESETS,
    totals::ORPHANS,
    totals::MEMORY,
];

/// Ports that are shown if none was chosen.
const MOST_PORTS: usize = 64;

/// What the kernel knows of TCP where this process is: connections by state and listening port, connections that found no
/// room in the queue of a listener, segments that were sent again.
///
/// The table of connections is as long as there are connections, and the kernel makes it anew for each reader: 10 ms for
/// none, 0.3 s for 109,000 of them, of which reading takes 5 ms (on a machine with 2 processors). What it says is
/// kept for 15 seconds ([`every`](Self::every)). Beyond 32 MiB (some 200,000 connections) it is not shown.
#[derive(Debug)]
#[must_use = "a source says nothing before it is given to a recorder"]
pub struct TcpMetrics {
    root: PathBuf,
    ports: Vec<u16>,
    every: Duration,
}

impl TcpMetrics {
    /// Of the 64 lowest ports on which anybody in this network namespace listens.
    pub fn new() -> Self {
        Self { root: "/".into(), ports: Vec::new(), every: Duration::from_secs(15) }
    }

    /// Shows the listener at this port, and others only if they are named, too.
    pub fn port(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// How old what is shown may be: instead of 15 seconds.
    pub const fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// With `/proc` in a folder that is not `/`.
    pub fn at(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    fn say(&self, sockets: &Sockets, samples: &mut Samples<'_>) {
        for (state, count) in STATES.into_iter().zip(sockets.by_state()) {
            let labels = [("network.transport", "tcp"), ("network.connection.state", state)];
            samples.sample(&CONNECTIONS, &labels, count as f64);
        }
        let is_chosen = |port: &u16| self.ports.is_empty() || self.ports.contains(port);
        let listeners = sockets.listeners().filter(|listener| is_chosen(&listener.port));
        for listener in listeners.take(MOST_PORTS.max(self.ports.len())) {
            let port = listener.port.to_string();
            let labels = [("server.port", port.as_str())];
            samples.sample(&LISTENER_CONNECTIONS, &labels, f64::from(listener.connections));
            samples.sample(&LISTENER_QUEUE, &labels, listener.waiting as f64);
        }
    }
}

impl Default for TcpMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl MetricSource for TcpMetrics {
    fn name(&self) -> &'static str {
        "tcp"
    }

    fn metrics(&self) -> &'static [Metric] {
        TABLE
    }

    fn keep_for(&self) -> Duration {
        self.every
    }

    fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
        let mut look = Look::at(&self.root);
        let mut sockets = Sockets::new();
        let files = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
        let read = files.map(|file| sockets.read(file, &mut look));
        // A part of them would be wrong numbers.
        if read.contains(&sockets::Read::Whole) && !read.contains(&sockets::Read::Failed) {
            self.say(&sockets, samples);
        }
        totals::say(&mut look, samples);
        look.finish()
    }
}
