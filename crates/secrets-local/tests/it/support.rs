//! What the tests of the providers without a format of their own share.

use std::future::Future;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use secrets_core::{
    ChangeStream, Error, NativeId, Result, Secret, SecretFilter, SecretName, SecretProvider,
    SecretProviderExt, SecretRef, SecretValue,
};

/// Runs a future on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(future)
}

/// The same by a clock that goes by itself, and only where nothing else is left to do: looks at files
/// take no time of it.
pub(crate) fn block_on_paused<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(future)
}

/// No hint for several looks of ten milliseconds each. It ends between two of them, so that nothing is
/// looked at while the test writes.
pub(crate) async fn is_quiet(hints: &mut ChangeStream) -> bool {
    tokio::time::timeout(Duration::from_millis(55), hints.next()).await.is_err()
}

pub(crate) fn name(text: &str) -> SecretName {
    SecretName::new(text).expect("a name")
}

pub(crate) fn named(text: &str) -> SecretRef {
    SecretRef::from(name(text))
}

pub(crate) fn native(text: &str) -> SecretRef {
    NativeId::new(text).expect("a native id").into()
}

pub(crate) fn value(text: &str) -> SecretValue {
    SecretValue::from_string(text.to_owned())
}

pub(crate) async fn get(provider: &dyn SecretProvider, r: &SecretRef) -> Result<Secret> {
    provider.get_secret(r, Default::default()).await
}

/// The bytes of the current value.
pub(crate) async fn bytes(provider: &dyn SecretProvider, r: &SecretRef) -> Vec<u8> {
    get(provider, r).await.expect("a secret").value.expose_secret().to_owned()
}

pub(crate) async fn text(provider: &dyn SecretProvider, r: &SecretRef) -> String {
    String::from_utf8(bytes(provider, r).await).expect("text")
}

pub(crate) async fn error(provider: &dyn SecretProvider, r: &SecretRef) -> Error {
    get(provider, r).await.expect_err("no secret can be read here")
}

/// All that is listed, as text.
pub(crate) async fn listed(provider: &dyn SecretProvider) -> Vec<String> {
    use futures_util::TryStreamExt;

    let infos: Vec<_> = provider.secrets(SecretFilter::all()).try_collect().await.expect("a list");
    infos.into_iter().map(|info| info.reference.to_string()).collect()
}

/// True where an error or one of its causes shows the text.
pub(crate) fn shows(error: &Error, needle: &str) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if format!("{error} {error:?} {error:#?}").contains(needle) {
            return true;
        }
        next = error.source();
    }
    false
}

pub(crate) fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a file of ours");
}

pub(crate) fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
}

/// The names in a folder, sorted.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|file| file.expect("an entry").file_name().into_string().expect("a name of text"))
        .collect();
    names.sort();
    names
}

/// Where a test that runs in a process of its own finds the folder it is to work in.
const FOLDER: &str = "MAINSTAY_TEST_FOLDER";

/// The folder that a test was given which runs once more in a process of its own; nothing where
/// the test runs for itself.
pub(crate) fn folder_for_child() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// A test to be run in a process of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child<'a> {
    pub(crate) test: &'a str,
    pub(crate) folder: &'a Path,
}

impl Child<'_> {
    /// In this program once more.
    pub(crate) fn command(self) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", self.test, "--include-ignored"]).env(FOLDER, self.folder);
        command
    }

    /// In a mount namespace that a script prepares first; `$FOLDER` is the folder. Users without
    /// rights get a user namespace as well.
    pub(crate) fn run_with_mounts(self, mounts: &str) {
        let mut command = Command::new("unshare");
        if !is_root() {
            command.args(["--map-root-user", "--user"]);
        }
        let script = format!("set -e; {mounts}; exec \"$@\"");
        command.args(["--mount", "sh", "-c", &script, "sh"]).env("FOLDER", self.folder);
        self.run_by(command);
    }

    /// As somebody without any rights. Tests that such a user runs stay what they are.
    pub(crate) fn run_as_nobody(self) {
        if !is_root() {
            return run(&mut self.command());
        }
        // Where this program lies, others may not look.
        let copy = self.folder.join("program");
        let this = std::env::current_exe().expect("this program");
        // By another process: what this one has open for writing, a child that another test is about
        // to start has open too, and such a file cannot be executed.
        let copied = Command::new("cp").arg(this).arg(&copy).status();
        assert!(copied.expect("a process").success(), "no copy of this program");
        set_mode(&copy, 0o755);
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]);
        command
            .arg(copy)
            .args(["--exact", self.test, "--include-ignored"])
            .env(FOLDER, self.folder);
        run(command.current_dir(self.folder));
    }

    fn run_by(self, mut command: Command) {
        let this = self.command();
        command.arg(this.get_program()).args(this.get_args()).env(FOLDER, self.folder);
        run(&mut command);
    }
}

/// Runs it to its end: it must have found its test, and the test must pass.
pub(crate) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("a process");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
}

/// Tells another thread to stop when it is dropped, also by a test that fails.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").expect("procfs").uid() == 0
}

/// True where this process runs as the owner of the file.
pub(crate) fn is_owner(path: &Path) -> bool {
    let uid = |path: &Path| std::fs::metadata(path).expect("a file").uid();
    uid(path) == uid(Path::new("/proc/self"))
}
