#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod beside;
mod calls;
mod clock;
mod double;
mod faults;
mod grants;
mod identity;
mod kms;
mod metadata;
mod policy;
mod random;
mod secrets;
mod server;
mod service;
mod sigv4;
mod sqs;
mod stamp;
mod sts;
mod world;

pub use calls::{CallLog, CallRecord};
pub use clock::{Clock, Skew};
pub use double::{AwsDouble, AwsDoubleBuilder};
pub use faults::{Fault, FaultRule, Faults};
pub use grants::Grants;
pub use identity::{Credentials, Identities};
pub use kms::{Kms, LeavingKey};
pub use metadata::{Container, Instance};
pub use policy::Policy;
pub use secrets::{Consistency, RotationEvent, Rotations};
pub use sqs::{Events, Queues};
pub use sts::{Issuer, IssuerState, Issuers, Role, Roles};
