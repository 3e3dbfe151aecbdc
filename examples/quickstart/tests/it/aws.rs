//! The same on AWS, by settings alone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_double::AwsDouble;

use super::{quickstart, shows_it};

#[test]
fn the_double_serves_those_without_an_account() {
    let output = quickstart(&["--json", "--aws-double"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    shows_it(output.stdout);
}

/// Settings that name a double as they would name an account.
fn settings(double: &AwsDouble, folder: &Path) -> String {
    assert!(double.url().starts_with("http://127.0.0.1:"));
    let keys = double.credentials();
    let text = format!(
        "[secrets.providers.store]\ntype = 'aws'\nregion = 'eu-west-1'\nendpoint = '{}'\n\
         static_keys = {{ access_key_id = '{}', secret_access_key = '{}' }}\n",
        double.url(),
        keys.access_key(),
        keys.secret_key(),
    );
    let file = folder.join("account.toml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// Each secret that was created lay under the prefix that was told before, and was deleted.
fn left_clean(double: &AwsDouble, told: &str) {
    let prefix = told.split('`').nth(1).unwrap();
    assert!(prefix.starts_with("mainstay-quickstart-") && prefix.ends_with('/'), "{told}");
    let names = |operation: &str| {
        let mut names: Vec<_> = double
            .calls()
            .of(operation)
            .into_iter()
            .filter(|call| call.status == 200)
            .map(|call| call.subject.unwrap())
            .collect();
        names.sort();
        names
    };
    let created = names("CreateSecret");
    assert_eq!(created.len(), 3, "{created:?}");
    assert!(created.iter().all(|name| name.starts_with(prefix)), "{created:?}");
    assert_eq!(created, names("DeleteSecret"), "{:#?}", double.calls().of("DeleteSecret"));
}

#[test]
fn an_account_is_told_what_is_written_and_left_clean() {
    let double = AwsDouble::builder().region("eu-west-1").start_blocking().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = quickstart(&["--settings", &settings(&double, folder.path())]);
    let (told, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    assert!(told.contains(" 0 failures, 0 logins refused"), "{told}");
    left_clean(&double, told.lines().next().unwrap());
}

#[test]
fn an_interrupt_leaves_an_account_clean() {
    let double = AwsDouble::builder().region("eu-west-1").start_blocking().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_quickstart"))
        .args(["--settings", &settings(&double, folder.path())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    let is_rotated = || double.calls().of("PutSecretValue").iter().any(|call| call.status == 200);
    while !is_rotated() {
        if child.try_wait().unwrap().is_some() || begun.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("it does not rotate: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.ends_with("interrupted\n"), "{errors}");
    let told = String::from_utf8_lossy(&output.stdout);
    left_clean(&double, told.lines().next().unwrap());
}

/// Nothing is written where the settings make no sense.
#[test]
fn settings_with_problems_are_told_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("account.toml");
    let text = "[secrets.providers.store]\ntype = 'aws'\nregion = 'moon-1'\nretry.attempts = 99\n";
    std::fs::write(&file, text).unwrap();
    let output = quickstart(&["--settings", &file.display().to_string()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains("account.toml:3: `secrets.providers.store.region`"), "{errors}");
    assert!(
        errors.contains("account.toml:4: `secrets.providers.store.retry.attempts`"),
        "{errors}"
    );
}
