//! A secret as the service keeps it.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, SystemTime},
};

use crate::{policy::Policy, service::Refusal, stamp, world::partition};

/// The label of the version that plain reads get.
pub(super) const CURRENT: &str = "AWSCURRENT";
/// The label of the version before it.
pub(super) const PREVIOUS: &str = "AWSPREVIOUS";
/// The label of the version that a rotation makes.
pub(super) const PENDING: &str = "AWSPENDING";

/// Where a secret is: names are unique in an account and a region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) name: String,
}

/// A secret, all of it.
#[derive(Debug, Clone)]
pub(super) struct Secret {
    pub(super) place: Place,
    pub(super) arn: String,
    pub(super) description: Option<String>,
    pub(super) key: Option<String>,
    pub(super) kind: Option<String>,
    /// `None` as long as there never was one: then descriptions have no list, afterwards an empty one.
    pub(super) tags: Option<Vec<(String, String)>>,
    pub(super) created: SystemTime,
    pub(super) changed: SystemTime,
    pub(super) deletion: Option<Deletion>,
    /// In the order of their creation.
    pub(super) versions: Vec<Version>,
    pub(super) policy: Option<ResourcePolicy>,
    pub(super) rotation: Option<Rotation>,
    pub(super) replicas: Vec<Replica>,
    /// The region of the primary, if this is one or a replica of one.
    pub(super) primary: Option<String>,
}

/// A deletion that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deletion {
    pub(super) requested: SystemTime,
    /// The end of the recovery window.
    pub(super) due: SystemTime,
    /// When the background task has done it.
    pub(super) gone: SystemTime,
}

/// A version of a secret.
#[derive(Clone)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) created: SystemTime,
    /// `None` for the version that a rotation has announced.
    pub(super) payload: Option<Payload>,
    /// In the order of their letters, as AWS tells them.
    pub(super) labels: Vec<String>,
    pub(super) key: Option<String>,
}

/// A value, as it was given.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Payload {
    Text(String),
    Binary(Vec<u8>),
}

/// A policy with the text it was given in.
#[derive(Debug, Clone)]
pub(super) struct ResourcePolicy {
    pub(super) text: String,
    pub(super) policy: Policy,
}

/// How a secret is rotated.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    pub(super) enabled: bool,
    pub(super) function: Option<String>,
    pub(super) rules: serde_json::Value,
    pub(super) last: Option<SystemTime>,
}

/// A copy in another region.
#[derive(Debug, Clone)]
pub(super) struct Replica {
    pub(super) region: String,
    pub(super) key: Option<String>,
    /// When it is in sync; `None` for one that failed.
    pub(super) synced: Option<SystemTime>,
}

impl Secret {
    pub(super) fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|v| v.id == id)
    }

    pub(super) fn labelled(&self, label: &str) -> Option<&Version> {
        self.versions.iter().find(|v| v.has(label))
    }

    /// Whether it is in another region than its primary.
    pub(super) fn is_replica(&self) -> bool {
        self.primary.as_ref().is_some_and(|region| *region != self.place.region)
    }

    /// The version of a rotation that is under way: pending, and not current already.
    pub(super) fn rotating(&self) -> Option<&Version> {
        self.labelled(PENDING).filter(|v| !v.has(CURRENT))
    }

    /// The condition keys of its policies that come from the secret itself.
    pub(super) fn context(&self) -> BTreeMap<String, String> {
        let mut context = BTreeMap::from([
            ("secretsmanager:secretid".to_owned(), self.arn.clone()),
            ("secretsmanager:secretprimaryregion".to_owned(), self.primary_region().to_owned()),
        ]);
        for (key, value) in self.tags.iter().flatten() {
            for prefix in ["aws:resourcetag", "secretsmanager:resourcetag"] {
                context.insert(format!("{prefix}/{}", key.to_lowercase()), value.clone());
            }
        }
        context
    }

    fn primary_region(&self) -> &str {
        self.primary.as_deref().unwrap_or(&self.place.region)
    }

    /// # Errors
    ///
    /// If it is to be deleted.
    pub(super) fn check_live(&self) -> Result<(), Refusal> {
        if self.deletion.is_some() {
            return Err(Refusal::new(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
            ));
        }
        Ok(())
    }

    /// # Errors
    ///
    /// If it is a replica: those follow their primary.
    pub(super) fn check_primary(&self) -> Result<(), Refusal> {
        if self.is_replica() {
            return Err(Refusal::new(
                "InvalidParameterException",
                "Operation not permitted on a replica secret. Call must be made in primary secret's \
                 region.",
            ));
        }
        Ok(())
    }
}

impl Version {
    pub(super) fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|l| l == label)
    }
}

impl Payload {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// Says whether there is a value, never which.
impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version")
            .field("id", &self.id)
            .field("labels", &self.labels)
            .field("has_value", &self.payload.is_some())
            .finish_non_exhaustive()
    }
}

impl Deletion {
    pub(super) fn new(now: SystemTime, window: Duration, takes: Duration) -> Self {
        let due = stamp::later(now, window);
        Self { requested: now, due, gone: stamp::later(due, takes) }
    }
}

/// The ARN of a secret with these six characters at its end.
pub(super) fn arn(place: &Place, suffix: &str) -> String {
    let Place { account, region, name } = place;
    format!("arn:{}:secretsmanager:{region}:{account}:secret:{name}-{suffix}", partition(region))
}
