//! Credentials that a source issues for a time: a token, a certificate, a database login made for this
//! process.
//!
//! An [`ExpiringCredential`] obtains one when it is made, and renews it at two thirds of its life. While
//! renewing fails the old one is kept until it expires, and [`Lease::trouble`] says that it does.
//!
//! ```
//! use secrets_core::{Result, SecretValue, async_trait};
//! use secrets_manager::expiring::{CredentialSource, ExpiringCredential, Issued};
//! use std::time::Duration;
//!
//! #[derive(Debug)]
//! struct TokenEndpoint;
//!
//! #[async_trait]
//! impl CredentialSource for TokenEndpoint {
//!     type Credential = SecretValue;
//!
//!     async fn issue(&self) -> Result<Issued<SecretValue>> {
//!         let token = SecretValue::copy_from_slice(b"t0ken"); // asks a server
//!         Ok(Issued::for_span(token, Duration::from_secs(15 * 60)))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let token = ExpiringCredential::obtain(TokenEndpoint).await?;
//! tokio::spawn(token.run());
//!
//! // At each use: no await, no lock.
//! let lease = token.load_checked()?;
//! assert_eq!(lease.credential().expose_secret(), b"t0ken");
//! # Ok(()) }
//! ```
//!
//! | event | what follows |
//! |---|---|
//! | two thirds of the life have passed, or up to a tenth of that less, at random | one renewal, however many wait |
//! | the source fails, hangs or panics | the credential is kept; pauses that double, shortened at random; `Retry::After` is kept |
//! | the credential expires before another one is issued | [`load_checked`](ExpiringCredential::load_checked) says so; renewals go on |
//! | what is issued has expired already | that counts as a failure |
//! | the machine slept, or the clock on the wall was set ahead | what has expired by either clock has expired; it is renewed at once |
//! | the clock on the wall is set back | the life that is left goes by the clock that cannot be set |
//! | nobody runs [`run`](ExpiringCredential::run) | [`get`](ExpiringCredential::get) renews, once for all who wait |
//! | the resource refuses it within [`with_credential`] | another one is issued, once for all; nothing that was refused is sent again, and no third one in a row before its time |
//! | who asks leaves before the source has answered | that counts as a failure: who comes next waits for the pause |
//! | all handles and what was derived from them are dropped | `run` ends |

mod credential;
mod lease;
mod policy;
mod standing;
mod using;

pub use credential::{CredentialSource, Expired, ExpiringCredential, ExpiringCredentialBuilder};
pub use lease::{Issued, Lease};
pub use policy::RenewalPolicy;
pub use using::with_credential;
