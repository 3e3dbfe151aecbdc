//! Suite `aws`: secrets and keys of AWS through what we wrote, and through the SDK alone, on a double
//! of AWS in this process. Where requests are to take time, the double lets each of them wait for
//! 20 ms; its own computing comes on top, for everybody. Requests are counted where they are answered.

mod bare;
mod cold;
mod keys;
mod place;
mod reads;
mod role;
mod start;
mod steady;

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::harness::{Case, Row};

pub(crate) fn rows() -> Vec<Row> {
    [start::rows(), cold::rows(), steady::rows(), reads::rows(), keys::rows(), role::rows()]
        .into_iter()
        .flatten()
        .collect()
}

/// Of the thread that measures alone: what the clients compute is that thread's time.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// All of `operation` again and again, with nothing kept in between.
fn from_nothing(operation: impl AsyncFn() + Send + Sync + 'static) -> Case {
    let operation = Arc::new(operation);
    Case::new(move || {
        let (runtime, operation) = (runtime(), Arc::clone(&operation));
        move |operations| {
            for _ in 0..operations {
                runtime.block_on(operation());
            }
        }
    })
}

/// Calls by a client that is connected, one after the other.
fn connected<C: 'static>(
    connect: impl AsyncFn() -> C + Send + Sync + 'static,
    call: impl AsyncFn(&C) + Send + Sync + 'static,
) -> Case {
    let call = Arc::new(call);
    Case::new(move || {
        let (runtime, call) = (runtime(), Arc::clone(&call));
        let client = runtime.block_on(connect());
        move |operations| {
            runtime.block_on(async {
                for _ in 0..operations {
                    call(&client).await;
                }
            });
        }
    })
}
