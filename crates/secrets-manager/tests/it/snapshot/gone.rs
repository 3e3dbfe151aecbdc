//! What is known to be gone, or too old, is not served from the file.

use super::*;

/// It is in the file still, for nothing is written without a run future.
#[tokio::test(start_paused = true)]
async fn what_the_provider_said_is_gone_is_not_served_from_the_file() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    let manager = host.manager(cloud.provider());
    cloud.answers(Err(absent()));
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::NotFound);
    pass(secs(HOUR)).await;
    cloud.answers(Err(unavailable()));
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Unavailable);

    // There is another one now, of which the file knows nothing either.
    cloud.answers(Ok(canary("v2")));
    pass(secs(HOUR)).await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), served("v2"));
    pass(secs(HOUR)).await;
    cloud.answers(Err(unavailable()));
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

/// More is gone than is remembered: nothing that is in doubt is served.
#[tokio::test(start_paused = true)]
async fn many_absences_do_not_bring_back_what_is_gone() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    let policy = policy().with_max_absent(4.try_into().unwrap());
    let builder = builder(cloud.provider()).policy(policy).clock(Arc::new(host.clock.clone()));
    let manager = builder.snapshot(host.snapshot()).build().unwrap();
    cloud.answers(Err(absent()));
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::NotFound);
    for other in 0..20 {
        assert!(manager.get(&format!("other/{other}")).await.is_err());
    }
    pass(secs(HOUR)).await;
    cloud.answers(Err(unavailable()));
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Unavailable);

    // Once it runs the file is brought in line with that.
    let running = Running::start(&manager).await;
    pass(secs(3)).await;
    assert_eq!(manager.snapshot().unwrap().entries, 0);
    running.stop().await;
    assert!(host.next_run().await.0.is_err());
}

/// A run future ends while the file cannot be written, and another one takes over.
#[tokio::test(start_paused = true)]
async fn a_run_future_that_ends_does_not_forget_what_is_gone() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    let [folder, away] = ["folder", "away"].map(|name| host.folder.path().join(name));
    std::fs::create_dir(&folder).unwrap();
    let snapshot = Snapshot::at(folder.join("snapshot"), host.key.clone());
    let manager = host.manager_with(cloud.provider(), snapshot);
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(3)).await;
    assert_eq!(manager.snapshot().unwrap().entries, 1);

    // What is held would be asked for again.
    drop(handle);
    std::fs::rename(&folder, &away).unwrap();
    cloud.answers(Err(absent()));
    manager.invalidate_all();
    assert!(manager.get(NAME).await.is_err());
    pass(secs(3)).await;
    let status = manager.snapshot().unwrap();
    assert_eq!(status.last_error.unwrap().kind(), SnapshotErrorKind::Unavailable);
    assert_eq!((status.file, status.entries), (SnapshotFile::Open, 1));
    running.stop().await;

    std::fs::rename(&away, &folder).unwrap();
    let _running = Running::start(&manager).await;
    pass(secs(30)).await;
    assert_eq!(manager.snapshot().unwrap().entries, 0);
}

/// A machine that slept: the clock that cannot be set stood still meanwhile.
#[tokio::test(start_paused = true)]
async fn its_age_is_bounded_by_the_clock_on_the_wall_too() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    host.clock.advance(secs(12 * HOUR));
    cloud.answers(Err(unavailable()));
    let manager = host.manager(cloud.provider());
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    assert!(handle.load_checked().is_ok());
    host.clock.advance(secs(13 * HOUR));
    pass(secs(3)).await;
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::TooStale);
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Unavailable);
    running.stop().await;

    // Nobody watches the clock here, but for the reader.
    host.clock.set(crate::support::noon() + secs(12 * HOUR));
    let manager = host.manager(cloud.provider());
    assert!(manager.get(NAME).await.is_ok());
    host.clock.advance(secs(13 * HOUR));
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

/// It was held once and is not now: what was replaced is not to come back.
#[tokio::test(start_paused = true)]
async fn what_was_replaced_leaves_the_file_though_nobody_holds_it() {
    let (host, cloud) = (Host::new(), Cloud::holding("v1"));
    host.run_once(&cloud).await;
    cloud.answers(Ok(canary("v2")));
    let manager = host.manager(cloud.provider());
    let running = Running::start(&manager).await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), served("v2"));
    pass(secs(3)).await;
    running.stop().await;
    assert_eq!(host.next_run().await.0.unwrap(), served("v2"));
}

/// A service that was denied a secret must not have it back by starting anew while the provider is down.
#[tokio::test(start_paused = true)]
async fn what_was_denied_leaves_the_file_until_it_is_given_again() {
    for kind in [ErrorKind::PermissionDenied, ErrorKind::Unauthenticated] {
        for by_name in [false, true] {
            let (host, cloud) = (Host::new(), Cloud::holding("v1"));
            host.run_once(&cloud).await;
            let manager = host.manager(cloud.provider());
            let running = Running::start(&manager).await;
            let handle = match by_name {
                true => None,
                false => Some(manager.handle(NAME).await.unwrap()),
            };
            cloud.answers(Err(Error::new(kind, "revoked")));
            manager.invalidate_all();
            let read = manager.get(NAME).await;
            assert_eq!(read.is_ok(), handle.is_some(), "what is in the cache serves its time");
            // That it cannot be reached either does not take the denial back.
            cloud.answers(Err(unavailable()));
            manager.invalidate_all();
            pass(secs(3)).await;
            assert_eq!(manager.snapshot().unwrap().entries, 0, "{kind:?}, by name: {by_name}");
            running.stop().await;
            drop((manager, handle));
            assert!(host.next_run().await.0.is_err());

            cloud.answers(Ok(canary("v1")));
            host.run_once(&cloud).await;
            assert_eq!(host.next_run().await.0.unwrap(), served("v1"));
        }
    }
}
