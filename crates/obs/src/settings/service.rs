use std::collections::BTreeMap;

use serde::Deserialize;
use service_settings::{Problem, Rules};

use super::below;
use crate::record::Resource;

/// What the service says of itself: its [`Resource`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ServiceSettings {
    name: Option<String>,
    version: Option<String>,
    namespace: Option<String>,
    instance: Option<String>,
    environment: Option<String>,
    attributes: BTreeMap<String, String>,
}

/// Longer ones are none that a person gave; each of them stands on every line.
const LONGEST: usize = 256;
const MOST_ATTRIBUTES: usize = 64;

impl ServiceSettings {
    fn known(&self) -> [(&'static str, &'static str, Option<&String>); 5] {
        [
            ("name", Resource::SERVICE_NAME, self.name.as_ref()),
            ("version", Resource::SERVICE_VERSION, self.version.as_ref()),
            ("namespace", Resource::SERVICE_NAMESPACE, self.namespace.as_ref()),
            ("instance", Resource::SERVICE_INSTANCE_ID, self.instance.as_ref()),
            ("environment", Resource::ENVIRONMENT, self.environment.as_ref()),
        ]
    }

    /// What is said, over what the program says of itself.
    pub(super) fn over(&self, before: Resource) -> Resource {
        let known = self.known().into_iter();
        let known = known.filter_map(|(_, name, value)| Some((name, value?)));
        let others = self.attributes.iter().map(|(name, value)| (name.as_str(), value));
        known.chain(others).fold(before, |resource, (name, value)| resource.with(name, value))
    }
}

impl Rules for ServiceSettings {
    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        for (path, _, value) in self.known() {
            found.extend(wrong(value).map(|message| Problem::invalid(path, message)));
        }
        let mut attributes = Vec::new();
        for (name, value) in &self.attributes {
            let known = self.known().into_iter().find(|(_, known, _)| known == name);
            let message = match known {
                Some((path, ..)) => Some(format!("is `service.{path}` of the settings")),
                None if wrong(Some(name)).is_some() => {
                    Some(format!("is no name: those have 1 to {LONGEST} bytes"))
                }
                None => wrong(Some(value)),
            };
            let problem = message.map(|message| Problem::invalid("", message));
            attributes.extend(below(name, problem.into_iter().collect()));
        }
        if self.attributes.len() > MOST_ATTRIBUTES {
            let message = format!("are more than {MOST_ATTRIBUTES}, which stand on every line");
            attributes.push(Problem::invalid("", message));
        }
        found.extend(below("attributes", attributes));
        found
    }
}

fn wrong(value: Option<&String>) -> Option<String> {
    let is_fit =
        |value: &str| (1..=LONGEST).contains(&value.len()) && !value.chars().any(char::is_control);
    let is_wrong = value.is_some_and(|value| !is_fit(value));
    is_wrong.then(|| format!("is empty, longer than {LONGEST} bytes, or has control characters"))
}
