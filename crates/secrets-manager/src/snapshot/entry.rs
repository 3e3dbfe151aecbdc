//! A value with all that is known of it, as bytes.
//!
//! One byte for the format, then fields in a fixed order: numbers big-endian, texts and bytes behind
//! their length in four bytes, what may be absent behind a byte that says whether it is there. The value
//! comes last and takes the rest.

use std::time::{Duration, SystemTime};

use secrets_core::{
    Etag, NativeId, ProviderId, Secret, SecretName, SecretRef, SecretValue, Stage, StageSet, Tags,
    VersionId, VersionInfo, VersionSelector,
};
use sha2::{Digest, Sha256};

use crate::cache::line::Key;

const FORMAT: u8 = 1;
const STAGES: [Stage; 3] = [Stage::Current, Stage::Previous, Stage::Pending];

/// A value with when it was confirmed.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) secret: Secret,
    pub(crate) confirmed: SystemTime,
}

/// The bytes are not an entry, or one of another secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Foreign;

/// What an entry is about, as bytes; `None` for versions that are not copied.
pub(crate) fn subject(id: &ProviderId, key: &Key) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    put_provider(&mut out, id);
    match &key.reference {
        SecretRef::Name(name) => put_text(&mut out, 0, name.as_str()),
        SecretRef::Native(id) => put_text(&mut out, 1, NativeId::as_str(id)),
        _ => return None,
    }
    match &key.selector {
        VersionSelector::Current => put_text(&mut out, 0, ""),
        VersionSelector::Id(id) => put_text(&mut out, 1, id.as_str()),
        _ => return None,
    }
    Some(out)
}

/// The name under which an entry stands in the store.
pub(crate) fn name_of(subject: &[u8]) -> Option<SecretName> {
    let digest = Sha256::digest(subject);
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    SecretName::new(&format!("entry/{digits}")).ok()
}

/// For which providers a snapshot is.
pub(crate) fn header(ids: &[ProviderId]) -> SecretValue {
    let mut out = vec![FORMAT];
    for id in ids {
        put_provider(&mut out, id);
    }
    SecretValue::from_vec(out)
}

fn put_provider(out: &mut Vec<u8>, id: &ProviderId) {
    for part in [id.kind(), id.scope(), id.identity()] {
        put_bytes(out, part.as_bytes());
    }
}

