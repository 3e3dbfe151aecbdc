use std::fmt;

use crate::record::Record;

/// How a record is written as a line.
pub trait Layout: fmt::Debug + Send + Sync + 'static {
    /// Writes the record at the end of `line`, with its line feed.
    fn write(&self, record: &Record<'_>, line: &mut Vec<u8>);
}
