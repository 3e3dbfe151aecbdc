//! The rotator: write pending, let the resource accept it, test it, promote it, wait, revoke the old.

use std::time::Duration;

use secrets_core::{
    GetOptions, IdempotencyKey, SecretName, SecretProvider, SecretRef, SecretValue, SetOptions,
    VersionId,
};
use serde::{Deserialize, Serialize};

use crate::process::{loopback, parent_gone, print_line, unix_ms};
use crate::settings::{self, Secrets};
use crate::verifier::Verifier;
use crate::{Failure, names};

/// Its name in the audit trail.
pub(crate) const ROTATOR: &str = "rotator";
/// How many times the password is rotated.
const ROTATIONS: u32 = 5;
/// How long the old password goes on working: the store's readers see a change within a second,
/// and a request that started with the old value gets half a second to end.
const GRACE: Duration = Duration::from_millis(1500);
/// Between a revocation and the next rotation.
const PAUSE: Duration = Duration::from_millis(600);

/// What the rotator tells.
#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A new version is current.
    Promoted { version: String, at_ms: u64, grace_ms: u64 },
    /// The resource no longer accepts the version before.
    Revoked { version: String },
}

/// Rotates a few times and ends.
pub(crate) async fn run(resource: &str) -> Result<(), Failure> {
    let secrets = Secrets::start(&settings::load()?).await?;
    let store = secrets.manager().cached();
    let admin = store.get_secret(&reference(names::ADMIN_TOKEN)?, GetOptions::default()).await?;
    let resource = Resource {
        url: format!("http://{}", loopback(resource)?),
        http: reqwest::Client::builder().no_proxy().build()?,
        admin: admin.value,
    };
    let rotations = async {
        for _ in 0..ROTATIONS {
            rotate(store, &resource).await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok::<(), Failure>(())
    };
    tokio::select! {
        done = rotations => done?,
        () = parent_gone() => {}
    }
    secrets.end().await
}

async fn rotate(store: &impl SecretProvider, resource: &Resource) -> Result<(), Failure> {
    let password = reference(names::PASSWORD)?;
    let base = store.get_secret(&password, GetOptions::default()).await?.version.id;
    let token = IdempotencyKey::from_random(random()?);

    let fresh = new_password()?;
    let options = SetOptions::pending().with_token(token.clone());
    let pending = store.set_secret(&password, fresh.clone(), options).await?.id;
    resource.add(&Verifier::of(fresh.expose_secret())?).await?;
    resource.test(&fresh).await?;

    let at_ms = unix_ms();
    let promoted = store.promote(&password, &pending, &base, &token).await?;
    let version = promoted.current.to_string();
    print_line(&Event::Promoted { version, at_ms, grace_ms: millis(GRACE) })?;

    tokio::time::sleep(GRACE).await;
    resource.revoke_older().await?;
    print_line(&Event::Revoked { version: VersionId::to_string(&base) })
}

struct Resource {
    url: String,
    http: reqwest::Client,
    admin: SecretValue,
}

impl Resource {
    async fn add(&self, verifier: &Verifier) -> Result<(), Failure> {
        let request = self.http.post(format!("{}/passwords", self.url));
        let request = request.bearer_auth(self.admin.expose_secret_text()?);
        request.body(verifier.to_hex()).send().await?.error_for_status()?;
        Ok(())
    }

    /// Logs in with a password that nobody uses yet.
    async fn test(&self, password: &SecretValue) -> Result<(), Failure> {
        let request = self.http.post(format!("{}/login/rotator", self.url));
        let body = password.expose_secret().to_vec();
        request.body(body).send().await?.error_for_status()?;
        Ok(())
    }

    async fn revoke_older(&self) -> Result<(), Failure> {
        let request = self.http.delete(format!("{}/passwords/older", self.url));
        let request = request.bearer_auth(self.admin.expose_secret_text()?);
        request.send().await?.error_for_status()?;
        Ok(())
    }
}

/// 256 random bits as 64 hexadecimal digits.
pub(crate) fn new_password() -> Result<SecretValue, Failure> {
    let bytes = zeroize::Zeroizing::new(random::<32>()?);
    let mut text = Vec::with_capacity(64);
    for nibble in bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]) {
        text.push(if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble });
    }
    Ok(SecretValue::from_vec(text))
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn reference(name: &str) -> Result<SecretRef, Failure> {
    Ok(SecretRef::Name(SecretName::new(name)?))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
