//! The bytes of the index before they are sealed; the layout is in
//! `crates/secrets-local/docs/store-format.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrets_core::{Deletion, KeyRef, SecretName, Tags};
use zeroize::Zeroizing;

use super::bytes::{Malformed, Reader, Writer};
use super::crypto::SymmetricKey;
use super::format::VersionKey;
use super::index::{Content, Entry, Generation, Index, Labels, RecordRef, TokenMark, Version};

type Read<T> = Result<T, Malformed>;

/// The longest value in bytes.
pub(crate) const MAX_VALUE_LEN: usize = 1 << 20;
/// The longest text of a tag, a description or a media type, in bytes.
pub(crate) const MAX_TEXT_LEN: usize = 4096;
/// The most tags of a secret.
pub(crate) const MAX_TAGS: usize = 50;
/// The longest name of a wrapping key in bytes.
pub(crate) const MAX_KEY_NAME_LEN: usize = 256;

/// The fewest bytes that a version and an entry take: what bounds a count.
const MIN_VERSION_LEN: usize = 16 + 12 + 1;
const MIN_ENTRY_LEN: usize = 2 + 1 + 12 + 12 + 8 + 1;

const HAS_DELETION: u8 = 1;
const HAS_PURGE_TIME: u8 = 1 << 1;
const HAS_DESCRIPTION: u8 = 1 << 2;
const HAS_TAGS: u8 = 1 << 3;
const HAS_CURRENT: u8 = 1 << 4;
const HAS_PREVIOUS: u8 = 1 << 5;
const HAS_PENDING: u8 = 1 << 6;
const ENTRY_FLAGS: u8 = 0x7f;

const STATE: u8 = 0b11;
const STATE_ENABLED: u8 = 0;
const STATE_DISABLED: u8 = 1;
const STATE_DESTROYED: u8 = 2;
const HAS_CONTENT_TYPE: u8 = 1 << 2;
const HAS_NOT_BEFORE: u8 = 1 << 3;
const HAS_EXPIRES: u8 = 1 << 4;
const HAS_TOKEN: u8 = 1 << 5;
const VERSION_FLAGS: u8 = 0x3f;

/// Encodes the index into a buffer of the exact size, with room for a tag of `reserve` bytes: a
/// buffer that grew would leave pieces of it behind in freed memory.
pub(crate) fn encode(index: &Index, reserve: usize) -> Zeroizing<Vec<u8>> {
    let mut length = Length(0);
    put_index(index, &mut length);
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0 + reserve));
    put_index(index, &mut *bytes);
    bytes
}

struct Length(usize);

