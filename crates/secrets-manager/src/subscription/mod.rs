//! Word of what changes in what handles hold.

mod change;
mod mailbox;

pub use change::{ChangeNotice, SecretChange};
pub use mailbox::SecretChanges;
pub(crate) use mailbox::{Subscribers, Woken};
