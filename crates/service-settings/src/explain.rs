use std::collections::BTreeSet;
use std::fmt;

use crate::decode::{self, Noted, Rename, under};
use crate::node::{Node, Origin, Value};

/// Which source set which value, and which it was set over. Secrets, and what nobody read, are
/// masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation(Vec<Explained>);

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explained {
    /// Which, as `database.pool.size`.
    pub path: String,
    /// Its value as text, or `***`.
    pub value: String,
    /// What set it.
    pub origin: Origin,
    /// What had set it before, the last of them last.
    pub replaced: Vec<Origin>,
}

const MASK: &str = "***";

impl Explanation {
    pub(crate) fn new(mut root: Node, noted: Noted) -> Self {
        // What was kept and read later has its names by now.
        for Rename { way, key, field } in noted.renames {
            root.rename(&way, &key, &field);
        }
        let mut explained = Vec::new();
        collect(&root, String::new(), &noted.shown, &mut explained);
        Self(explained)
    }

    /// Every setting that a source sets, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Explained> {
        self.0.iter()
    }
}

fn collect(node: &Node, path: String, shown: &BTreeSet<String>, into: &mut Vec<Explained>) {
    if let Value::Table(table) = &node.value
        && (path.is_empty() || !table.is_empty())
    {
        for (key, node) in table {
            collect(node, under(&path, key), shown, into);
        }
        return;
    }
    let value = show(node, &path, shown);
    let (origin, replaced) = (node.origin.clone(), node.replaced.clone());
    into.push(Explained { path, value, origin, replaced });
}

fn show(node: &Node, path: &str, shown: &BTreeSet<String>) -> String {
    match &node.value {
        Value::List(nodes) => {
            let nodes = nodes.iter().enumerate();
            let nodes: Vec<_> =
                nodes.map(|(index, node)| show(node, &format!("{path}[{index}]"), shown)).collect();
            format!("[{}]", nodes.join(", "))
        }
        Value::Table(table) => {
            let entries = table.iter().map(|(key, node)| {
                format!("{} = {}", key.escape_debug(), show(node, &under(path, key), shown))
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        _ if !shown.contains(path) => MASK.to_owned(),
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Text(text) | Value::Raw(text) => format!("{:?}", without_password(text)),
    }
}

/// A URL may carry a password (`userinfo`, RFC 3986, 3.2.1) though its type is a plain text.
fn without_password(text: &str) -> String {
    let masked = text.split_once("://").and_then(|(scheme, rest)| {
        let (userinfo, host) = rest.rsplit_once('@')?;
        let (user, _) = userinfo.split_once(':')?;
        Some(format!("{scheme}://{user}:{MASK}@{host}"))
    });
    masked.unwrap_or_else(|| text.to_owned())
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Explained { path, value, origin, replaced } in &self.0 {
            // Names may be anything; those in lists are escaped in the value.
            write!(f, "{} = {value}  # {origin}", decode::shown(path))?;
            for origin in replaced.iter().rev() {
                write!(f, ", over {origin}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