impl Writer for Length {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

fn put_index(index: &Index, out: &mut impl Writer) {
    out.put_u32(index.generation.restores);
    out.put_u64(index.generation.writes);
    out.put(index.lasting_key.as_bytes());
    out.put_u64(index.next_serial);
    out.put_time(index.written);
    out.put_count(index.secrets.len());
    for (name, entry) in &index.secrets {
        out.put_text(name.as_str());
        put_entry(entry, out);
    }
    out.put_count(index.keys.len());
    for (name, entry) in &index.keys {
        out.put_text(name.as_str());
        put_entry(entry, out);
    }
}

fn put_entry(entry: &Entry, out: &mut impl Writer) {
    let Labels { current, previous, pending } = entry.labels;
    let purge_at = entry.deletion.and_then(|deletion| deletion.purge_at);
    out.put_u8(flags(&[
        (HAS_DELETION, entry.deletion.is_some()),
        (HAS_PURGE_TIME, purge_at.is_some()),
        (HAS_DESCRIPTION, entry.description.is_some()),
        (HAS_TAGS, !entry.tags.is_empty()),
        (HAS_CURRENT, current.is_some()),
        (HAS_PREVIOUS, previous.is_some()),
        (HAS_PENDING, pending.is_some()),
    ]));
    out.put_time(entry.created);
    out.put_time(entry.updated);
    out.put(&entry.revision);
    if let Some(deletion) = entry.deletion {
        out.put_time(deletion.deleted);
    }
    if let Some(purge_at) = purge_at {
        out.put_time(purge_at);
    }
    if let Some(description) = &entry.description {
        out.put_text(description);
    }
    if !entry.tags.is_empty() {
        out.put_count(entry.tags.len());
        for (name, value) in &entry.tags {
            out.put_text(name);
            out.put_text(value);
        }
    }
    for label in [current, previous, pending].into_iter().flatten() {
        let at = entry.versions.iter().position(|version| version.id == label);
        out.put_count(at.unwrap_or(usize::MAX));
    }
    out.put_count(entry.versions.len());
    for version in &entry.versions {
        put_version(version, out);
    }
}

fn put_version(version: &Version, out: &mut impl Writer) {
    let state = match version.content {
        Content::Enabled(_) => STATE_ENABLED,
        Content::Disabled(_) => STATE_DISABLED,
        Content::Destroyed => STATE_DESTROYED,
    };
    out.put(version.id.as_bytes());
    out.put_time(version.created);
    out.put_u8(
        state
            | flags(&[
                (HAS_CONTENT_TYPE, version.content_type.is_some()),
                (HAS_NOT_BEFORE, version.not_before.is_some()),
                (HAS_EXPIRES, version.expires.is_some()),
                (HAS_TOKEN, version.token.is_some()),
            ]),
    );
    if let Some(record) = version.content.record() {
        out.put_varint(record.serial);
        out.put_varint(u64::from(record.value_len));
    }
    if let Some(content_type) = &version.content_type {
        out.put_text(content_type);
    }
    for time in [version.not_before, version.expires].into_iter().flatten() {
        out.put_time(time);
    }
    if let Some(token) = &version.token {
        out.put(&token.token);
        out.put(&token.content);
    }
}

fn flags(bits: &[(u8, bool)]) -> u8 {
    bits.iter().filter(|(_, set)| *set).fold(0, |all, (bit, _)| all | bit)
}

/// Reads what [`encode`] wrote, and nothing else: each index has one encoding.
pub(crate) fn decode(bytes: &[u8]) -> Read<Index> {
    let mut reader = Reader::new(bytes);
    let generation = Generation { restores: reader.u32()?, writes: reader.u64()? };
    let lasting_key = SymmetricKey::from_slice(&Zeroizing::new(reader.array::<32>()?)[..]);
    let index = Index {
        generation,
        lasting_key: Arc::new(lasting_key.ok_or(Malformed)?),
        next_serial: reader.u64()?,
        written: reader.time()?,
        secrets: read_map(&mut reader, |name| SecretName::new(name).ok())?,
        keys: read_map(&mut reader, |name| {
            KeyRef::new(name).ok().filter(|_| name.len() <= MAX_KEY_NAME_LEN)
        })?,
    };
    reader.end()?;
    Ok(index)
}

fn read_map<K: Ord>(
    reader: &mut Reader<'_>,
    name: impl Fn(&str) -> Option<K>,
) -> Read<BTreeMap<K, Arc<Entry>>> {
    let count = reader.count(MIN_ENTRY_LEN)?;
    let mut entries: Vec<(K, Arc<Entry>)> = Vec::with_capacity(count);
    for _ in 0..count {
        let key = name(reader.text(MAX_KEY_NAME_LEN)?).ok_or(Malformed)?;
        if entries.last().is_some_and(|(last, _)| *last >= key) {
            return Err(Malformed);
        }
        entries.push((key, Arc::new(read_entry(reader)?)));
    }
    Ok(entries.into_iter().collect())
}

fn read_entry(reader: &mut Reader<'_>) -> Read<Entry> {
    let flags = reader.u8()?;
    let has = |bit: u8| flags & bit != 0;
    if flags & !ENTRY_FLAGS != 0 || (has(HAS_PURGE_TIME) && !has(HAS_DELETION)) {
        return Err(Malformed);
    }
    let created = reader.time()?;
    let updated = reader.time()?;
    let revision = reader.array()?;
    let deleted = optional(has(HAS_DELETION), || reader.time())?;
    let purge_at = optional(has(HAS_PURGE_TIME), || reader.time())?;
    let description = optional(has(HAS_DESCRIPTION), || reader.text(MAX_TEXT_LEN))?;
    let tags = if has(HAS_TAGS) { read_tags(reader)? } else { Tags::new() };
    let current = optional(has(HAS_CURRENT), || reader.varint())?;
    let previous = optional(has(HAS_PREVIOUS), || reader.varint())?;
    let pending = optional(has(HAS_PENDING), || reader.varint())?;
    let versions = read_versions(reader)?;
    let label = |at: Option<u64>| -> Read<Option<VersionKey>> {
        let Some(at) = at else { return Ok(None) };
        let at = usize::try_from(at).map_err(|_| Malformed)?;
        versions.get(at).map(|version| Some(version.id)).ok_or(Malformed)
    };
    let labels =
        Labels { current: label(current)?, previous: label(previous)?, pending: label(pending)? };
    Ok(Entry {
        created,
        updated,
        revision,
        deletion: deleted.map(|deleted| Deletion::new(deleted, purge_at)),
        description: description.map(Into::into),
        tags,
        labels,
        versions,
    })
}

fn read_tags(reader: &mut Reader<'_>) -> Read<Tags> {
    let count = reader.count(2)?;
    if count == 0 || count > MAX_TAGS {
        return Err(Malformed);
    }
    let mut tags = Tags::new();
    for _ in 0..count {
        let name = reader.text(MAX_TEXT_LEN)?;
        if tags.last_key_value().is_some_and(|(last, _)| last.as_str() >= name) {
            return Err(Malformed);
        }
        tags.insert(name.to_owned(), reader.text(MAX_TEXT_LEN)?.to_owned());
    }
    Ok(tags)
}

fn read_versions(reader: &mut Reader<'_>) -> Read<Vec<Version>> {
    let count = reader.count(MIN_VERSION_LEN)?;
    let mut versions = Vec::with_capacity(count);
    for _ in 0..count {
        versions.push(read_version(reader)?);
    }
    if distinct(&versions) { Ok(versions) } else { Err(Malformed) }
}

/// Ids of versions are distinct, or a label could mean two.
fn distinct(versions: &[Version]) -> bool {
    let mut ids: Vec<_> = versions.iter().map(|version| version.id).collect();
    ids.sort_unstable();
    ids.is_sorted_by(|a, b| a < b)
}

fn read_version(reader: &mut Reader<'_>) -> Read<Version> {
    let id = VersionKey::from_bytes(reader.array()?);
    let created = reader.time()?;
    let flags = reader.u8()?;
    let has = |bit: u8| flags & bit != 0;
    if flags & !VERSION_FLAGS != 0 {
        return Err(Malformed);
    }
    let content = match flags & STATE {
        STATE_ENABLED => Content::Enabled(read_record(reader)?),
        STATE_DISABLED => Content::Disabled(read_record(reader)?),
        STATE_DESTROYED => Content::Destroyed,
        _ => return Err(Malformed),
    };
    Ok(Version {
        id,
        created,
        content,
        content_type: optional(has(HAS_CONTENT_TYPE), || reader.text(MAX_TEXT_LEN))?
            .map(Into::into),
        not_before: optional(has(HAS_NOT_BEFORE), || reader.time())?,
        expires: optional(has(HAS_EXPIRES), || reader.time())?,
        token: optional(has(HAS_TOKEN), || {
            Ok(TokenMark { token: reader.array()?, content: reader.array()? })
        })?,
    })
}

fn read_record(reader: &mut Reader<'_>) -> Read<RecordRef> {
    let serial = reader.varint()?;
    let value_len = u32::try_from(reader.varint()?).map_err(|_| Malformed)?;
    if value_len as usize > MAX_VALUE_LEN {
        return Err(Malformed);
    }
    Ok(RecordRef { serial, value_len })
}

fn optional<T>(present: bool, read: impl FnOnce() -> Read<T>) -> Read<Option<T>> {
    present.then(read).transpose()
}

/// Where each record stands. The lengths of all records must fill their region exactly.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecordTable(Vec<Row>);

/// One record's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) serial: u64,
    /// From the beginning of the file.
    pub(crate) offset: u64,
    pub(crate) sealed_len: u64,
}

