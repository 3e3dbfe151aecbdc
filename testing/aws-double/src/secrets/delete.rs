//! Deletion and its undoing.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Op,
    model::{Deletion, Secret, arn},
    named,
    store::{SecretId, View},
};
use crate::{service::Refusal, stamp};

/// So many days.
pub(super) fn days(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(86_400))
}

impl Op<'_> {
    pub(super) fn delete_secret(&self) -> Result<Value, Refusal> {
        let force = self.input.flag("ForceDeleteWithoutRecovery")?;
        let window = self.window(force)?;
        let mut inner = self.service.store.lock();
        let secret = match self.open(&inner, View::Newest) {
            Err(refusal) if force && refusal.code == "ResourceNotFoundException" => {
                return self.deleted_absent();
            }
            other => other?,
        };
        secret.check_primary()?;
        if !secret.replicas.is_empty() {
            let regions: Vec<&str> = secret.replicas.iter().map(|r| r.region.as_str()).collect();
            return Err(Refusal::new(
                "InvalidParameterException",
                format!(
                    "You can't delete secret {} that still has replica regions [{}].",
                    secret.arn,
                    regions.join(", ")
                ),
            ));
        }
        if !force {
            secret.check_live()?;
        }
        let mut changed = Secret::clone(&secret);
        let deletion = match secret.deletion {
            // It is under way: asking again does not put it off.
            Some(begun) if begun.due <= self.now() => begun,
            _ => Deletion::new(self.now(), window, self.service.settings.deletion_takes),
        };
        changed.deletion = Some(deletion);
        self.commit(&mut inner, &changed);
        drop(inner);
        self.tell(&changed, &[]);
        Ok(answer(&changed, deletion.due))
    }

    pub(super) fn restore_secret(&self) -> Result<Value, Refusal> {
        let mut inner = self.service.store.lock();
        let secret = self.open(&inner, View::Newest)?;
        secret.check_primary()?;
        if secret.deletion.is_some_and(|d| d.due <= self.now()) {
            return Err(Refusal::new(
                "InvalidRequestException",
                "You can't restore this secret because it is being deleted.",
            ));
        }
        let mut changed = Secret::clone(&secret);
        changed.deletion = None;
        self.commit(&mut inner, &changed);
        drop(inner);
        self.tell(&changed, &[]);
        Ok(named(&changed))
    }

    fn window(&self, force: bool) -> Result<Duration, Refusal> {
        let given = self.input.integer("RecoveryWindowInDays", i64::MIN, i64::MAX)?;
        match given {
            Some(_) if force => Err(Refusal::new(
                "InvalidParameterException",
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            )),
            Some(n) if !(7..=30).contains(&n) => Err(Refusal::new(
                "InvalidParameterException",
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            )),
            Some(n) => Ok(days(u64::try_from(n).unwrap_or(30))),
            None if force => Ok(Duration::ZERO),
            None => Ok(days(30)),
        }
    }

    /// Deleting by force what is not there succeeds.
    fn deleted_absent(&self) -> Result<Value, Refusal> {
        let id = self.input.required("SecretId")?;
        let (arn, name) = match SecretId::parse(id)? {
            SecretId::Name(name) => (arn(&self.place(name), "??????"), name),
            SecretId::Arn { text, rest, .. } => (text.to_owned(), rest),
        };
        Ok(json!({ "ARN": arn, "Name": name, "DeletionDate": stamp::epoch(self.now()) }))
    }
}

fn answer(secret: &Secret, due: std::time::SystemTime) -> Value {
    let mut answer = named(secret);
    super::put(&mut answer, "DeletionDate", Some(stamp::epoch(due)));
    answer
}
