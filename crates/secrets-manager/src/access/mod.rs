//! Who loads which secret by handle, how often, and when last: counted by thread without a lock, and
//! told in sums.

mod ledger;
mod meter;
mod row;
mod tally;

pub(crate) use ledger::{Dues, Ledger};
pub(crate) use meter::Meter;
pub use row::{AccessRow, Reader};
pub(crate) use tally::Place;
