//! Suite `crypto`: the cryptography of the store beside the primitives that it is made of, and
//! beside other libraries' ones.

mod image;
mod keys;
mod records;

use crate::harness::Row;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = records::rows();
    rows.extend(keys::rows());
    rows
}
