use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;
use service_settings::{Problem, Rules};

use super::{below, not_compiled_in};

/// The admin listener: there is one if this table is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AdminSettings {
    enabled: Option<bool>,
    address: Option<SocketAddr>,
    reachable_from_outside: bool,
    hosts: Vec<String>,
    facts: BTreeMap<String, String>,
}

impl AdminSettings {
    pub(super) fn is_on(&self) -> bool {
        self.enabled.unwrap_or(true)
    }

    /// What is said, over what the listener does by itself.
    #[cfg(feature = "admin")]
    pub(super) fn over(
        &self,
        builder: crate::admin::AdminServerBuilder,
    ) -> crate::admin::AdminServerBuilder {
        let builder = match self.address {
            Some(address) if self.reachable_from_outside => builder.reachable_from_outside(address),
            Some(address) => builder.address(address),
            None => builder,
        };
        let builder = self.hosts.iter().fold(builder, |builder, host| builder.host(host));
        self.facts.iter().fold(builder, |builder, (name, value)| builder.fact(name, value))
    }
}

impl Rules for AdminSettings {
    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if self.is_on() && cfg!(not(feature = "admin")) {
            found.push(not_compiled_in("", "admin"));
        }
        let is_outside = self.address.is_some_and(|address| !address.ip().is_loopback());
        if is_outside && !self.reachable_from_outside {
            let message = "is no address of loopback: others reach it, and nothing is encrypted; if that is meant, set \
                `reachable_from_outside = true`";
            found.push(Problem::invalid("address", message));
        }
        if self.reachable_from_outside && !is_outside {
            let message = "there is no `address` that others reach";
            found.push(Problem::invalid("reachable_from_outside", message));
        }
        for (at, host) in self.hosts.iter().enumerate() {
            let is_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
            if host.is_empty() || host.len() > 253 || !host.chars().all(is_host) {
                found.push(Problem::invalid(format!("hosts[{at}]"), "is no name of a host"));
            }
        }
        let empty = self.facts.keys().filter(|name| name.is_empty());
        let empty = empty.flat_map(|name| below(name, vec![Problem::invalid("", "has no name")]));
        found.extend(below("facts", empty.collect()));
        found
    }
}
