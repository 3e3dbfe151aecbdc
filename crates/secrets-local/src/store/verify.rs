use super::engine::Engine;
use super::error::{Result, StoreError};
use super::index::Generation;

/// What [`FileStore::verify`](super::FileStore::verify) found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Verification {
    /// The generation that was read.
    pub generation: Generation,
    /// Secrets, those that are deleted and not yet purged included.
    pub secrets: usize,
    /// Wrapping keys.
    pub wrapping_keys: usize,
    /// Records that opened.
    pub sound_records: usize,
    /// One error for each record that did not open; it names the secret and the version.
    pub damaged: Vec<StoreError>,
}

impl Verification {
    /// True when every record opened.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty()
    }
}

/// Reads the file anew, not what is in memory, and opens all of it.
pub(crate) fn verify(engine: &Engine) -> Result<Verification> {
    let snapshot = engine.reread()?;
    let mut verification = Verification {
        generation: snapshot.index.generation,
        secrets: snapshot.index.secrets.len(),
        wrapping_keys: snapshot.index.keys.len(),
        sound_records: 0,
        damaged: Vec::new(),
    };
    for (place, record) in snapshot.index.records() {
        match snapshot.read(place, record) {
            Ok(_) => verification.sound_records += 1,
            Err(error) => verification.damaged.push(error),
        }
    }
    Ok(verification)
}
