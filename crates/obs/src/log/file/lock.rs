//! What processes that write one file tell each other: advisory locks, on the file itself.

use std::fs::{File, TryLockError};
use std::io;
use std::time::Duration;

/// How often a lock is asked for that somebody has, and how long in between. Whoever has one has it
/// for one write; a process that was stopped in the middle must not stop the others.
const ASKED: u32 = 10;
const PAUSE: Duration = Duration::from_millis(1);

/// A lock, until it is dropped.
#[derive(Debug)]
pub(super) struct Held<'a>(&'a File);

/// What came of asking for a lock.
#[derive(Debug)]
pub(super) enum Asked<'a> {
    /// It is held.
    Held(#[expect(dead_code, reason = "held until it is dropped")] Held<'a>),
    /// Somebody else has it, and had it all the time.
    Taken,
    /// This file system has none.
    None,
}

/// For a write: several have it at a time.
pub(super) fn to_write(file: &File) -> Asked<'_> {
    ask(file, File::try_lock_shared)
}

/// For what only one may do, and nobody while it writes.
pub(super) fn alone(file: &File) -> Asked<'_> {
    ask(file, File::try_lock)
}

fn ask(file: &File, lock: fn(&File) -> Result<(), TryLockError>) -> Asked<'_> {
    for _ in 0..ASKED {
        match lock(file) {
            Ok(()) => return Asked::Held(Held(file)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(_)) => return Asked::None,
        }
    }
    Asked::Taken
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // It ends with the file at the latest.
        let _ = self.0.unlock();
    }
}
