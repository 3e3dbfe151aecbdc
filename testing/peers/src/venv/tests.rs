//! Environments without packages: what is tested needs no network.

use std::thread;

use super::*;

/// Pinned, and from nowhere: no index is asked, since the hash is missing.
const UNPINNED: &str = "boto3==1.44.5\n";

#[test]
fn processes_that_start_together_share_one_environment() {
    let folder = tempfile::tempdir().unwrap();
    let prepared = || Venv::with_requirements(folder.path(), "").unwrap().python;
    let pythons: Vec<PathBuf> = thread::scope(|scope| {
        let started: Vec<_> = (0..4).map(|_| scope.spawn(prepared)).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(pythons.iter().all(|python| *python == pythons[0] && python.is_file()));
    let made: Vec<_> = fs::read_dir(folder.path().join("peers")).unwrap().collect();
    assert_eq!(made.len(), 2, "one environment and its lock: {made:?}");
}

#[test]
fn what_was_left_half_made_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path(), "").unwrap();
    fs::create_dir_all(home.join("bin")).unwrap();
    fs::write(home.join("bin").join("python"), "half").unwrap();
    fs::write(home.join("left"), "").unwrap();
    let venv = Venv::with_requirements(folder.path(), "").unwrap();
    let told = run(Command::new(venv.python()).args(["-I", "-c", "print(6 * 7)"])).unwrap();
    assert_eq!(told.stdout, b"42\n");
    assert!(!home.join("left").exists());
    assert!(home.join(READY).is_file());
}

/// Set for the process that is killed in [`an_installation_whose_maker_was_killed_is_waited_for`]: where to install.
const VICTIM: &str = "PEERS_TESTS_INSTALL_IN";

#[test]
fn an_installation_whose_maker_was_killed_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    // A Python that installs slowly, and tells when it begins and when it ends.
    let slow = "#!/bin/sh\ncase \"$*\" in *venv*) ;; *) echo version; exit ;; esac\n\
                echo begin >> \"$TOLD\"; sleep 1; echo end >> \"$TOLD\"; exit 1\n";
    let python = folder.path().join("python3");
    fs::write(&python, slow).unwrap();
    run(Command::new("chmod").arg("+x").arg(&python)).unwrap();
    let told = folder.path().join("told");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "venv::tests::installs_and_is_killed"])
            .envs([("PATH", path.as_str()), ("TOLD", told.to_str().unwrap())])
            .env(VICTIM, &target)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let said = || fs::read_to_string(&told).unwrap_or_default();
    let mut killed = start();
    let begun = std::time::Instant::now();
    while said().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not begin");
        thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    start().wait().unwrap();
    assert_eq!(said(), "begin\nend\nbegin\nend\n", "one after the other");
}

#[test]
fn installs_and_is_killed() {
    if let Some(target) = std::env::var_os(VICTIM) {
        let refused = Venv::with_requirements(Path::new(&target), "").unwrap_err();
        assert!(refused.to_string().contains("venv"), "{refused}");
    }
}

#[test]
fn what_pip_refuses_is_said_and_leaves_nothing_that_passes_for_complete() {
    let folder = tempfile::tempdir().unwrap();
    let error = Venv::with_requirements(folder.path(), UNPINNED).unwrap_err().to_string();
    assert!(error.contains("pip") && error.contains("--require-hashes"), "{error}");
    assert!(error.contains("boto3==1.44.5"), "{error}");
    let home = home(folder.path(), UNPINNED).unwrap();
    assert!(!home.join(READY).exists());

    // Who comes next is told the same, and nothing is begun.
    fs::remove_dir_all(&home).unwrap();
    let again = Venv::with_requirements(folder.path(), UNPINNED).unwrap_err().to_string();
    assert!(again.contains("not tried again") && again.contains("--require-hashes"), "{again}");
    assert!(!home.exists());
}

#[test]
fn a_failure_is_forgotten_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let failed = folder.path().join("x.failed");
    assert_eq!(recently(&failed), None);
    fs::write(&failed, "no network").unwrap();
    assert_eq!(recently(&failed).as_deref(), Some("no network"));
    let file = File::options().write(true).open(&failed).unwrap();
    let ago = |time| std::time::SystemTime::now() - time;
    file.set_modified(ago(FAILURE_KEPT)).unwrap();
    assert_eq!(recently(&failed), None);
    // A clock that was set back makes no failure last.
    file.set_modified(std::time::SystemTime::now() + FAILURE_KEPT).unwrap();
    assert_eq!(recently(&failed), None);
}

#[test]
fn other_requirements_are_another_environment() {
    assert_ne!(fingerprint("").unwrap(), fingerprint("a").unwrap());
}

#[test]
fn every_package_is_pinned_by_hash() {
    let pins: Vec<&str> = REQUIREMENTS.lines().filter(|line| line.contains("==")).collect();
    assert!(pins.iter().any(|pin| pin.starts_with("moto[") && pin.contains("==5.2.5 ")));
    let without_hash = REQUIREMENTS.split("==").skip(1).find(|pin| !pin.contains("--hash=sha256:"));
    assert_eq!(without_hash, None);
}
