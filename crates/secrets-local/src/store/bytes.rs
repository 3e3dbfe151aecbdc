//! Reading and writing of the little-endian, length-prefixed encodings of the store file.

use std::time::{Duration, SystemTime};

/// The encoding ends too early or has a value that no writer produces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

type Read<T> = Result<T, Malformed>;

/// Takes fields off the front of a slice, never past its end.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Read<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Read<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Read<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// LEB128 of at most 64 bits, in its shortest form only.
    pub(crate) fn varint(&mut self) -> Read<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 { Err(Malformed) } else { Ok(value) };
            }
        }
        Err(Malformed)
    }

    /// A count of items that take at least `min_size` bytes each: never more than can follow.
    pub(crate) fn count(&mut self, min_size: usize) -> Read<usize> {
        let count = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
        let fits = count.checked_mul(min_size).is_some_and(|size| size <= self.remaining());
        if fits { Ok(count) } else { Err(Malformed) }
    }

    pub(crate) fn text(&mut self, max: usize) -> Read<&'a str> {
        let len = self.count(1)?;
        if len > max {
            return Err(Malformed);
        }
        std::str::from_utf8(self.bytes(len)?).map_err(|_| Malformed)
    }

    pub(crate) fn time(&mut self) -> Read<SystemTime> {
        let seconds = i64::from_le_bytes(self.array()?);
        let nanos = self.u32()?;
        if nanos >= 1_000_000_000 {
            return Err(Malformed);
        }
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let base = match seconds {
            0.. => SystemTime::UNIX_EPOCH.checked_add(whole),
            _ => SystemTime::UNIX_EPOCH.checked_sub(whole),
        };
        base.and_then(|base| base.checked_add(Duration::from_nanos(u64::from(nanos))))
            .ok_or(Malformed)
    }

    pub(crate) fn end(&self) -> Read<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// Appends fields to a buffer.
pub(crate) trait Writer {
    fn put(&mut self, bytes: &[u8]);

    fn put_u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    fn put_u16(&mut self, value: u16) {
        self.put(&value.to_le_bytes());
    }

    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.put_u8(value as u8);
    }

    fn put_count(&mut self, count: usize) {
        self.put_varint(count as u64);
    }

    fn put_text(&mut self, text: &str) {
        self.put_count(text.len());
        self.put(text.as_bytes());
    }

    /// Seconds since 1970 rounded down, and nanoseconds: 12 bytes.
    fn put_time(&mut self, time: SystemTime) {
        let (seconds, nanos) = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => (saturating_i64(after.as_secs()), after.subsec_nanos()),
            Err(error) => before_epoch(error.duration()),
        };
        self.put(&seconds.to_le_bytes());
        self.put_u32(nanos);
    }
}

fn saturating_i64(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn before_epoch(before: Duration) -> (i64, u32) {
    let seconds = 0_i64.saturating_sub_unsigned(before.as_secs());
    match before.subsec_nanos() {
        0 => (seconds, 0),
        nanos => (seconds.saturating_sub(1), 1_000_000_000 - nanos),
    }
}

impl Writer for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_one_form() {
        for value in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            bytes.put_varint(value);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.varint(), Ok(value));
            assert_eq!(reader.end(), Ok(()));
        }
        for over_long in [
            &[0x80, 0x00][..],
            &[0xff; 11],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        ] {
            assert_eq!(Reader::new(over_long).varint(), Err(Malformed));
        }
    }

    #[test]
    fn times_survive_on_both_sides_of_the_epoch() {
        let nanos = Duration::from_nanos(1_500_000_007);
        for time in [
            SystemTime::UNIX_EPOCH,
            SystemTime::UNIX_EPOCH + nanos,
            SystemTime::UNIX_EPOCH - nanos,
            SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 63),
            SystemTime::UNIX_EPOCH - Duration::new((1 << 63) - 1, 999_999_999),
            SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799),
        ] {
            let mut bytes = Vec::new();
            bytes.put_time(time);
            assert_eq!(bytes.len(), 12);
            assert_eq!(Reader::new(&bytes).time(), Ok(time));
        }
    }

    #[test]
    fn a_count_never_exceeds_what_can_follow() {
        let mut bytes = Vec::new();
        bytes.put_varint(u64::MAX);
        assert_eq!(Reader::new(&bytes).count(1), Err(Malformed));
        let mut bytes = Vec::new();
        bytes.put_varint(3);
        bytes.extend([0; 5]);
        assert_eq!(Reader::new(&bytes).count(2), Err(Malformed));
    }
}
