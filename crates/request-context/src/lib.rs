#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod context;
mod origin;
mod scoped;
mod shared;
mod state;
mod trace;
mod word;

pub use context::{Actor, Context, UserKind};
pub use origin::{Learnt, Origin, Provenance, Scheme};
pub use scoped::Scoped;
pub use shared::SharedContext;
pub use state::{InvalidTracestate, TraceState};
pub use trace::{InvalidTraceparent, SpanId, TraceContext, TraceFlags, TraceId};
pub use word::{Code, Id, InvalidId};
