//! Secrets that are kept elsewhere, where the settings say: written under a prefix of their own, and
//! deleted at the end.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrets_core::{
    DeleteMode, ErrorKind, SecretName, SecretProvider as _, SecretProviderExt as _, SecretRef,
    SecretValue,
};
use secrets_manager::Started;
use tokio::sync::Mutex;

use crate::args::Place;
use crate::{Failure, names, settings, store};

/// How often the services ask. Nobody tells them of changes, and an old password works for 1.5 s.
const TTL: &str = "400ms";

/// How long a secret may take until others see it, and between two looks.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// Each secret as it is called where it is kept, and in the settings.
const SECRETS: [(&str, &str); 3] = [
    (names::STORED_PASSWORD, names::PASSWORD),
    (names::STORED_ADMIN_TOKEN, names::ADMIN_TOKEN),
    (names::STORED_CHAIN_KEY, names::CHAIN_KEY),
];

/// Where the secrets are, and what makes their names unlike any other's there.
pub(crate) struct Away {
    started: Started,
    prefix: String,
    /// Held while secrets are written.
    writing: Arc<Mutex<()>>,
    /// It stops when it is dropped.
    #[cfg(feature = "aws")]
    _double: Option<aws_double::AwsDouble>,
}

impl Away {
    /// Writes the settings files. `None` when the secrets are in a file of the demonstration's own.
    pub(crate) async fn prepare(place: &Place, folder: &Path) -> Result<Option<Self>, Failure> {
        if *place == Place::File {
            settings::write(folder, store::SETTINGS, "")?;
            return Ok(None);
        }
        let prefix = format!("mainstay-quickstart-{:08x}", random()?);
        let mut run = format!("[secrets.cache]\nttl = \"{TTL}\"\n");
        for (stored, name) in SECRETS {
            write!(run, "[secrets.secret.{name}]\nreference = \"{prefix}/{stored}\"\n")?;
        }
        #[cfg(feature = "aws")]
        let mut double = None;
        let store = match place {
            Place::Settings(file) => {
                let unread = |error| format!("`{}` cannot be read: {error}", file.display());
                std::fs::read_to_string(file).map_err(unread)?
            }
            #[cfg(feature = "aws")]
            _ => {
                let started = aws_double::AwsDouble::start().await?;
                let settings = of_double(&started);
                double = Some(started);
                settings
            }
            #[cfg(not(feature = "aws"))]
            _ => return Err("the double of AWS needs `cargo run --features aws`".into()),
        };
        settings::write(folder, &store, &run)?;
        let theirs = match place {
            Place::Settings(file) => Some(file.as_path()),
            _ => None,
        };
        let started = settings::providers(folder, theirs).await?;
        Ok(Some(Self {
            started,
            prefix,
            writing: Arc::default(),
            #[cfg(feature = "aws")]
            _double: double,
        }))
    }

    /// What a person is told before anything is written.
    pub(crate) fn announcement(&self) -> String {
        let (provider, prefix) = (self.started.manager.cached().id(), &self.prefix);
        format!(
            "writes {} secrets under `{prefix}/` to {provider}, and deletes them at the end",
            SECRETS.len()
        )
    }

    /// Writes the secrets, and waits until others can read them.
    pub(crate) async fn fill(
        &self,
        folder: &Path,
        secrets: [(&'static str, SecretValue); 3],
    ) -> Result<(), Failure> {
        let (manager, prefix) = (self.started.manager.clone(), self.prefix.clone());
        let writing = Arc::clone(&self.writing).lock_owned().await;
        // An interrupt does not cut it off: what is on its way would be there after the end.
        let written = tokio::spawn(async move {
            let _writing = writing;
            for (name, value) in secrets {
                manager.cached().put(&format!("{prefix}/{name}"), value).await?;
            }
            Ok::<(), secrets_core::Error>(())
        });
        written.await??;
        let mut patience = PATIENCE;
        loop {
            // One that has written nothing itself, and remembers nothing.
            let other = settings::providers(folder, None).await?.manager;
            let mut read = Ok(());
            for (stored, _) in SECRETS {
                read = read.and(other.get(&format!("{}/{stored}", self.prefix)).await.map(drop));
            }
            match read {
                Ok(()) => return Ok(()),
                Err(error) if patience.is_zero() => return Err(error.into()),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
            patience = patience.saturating_sub(PAUSE);
        }
    }

    /// Deletes what was written, all of it that can be.
    pub(crate) async fn clear(&self) -> Result<(), Failure> {
        let _written = self.writing.lock().await;
        let mut left = Vec::new();
        for (stored, _) in SECRETS {
            let name = format!("{}/{stored}", self.prefix);
            let secret = SecretRef::Name(SecretName::new(&name)?);
            let deleted =
                self.started.manager.cached().delete_secret(&secret, DeleteMode::Immediate).await;
            match deleted {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => left.push(format!("`{name}` is not deleted: {error}")),
            }
        }
        if left.is_empty() { Ok(()) } else { Err(left.join("; ").into()) }
    }
}

/// The settings of a provider on a double, whose keys are worth nothing elsewhere.
#[cfg(feature = "aws")]
fn of_double(double: &aws_double::AwsDouble) -> String {
    let keys = double.credentials();
    format!(
        "[secrets.providers.store]\ntype = \"aws\"\nregion = \"{}\"\nendpoint = \"{}\"\n\
         static_keys = {{ access_key_id = \"{}\", secret_access_key = \"{}\" }}\n",
        double.region(),
        double.url(),
        keys.access_key(),
        keys.secret_key(),
    )
}

fn random() -> Result<u32, Failure> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)?;
    Ok(u32::from_ne_bytes(bytes))
}
