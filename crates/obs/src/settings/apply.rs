use std::mem;

use service_settings::{Problems, Rules as _};

use super::metrics::MetricsSettings;
use super::{ObservabilitySettings, Told};
use crate::setup::ObservabilityBuilder;

/// From settings.
impl ObservabilityBuilder {
    /// Takes what the settings say. What they do not say stays as the builder was told before; what it is told after
    /// this comes over it. Outputs, keys whose values are not shown and attributes of the service are added to those that
    /// there are.
    ///
    /// ```
    /// use obs::record::Resource;
    /// use obs::settings::ObservabilitySettings;
    /// use obs::setup::Observability;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let settings = ObservabilitySettings::default();
    /// let guard = Observability::builder()
    ///     .resource(Resource::new("orders").with_version(env!("CARGO_PKG_VERSION")))
    ///     .environment(std::env::vars_os())
    ///     .settings(&settings)?
    ///     .install()?;
    /// # drop(guard);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// All [`Problems`] that the settings have, if there are any.
    pub fn settings(mut self, settings: &ObservabilitySettings) -> Result<Self, Problems> {
        Problems::none_or(settings.problems())?;
        let outline = &settings.outline.value;
        let (log, traces) = (self.filter.clone(), self.trace_filter.clone());
        self.settings = Some(Told {
            settings: settings.clone(),
            log,
            traces,
            is_log_overruled: false,
            are_traces_overruled: false,
        });
        self.profile = outline.profile.unwrap_or(self.profile);
        self.format = outline.format.or(self.format);
        self.resource = outline.service.over(mem::take(&mut self.resource));
        self.filter = outline.log.over(&self.filter);
        self.trace_filter = outline.traces.over(&self.trace_filter);
        self.keys = outline.redaction.over(mem::take(&mut self.keys));
        self.limits = outline.limits.over(self.limits);
        let [value, fields] = outline.limits.are_told();
        let [had_value, had_fields] = self.are_limits_told;
        self.are_limits_told = [value || had_value, fields || had_fields];
        self.are_outputs_told |= !outline.outputs.is_empty();
        for (name, output) in outline.outputs.iter().filter(|(_, output)| output.is_on()) {
            self = self.output(output.output(name, settings.place_of("outputs", name)));
        }
        if outline.metrics != MetricsSettings::default() {
            let metrics = outline.metrics.clone();
            self = self.metrics(move |builder| metrics.over(builder));
        }
        #[cfg(feature = "redact-patterns")]
        if let Some(shapes) = outline.redaction.shapes() {
            self = self.redacted_shapes(shapes);
        }
        #[cfg(feature = "log-bridge")]
        if let Some(has_bridge) = outline.log_bridge {
            self.has_bridge = has_bridge;
        }
        if let Some(self_test) = outline.self_test {
            self = self.self_test(self_test);
        }
        if let Some(panics) = outline.panics {
            self = self.panics(panics);
        }
        if let Some(within) = outline.shutdown_timeout {
            self = self.drop_within(within.get());
        }
        Ok(self)
    }
}

impl ObservabilitySettings {
    /// Where something stands, on one line, for errors.
    fn place_of(&self, table: &str, name: &str) -> String {
        let problem = self.outline.problem(&format!("{table}.{name}"), "");
        problem.to_string().trim_end_matches(": ").to_owned()
    }

    /// The admin listener, if the settings have one; what is code, as an authorizer, is given to it before it starts.
    ///
    /// ```no_run
    /// use obs::settings::ObservabilitySettings;
    /// use obs::setup::Observability;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let settings = ObservabilitySettings::default();
    /// let guard = Observability::builder().settings(&settings)?.install()?;
    /// let admin = settings.admin(guard.observability()).map(|admin| admin.start()).transpose()?;
    /// # drop(admin);
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "admin")]
    #[must_use]
    pub fn admin(
        &self,
        observability: &crate::setup::Observability,
    ) -> Option<crate::admin::AdminServerBuilder> {
        let admin = self.outline.value.admin.as_ref().filter(|admin| admin.is_on())?;
        Some(admin.over(crate::admin::AdminServer::builder(observability)))
    }
}
