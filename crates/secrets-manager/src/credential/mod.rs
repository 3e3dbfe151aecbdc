//! Using a secret at the resource that it is for.

mod attempt;
pub mod classify;
mod failure;
mod mark;
mod moments;
mod permit;
mod policy;
mod trial;
mod trials;
mod using;

pub use attempt::{Attempt, Repeatable, repeatable};
pub use classify::FailureClass;
pub use failure::{UseError, UseErrorKind};
pub(crate) use moments::{after, doubled};
pub use policy::UsePolicy;
pub(crate) use trial::Stake;
pub(crate) use trials::Trials;
pub(crate) use using::Footing;
pub use using::with_secret;
