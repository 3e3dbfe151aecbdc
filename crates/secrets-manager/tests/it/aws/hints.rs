//! What is changed elsewhere is heard of by a queue that the settings name.

use std::time::Duration;

use secrets_core::SecretProviderExt;
use secrets_manager::ManagerStatus;
use tokio::time::{Instant, sleep};

use super::{builder, put, somebody_else, start_on};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_elsewhere_is_seen_in_seconds() {
    let double = builder().start().await.unwrap();
    let queue = double.queues().create("hints");
    double.events().deliver_to("hints");
    put(&double, &[("billing/db", "correct horse")]).await;
    let other = somebody_else(&double).await;
    let head = "cache = { ttl = '1h' }";
    let started = start_on(&double, head, &format!("change_queue = '{queue}'\n")).await;
    let running = tokio::spawn(started.run());
    let handle = started.manager.handle("billing/db").await.unwrap();

    // Somebody else writes: by its time to live alone the handle would show it in an hour.
    let rotated = other.manager.cached().put_text("billing/db", "battery staple").await.unwrap();
    let begun = Instant::now();
    loop {
        double.clock().advance(Duration::from_secs(1));
        if handle.load().secret().unwrap().version.id == rotated.id {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "it is not seen");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(handle.load().secret().unwrap().value.expose_secret(), b"battery staple");
    assert_eq!(started.manager.report().await.status, ManagerStatus::Healthy);
    running.abort();
}
