//! Sources as trees of values with their lines.

mod environment;
mod file;
mod json;
#[cfg(feature = "toml")]
mod toml;
#[cfg(feature = "yaml")]
mod yaml;

use std::sync::Arc;

pub(crate) use environment::{Variables, of_variables};
pub(crate) use file::{Contents, read_file};

use crate::node::{Node, Origin, Value};
use crate::problem::{Problem, ProblemKind};

/// Deeper settings are a mistake, or an attack.
const DEEPEST: usize = 64;

/// Longer names, with those of the tables around them, are no settings: each value is known by them.
const LONGEST: usize = 512;

/// The language of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// TOML 1.1, behind feature `toml`.
    Toml,
    /// YAML 1.2 without anchors, aliases and tags, behind feature `yaml`.
    Yaml,
    /// JSON (RFC 8259).
    Json,
}

impl Format {
    /// By the ending of a file's name: `toml`, `yaml`, `yml`, `json`.
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    #[cfg(not(all(feature = "toml", feature = "yaml")))]
    const fn feature(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            _ => "toml",
        }
    }
}

/// Reads a text. What is found of it is given along with what is wrong with it.
pub(crate) fn parse(format: Format, source: &Arc<str>, text: &str) -> (Node, Vec<Problem>) {
    let parsed = match format {
        #[cfg(feature = "toml")]
        Format::Toml => toml::parse(source, text),
        #[cfg(feature = "yaml")]
        Format::Yaml => yaml::parse(source, text),
        Format::Json => json::parse(source, text),
        #[cfg(not(all(feature = "toml", feature = "yaml")))]
        other => Err(vec![not_compiled_in(other, source)]),
    };
    let node = match parsed.and_then(|node| bounded(source, node)) {
        Ok(node) => node,
        Err(problems) => return (Node::empty_table(source), problems),
    };
    match &node.value {
        Value::Table(_) => (node, Vec::new()),
        // An empty YAML document.
        Value::Null => (Node::empty_table(source), Vec::new()),
        other => {
            let message = format!("settings are a table of names, not {}", other.kind());
            let origin = Some(node.origin.clone());
            let problem = Problem::new("", origin, ProblemKind::WrongType, message);
            (Node::empty_table(source), vec![problem])
        }
    }
}

/// A value in a variable, as JSON.
pub(crate) fn parse_value(source: &Arc<str>, text: &str) -> Result<Node, Vec<Problem>> {
    json::parse(source, text).and_then(|node| bounded(source, node))
}

/// Refuses names that are too long: a list under a long name would take a lot of memory.
fn bounded(source: &Arc<str>, node: Node) -> Result<Node, Vec<Problem>> {
    let Some(line) = too_long(&node, 0) else { return Ok(node) };
    let message = format!("the names of settings take {LONGEST} bytes at most");
    Err(vec![syntax(source, line, message)])
}

/// The line of a value whose names, of this many bytes so far, are too long.
fn too_long(node: &Node, bytes: usize) -> Option<Option<usize>> {
    match &node.value {
        _ if bytes > LONGEST => Some(node.origin.line()),
        Value::Table(table) => {
            table.iter().find_map(|(key, node)| too_long(node, bytes + key.len() + 1))
        }
        Value::List(nodes) => nodes.iter().find_map(|node| too_long(node, bytes + 1)),
        _ => None,
    }
}

#[cfg(not(all(feature = "toml", feature = "yaml")))]
fn not_compiled_in(format: Format, source: &Arc<str>) -> Problem {
    let feature = format.feature();
    let message = format!("reading this needs the feature `{feature}` of service-settings");
    Problem::new("", Some(Origin::new(source, None)), ProblemKind::Unreadable, message)
}

pub(crate) fn syntax(
    source: &Arc<str>,
    line: Option<usize>,
    message: impl Into<String>,
) -> Problem {
    Problem::new("", Some(Origin::new(source, line)), ProblemKind::Syntax, message)
}

/// Finds the line of a place in a text.
pub(crate) struct LineIndex(Vec<usize>);

impl LineIndex {
    pub(crate) fn new(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(ends.map(|(at, _)| at).collect())
    }

    /// From 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.0.partition_point(|end| *end < at) + 1
    }
}
