use metric_table::Metric;

use crate::metric::{MetricSource, Samples, SourceError};

pub(super) const INFO: Metric =
    Metric::gauge("build.info", "{build}", "what runs: how it was built, by its labels")
        .with_labels(&["version", "revision", "rustc", "profile"]);

/// Says in `build_info` what was built: a gauge of 1 whose labels tell it. What is measured, the service
/// and where it runs, is said by `target_info` ([`Resource`](crate::record::Resource)).
///
/// The application gives what it knows, by `env!` and `option_env!` where it is compiled: a library cannot ask for the
/// revision of a program.
///
/// ```
/// use obs::process::BuildInfo;
///
/// let build = BuildInfo::new(env!("CARGO_PKG_VERSION"))
///     .with_revision(option_env!("GIT_REVISION").unwrap_or("unknown"))
///     .with_profile(if cfg!(debug_assertions) { "debug" } else { "release" });
/// # drop(build);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a source says nothing before it is given to a recorder"]
pub struct BuildInfo {
    labels: Vec<(&'static str, String)>,
}

impl BuildInfo {
    /// With the version of the program.
    pub fn new(version: impl Into<String>) -> Self {
        Self { labels: vec![("version", version.into())] }
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.labels.retain(|(known, _)| *known != name);
        self.labels.push((name, value));
        self
    }

    /// With the revision of its source.
    pub fn with_revision(self, revision: impl Into<String>) -> Self {
        self.with("revision", revision.into())
    }

    /// With the version of the compiler.
    pub fn with_rustc(self, version: impl Into<String>) -> Self {
        self.with("rustc", version.into())
    }

    /// With the profile, as `release`.
    pub fn with_profile(self, profile: impl Into<String>) -> Self {
        self.with("profile", profile.into())
    }
}

impl MetricSource for BuildInfo {
    fn name(&self) -> &'static str {
        "build"
    }

    fn metrics(&self) -> &'static [Metric] {
        const TABLE: &[Metric] = &[INFO];
        TABLE
    }

    fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
        let labels: Vec<_> =
            self.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        samples.sample(&INFO, &labels, 1.0);
        Ok(())
    }
}
