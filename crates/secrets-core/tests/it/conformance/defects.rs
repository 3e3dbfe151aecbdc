//! The planted defects: every check of the suite has at least one that only it has to find.

mod kept;
mod reading;
mod refusing;
mod staged;
mod taken;
mod written;

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use secrets_core::{
    Error, ErrorKind, GetOptions, Operation, Secret, SecretRef, SecretValue, VersionSelector,
};

use super::broken::Defect;

/// All of them.
pub(super) fn all() -> Vec<Defect> {
    let mut all = reading::defects();
    all.extend(written::defects());
    all.extend(staged::defects());
    all.extend(kept::defects());
    all.extend(taken::defects());
    all.extend(refusing::defects());
    all
}

/// What a broken provider remembers by secret.
type Memory<T> = Arc<Mutex<HashMap<SecretRef, T>>>;

fn memory<T>() -> Memory<T> {
    Arc::default()
}

fn recall<T: Clone>(memory: &Memory<T>, r: &SecretRef) -> Option<T> {
    memory.lock().unwrap().get(r).cloned()
}

fn keep<T>(memory: &Memory<T>, r: &SecretRef, what: T) {
    memory.lock().unwrap().insert(r.clone(), what);
}

fn current() -> GetOptions {
    GetOptions::default()
}

fn by(version: VersionSelector) -> GetOptions {
    GetOptions::version(version)
}

fn error(kind: ErrorKind, operation: Operation) -> Error {
    Error::new(kind, "a planted fault").with_operation(operation)
}

fn bytes(value: &SecretValue) -> Vec<u8> {
    value.expose_secret().to_vec()
}

/// The secret with other bytes.
fn changed(secret: Secret, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Secret {
    Secret::new(SecretValue::from_vec(change(bytes(&secret.value))), secret.version)
}

/// Lets other tasks run: here a dropped call ends.
async fn give_way() {
    let mut is_waiting = true;
    poll_fn(|cx| {
        if !std::mem::take(&mut is_waiting) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
