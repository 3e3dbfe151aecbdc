use crate::log::{Console, Datadog, Ecs, GoogleCloud, JsonFlat, Layout, Logfmt, NewRelic};
use crate::record::Resource;

/// How records are written, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "settings", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Format {
    /// For people: [`Console`], with colours on a terminal.
    Console,
    /// [`JsonFlat`].
    Json,
    /// Elastic Common Schema, with dots in names: [`Ecs::new`].
    Ecs,
    /// Elastic Common Schema, nested: [`Ecs::nested`].
    EcsNested,
    /// [`Datadog`].
    Datadog,
    /// [`GoogleCloud`].
    GoogleCloud,
    /// [`NewRelic`].
    NewRelic,
    /// [`Logfmt`].
    Logfmt,
}

/// What formats leave to choose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LayoutOptions {
    /// Of the console: instead of where there is a terminal.
    pub(crate) colours: Option<bool>,
    /// Of the console.
    pub(crate) has_ids: bool,
    /// Of flat JSON: the names of all spans.
    pub(crate) has_span_list: bool,
    /// Of flat JSON: file and line.
    pub(crate) has_source: bool,
    /// Of Datadog: ids as its older documentation has them.
    pub(crate) has_decimal_ids: bool,
    /// Of Google Cloud: the project that traces are of.
    pub(crate) project: Option<Box<str>>,
    /// Of New Relic: the entity that lines are of.
    pub(crate) entity_guid: Option<Box<str>>,
}

impl LayoutOptions {
    /// Whether a line has the ids of trace and span in the form in which they are sent.
    pub(super) fn shows_ids(&self, format: Format) -> bool {
        match format {
            Format::Console => self.has_ids,
            Format::Datadog => !self.has_decimal_ids,
            _ => true,
        }
    }

    pub(super) fn layout(
        &self,
        format: Format,
        resource: &Resource,
        is_terminal: bool,
    ) -> Box<dyn Layout> {
        match format {
            Format::Console => Box::new(self.console(is_terminal)),
            Format::Json => Box::new(self.json(resource)),
            Format::Ecs => Box::new(Ecs::new(resource)),
            Format::EcsNested => Box::new(Ecs::nested(resource)),
            Format::Datadog if self.has_decimal_ids => {
                Box::new(Datadog::new(resource).with_decimal_ids())
            }
            Format::Datadog => Box::new(Datadog::new(resource)),
            Format::GoogleCloud => {
                let layout = GoogleCloud::new(resource);
                Box::new(match &self.project {
                    Some(project) => layout.with_project(project),
                    None => layout,
                })
            }
            Format::NewRelic => {
                let layout = NewRelic::new(resource);
                Box::new(match &self.entity_guid {
                    Some(guid) => layout.with_entity_guid(guid),
                    None => layout,
                })
            }
            Format::Logfmt => Box::new(Logfmt::new().with_resource(resource)),
        }
    }

    fn console(&self, is_terminal: bool) -> Console {
        let mut console = Console::new();
        if self.colours.unwrap_or(is_terminal) {
            console = console.with_colours();
        }
        if self.has_ids { console.with_ids() } else { console }
    }

    fn json(&self, resource: &Resource) -> JsonFlat {
        let mut json = JsonFlat::new().with_resource(resource);
        if self.has_span_list {
            json = json.with_span_list();
        }
        if self.has_source { json.with_source() } else { json }
    }
}
