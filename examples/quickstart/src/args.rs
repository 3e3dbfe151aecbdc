//! The command line.

use std::path::PathBuf;

/// What this process is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Starts the others and reports.
    Main { json: bool, place: Place },
    /// Holds the password hashes.
    Resource,
    /// A service; with a handle or with a value read once.
    Service { read_once: bool, resource: String },
    /// Rotates the password.
    Rotator { resource: String },
    /// Sends requests.
    Load { handle: String, read_once: String },
}

/// Where the secrets are kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In an encrypted file that is made for the demonstration.
    File,
    /// In a double of AWS that is started for the demonstration.
    AwsDouble,
    /// Where this settings file says.
    Settings(PathBuf),
}

/// The usage text.
pub(crate) const USAGE: &str = "\
usage: quickstart [--json] [--aws-double | --settings FILE]

Rotates a secret under load, counts what fails, and verifies the audit trail: about eleven seconds.
  --json            print one object instead of the story
  --aws-double      keep the secrets in a double of AWS Secrets Manager on this machine
  --settings FILE   keep them where this file says, such as examples/quickstart/aws.toml: in your account, under a
                    prefix of their own that is told first, and deleted at the end
The last two need `cargo run --features aws`; without them the secrets are in an encrypted file.

(resource, service, rotator and load are the parts it starts itself)";

impl Role {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(args: &[&str]) -> Option<Self> {
        let text = |text: &str| text.to_owned();
        match args {
            ["--json", rest @ ..] | [rest @ .., "--json"] => Self::main(true, rest),
            [] | ["--aws-double" | "--settings", ..] => Self::main(false, args),
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

    fn main(json: bool, place: &[&str]) -> Option<Self> {
        let place = match place {
            [] => Place::File,
            ["--aws-double"] => Place::AwsDouble,
            ["--settings", file] => Place::Settings(file.into()),
            _ => return None,
        };
        Some(Self::Main { json, place })
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Role};

    #[test]
    fn each_role_is_read() {
        let main = |json, place| Some(Role::Main { json, place });
        assert_eq!(Role::parse(&[]), main(false, Place::File));
        assert_eq!(Role::parse(&["--json"]), main(true, Place::File));
        assert_eq!(Role::parse(&["--aws-double"]), main(false, Place::AwsDouble));
        let settings = Place::Settings("a.toml".into());
        assert_eq!(Role::parse(&["--json", "--settings", "a.toml"]), main(true, settings));
        assert_eq!(Role::parse(&["--aws-double", "--json"]), main(true, Place::AwsDouble));
        assert_eq!(Role::parse(&["--settings", "--json"]), None);
        assert_eq!(Role::parse(&["--settings"]), None);
        assert_eq!(Role::parse(&["--aws-double", "--settings", "a.toml"]), None);
        let service = Role::parse(&["service", "read-once", "r"]);
        assert!(matches!(service, Some(Role::Service { read_once: true, .. })));
        assert_eq!(Role::parse(&["service", "often", "r"]), None);
        assert_eq!(Role::parse(&["--jsn"]), None);
    }
}
