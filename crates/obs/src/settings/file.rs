use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use service_settings::{DurationSetting, Problem, Rules};

use super::limits::outside;
use super::size::SizeSetting;
use crate::log::{FileTarget, FileTargetBuilder, Period};

/// A file that an output writes: [`FileTarget`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSettings {
    path: PathBuf,
    rotate_at: Option<SizeSetting>,
    rotate_every: Option<PeriodSetting>,
    keep_files: Option<usize>,
    keep_for: Option<DurationSetting>,
    mode: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PeriodSetting {
    Hour,
    Day,
}

/// Below the first of them files would be moved aside for each few lines.
const SIZES: (u64, u64) = (64 << 10, 1 << 40);
const FILES: (usize, usize) = (1, 100_000);

impl FileSettings {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn target(&self) -> FileTargetBuilder {
        let mut file = FileTarget::builder(&self.path);
        if let Some(size) = self.rotate_at {
            file = file.rotate_at(size.bytes());
        }
        if let Some(period) = self.rotate_every {
            file = file.rotate_every(match period {
                PeriodSetting::Hour => Period::Hour,
                PeriodSetting::Day => Period::Day,
            });
        }
        if let Some(most) = self.keep_files {
            file = file.keep_files(most);
        }
        if let Some(age) = self.keep_for {
            file = file.keep_for(age.get());
        }
        match self.mode.as_deref().and_then(permissions) {
            Some(mode) => file.mode(mode),
            None => file,
        }
    }
}

impl Rules for FileSettings {
    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut refuse = |path: &str, message: String| found.push(Problem::invalid(path, message));
        let text = self.path.as_os_str().as_encoded_bytes();
        if self.path.file_name().is_none() || text.ends_with(b"/") || text.contains(&0) {
            refuse("path", "names no file".to_owned());
        }
        if let Some(message) = self.rotate_at.and_then(|size| size.outside(SIZES.0, SIZES.1)) {
            refuse("rotate_at", message);
        }
        if let Some(message) = outside(self.keep_files, FILES) {
            refuse("keep_files", message);
        }
        let (least, most) = (Duration::from_secs(60), Duration::from_secs(36_500 * 86_400));
        if let Some(message) = self.keep_for.and_then(|age| age.outside(least, most)) {
            refuse("keep_for", message);
        }
        let is_moved = self.rotate_at.is_some() || self.rotate_every.is_some();
        let kept =
            [("keep_files", self.keep_files.is_some()), ("keep_for", self.keep_for.is_some())];
        for (path, _) in kept.into_iter().filter(|(_, is_set)| *is_set && !is_moved) {
            let message = "no file is moved aside: set `rotate_at` or `rotate_every`";
            refuse(path, message.to_owned());
        }
        if self.mode.as_deref().is_some_and(|mode| permissions(mode).is_none()) {
            let message = "is no permission of a log: those are as `0640`, let the owner write, and nobody else but \
                the group";
            refuse("mode", message.to_owned());
        }
        found
    }
}

/// Three digits from 0 to 7, after a `0` or none. Who lets everybody write has no log that can be believed.
fn permissions(mode: &str) -> Option<u32> {
    let digits = mode.strip_prefix('0').unwrap_or(mode);
    let is_octal = digits.len() == 3 && digits.chars().all(|c| ('0'..='7').contains(&c));
    let mode = u32::from_str_radix(digits, 8).ok().filter(|_| is_octal)?;
    (mode & 0o200 != 0 && mode & 0o002 == 0).then_some(mode)
}
