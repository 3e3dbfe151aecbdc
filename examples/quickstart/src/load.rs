//! The load generator: the same requests to both services at the same time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::process::{loopback, parent_gone, print_line};

/// Connections to each service. Each sends its next request a moment after the answer to the last.
const CONNECTIONS: usize = 4;
const PAUSE: Duration = Duration::from_millis(2);
/// A request that takes longer is a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one service made of the load.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Requests sent.
    pub(crate) requests: u64,
    /// Requests with any answer but 200, or none.
    pub(crate) failures: u64,
}

/// The load generator's report.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The service that holds a handle.
    pub(crate) handle: Tally,
    /// The service that read the secret once.
    pub(crate) read_once: Tally,
}

#[derive(Default)]
struct Counter {
    requests: AtomicU64,
    failures: AtomicU64,
}

impl Counter {
    fn tally(&self) -> Tally {
        Tally {
            requests: self.requests.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}

/// Sends requests until standard input ends, then prints the report.
pub(crate) async fn run(handle: &str, read_once: &str) -> Result<(), Failure> {
    let services = [loopback(handle)?, loopback(read_once)?];
    let counters = [Arc::new(Counter::default()), Arc::new(Counter::default())];
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for (service, counter) in services.iter().zip(&counters) {
        for _ in 0..CONNECTIONS {
            clients.spawn(client(*service, Arc::clone(counter), Arc::clone(&stop)));
        }
    }
    parent_gone().await;
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let [handle, read_once] = counters.map(|counter| counter.tally());
    print_line(&Report { handle, read_once })
}

async fn client(
    service: SocketAddr,
    counter: Arc<Counter>,
    stop: Arc<AtomicBool>,
) -> Result<(), reqwest::Error> {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let url = format!("http://{service}/work");
    while !stop.load(Ordering::Relaxed) {
        let answer = http.get(&url).send().await;
        let served = answer.is_ok_and(|answer| answer.status() == reqwest::StatusCode::OK);
        counter.requests.fetch_add(1, Ordering::Relaxed);
        counter.failures.fetch_add(u64::from(!served), Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
