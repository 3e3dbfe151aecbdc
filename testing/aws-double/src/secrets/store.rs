//! All secrets, with their past: reads see it, writes do not.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::model::{Place, Secret};
use crate::{service::Refusal, world};

/// How many states of a secret are kept; more changes than that within a read's delay do not happen in a test.
const REMEMBERED: usize = 512;

/// How soon reads see what was written, by the double's clock.
///
/// AWS promises no figure but one: "All Secrets Manager operations are eventually consistent. `ListSecrets` might not reflect
/// changes from the last five minutes" (API reference, `ListSecrets`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consistency {
    /// Of one secret: its value, description, versions, policy.
    pub reads: Duration,
    /// Of the list.
    pub lists: Duration,
}

impl Consistency {
    /// Everything is seen at once.
    #[must_use]
    pub fn strong() -> Self {
        Self { reads: Duration::ZERO, lists: Duration::ZERO }
    }
}

/// 250 ms, and 5 minutes for the list.
impl Default for Consistency {
    fn default() -> Self {
        Self { reads: Duration::from_millis(250), lists: Duration::from_secs(300) }
    }
}

/// Which state an operation works on.
#[derive(Debug, Clone, Copy)]
pub(super) enum View {
    /// The newest: writes.
    Newest,
    /// The one of this moment: reads.
    AsOf(SystemTime),
}

/// A state and when it was committed; `None` says that there is no secret any more.
#[derive(Debug, Clone)]
struct Commit {
    at: SystemTime,
    state: Option<Arc<Secret>>,
}

/// Every secret of every account and region.
#[derive(Debug, Default)]
pub(super) struct Store {
    inner: Mutex<Inner>,
}

/// The same, locked.
#[derive(Debug, Default)]
pub(super) struct Inner {
    secrets: BTreeMap<Place, Vec<Commit>>,
    /// The last day of reading, by ARN and version.
    accessed: BTreeMap<(String, String), SystemTime>,
}

impl Store {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The secret that an id means to a caller of this account and region.
    pub(super) fn find(
        &self,
        id: &SecretId<'_>,
        at: &Caller<'_>,
        view: View,
    ) -> Option<Arc<Secret>> {
        let place = |account: &str, name: &str| Place {
            account: account.to_owned(),
            region: at.region.to_owned(),
            name: name.to_owned(),
        };
        match *id {
            SecretId::Name(name) => self.get(&place(at.account, name), at.now, view),
            SecretId::Arn { text, region, account, rest } => {
                let partition = text.split(':').nth(1);
                if region != at.region || partition != Some(world::partition(region)) {
                    return None;
                }
                let complete =
                    rest.len().checked_sub(7).filter(|&i| rest.as_bytes().get(i) == Some(&b'-'));
                if let Some(end) = complete {
                    // What ends like a complete ARN is taken for one.
                    let secret = self.get(&place(account, rest.get(..end)?), at.now, view)?;
                    return (secret.arn == text).then_some(secret);
                }
                self.get(&place(account, rest), at.now, view)
            }
        }
    }

    /// The secret of this place.
    pub(super) fn get(&self, place: &Place, now: SystemTime, view: View) -> Option<Arc<Secret>> {
        let commits = self.secrets.get(place)?;
        let commit = match view {
            View::Newest => commits.last(),
            View::AsOf(moment) => commits.iter().rev().find(|c| c.at <= moment),
        }?;
        // The end of a deletion needs nobody to write it.
        commit.state.clone().filter(|s| s.deletion.is_none_or(|d| now < d.gone))
    }

    /// All secrets of an account and a region, by name.
    pub(super) fn all(&self, at: &Caller<'_>, view: View) -> Vec<Arc<Secret>> {
        self.secrets
            .keys()
            .filter(|p| p.account == at.account && p.region == at.region)
            .filter_map(|place| self.get(place, at.now, view))
            .collect()
    }

    /// Makes this the newest state from then on.
    pub(super) fn commit(&mut self, place: &Place, state: Option<Secret>, at: SystemTime) {
        let commits = self.secrets.entry(place.clone()).or_default();
        if commits.len() == REMEMBERED {
            commits.remove(0);
        }
        // The clock never goes back, but the copy of a primary may be waiting for its time.
        let at = commits.last().map_or(at, |last| last.at.max(at));
        commits.push(Commit { at, state: state.map(Arc::new) });
    }

    /// Notes that a version was read, by the day.
    pub(super) fn touch(&mut self, arn: &str, version: &str, now: SystemTime) {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let day = SystemTime::UNIX_EPOCH + Duration::from_secs(since - since % 86_400);
        self.accessed.insert((arn.to_owned(), version.to_owned()), day);
    }

    /// The day on which a version was last read.
    pub(super) fn accessed(&self, arn: &str, version: &str) -> Option<SystemTime> {
        self.accessed.get(&(arn.to_owned(), version.to_owned())).copied()
    }

    /// The day on which any version was last read.
    pub(super) fn last_accessed(&self, secret: &Secret) -> Option<SystemTime> {
        secret.versions.iter().filter_map(|v| self.accessed(&secret.arn, &v.id)).max()
    }
}

/// Whose names are meant, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) now: SystemTime,
}

/// How a caller names a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretId<'a> {
    Name(&'a str),
    Arn {
        text: &'a str,
        region: &'a str,
        account: &'a str,
        /// The name, with or without hyphen and six characters.
        rest: &'a str,
    },
}

impl<'a> SecretId<'a> {
    /// # Errors
    ///
    /// `ValidationException` if it can be neither a name nor an ARN.
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        if text.is_empty() || text.len() > 2_048 {
            return Err(Refusal::new("ValidationException", "Invalid secret id length"));
        }
        if text.starts_with("arn:") {
            let parts: Vec<&str> = text.splitn(7, ':').collect();
            return match *parts.as_slice() {
                ["arn", _, "secretsmanager", region, account, "secret", rest]
                    if !rest.is_empty() =>
                {
                    Ok(Self::Arn { text, region, account, rest })
                }
                _ => Err(Refusal::new("ValidationException", "Invalid ARN.")),
            };
        }
        check_name(text)?;
        Ok(Self::Name(text))
    }

    /// The account that the secret is in, if the id says so.
    pub(super) fn account(&self) -> Option<&'a str> {
        match *self {
            Self::Name(_) => None,
            Self::Arn { account, .. } => Some(account),
        }
    }
}

/// # Errors
///
/// `ValidationException` for a name outside the alphabet or longer than 512.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-/_+=.@!".contains(&b);
    if name.is_empty() || name.len() > 512 || !name.bytes().all(allowed) {
        return Err(Refusal::new(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the \
             following: -/_+=.@!",
        ));
    }
    Ok(())
}
