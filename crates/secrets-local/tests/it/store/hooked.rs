//! The file system of the operating system, with something done or refused at chosen steps.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use secrets_local::store::Environment;
use secrets_local::store::fs::{FileLock, FileStat, FileSystem, NewFile, OsFileSystem, StoredFile};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Lock,
    Create,
    Open,
    Read,
    Replace,
    Replaced,
    SyncFolder,
}

type Hook = Arc<dyn Fn(Step, &Path) -> io::Result<()> + Send + Sync>;

/// Clones share the hook.
#[derive(Clone, Default)]
pub(super) struct Hooked(Arc<Mutex<Option<Hook>>>);

impl std::fmt::Debug for Hooked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooked")
    }
}

impl Hooked {
    pub(super) fn environment(&self) -> Environment {
        Environment { files: Arc::new(self.clone()), ..Environment::system() }
    }

    pub(super) fn on(&self, hook: impl Fn(Step, &Path) -> io::Result<()> + Send + Sync + 'static) {
        *self.0.lock().unwrap() = Some(Arc::new(hook));
    }

    pub(super) fn off(&self) {
        *self.0.lock().unwrap() = None;
    }

    fn call(&self, step: Step, path: &Path) -> io::Result<()> {
        let hook = self.0.lock().unwrap().clone();
        hook.map_or(Ok(()), |hook| hook(step, path))
    }
}

impl FileSystem for Hooked {
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        OsFileSystem.resolve(path)
    }

    fn stat(&self, path: &Path) -> io::Result<FileStat> {
        OsFileSystem.stat(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn StoredFile>> {
        self.call(Step::Open, path)?;
        let (file, hooks, path) = (OsFileSystem.open(path)?, self.clone(), path.to_owned());
        Ok(Arc::new(HookedFile { file, hooks, path }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        self.call(Step::Create, path)?;
        OsFileSystem.create(path)
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Step::Replace, to)?;
        OsFileSystem.replace(from, to)?;
        self.call(Step::Replaced, to)
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsFileSystem.publish(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsFileSystem.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.call(Step::SyncFolder, folder)?;
        OsFileSystem.sync_folder(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        OsFileSystem.list(folder)
    }

    fn try_lock(
        &self,
        path: &Path,
        like: Option<&FileStat>,
    ) -> io::Result<Option<Box<dyn FileLock>>> {
        self.call(Step::Lock, path)?;
        OsFileSystem.try_lock(path, like)
    }
}

#[derive(Debug)]
struct HookedFile {
    file: Arc<dyn StoredFile>,
    hooks: Hooked,
    path: PathBuf,
}

impl StoredFile for HookedFile {
    fn stat(&self) -> io::Result<FileStat> {
        self.file.stat()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.hooks.call(Step::Read, &self.path)?;
        self.file.read_exact_at(buffer, offset)
    }
}
