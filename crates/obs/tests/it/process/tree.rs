//! Folders that look like `/` of another machine, and pages of sources.

use std::fs;
use std::path::Path;

use obs::metric::{Exposition, MetricRecorder, MetricSource};
use tempfile::TempDir;

use crate::metrics::text;

/// A folder with some files.
pub(super) struct Tree(TempDir);

impl Tree {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.0.path().join(path)).unwrap();
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// What a source says.
#[derive(Debug)]
pub(super) struct Page(pub(super) String);

impl Page {
    pub(super) fn of(source: impl MetricSource) -> Self {
        Self(text(&MetricRecorder::builder().source(source).build(), Exposition::Text))
    }

    /// The value of a sample, by the name and labels as they stand there.
    pub(super) fn get(&self, sample: &str) -> Option<f64> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?;
        Some(line.parse().unwrap())
    }

    /// All samples, but for those of the recorder itself.
    pub(super) fn samples(&self) -> Vec<&str> {
        self.0.lines().filter(|line| !line.starts_with('#') && !line.starts_with("obs_")).collect()
    }

    /// How often the source failed.
    pub(super) fn failed(&self, source: &str) -> f64 {
        let count = |reason| {
            let sample = format!(
                "obs_metric_source_failures_total{{reason=\"{reason}\",source=\"{source}\"}}"
            );
            self.get(&sample).unwrap()
        };
        assert_eq!(count("panicked"), 0.0, "{self:?}");
        count("failed")
    }
}

/// Asserts what samples say.
pub(super) fn check(page: &Page, expected: &[(&str, f64)]) {
    for (sample, value) in expected {
        assert_eq!(page.get(sample), Some(*value), "{sample}\n{}", page.0);
    }
}
