//! Copies in other regions.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::{
    Op,
    input::{Input, constraint},
    model::{Place, Replica, Secret, arn},
    put,
    store::{Inner, View},
};
use crate::{service::Refusal, stamp};

/// The regions and keys that the input asks for.
pub(super) fn requested(input: Input<'_>) -> Result<Vec<Replica>, Refusal> {
    let items = input.items("AddReplicaRegions")?.map(Vec::as_slice).unwrap_or_default();
    let replica = |item: &Value| {
        let region = item.get("Region").and_then(Value::as_str).unwrap_or_default();
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if region.is_empty() || !region.bytes().all(allowed) {
            return Err(constraint("AddReplicaRegions", "Member must name a region"));
        }
        Ok(Replica {
            region: region.to_owned(),
            key: item.get("KmsKeyId").and_then(Value::as_str).map(str::to_owned),
            synced: None,
        })
    };
    items.iter().map(replica).collect()
}

/// The copies of a secret as answers show them.
pub(super) fn status(secret: &Secret, now: SystemTime) -> Value {
    let one = |replica: &Replica| {
        let (status, message) = match replica.synced {
            Some(at) if at <= now => ("InSync", None),
            Some(_) => ("InProgress", None),
            None => ("Failed", Some("Secret with this name already exists in this region")),
        };
        let key = replica.key.as_deref().unwrap_or("alias/aws/secretsmanager");
        let mut entry = json!({ "Region": replica.region, "KmsKeyId": key, "Status": status });
        put(&mut entry, "StatusMessage", message);
        entry
    };
    Value::Array(secret.replicas.iter().map(one).collect())
}

impl Op<'_> {
    pub(super) fn replicate_secret_to_regions(&self) -> Result<Value, Refusal> {
        let wanted = requested(self.input)?;
        if wanted.is_empty() {
            return Err(constraint(
                "AddReplicaRegions",
                "Member must have length greater than or equal to 1",
            ));
        }
        let ((), secret) = self.change(|op, inner, secret| op.replicate(inner, secret, wanted))?;
        self.tell(&secret, &[]);
        Ok(json!({ "ARN": secret.arn, "ReplicationStatus": status(&secret, self.now()) }))
    }

    pub(super) fn remove_regions_from_replication(&self) -> Result<Value, Refusal> {
        let regions = self.input.texts("RemoveReplicaRegions", 100)?.unwrap_or_default();
        let ((), secret) = self.change(|op, inner, secret| {
            for region in &regions {
                let index = secret.replicas.iter().position(|r| r.region == *region);
                let replica = index.map(|i| secret.replicas.remove(i)).ok_or_else(|| {
                    Refusal::new(
                        "InvalidParameterException",
                        format!("The secret has no replica in {region}."),
                    )
                })?;
                if replica.synced.is_some() {
                    inner.commit(&abroad(&secret.place, region), None, op.now());
                }
            }
            if secret.replicas.is_empty() {
                secret.primary = None;
            }
            Ok(())
        })?;
        self.tell(&secret, &[]);
        Ok(json!({ "ARN": secret.arn, "ReplicationStatus": status(&secret, self.now()) }))
    }

    pub(super) fn stop_replication_to_replica(&self) -> Result<Value, Refusal> {
        let mut inner = self.service.store.lock();
        let secret = self.open(&inner, View::Newest)?;
        if !secret.is_replica() {
            return Err(Refusal::new(
                "InvalidRequestException",
                "This operation can only be performed on a replica secret, in its region.",
            ));
        }
        self.forget_replica(&mut inner, &secret);
        let mut standalone = Secret::clone(&secret);
        standalone.primary = None;
        standalone.changed = self.now();
        inner.commit(&standalone.place, Some(standalone.clone()), self.now());
        drop(inner);
        self.tell(&standalone, &[]);
        Ok(json!({ "ARN": standalone.arn }))
    }

    /// Adds copies to a secret that is about to be committed.
    pub(super) fn replicate(
        &self,
        inner: &mut Inner,
        secret: &mut Secret,
        wanted: Vec<Replica>,
    ) -> Result<(), Refusal> {
        let overwrite = self.input.flag("ForceOverwriteReplicaSecret")?;
        for mut replica in wanted {
            if replica.region == secret.place.region {
                return Err(Refusal::new("InvalidParameterException", "Invalid replica region."));
            }
            if secret.replicas.iter().any(|r| r.region == replica.region && r.synced.is_some()) {
                return Err(Refusal::new(
                    "InvalidParameterException",
                    format!("The secret is already replicated to {}.", replica.region),
                ));
            }
            let place = abroad(&secret.place, &replica.region);
            let taken = inner.get(&place, self.now(), View::Newest).is_some();
            if !taken || overwrite {
                replica.synced =
                    Some(stamp::later(self.now(), self.service.settings.replication_takes));
            }
            secret.replicas.retain(|r| r.region != replica.region);
            secret.replicas.push(replica);
            secret.primary = Some(secret.place.region.clone());
        }
        Ok(())
    }

    /// Sends a copy of a primary on its way.
    pub(super) fn copy(&self, inner: &mut Inner, primary: &Secret, replica: &Replica) {
        let suffix = primary.arn.len().checked_sub(6).and_then(|at| primary.arn.get(at..));
        let place = abroad(&primary.place, &replica.region);
        let mut copy = primary.clone();
        copy.arn = arn(&place, suffix.unwrap_or_default());
        copy.place = place.clone();
        copy.key.clone_from(&replica.key);
        for version in &mut copy.versions {
            version.key.clone_from(&replica.key);
        }
        copy.replicas.clear();
        copy.rotation = None;
        let arrival = stamp::later(self.now(), self.service.settings.replication_takes);
        inner.commit(&place, Some(copy), arrival);
    }

    /// Takes a replica off its primary's list.
    pub(super) fn forget_replica(&self, inner: &mut Inner, replica: &Secret) {
        self.change_primary(inner, replica, |primary| {
            primary.replicas.retain(|r| r.region != replica.place.region);
            if primary.replicas.is_empty() {
                primary.primary = None;
            }
        });
    }

    /// Lets the primary know the key of a replica, with which copies to come are encrypted.
    pub(super) fn note_replica_key(&self, inner: &mut Inner, replica: &Secret) {
        if !replica.is_replica() {
            return;
        }
        self.change_primary(inner, replica, |primary| {
            let entry = primary.replicas.iter_mut().find(|r| r.region == replica.place.region);
            if let Some(entry) = entry {
                entry.key.clone_from(&replica.key);
            }
        });
    }

    fn change_primary(
        &self,
        inner: &mut Inner,
        replica: &Secret,
        change: impl FnOnce(&mut Secret),
    ) {
        let Some(region) = &replica.primary else { return };
        let place = abroad(&replica.place, region);
        if let Some(primary) = inner.get(&place, self.now(), View::Newest) {
            let mut primary = Secret::clone(&primary);
            change(&mut primary);
            inner.commit(&place, Some(primary), self.now());
        }
    }
}

fn abroad(place: &Place, region: &str) -> Place {
    Place { region: region.to_owned(), ..place.clone() }
}
