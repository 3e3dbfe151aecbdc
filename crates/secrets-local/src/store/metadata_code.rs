//! One encoding of a change of metadata, to compare two writes under one token.

use std::time::SystemTime;

use secrets_core::{Change, MetadataPatch};

use super::bytes::Writer;

pub(crate) fn metadata_bytes(patch: &MetadataPatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.put_count(patch.set_tags.len());
    for (name, value) in &patch.set_tags {
        bytes.put_text(name);
        bytes.put_text(value);
    }
    bytes.put_count(patch.remove_tags.len());
    for name in &patch.remove_tags {
        bytes.put_text(name);
    }
    put_change(&mut bytes, &patch.description, |bytes, text| bytes.put_text(text));
    for time in [&patch.not_before, &patch.expires] {
        put_change(&mut bytes, time, |bytes, time: &SystemTime| bytes.put_time(*time));
    }
    bytes
}

fn put_change<T>(bytes: &mut Vec<u8>, change: &Change<T>, put: impl FnOnce(&mut Vec<u8>, &T)) {
    match change {
        Change::Keep => bytes.put_u8(0),
        Change::Clear => bytes.put_u8(1),
        Change::Set(value) => {
            bytes.put_u8(2);
            put(bytes, value);
        }
    }
}
