//! Every layout, with all of its options.

use obs::log::{Console, Datadog, Ecs, GoogleCloud, JsonFlat, Layout, Logfmt, NewRelic};
use obs::record::Resource;

pub(super) type Output = (&'static str, fn(&Resource) -> Box<dyn Layout>);

/// By the names of what they are made by: `complete` compares them with the sources.
pub(super) const OUTPUTS: &[Output] = &[
    ("JsonFlat::new", |_| Box::new(JsonFlat::new())),
    ("JsonFlat::with_resource", |of| Box::new(JsonFlat::new().with_resource(of))),
    ("JsonFlat::with_span_list", |_| Box::new(JsonFlat::new().with_span_list())),
    ("JsonFlat::with_source", |_| Box::new(JsonFlat::new().with_source())),
    ("Ecs::new", |of| Box::new(Ecs::new(of))),
    ("Ecs::nested", |of| Box::new(Ecs::nested(of))),
    ("Datadog::new", |of| Box::new(Datadog::new(of))),
    ("Datadog::with_decimal_ids", |of| Box::new(Datadog::new(of).with_decimal_ids())),
    ("GoogleCloud::new", |of| Box::new(GoogleCloud::new(of))),
    ("GoogleCloud::with_project", |of| Box::new(GoogleCloud::new(of).with_project("p-1"))),
    ("NewRelic::new", |of| Box::new(NewRelic::new(of))),
    ("NewRelic::with_entity_guid", |of| Box::new(NewRelic::new(of).with_entity_guid("g-1"))),
    ("Logfmt::new", |_| Box::new(Logfmt::new())),
    ("Logfmt::with_resource", |of| Box::new(Logfmt::new().with_resource(of))),
    ("Console::new", |_| Box::new(Console::new())),
    ("Console::with_colours", |_| Box::new(Console::new().with_colours())),
    ("Console::with_colours_on", |_| Box::new(Console::new().with_colours_on(&std::io::stderr()))),
    ("Console::with_ids", |_| Box::new(Console::new().with_ids())),
];
