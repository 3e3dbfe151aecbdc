use serde::Deserialize;
use service_settings::Problem;

use crate::setup::{Format, LayoutOptions};

/// What formats leave to choose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LayoutSettings {
    colours: Option<bool>,
    ids: bool,
    spans: bool,
    source: bool,
    decimal_ids: bool,
    project: Option<String>,
    entity_guid: Option<String>,
}

const LONGEST: usize = 256;

impl LayoutSettings {
    pub(super) fn options(&self) -> LayoutOptions {
        let text = |text: &Option<String>| text.as_deref().map(Box::from);
        LayoutOptions {
            colours: self.colours,
            has_ids: self.ids,
            has_span_list: self.spans,
            has_source: self.source,
            has_decimal_ids: self.decimal_ids,
            project: text(&self.project),
            entity_guid: text(&self.entity_guid),
        }
    }

    /// With the format that the output has.
    pub(super) fn problems(&self, format: Format) -> Vec<Problem> {
        let mut found = Vec::new();
        let choices = [
            ("colours", self.colours.is_some(), Format::Console, "console"),
            ("ids", self.ids, Format::Console, "console"),
            ("spans", self.spans, Format::Json, "json"),
            ("source", self.source, Format::Json, "json"),
            ("decimal_ids", self.decimal_ids, Format::Datadog, "datadog"),
            ("project", self.project.is_some(), Format::GoogleCloud, "google_cloud"),
            ("entity_guid", self.entity_guid.is_some(), Format::NewRelic, "new_relic"),
        ];
        for (path, _, _, name) in
            choices.into_iter().filter(|(_, is_set, of, _)| *is_set && *of != format)
        {
            let message = format!("is for the format `{name}`, which this output has not");
            found.push(Problem::invalid(path, message));
        }
        for (path, text) in [("project", &self.project), ("entity_guid", &self.entity_guid)] {
            let is_fit = |text: &String| {
                (1..=LONGEST).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic())
            };
            if text.as_ref().is_some_and(|text| !is_fit(text)) {
                let message = format!("is empty, longer than {LONGEST} bytes, or has spaces");
                found.push(Problem::invalid(path, message));
            }
        }
        found
    }
}
