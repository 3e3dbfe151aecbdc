//! The double itself: started, asked, stopped.

use std::{
    fmt, io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{net::TcpListener, runtime, sync::oneshot};

use crate::{
    beside::Beside,
    calls::CallLog,
    clock::Clock,
    faults::Faults,
    grants::Grants,
    identity::{Credentials, Identities},
    secrets::{Consistency, Rotations, SecretsManager, Settings},
    server::{self, Server},
    service::{Mount, Pages, Protocol},
    world::{Home, World},
};

/// AWS on loopback. It stops, with all its connections, when it is dropped.
///
/// It runs on a thread and a runtime of its own: tests need not drive it, may block, and may pause their own time.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let double = aws_double::AwsDouble::builder().region("eu-west-1").start_blocking()?;
/// assert!(double.url().starts_with("http://127.0.0.1:"));
/// # Ok(())
/// # }
/// ```
pub struct AwsDouble {
    world: Arc<World>,
    url: String,
    credentials: Credentials,
    pub(crate) beside: Beside,
    rotations: Rotations,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl AwsDouble {
    /// Starts a double as it is by default: account 111122223333, region us-east-1, eventual consistency on, no faults.
    ///
    /// # Errors
    ///
    /// If no port of the loopback can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// A double to be set up first.
    pub fn builder() -> AwsDoubleBuilder {
        AwsDoubleBuilder::default()
    }

    /// The address of all its services, `http://127.0.0.1:PORT`, without a slash at the end: the endpoint URL of an SDK. It
    /// stands for every region: the scope of the signature says which.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of one region: it refuses signatures for any other, as AWS's regional endpoints do.
    #[must_use]
    pub fn regional_url(&self, region: &str) -> String {
        format!("{}/region/{region}", self.url)
    }

    /// The double's own account, 12 digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.world.home.account
    }

    /// The double's own region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.world.home.region
    }

    /// The access key of a user of the double's account who may do everything in it.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Its time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.world.clock
    }

    /// Faults on demand.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// What it was asked.
    #[must_use]
    pub fn calls(&self) -> &CallLog {
        &self.world.calls
    }

    /// Who may sign.
    #[must_use]
    pub fn identities(&self) -> &Identities {
        &self.world.identities
    }

    /// The functions that rotate secrets.
    #[must_use]
    pub fn rotations(&self) -> &Rotations {
        &self.rotations
    }

    /// What principals may do.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.world.grants
    }
}

impl fmt::Debug for AwsDouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsDouble").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Drop for AwsDouble {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // The runtime goes down on that thread, with every task on it.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A double to be set up.
#[derive(Clone)]
#[must_use]
pub struct AwsDoubleBuilder {
    account: String,
    region: String,
    port: u16,
    seed: u64,
    key: Option<(String, String)>,
    secrets: Settings,
}

/// Shows no key.
impl fmt::Debug for AwsDoubleBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsDoubleBuilder")
            .field("account", &self.account)
            .field("region", &self.region)
            .field("port", &self.port)
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

impl Default for AwsDoubleBuilder {
    fn default() -> Self {
        Self {
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            port: 0,
            seed: 0,
            key: None,
            secrets: Settings::default(),
        }
    }
}

impl AwsDoubleBuilder {
    /// The account, 12 digits; 111122223333 by default.
    pub fn account(self, account: &str) -> Self {
        Self { account: account.to_owned(), ..self }
    }

    /// The region of what is asked without a signature; `us-east-1` by default.
    pub fn region(self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self }
    }

    /// The port; a free one by default. The address is always 127.0.0.1.
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// What chance goes by: faults with a probability, random delays, duplicates. 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// What the double's own user signs with, for clients that are set up beforehand; made up by default.
    pub fn key(self, access_key: &str, secret_key: &str) -> Self {
        Self { key: Some((access_key.to_owned(), secret_key.to_owned())), ..self }
    }

    /// How soon reads of secrets see what was written: by default after 250 ms, and 5 minutes in lists.
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.secrets.consistency = consistency;
        self
    }

    /// Reads see every write at once, lists too.
    pub fn strong(self) -> Self {
        self.consistency(Consistency::strong())
    }

    /// How long the deletion of a secret takes once it is due, or forced: so long its name can be neither used nor restored.
    /// 2 seconds by default.
    pub fn deletion_takes(mut self, time: Duration) -> Self {
        self.secrets.deletion_takes = time;
        self
    }

    /// How long a copy of a secret takes to another region; 1 second by default.
    pub fn replication_takes(mut self, time: Duration) -> Self {
        self.secrets.replication_takes = time;
        self
    }

    /// How many versions a secret may have; 100 by default, of which AWS says "about". Of a hundred the oldest unlabelled ones go
    /// when they are older than a day.
    pub fn version_quota(mut self, versions: usize) -> Self {
        self.secrets.version_quota = versions;
        self
    }

    /// How many bytes of values one answer of `BatchGetSecretValue` holds; 1 MiB by default.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.secrets.batch_bytes = bytes;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// If the port cannot be bound or the thread not be started.
    #[allow(clippy::unused_async, reason = "so that a start that has to wait breaks no caller")]
    pub async fn start(self) -> io::Result<AwsDouble> {
        self.start_blocking()
    }

    /// Starts it from where nothing can be awaited.
    ///
    /// # Errors
    ///
    /// If the port cannot be bound or the thread not be started.
    pub fn start_blocking(self) -> io::Result<AwsDouble> {
        let home = Home { account: self.account.clone(), region: self.region.clone() };
        let world = Arc::new(World::new(home, self.seed));
        let credentials = match &self.key {
            Some((access, secret)) => {
                world.identities.user_with_key(&self.account, "tester", access, secret)
            }
            None => world.identities.user(&self.account, "tester"),
        };
        let rotations = Rotations::default();
        let beside = Beside::new(&world);
        let server = Arc::new(Server {
            mounts: [self.mounts(&world, &rotations), beside.mounts()].concat(),
            pages: [self.pages(&world), beside.pages()].concat(),
            world: Arc::clone(&world),
        });
        let listener = server::bind(self.port)?;
        let url = format!("http://{}", listener.local_addr()?);
        beside.serve_at(&url);
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("aws-double-worker")
            .enable_all()
            .build()?;
        let thread = thread::Builder::new().name("aws-double".to_owned()).spawn(move || {
            runtime.block_on(async {
                if let Ok(listener) = TcpListener::from_std(listener) {
                    let _ = server::serve(listener, server, stopped).await;
                }
            });
        })?;
        Ok(AwsDouble {
            world,
            url,
            credentials,
            beside,
            rotations,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The services, one row each.
    fn mounts(&self, _world: &Arc<World>, rotations: &Rotations) -> Vec<Mount> {
        vec![Mount {
            scope: "secretsmanager",
            target: "secretsmanager",
            protocol: Protocol::Json("1.1"),
            service: Arc::new(SecretsManager::new(self.secrets, rotations.clone())),
        }]
    }

    /// What answers plain requests, one row each.
    fn pages(&self, _world: &Arc<World>) -> Vec<Arc<dyn Pages>> {
        Vec::new()
    }
}
