#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod action;
mod audit;
mod blocking;
mod chain;
mod error;
mod event;
mod fan_out;
mod memory;
mod ocsf;
mod sink;
#[cfg(feature = "tracing")]
mod tracing_sink;

pub use action::{
    AccountActivity, Action, ApiActivity, AuthProtocol, AuthenticationActivity, Class, Entity,
    EntityActivity, Grant, User,
};
pub use async_trait::async_trait;
pub use audit::{AuditLog, OnFailure};
#[cfg(fuzzing)]
pub use chain::fuzz_segment;
pub use chain::{
    Anchor, AnchorStore, ChainKey, Entries, Entry, FileAnchors, FileTrail, FileTrailBuilder,
    Finding, FindingKind, Report, SegmentReport, Verifier, WriterName, WriterReport,
};
pub use error::{Error, ErrorKind, Result};
pub use event::{Aggregate, Event, Outcome, Severity};
pub use fan_out::FanOut;
pub use memory::MemorySink;
pub use ocsf::{OCSF_VERSION, Product};
pub use request_context::{
    Actor, Code, Context, Id, InvalidId, Learnt, Origin, Provenance, Scheme, SpanId, TraceContext,
    TraceFlags, TraceId, UserKind,
};
pub use sink::AuditSink;
#[cfg(feature = "tracing")]
pub use tracing_sink::TracingSink;