impl RecordTable {
    /// The table of an index whose records begin at `start` and must take `region_len` bytes.
    pub(crate) fn build(index: &Index, start: u64, region_len: u64) -> Read<Self> {
        let table = Self::of(index, start);
        let distinct = table.0.is_sorted_by(|a, b| a.serial < b.serial);
        let known = table.0.last().is_none_or(|row| row.serial < index.next_serial);
        if !distinct || !known || table.end(start) != start.saturating_add(region_len) {
            return Err(Malformed);
        }
        Ok(table)
    }

    /// The records of an index in the order of their serials, one behind the other from `start` on.
    pub(crate) fn of(index: &Index, start: u64) -> Self {
        let records = index.entries().flat_map(|entry| &entry.versions);
        let mut rows: Vec<Row> = records
            .filter_map(|version| version.content.record())
            .map(|record| Row { serial: record.serial, offset: 0, sealed_len: record.sealed_len() })
            .collect();
        rows.sort_unstable_by_key(|row| row.serial);
        let mut offset = start;
        for row in &mut rows {
            row.offset = offset;
            offset = offset.saturating_add(row.sealed_len);
        }
        Self(rows)
    }

    pub(crate) fn end(&self, start: u64) -> u64 {
        self.0.last().map_or(start, |row| row.offset.saturating_add(row.sealed_len))
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.0
    }