fn put_text(out: &mut Vec<u8>, tag: u8, text: &str) {
    out.push(tag);
    put_bytes(out, text.as_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn put_time(out: &mut Vec<u8>, time: SystemTime) {
    let (sign, span) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(span) => (0, span),
        Err(before) => (1, before.duration()),
    };
    out.push(sign);
    out.extend_from_slice(&span.as_secs().to_be_bytes());
    out.extend_from_slice(&span.subsec_nanos().to_be_bytes());
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

/// The bytes of an entry. What is not secret is gathered first, so that the secret is copied once, into
/// a buffer of the exact size.
pub(crate) fn encode(subject: &[u8], entry: &Entry) -> SecretValue {
    let Secret { value, version } = &entry.secret;
    let mut out = vec![FORMAT];
    put_bytes(&mut out, subject);
    put_time(&mut out, entry.confirmed);
    put_bytes(&mut out, version.id.as_str().as_bytes());
    let stages = STAGES.into_iter().filter(|stage| version.stages.contains(*stage));
    out.push(stages.fold(0, |bits, stage| bits | stage as u8));
    put_time(&mut out, version.created);
    for time in [version.destroy_at, version.not_before, version.expires] {
        put_option(&mut out, time, put_time);
    }
    put_option(&mut out, version.etag.as_ref(), |out, etag| match etag {
        Etag::Secret(text) => put_text(out, 0, text),
        Etag::Version(text) => put_text(out, 1, text),
    });
    put_bytes(&mut out, &u32::try_from(version.tags().len()).unwrap_or_default().to_be_bytes());
    for (name, tag) in version.tags() {
        put_bytes(&mut out, name.as_bytes());
        put_bytes(&mut out, tag.as_bytes());
    }
    put_option(&mut out, value.content_type(), |out, text| put_bytes(out, text.as_bytes()));
    let mut bytes = Vec::with_capacity(out.len() + value.len());
    bytes.extend_from_slice(&out);
    bytes.extend_from_slice(value.expose_secret());
    SecretValue::from_vec(bytes)
}

/// When an entry was confirmed, whatever it is about.
pub(crate) fn confirmed(value: &SecretValue) -> Result<SystemTime, Foreign> {
    let mut reader = Reader(value.expose_secret());
    reader.format()?;
    reader.bytes()?;
    reader.time()
}

/// The entry about this subject.
pub(crate) fn decode(subject: &[u8], value: &SecretValue) -> Result<Entry, Foreign> {
    let mut reader = Reader(value.expose_secret());
    reader.format()?;
    if reader.bytes()? != subject {
        return Err(Foreign);
    }
    let confirmed = reader.time()?;
    let id = VersionId::new(reader.text()?).map_err(|_| Foreign)?;
    let bits = reader.byte()?;
    let stages = STAGES.into_iter().filter(|stage| bits & *stage as u8 != 0);
    let stages: StageSet = stages.collect();
    let mut version = VersionInfo::new(id, reader.time()?).with_stages(stages);
    version.destroy_at = reader.option(Reader::time)?;
    version.not_before = reader.option(Reader::time)?;
    version.expires = reader.option(Reader::time)?;
    version.etag = reader.option(Reader::etag)?;
    let version = version.with_tags(reader.tags()?);
    let content_type = reader.option(Reader::text)?;
    let mut value = SecretValue::copy_from_slice(reader.0);
    if let Some(content_type) = content_type {
        value = value.with_content_type(content_type);
    }
    Ok(Entry { secret: Secret::new(value, version), confirmed })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Foreign> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Foreign)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Foreign> {
        self.take(N)?.try_into().map_err(|_| Foreign)
    }

    fn byte(&mut self) -> Result<u8, Foreign> {
        self.array().map(|[byte]| byte)
    }

    fn format(&mut self) -> Result<(), Foreign> {
        if self.byte()? == FORMAT { Ok(()) } else { Err(Foreign) }
    }

    fn bytes(&mut self) -> Result<&'a [u8], Foreign> {
        let len = u32::from_be_bytes(self.array()?);
        self.take(usize::try_from(len).map_err(|_| Foreign)?)
    }

    fn text(&mut self) -> Result<&'a str, Foreign> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Foreign)
    }

    fn time(&mut self) -> Result<SystemTime, Foreign> {
        let sign = self.byte()?;
        let seconds = u64::from_be_bytes(self.array()?);
        let nanos = u32::from_be_bytes(self.array()?);
        if nanos >= 1_000_000_000 {
            return Err(Foreign);
        }
        let span = Duration::new(seconds, nanos);
        let time = match sign {
            0 => SystemTime::UNIX_EPOCH.checked_add(span),
            1 => SystemTime::UNIX_EPOCH.checked_sub(span),
            _ => None,
        };
        time.ok_or(Foreign)
    }

    fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Foreign>,
    ) -> Result<Option<T>, Foreign> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Foreign),
        }
    }

    fn etag(&mut self) -> Result<Etag, Foreign> {
        match (self.byte()?, self.text()?) {
            (0, text) => Ok(Etag::Secret(text.into())),
            (1, text) => Ok(Etag::Version(text.into())),
            _ => Err(Foreign),
        }
    }

    fn tags(&mut self) -> Result<Tags, Foreign> {
        let count = self.bytes()?.try_into().map(u32::from_be_bytes).map_err(|_| Foreign)?;
        let mut tags = Tags::new();
        for _ in 0..count {
            let name = self.text()?.to_owned();
            tags.insert(name, self.text()?.to_owned());
        }
        Ok(tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> (Vec<u8>, Entry) {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::new(seconds, 7);
        let key = Key {
            source: 0,
            reference: SecretName::new("billing/db").unwrap().into(),
            selector: VersionSelector::Current,
        };
        let subject = subject(&ProviderId::new("aws", "123", "app"), &key).unwrap();
        let stages = StageSet::EMPTY.with(Stage::Current).with(Stage::Previous);
        let tags = Tags::from([("a".to_owned(), "b".to_owned())]);
        let mut version =
            VersionInfo::new(VersionId::new("v1").unwrap(), at(5)).with_stages(stages);
        version.expires = Some(at(9));
        version.etag = Some(Etag::Version("e".into()));
        let version = version.with_tags(tags);
        let value = SecretValue::copy_from_slice(b"hunter2").with_content_type("text/plain");
        (subject, Entry { secret: Secret::new(value, version), confirmed: at(6) })
    }

    #[test]
    fn an_entry_comes_back_whole() {
        let (subject, entry) = entry();
        let bytes = encode(&subject, &entry);
        let back = decode(&subject, &bytes).unwrap();
        assert_eq!(back.secret.version, entry.secret.version);
        assert_eq!(back.confirmed, entry.confirmed);
        assert_eq!(confirmed(&bytes), Ok(entry.confirmed));
        assert!(back.secret.value.ct_eq(&entry.secret.value));
        assert_eq!(back.secret.value.content_type(), Some("text/plain"));
        assert!(decode(b"another", &bytes).is_err());
    }

    /// Of the bytes before the value none can be missing, and none can make it panic.
    #[test]
    fn what_is_cut_or_changed_is_no_entry_or_another_one() {
        let (subject, entry) = entry();
        let bytes = encode(&subject, &entry);
        let bytes = bytes.expose_secret();
        let value = entry.secret.value.len();
        for len in 0..bytes.len() - value {
            assert!(decode(&subject, &SecretValue::copy_from_slice(&bytes[..len])).is_err());
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[at] ^= 0xff;
            let _ = decode(&subject, &SecretValue::from_vec(changed));
        }
    }

    #[test]
    fn different_subjects_have_different_names() {
        let key =
            |reference: SecretRef| Key { source: 0, reference, selector: VersionSelector::Current };
        let id = ProviderId::new("aws", "123", "app");
        let name = SecretRef::from(SecretName::new("a").unwrap());
        let native = SecretRef::from(NativeId::new("a").unwrap());
        let other = ProviderId::new("aws", "12", "3app");
        let subjects = [(&id, &name), (&id, &native), (&other, &name)];
        let names: std::collections::BTreeSet<_> = subjects
            .into_iter()
            .map(|(id, reference)| name_of(&subject(id, &key(reference.clone())).unwrap()).unwrap())
            .collect();
        assert_eq!(names.len(), 3);
    }
}
