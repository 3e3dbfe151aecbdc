//! What there is to know of a secret but its value.

use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::{
    Op,
    create::check_tags,
    model::{CURRENT, Secret, Version},
    named,
    pages::Page,
    put, replicas,
    store::Inner,
};
use crate::{service::Refusal, stamp};

impl Op<'_> {
    pub(super) fn describe_secret(&self) -> Result<Value, Refusal> {
        let inner = self.service.store.lock();
        let secret = self.open(&inner, self.read_view())?;
        let mut answer = details(&inner, &secret);
        put(&mut answer, "VersionIdsToStages", stages(&secret));
        put(&mut answer, "DeletedDate", secret.deletion.map(|d| stamp::epoch(d.due)));
        if !secret.replicas.is_empty() || secret.is_replica() {
            let status = replicas::status(&secret, self.now());
            put(&mut answer, "ReplicationStatus", Some(status));
        }
        Ok(answer)
    }

    pub(super) fn list_secret_version_ids(&self) -> Result<Value, Refusal> {
        let most = self.input.page_size(100)?;
        let deprecated = self.input.flag("IncludeDeprecated")?;
        let inner = self.service.store.lock();
        let secret = self.open(&inner, self.read_view())?;
        let scope = format!("versions {} {deprecated}", secret.arn);
        let listed: Vec<&Version> =
            secret.versions.iter().filter(|v| deprecated || !v.labels.is_empty()).collect();
        let page =
            Page::cut(self, &scope, listed, most, |v| (super::input::millis(v.created), &v.id))?;
        let versions: Vec<Value> =
            page.items.iter().map(|v| version_entry(&inner, &secret, v)).collect();
        let mut answer = named(&secret);
        put(&mut answer, "Versions", Some(versions));
        put(&mut answer, "NextToken", page.next);
        Ok(answer)
    }

    pub(super) fn tag_resource(&self) -> Result<Value, Refusal> {
        let tags = self.input.tags()?.unwrap_or_default();
        let ((), secret) = self.change(|op, _, secret| {
            let all = secret.tags.get_or_insert_default();
            for (key, value) in tags {
                all.retain(|(k, _)| *k != key);
                all.push((key, value));
            }
            secret.changed = op.now();
            check_tags(all)
        })?;
        self.tell(&secret, &[]);
        Ok(json!({}))
    }

    pub(super) fn untag_resource(&self) -> Result<Value, Refusal> {
        let keys = self.input.texts("TagKeys", 200)?.unwrap_or_default();
        let ((), secret) = self.change(|op, _, secret| {
            if let Some(all) = &mut secret.tags {
                all.retain(|(k, _)| !keys.contains(&k.as_str()));
            }
            secret.changed = op.now();
            Ok(())
        })?;
        self.tell(&secret, &[]);
        Ok(json!({}))
    }
}

/// What `DescribeSecret` and `ListSecrets` both tell.
pub(super) fn details(inner: &Inner, secret: &Secret) -> Value {
    let mut answer = named(secret);
    let out = &mut answer;
    put(out, "Type", secret.kind.as_deref());
    put(out, "Description", secret.description.as_deref());
    put(out, "KmsKeyId", secret.key.as_deref());
    put(out, "CreatedDate", Some(stamp::epoch(secret.created)));
    put(out, "LastChangedDate", Some(stamp::epoch(secret.changed)));
    put(out, "LastAccessedDate", inner.last_accessed(secret).map(stamp::epoch));
    put(out, "PrimaryRegion", secret.primary.as_deref());
    let tags = |(key, value): &(String, String)| json!({ "Key": key, "Value": value });
    put(out, "Tags", secret.tags.as_ref().map(|all| all.iter().map(tags).collect::<Vec<_>>()));
    if let Some(rotation) = &secret.rotation {
        put(out, "RotationEnabled", Some(rotation.enabled));
        put(out, "RotationLambdaARN", rotation.function.as_deref());
        put(out, "RotationRules", (!rotation.rules.is_null()).then(|| rotation.rules.clone()));
        put(out, "LastRotatedDate", rotation.last.map(stamp::epoch));
        put(out, "NextRotationDate", next_rotation(secret).map(stamp::epoch));
    }
    answer
}

/// Versions and their labels, `None` if there are none; a version without a label does not count.
pub(super) fn stages(secret: &Secret) -> Option<Value> {
    let labelled = secret.versions.iter().filter(|v| !v.labels.is_empty());
    let all: Map<_, _> = labelled.map(|v| (v.id.clone(), json!(v.labels))).collect();
    (!all.is_empty()).then_some(Value::Object(all))
}

/// The last rotation, or putting of a value, and the days between rotations.
fn next_rotation(secret: &Secret) -> Option<SystemTime> {
    let rotation = secret.rotation.as_ref().filter(|r| r.enabled)?;
    let days = rotation.rules.get("AutomaticallyAfterDays")?.as_u64()?;
    let current = secret.labelled(CURRENT).map_or(secret.created, |v| v.created);
    let last = rotation.last.map_or(current, |l| l.max(current));
    Some(stamp::later(last, super::delete::days(days)))
}

fn version_entry(inner: &Inner, secret: &Secret, version: &Version) -> Value {
    let key = version.key.clone().unwrap_or_else(|| "DefaultEncryptionKey".to_owned());
    let mut entry = json!({
        "VersionId": version.id,
        "CreatedDate": stamp::epoch(version.created),
        "KmsKeyIds": [key],
    });
    let labels = (!version.labels.is_empty()).then(|| json!(version.labels));
    put(&mut entry, "VersionStages", labels);
    let accessed = inner.accessed(&secret.arn, &version.id).map(stamp::epoch);
    put(&mut entry, "LastAccessedDate", accessed);
    entry
}