    pub(crate) fn get(&self, serial: u64) -> Option<Row> {
        let at = self.0.binary_search_by_key(&serial, |row| row.serial).ok()?;
        self.0.get(at).copied()
    }

    pub(crate) fn find(&self, record: RecordRef) -> Option<Row> {
        self.get(record.serial).filter(|row| row.sealed_len == record.sealed_len())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::crypto::SEALED_OVERHEAD;
    use super::*;

    fn time(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn version(id: u8, content: Content) -> Version {
        let (id, created) = (VersionKey::from_bytes([id; 16]), time(300));
        let (content_type, token) = (None, None);
        Version { id, created, content, content_type, not_before: None, expires: None, token }
    }

    /// An index with every optional field, and without.
    fn sample() -> Index {
        let record = |serial| RecordRef { serial, value_len: 200 };
        let mut full = Entry::new(time(1));
        full.deletion = Some(Deletion::new(time(2), Some(time(3))));
        full.description = Some("description".into());
        full.tags = Tags::from([("a".into(), "1".into()), ("b".into(), String::new())]);
        let mut dressed = version(2, Content::Disabled(record(130)));
        dressed.content_type = Some("text/plain".into());
        dressed.not_before = Some(time(4));
        dressed.expires = Some(time(5));
        dressed.token = Some(TokenMark { token: [6; 32], content: [7; 32] });
        full.versions = vec![version(1, Content::Enabled(record(0))), dressed];
        full.versions.push(version(3, Content::Destroyed));
        let id = |place: usize| full.versions.get(place).map(|version| version.id);
        full.labels = Labels { current: id(0), previous: id(2), pending: id(1) };
        let key = SymmetricKey::from_slice(&[9; 32]).expect("32 bytes");
        let mut index = Index::empty(key, time(6));
        index.generation = Generation { restores: 1, writes: 2 };
        index.next_serial = 131;
        for (name, entry) in [("a", Entry::new(time(7))), ("b/c", full.clone())] {
            index.secrets.insert(SecretName::new(name).expect("a name"), Arc::new(entry));
        }
        index.keys.insert(KeyRef::new("Key:1").expect("a key"), Arc::new(full));
        index
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        let bytes = encode(&sample(), 16);
        assert_eq!(bytes.capacity(), bytes.len() + 16, "the buffer did not grow");
        let index = decode(&bytes).expect("an index");
        assert_eq!(encode(&index, 0), encode(&sample(), 0));
        let entry = index.secrets.values().next_back().expect("two entries");
        assert_eq!(entry.versions.len(), 3);
        assert_eq!(entry.labels.pending, entry.versions.get(1).map(|version| version.id));
    }

    #[test]
    fn every_index_has_one_encoding() {
        let bytes = encode(&sample(), 0);
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "cut to {len}");
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert!(decode(&longer).is_err());
        let mut taken = 0;
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.to_vec();
                changed[at] ^= 1 << bit;
                if let Ok(index) = decode(&changed) {
                    assert_eq!(*encode(&index, 0), changed, "byte {at}, bit {bit}");
                    taken += 1;
                }
            }
        }
        assert!(taken > 1000, "times, ids and numbers may have any value: {taken}");
    }

    #[test]
    fn two_versions_have_two_ids() {
        let mut index = sample();
        let entry = index.keys.values_mut().next().expect("a key");
        let first = entry.versions.first().map(|version| version.id);
        // A label on what is renamed would be refused for itself.
        Arc::make_mut(entry).labels = Labels::default();
        Arc::make_mut(entry).versions[2].id = first.expect("a version");
        assert!(decode(&encode(&index, 0)).is_err());
    }

    #[test]
    fn records_fill_their_region_exactly() {
        let mut index = sample();
        index.keys.clear();
        let len = 2 * (200 + SEALED_OVERHEAD as u64);
        let table = RecordTable::build(&index, 104, len).expect("a table");
        assert_eq!(table.rows().iter().map(|row| row.offset).collect::<Vec<_>>(), [104, 344]);
        for wrong in [len - 1, len + 1, 0, u64::MAX] {
            assert!(RecordTable::build(&index, 104, wrong).is_err(), "{wrong}");
        }
        // A serial from the future, and one that is there twice.
        index.next_serial = 130;
        assert!(RecordTable::build(&index, 104, len).is_err());
        assert!(RecordTable::build(&sample(), 104, 2 * len).is_err());
    }
}
