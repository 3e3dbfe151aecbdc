//! The layers, through real servers on loopback.

mod contract;
mod grpc;
mod ids;
mod server;
mod tonic;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use obs::catalog::Catalog;
use obs::http::{RequestIdLayer, ServerLayer, axum_route};
use obs::metric::{Exposition, MetricRecorder};
use obs::record::RecordLayer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tracing_subscriber::layer::SubscriberExt;

use crate::support::Lines;

/// A server, what it logs and what it measures.
pub(crate) struct Served {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) lines: Arc<Lines>,
    pub(crate) recorder: MetricRecorder,
}

/// Runs `work` with a router that is served; all of it on this thread, whose recorder and subscriber are
/// those of the server.
pub(crate) fn serve<W: Future>(router: Router, work: impl FnOnce(Arc<Served>) -> W) {
    let catalog = Catalog::new().with(obs::http::METRICS).unwrap();
    let recorder = MetricRecorder::builder().catalog(catalog).build();
    let lines = Arc::new(Lines::default());
    let layer = RecordLayer::builder().sink(Arc::<Lines>::clone(&lines)).build();
    let subscriber = tracing_subscriber::registry().with(layer);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let kept = recorder.clone();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            assert!(address.ip().is_loopback());
            let server = tokio::spawn(async move { axum::serve(listener, router).await });
            let work = work(Arc::new(Served { address, lines, recorder: kept }));
            tokio::time::timeout(Duration::from_secs(60), work).await.unwrap();
            server.abort();
        });
    });
}

/// With both layers, in the right order.
pub(crate) fn layered(router: Router, ids: RequestIdLayer, server: ServerLayer) -> Router {
    router.layer(server.route_by(axum_route)).layer(ids)
}

pub(crate) fn usual(router: Router) -> Router {
    layered(router, RequestIdLayer::new(), ServerLayer::new())
}

impl Served {
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends one request as it is and reads the answer until the server closes.
    pub(crate) async fn send(&self, head: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(head).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) async fn get(&self, path: &str, headers: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        self.send(head.as_bytes()).await
    }

    /// The sum of the samples of this name that have all these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let samples = self.samples(name);
        let samples = samples.iter().filter(|line| labels.iter().all(|label| line.contains(label)));
        samples.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// The samples of this name.
    pub(crate) fn samples(&self, name: &str) -> Vec<String> {
        let mut text = Vec::new();
        self.recorder.render(Exposition::Text, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let ours =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        text.lines().filter(ours).map(str::to_owned).collect()
    }

    pub(crate) fn active(&self) -> f64 {
        self.sum("http_server_active_requests", &[])
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, mut is_so: impl FnMut(&Self) -> bool) {
        while !is_so(self) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) async fn until_idle(&self) {
        self.until(|served| served.active() == 0.0).await;
    }
}
