use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::error::PeerError;

/// Every package with its version and its hashes, those that others need included.
const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// Stands in an environment that is complete.
const READY: &str = "ready";

/// How the file is called, beside the environment, that holds why it could not be made.
const FAILED: &str = "failed";

/// How long an installation that failed is not tried again: all tests of a run need it, and each would wait for pip to give up.
const FAILURE_KEPT: Duration = Duration::from_secs(10 * 60);

/// A Python environment with the packages of `requirements.txt`, and nothing else.
///
/// It is made on first use, once for all test processes of a target folder, and made anew when the
/// requirements or Python itself change, or when making it was interrupted.
#[derive(Debug, Clone)]
pub struct Venv {
    python: PathBuf,
}

impl Venv {
    /// The environment below the target folder of the running program. Where it is missing, this
    /// says so on standard error and downloads from the package index that pip is configured for.
    ///
    /// What failed is not tried again for ten minutes, by any test process: it fails at once, with the same reason.
    ///
    /// # Errors
    /// When Python is missing, a package cannot be had or is not the one pinned, or the running
    /// program does not lie below a target folder of cargo.
    pub fn prepare() -> Result<Self, PeerError> {
        Self::prepare_in(&target()?)
    }

    /// The same, tried also where it failed a moment ago.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn prepare_again() -> Result<Self, PeerError> {
        let target = target()?;
        let failed = home(&target, REQUIREMENTS)?.with_extension(FAILED);
        // It is not there, as a rule.
        let _ = fs::remove_file(failed);
        Self::prepare_in(&target)
    }

    /// The environment below `folder`, which is kept for the next time.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn prepare_in(folder: &Path) -> Result<Self, PeerError> {
        Self::with_requirements(folder, REQUIREMENTS)
    }

    fn with_requirements(folder: &Path, requirements: &str) -> Result<Self, PeerError> {
        let home = home(folder, requirements)?;
        let made = Self { python: home.join("bin").join("python") };
        if made.is_ready(&home) {
            return Ok(made);
        }
        // Test processes start together: one makes the environment, the others wait for it.
        let lock = locked(&home.with_extension("lock"))?;
        if !made.is_ready(&home) {
            made.install_once(&home, requirements, &lock)?;
        }
        Ok(made)
    }

    /// Unless it failed a moment ago.
    fn install_once(&self, home: &Path, requirements: &str, lock: &File) -> Result<(), PeerError> {
        let failed = home.with_extension(FAILED);
        if let Some(told) = recently(&failed) {
            return Err(PeerError::new(format!(
                "installing moto and boto3 failed a moment ago and is not tried again now (`cargo run -p peers` does): {told}"
            )));
        }
        self.install(home, requirements, lock).inspect_err(|error| {
            // Where it cannot be written the next process tries again.
            let _ = fs::write(&failed, error.to_string());
        })
    }

    fn is_ready(&self, home: &Path) -> bool {
        home.join(READY).is_file() && self.python.is_file()
    }

    fn install(&self, home: &Path, requirements: &str, lock: &File) -> Result<(), PeerError> {
        // What is there was interrupted half way.
        if home.exists() {
            fs::remove_dir_all(home).map_err(|error| cannot("remove", home, &error))?;
        }
        announce(home);
        let mut venv = Command::new("python3");
        venv.args(["-I", "-m", "venv"]);
        if requirements.is_empty() {
            // Nothing is installed then, and pip is most of the work.
            venv.arg("--without-pip");
        }
        install_step(venv.arg(home), lock)?;
        if !requirements.is_empty() {
            self.install_packages(home, requirements, lock)?;
        }
        let ready = home.join(READY);
        fs::write(&ready, "").map_err(|error| cannot("write", &ready, &error))
    }

    fn install_packages(
        &self,
        home: &Path,
        requirements: &str,
        lock: &File,
    ) -> Result<(), PeerError> {
        let list = home.join("requirements.txt");
        fs::write(&list, requirements).map_err(|error| cannot("write", &list, &error))?;
        let mut pip = Command::new(&self.python);
        pip.args(["-I", "-m", "pip", "install", "--quiet", "--no-input"])
            .args(["--disable-pip-version-check", "--require-hashes"])
            .args(["--only-binary", ":all:", "--requirement"])
            .arg(&list);
        install_step(&mut pip, lock)
    }

    /// The environment's Python.
    pub fn python(&self) -> &Path {
        &self.python
    }
}

/// The target folder of cargo that the running program lies below.
fn target() -> Result<PathBuf, PeerError> {
    let program = std::env::current_exe()
        .map_err(|error| PeerError::new(format!("the running program is unknown: {error}")))?;
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map(Path::to_owned).ok_or_else(|| {
        PeerError::new(format!(
            "`{}` is not below a target folder of cargo: name a folder with `prepare_in`",
            program.display()
        ))
    })
}

/// Where the environment with these packages is, or will be.
fn home(folder: &Path, requirements: &str) -> Result<PathBuf, PeerError> {
    Ok(folder.join("peers").join(fingerprint(requirements)?))
}

/// What a failure said that is not old.
fn recently(failed: &Path) -> Option<String> {
    let age = fs::metadata(failed).ok()?.modified().ok()?.elapsed().ok()?;
    (age < FAILURE_KEPT).then(|| fs::read_to_string(failed).ok())?
}

/// Names an environment by all that decides what is in it.
fn fingerprint(requirements: &str) -> Result<String, PeerError> {
    let told = "import sys; print(sys.version, sys.base_prefix)";
    let version = run(Command::new("python3").args(["-I", "-c", told]))?;
    let hash = Sha256::new().chain_update(requirements).chain_update(version.stdout).finalize();
    Ok(hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// Holds the lock until the file is dropped; the system lets go of it when a process dies.
fn locked(path: &Path) -> Result<File, PeerError> {
    let open = || {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        file.lock()?;
        Ok(file)
    };
    open().map_err(|error| cannot("lock", path, &error))
}

fn announce(home: &Path) {
    let text = format!(
        "Installing moto and boto3 for tests, pinned by hash, with pip from its package index, into {}.\n",
        home.display()
    );
    // If nobody reads it, the tests are none the worse.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Runs a program that writes to the environment. It holds the lock as its standard input, which nobody writes to: when this
/// process is killed the program goes on, and whoever comes next must not begin before it has ended.
fn install_step(command: &mut Command, lock: &File) -> Result<(), PeerError> {
    let held = lock.try_clone();
    let held = held.map_err(|error| PeerError::new(format!("cannot share the lock: {error}")))?;
    run_with(command, Stdio::from(held)).map(drop)
}

fn run(command: &mut Command) -> Result<Output, PeerError> {
    run_with(command, Stdio::null())
}

fn run_with(command: &mut Command, input: Stdio) -> Result<Output, PeerError> {
    let shown = format!("{command:?}");
    let output = command.stdin(input).output().map_err(|error| {
        PeerError::new(format!(
            "`{shown}` cannot be started: {error} (Debian: `apt-get install python3-venv`)"
        ))
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let told = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat();
    Err(PeerError::new(format!("`{shown}` ended with {}", output.status)).with_output(&told))
}

fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> PeerError {
    PeerError::new(format!("cannot {verb} `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests;
