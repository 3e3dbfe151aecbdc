use crate::record::fields::REDACTED;
use crate::record::redact::RedactedKeys;

/// What a service says of itself on every line, by the names that OpenTelemetry gives to it
/// ([Resource semantic conventions](https://opentelemetry.io/docs/specs/semconv/resource/), 1.44.0).
/// Each layout writes it by the names of its reader.
///
/// ```
/// use obs::record::Resource;
///
/// let resource = Resource::new("orders").with_version("1.4.2").with_environment("production");
/// assert_eq!(resource.get(Resource::SERVICE_NAME), Some("orders"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource(Vec<(Box<str>, Box<str>)>);

impl Resource {
    /// The name of the service.
    pub const SERVICE_NAME: &'static str = "service.name";
    /// The version of its program.
    pub const SERVICE_VERSION: &'static str = "service.version";
    /// What tells it from services of the same name.
    pub const SERVICE_NAMESPACE: &'static str = "service.namespace";
    /// Which of its processes this is.
    pub const SERVICE_INSTANCE_ID: &'static str = "service.instance.id";
    /// Where it runs: `production`, `staging`.
    pub const ENVIRONMENT: &'static str = "deployment.environment.name";
    /// The machine, container or pod that it runs on.
    pub const HOST_NAME: &'static str = "host.name";

    /// A service of this name.
    #[must_use]
    pub fn new(service_name: &str) -> Self {
        Self::default().with(Self::SERVICE_NAME, service_name)
    }

    /// With the version of its program.
    #[must_use]
    pub fn with_version(self, version: &str) -> Self {
        self.with(Self::SERVICE_VERSION, version)
    }

    /// With where it runs.
    #[must_use]
    pub fn with_environment(self, environment: &str) -> Self {
        self.with(Self::ENVIRONMENT, environment)
    }

    /// With something else that is known of it, in the place of what had this name. What
    /// [`RedactedKeys::default`] hides by its name, or in its text, is not kept: it would be on every line, and in
    /// `target_info` and `/info`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.retain(|(known, _)| **known != *name);
        self.0.push((name.into(), shown(&RedactedKeys::default(), name, value)));
        self
    }

    /// Without what these keys hide, too.
    pub(crate) fn redacted(mut self, keys: &RedactedKeys) -> Self {
        self.0.iter_mut().for_each(|(name, value)| *value = shown(keys, name, value));
        self
    }

    /// What is said by this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// Names and values, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

fn shown(keys: &RedactedKeys, name: &str, value: &str) -> Box<str> {
    if keys.is_sensitive(name) {
        return REDACTED.into();
    }
    keys.redacted(value).map_or_else(|| value.into(), String::into_boxed_str)
}
