/// Lines behind one another, in room that was taken once.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Where each record ends: one may take several lines, or be written in parts.
    ends: Vec<u32>,
    most_bytes: usize,
    most_records: usize,
}

/// Records that are shorter than this on average fill a batch before its bytes are full.
const SHORTEST_RECORD: usize = 32;

impl Batch {
    /// The room is taken from the allocator here and never again. What was never written to costs
    /// addresses, not memory.
    pub(crate) fn with_room(most_bytes: usize) -> Self {
        let most_records = most_bytes / SHORTEST_RECORD + 1;
        Self {
            bytes: Vec::with_capacity(most_bytes),
            ends: Vec::with_capacity(most_records),
            most_bytes,
            most_records,
        }
    }

    /// Takes a record if there is room for the whole of it.
    pub(crate) fn push(&mut self, record: &[u8]) -> bool {
        let Ok(end) = u32::try_from(self.bytes.len() + record.len()) else { return false };
        let fits = record.len() <= self.most_bytes - self.bytes.len();
        if !fits || self.ends.len() >= self.most_records {
            return false;
        }
        self.bytes.extend_from_slice(record);
        self.ends.push(end);
        true
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(crate) const fn is_half_full(&self) -> bool {
        self.bytes.len() > self.most_bytes / 2 || self.ends.len() > self.most_records / 2
    }

    pub(crate) const fn records(&self) -> usize {
        self.ends.len()
    }

    /// The bytes from `at`, which lies in record `done`, up to the end of the last record that fits
    /// within `room`; up to the end of that one at least.
    pub(crate) fn whole_records(&self, done: usize, at: usize, room: usize) -> &[u8] {
        let rest = self.ends.get(done..).unwrap_or_default();
        let fitting = rest.partition_point(|end| index(*end) - at <= room).max(1);
        let end = rest.get(fitting - 1).map_or(at, |end| index(*end));
        self.bytes.get(at..end).unwrap_or_default()
    }

    /// How many records end at or before `at`.
    pub(crate) fn records_until(&self, at: usize) -> usize {
        self.ends.partition_point(|end| index(*end) <= at)
    }

    /// Where a record begins.
    pub(crate) fn begin_of(&self, record: usize) -> usize {
        record.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| index(*end))
    }

    /// How much of a record is left from `at` on.
    pub(crate) fn length_of(&self, record: usize, at: usize) -> usize {
        self.ends.get(record).map_or(0, |end| index(*end) - at)
    }
}

fn index(end: u32) -> usize {
    usize::try_from(end).unwrap_or(usize::MAX)
}
