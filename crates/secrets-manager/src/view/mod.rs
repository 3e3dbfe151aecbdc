//! What a secret is made of, as values that change together with it.
//!
//! A view is a [`Live`] that is derived from a handle: parsed when the value changes and not when it is
//! read, which costs a pointer load, and all of its parts from one version: a user name never meets the
//! password of another one. A state that changes, such as in an outage, is no news, nor is a version with
//! the value of the one before: who follows a view ([`Live::watch`]) to build something dear anew, such as
//! a connection pool, does so once for each value.
//!
//! | view | of | what is read |
//! |---|---|---|
//! | [`SecretHandle::value`] | anything | [`SecretValue`] |
//! | [`SecretHandle::text`] | UTF-8 | [`SecretValue`] |
//! | [`SecretHandle::fields`] | a JSON object | [`Fields`] |
//! | [`SecretHandle::json`] | JSON | a type of the application's, with [`secret_value`] for its secrets |
//! | [`SecretHandle::url`] | a connection URL | [`ConnectionUrl`] |
//! | [`SecretHandle::key_pair`] | PEM | [`KeyPair`] |
//!
//! ```
//! # use secrets_core::{SecretProviderExt, memory::{MemoryProvider, Personality}};
//! # use secrets_manager::SecretManager;
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let provider = MemoryProvider::new(Personality::Aws);
//! provider.put_text("db", "postgres://app:p%40ss@db.internal:5432/billing").await?;
//! let manager = SecretManager::builder(provider).build()?;
//!
//! let url = manager.handle("db").await?.url()?;
//! let now = url.load();
//! assert_eq!((now.user(), now.host()), (Some("app"), Some("db.internal")));
//! assert_eq!(now.password().unwrap().expose_secret(), b"p@ss");
//!
//! // What does not parse keeps the last value that did, and says so.
//! manager.cached().put_text("db", "not a URL").await?;
//! assert_eq!(url.load().host(), Some("db.internal"));
//! assert!(url.derive_error().is_some());
//! # Ok(()) }
//! ```
//!
//! A version that does not parse leaves the view as it was; [`Live::derive_error`] has the
//! [`ViewError`], which quotes nothing, from then until a version that does. A view shows the last value
//! whatever the state of the secret is: whether it may be used, [`SecretHandle::load_checked`] tells.
//! Parts that are secret are [`SecretValue`]s and are wiped when the last reader lets go.

mod error;
mod fields;
pub(crate) mod json;
mod pair;
mod url;

use live_value::Live;
use secrets_core::{Secret, SecretState, SecretValue};
use serde::de::DeserializeOwned;

use crate::cache::handle::SecretHandle;

pub use error::{ViewError, ViewFault};
pub use fields::Fields;
pub use json::secret_value;
pub use pair::KeyPair;
pub use url::{ConnectionUrl, Host};

impl SecretHandle {
    /// The value as it is.
    ///
    /// # Errors
    /// [`ViewFault::Absent`] when there is none.
    pub fn value(&self) -> Result<Live<SecretValue>, ViewError> {
        self.view(|secret| Ok(secret.value.clone()))
    }

    /// The value as text: [`expose_secret_text`](SecretValue::expose_secret_text) of what it shows does
    /// not fail.
    ///
    /// # Errors
    /// [`ViewFault::NotText`] when it is not UTF-8 now.
    pub fn text(&self) -> Result<Live<SecretValue>, ViewError> {
        self.view(|secret| text_of(secret).map(|_| secret.value.clone()))
    }

    /// Fields of a JSON object, all of one version: a user name with its password. A string is read as
    /// its characters, anything else as its JSON text.
    ///
    /// # Errors
    /// [`ViewFault::Field`] when one of them is not there, `null`, or there twice;
    /// [`ViewFault::Json`] when the value is no JSON object.
    pub fn fields<N: Into<Box<str>>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Live<Fields>, ViewError> {
        let names: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
        self.view(move |secret| Fields::parse(&names, &secret.value))
    }

    /// A JSON value as a type of the application's. Fields that are secret are best
    /// [`SecretValue`]s, read by [`secret_value`]: what is read into a `String` is not wiped.
    ///
    /// ```
    /// # use secrets_core::{SecretProviderExt, SecretValue, memory::{MemoryProvider, Personality}};
    /// # use secrets_manager::SecretManager;
    /// #[derive(serde::Deserialize)]
    /// struct Login {
    ///     username: String,
    ///     #[serde(deserialize_with = "secrets_manager::view::secret_value")]
    ///     password: SecretValue,
    ///     port: u16,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let provider = MemoryProvider::new(Personality::Aws);
    /// provider.put_text("db", r#"{"username":"app","password":"correct horse","port":5432}"#).await?;
    /// let manager = SecretManager::builder(provider).build()?;
    /// let login = manager.handle("db").await?.json::<Login>()?;
    /// assert_eq!((&*login.load().username, login.load().port), ("app", 5432));
    /// assert_eq!(login.load().password.expose_secret(), b"correct horse");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ViewFault::Json`] when the value is not what the type says now.
    pub fn json<T>(&self) -> Result<Live<T>, ViewError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.view(|secret| json::parse(&secret.value))
    }

    /// A connection URL, taken apart and decoded.
    ///
    /// # Errors
    /// [`ViewFault::Url`] when it is none now.
    pub fn url(&self) -> Result<Live<ConnectionUrl>, ViewError> {
        self.view(|secret| ConnectionUrl::parse(&secret.value))
    }

    /// A private key and its certificate chain, in one PEM text: blocks that are whole, exactly one of
    /// them a key, and one a certificate at least. That they belong together is for the TLS library to
    /// find out: it can compute with them.
    ///
    /// # Errors
    /// [`ViewFault::Pem`], [`ViewFault::NoKey`], [`ViewFault::SeveralKeys`] and
    /// [`ViewFault::NoCertificate`].
    pub fn key_pair(&self) -> Result<Live<KeyPair>, ViewError> {
        self.view(|secret| KeyPair::parse(&secret.value))
    }

    fn view<T: Send + Sync + 'static>(
        &self,
        parse: impl Fn(&Secret) -> Result<T, ViewError> + Send + Sync + 'static,
    ) -> Result<Live<T>, ViewError> {
        let key = |state: &SecretState| state.secret().map(|secret| Shown(secret.value.clone()));
        self.live().try_map_by_key(key, move |state| {
            let secret = state.secret().ok_or_else(|| ViewError::new(ViewFault::Absent))?;
            parse(secret)
        })
    }
}

/// What a view was parsed from, which the handle shows as well: it keeps nothing alive by itself.
struct Shown(SecretValue);

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0)
    }
}

fn text_of(secret: &Secret) -> Result<&str, ViewError> {
    let text = std::str::from_utf8(secret.value.expose_secret());
    text.map_err(|_| ViewError::new(ViewFault::NotText))
}
