//! Rotation of a symmetric key's material: by schedule and on demand.

use std::time::Duration;

use serde_json::{Value, json};

use super::ask::Ask;
use super::key::{Key, KeyState, Manager, Needs, Schedule, days, set};
use super::material::Rotated;
use super::spec::KeySpec;
use super::{Accept, State, refuse};
use crate::service::Refusal;
use crate::stamp;

/// How often a key may be rotated on demand (SDK: `RotateKeyOnDemand`, "maximum of 25 times").
const ON_DEMAND: usize = 25;

/// An automatic rotation this near bars one on demand (SDK: `ConflictException`).
const NEAR: Duration = Duration::from_secs(20 * 60);

/// Only symmetric keys that KMS made have rotations.
fn rotates(key: &Key) -> Result<(), Refusal> {
    if key.spec == KeySpec::Symmetric && !key.external && key.manager == Manager::Customer {
        return Ok(());
    }
    Err(refuse::unsupported(&format!("{} does not support key rotation.", key.arn)))
}

/// `EnableKeyRotation`: every 90 to 2,560 days, 365 if none are given.
pub(super) fn enable(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let period = ask.input.number("RotationPeriodInDays", 90, 2_560)?;
    let arn = state.manageable(ask, "EnableKeyRotation", Needs::Enabled)?;
    let key = state.key_mut(&arn)?;
    rotates(key)?;
    let known = key.schedule.map(|schedule| schedule.days);
    // Without a period an enabled rotation keeps its own.
    let period = period.or(known).unwrap_or(365);
    if known != Some(period) {
        key.schedule = Some(Schedule { days: period, next: stamp::later(ask.now, days(period)) });
    }
    Ok(json!({}))
}

/// `DisableKeyRotation`.
pub(super) fn disable(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let arn = state.manageable(ask, "DisableKeyRotation", Needs::Enabled)?;
    let key = state.key_mut(&arn)?;
    rotates(key)?;
    key.schedule = None;
    Ok(json!({}))
}

/// `GetKeyRotationStatus`: false while a key is on its way out, true for the keys of AWS.
pub(super) fn status(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let arn = state.manageable(ask, "GetKeyRotationStatus", Needs::Nothing)?;
    let key = state.key(&arn)?;
    if key.spec != KeySpec::Symmetric {
        rotates(key)?;
    }
    let leaving = matches!(key.state, KeyState::PendingDeletion { .. });
    let schedule = key.schedule.filter(|_| !leaving);
    let enabled = schedule.is_some() || key.manager == Manager::Aws;
    let mut answer = json!({ "KeyId": arn, "KeyRotationEnabled": enabled });
    if let Some(schedule) = schedule {
        set(&mut answer, "RotationPeriodInDays", json!(schedule.days));
        set(&mut answer, "NextRotationDate", stamp::epoch(schedule.next));
    }
    if let Some(began) = key.rotating_since {
        set(&mut answer, "OnDemandRotationStartDate", stamp::epoch(began));
    }
    Ok(answer)
}

/// `RotateKeyOnDemand`: the schedule stays as it is.
pub(super) fn on_demand(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let takes = state.rotation_takes;
    let arn = state.manageable(ask, "RotateKeyOnDemand", Needs::Enabled)?;
    let key = state.key_mut(&arn)?;
    rotates(key)?;
    let near = key.schedule.is_some_and(|schedule| schedule.next <= ask.now + NEAR);
    if near || key.rotating_since.is_some() {
        let text = format!("A rotation of {arn} is in progress or about to begin.");
        return Err(Refusal::new("ConflictException", text));
    }
    let done = key.material.rotations().iter().filter(|m| m.rotated == Rotated::OnDemand).count();
    if done >= ON_DEMAND {
        let text =
            format!("The limit of {ON_DEMAND} on-demand rotations of {arn} has been reached.");
        return Err(refuse::limit(&text));
    }
    key.rotating_since = Some(ask.now);
    key.rotate_if_due(ask.now, takes)?;
    Ok(json!({ "KeyId": arn }))
}

/// `ListKeyRotations`: those that happened, and with `ALL_KEY_MATERIAL` the first material as well.
pub(super) fn list(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let all = match ask.input.text("IncludeKeyMaterial")? {
        None | Some("ROTATIONS_ONLY") => false,
        Some("ALL_KEY_MATERIAL") => true,
        Some(other) => {
            let known = "Member must satisfy enum value set: [ALL_KEY_MATERIAL, ROTATIONS_ONLY]";
            return Err(super::input::invalid(other, "IncludeKeyMaterial", known));
        }
    };
    let reference = ask.input.required("KeyId")?;
    let arn = state.find(ask, reference, Accept::Keys)?;
    let key = state.key(&arn)?;
    state.authorize(ask, key, "ListKeyRotations")?;
    rotates(key)?;
    let current = key.material.current().map(|material| material.id.as_str());
    let entries = key
        .material
        .rotations()
        .iter()
        .filter(|material| all || material.rotated != Rotated::First)
        .map(|material| {
            let state = if current == Some(&material.id) { "CURRENT" } else { "NON_CURRENT" };
            let mut entry = json!({
                "KeyId": arn,
                "KeyMaterialId": material.id,
                "KeyMaterialState": state,
            });
            let how = match material.rotated {
                Rotated::First => return entry,
                Rotated::Automatically => "AUTOMATIC",
                Rotated::OnDemand => "ON_DEMAND",
            };
            set(&mut entry, "RotationType", json!(how));
            set(&mut entry, "RotationDate", stamp::epoch(material.since));
            entry
        })
        .collect();
    ask.page(entries, "Rotations", 100, 1_000)
}
