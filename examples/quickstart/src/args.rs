//! The command line.

/// What this process is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Starts the others and reports.
    Main { json: bool },
    /// Holds the password hashes.
    Resource,
    /// A service; with a handle or with a value read once.
    Service { read_once: bool, resource: String },
    /// Rotates the password.
    Rotator { resource: String },
    /// Sends requests.
    Load { handle: String, read_once: String },
}

/// The usage text.
pub(crate) const USAGE: &str = "\
usage: quickstart [--json]

Rotates a secret under load, counts what fails, and verifies the audit trail: about eleven seconds.
  --json   print one object instead of the story

(resource, service, rotator and load are the parts it starts itself)";

impl Role {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(args: &[&str]) -> Option<Self> {
        let text = |text: &str| text.to_owned();
        match args {
            [] => Some(Self::Main { json: false }),
            ["--json"] => Some(Self::Main { json: true }),
            ["resource"] => Some(Self::Resource),
            ["service", mode @ ("handle" | "read-once"), resource] => {
                Some(Self::Service { read_once: *mode == "read-once", resource: text(resource) })
            }
            ["rotator", resource] => Some(Self::Rotator { resource: text(resource) }),
            ["load", handle, read_once] => {
                Some(Self::Load { handle: text(handle), read_once: text(read_once) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn each_role_is_read() {
        assert_eq!(Role::parse(&[]), Some(Role::Main { json: false }));
        assert_eq!(Role::parse(&["--json"]), Some(Role::Main { json: true }));
        let service = Role::parse(&["service", "read-once", "r"]);
        assert!(matches!(service, Some(Role::Service { read_once: true, .. })));
        assert_eq!(Role::parse(&["service", "often", "r"]), None);
        assert_eq!(Role::parse(&["--jsn"]), None);
    }
}
