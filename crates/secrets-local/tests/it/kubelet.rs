//! Mounts as the kubelet lays them out and swaps them.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The steps of `AtomicWriter.Write` in `pkg/volume/util/atomic_writer.go` of Kubernetes, by their
/// numbers there.
pub(crate) struct Kubelet {
    mount: PathBuf,
    turn: u64,
}

impl Kubelet {
    pub(crate) fn new(mount: &Path) -> Self {
        Self { mount: mount.to_owned(), turn: 0 }
    }

    pub(crate) fn write(&mut self, payload: &BTreeMap<&str, String>) {
        let at = |name: &str| self.mount.join(name);
        // (2) the folder that is visible now
        let old = std::fs::read_link(at("..data")).ok();
        // (5), (6) a folder named by the time, with the new files
        self.turn += 1;
        let new = format!("..2026_11_23_04_38_00.{:09}", self.turn);
        for (path, content) in payload {
            let file = at(&new).join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        // (8), (9) the link to it, in one step
        symlink(&new, at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        // (10) links for new files, to the first part of their paths
        for path in payload.keys() {
            let first = path.split('/').next().unwrap();
            if !at(first).is_symlink() {
                symlink(format!("..data/{first}"), at(first)).unwrap();
            }
        }
        // (11) no links for files that are gone
        for entry in std::fs::read_dir(&self.mount).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_kept = payload.keys().any(|path| path.split('/').next() == Some(&name));
            if !name.starts_with("..") && !is_kept {
                std::fs::remove_file(at(&name)).unwrap();
            }
        }
        // (12) nor the old folder
        if let Some(old) = old {
            std::fs::remove_dir_all(self.mount.join(old)).unwrap();
        }
    }
}

pub(crate) fn payload<const N: usize>(
    files: [(&'static str, &str); N],
) -> BTreeMap<&'static str, String> {
    files.into_iter().map(|(path, content)| (path, content.to_owned())).collect()
}
