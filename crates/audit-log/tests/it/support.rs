//! What the tests share.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use audit_log::{
    Action, AuditSink, ChainKey, Code, Entity, EntityActivity, Event, FileTrail, FileTrailBuilder,
    Id, Product, Report, Verifier, WriterName,
};
use tempfile::TempDir;

pub(crate) const PRODUCT: Product = Product::new(Code::new("example"), Code::new("billing"));

pub(crate) fn key() -> ChainKey {
    ChainKey::from_slice(&[7; 32]).unwrap()
}

pub(crate) fn other_key() -> ChainKey {
    ChainKey::from_slice(&[8; 32]).unwrap()
}

pub(crate) fn writer(name: &str) -> WriterName {
    WriterName::new(name).unwrap()
}

/// A folder for a trail that is not there yet.
pub(crate) fn folder() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("audit");
    (parent, folder)
}

pub(crate) fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(crate) fn builder(folder: &Path) -> FileTrailBuilder {
    FileTrail::at(folder, writer("w"), PRODUCT, key()).clock(noon)
}

pub(crate) async fn open(folder: &Path) -> FileTrail {
    builder(folder).open().await.unwrap()
}

pub(crate) fn event(id: &str) -> Event {
    let secret = Entity::new(Code::new("secret"), Id::new(id).unwrap());
    Event::new(Action::entity(EntityActivity::Read, secret), noon())
}

/// A trail of one record that says that it began, and `events` more, one batch each.
pub(crate) async fn write(folder: &Path, events: u64) {
    let trail = open(folder).await;
    for number in 0..events {
        trail.append_durable(&event(&format!("e{number}"))).await.unwrap();
    }
}

pub(crate) fn verify(folder: &Path) -> Report {
    Verifier::new([key()]).verify(folder).unwrap()
}

pub(crate) fn segment(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("w.{number:08}.jsonl"))
}

pub(crate) fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// The ids of the entities in all segments, in order.
pub(crate) fn ids(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for number in 1.. {
        let path = segment(folder, number);
        if !path.exists() {
            return found;
        }
        for line in lines(&path) {
            let Ok(json) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
            found.extend(json["entity"]["uid"].as_str().map(str::to_owned));
        }
    }
    found
}
