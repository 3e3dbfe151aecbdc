//! Adding, replacing and removing key slots, and making a new data key.

use std::sync::Arc;

use super::crypto::{StoreKeys, SymmetricKey, same};
use super::error::{Result, StoreError, StoreErrorKind};
use super::file_store::FileStore;
use super::format::Header;
use super::runtime::blocking;
use super::slot::{SealMethod, Slot, SlotBody, SlotId, provider_slot};
use super::transaction::Transaction;
use super::unlock::{Unlock, wrap};

/// How to make a new data key: which slots stay, and with what they open.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Rekey {
    keep: Vec<Unlock>,
    drop: Vec<SlotId>,
}

impl Rekey {
    /// A plan for no slots yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the slot that opens with this.
    pub fn keep(mut self, unlock: impl Into<Unlock>) -> Self {
        self.keep.push(unlock.into());
        self
    }

    /// Gives up a slot whose key is not at hand.
    pub fn drop_slot(mut self, slot: SlotId) -> Self {
        self.drop.push(slot);
        self
    }
}

impl FileStore {
    /// Adds a way to open the store. Wraps the data key once more; no secret is sealed anew.
    ///
    /// # Errors
    /// [`Slot`](StoreErrorKind::Slot) when there are 32 already; what writing the file and the key
    /// provider answer.
    pub async fn add_slot(&self, unlock: impl Into<Unlock>) -> Result<SlotId> {
        self.put_slot(unlock.into(), None).await
    }

    /// Replaces a slot by another, in one step: how a passphrase is changed. The data key stays, so
    /// whoever knew the old passphrase and has an old copy of the file can open that copy, and with
    /// its data key the new file: after a leak, [`rekey`](Self::rekey).
    ///
    /// # Errors
    /// [`Slot`](StoreErrorKind::Slot) when there is no such slot; [`Busy`](StoreErrorKind::Busy)
    /// when another process changed it meanwhile; what writing the file and the key provider answer.
    pub async fn replace_slot(&self, slot: SlotId, unlock: impl Into<Unlock>) -> Result<()> {
        self.put_slot(unlock.into(), Some(slot)).await.map(|_| ())
    }

    async fn put_slot(&self, unlock: Unlock, replaced: Option<SlotId>) -> Result<SlotId> {
        let replaced = match replaced {
            Some(id) => Some(self.known_slot(id).await?),
            None => None,
        };
        let snapshot = self.run(|engine| engine.snapshot()).await?;
        let (store, keys) = (snapshot.header.store, Arc::clone(&snapshot.keys));
        let environment = self.engine().environment();
        let cost = self.settings().cost;
        let sealing = unlock.prepare(environment, cost, store, keys.data_key()).await?;
        let engine = Arc::clone(self.engine());
        self.change_once(move |transaction| {
            check_data_key(transaction, &keys)?;
            let id = replaced.as_ref().map_or_else(|| transaction.free_slot(), |old| Ok(old.id))?;
            let entropy = &*transaction.environment.entropy;
            let (slot, slot_key) = sealing.seal(entropy, store, id, keys.data_key())?;
            match replaced {
                None => transaction.slots.push(slot),
                Some(old) => *find_slot(&mut transaction.slots, &old)? = slot,
            }
            transaction.touch();
            // It goes again with the next state, if this one is not written.
            slot_key.into_iter().for_each(|key| engine.remember(key));
            Ok(id)
        })
        .await
    }

    /// Removes a way to open the store.
    ///
    /// # Errors
    /// [`Slot`](StoreErrorKind::Slot) when there is no such slot, or no other one;
    /// [`Busy`](StoreErrorKind::Busy) when another process put another slot in its place.
    pub async fn remove_slot(&self, slot: SlotId) -> Result<()> {
        let known = self.known_slot(slot).await?;
        self.change(move |transaction| {
            find_slot(&mut transaction.slots, &known)?;
            if transaction.slots.len() == 1 {
                let message = "the last slot stays: without it the store cannot be opened";
                return Err(StoreError::new(StoreErrorKind::Slot, message));
            }
            transaction.slots.retain(|kept| kept.id != slot);
            transaction.touch();
            Ok(())
        })
        .await
    }

    /// The slot that the caller means: the one that this process showed last under the number, or
    /// the one in the file where it showed none.
    async fn known_slot(&self, id: SlotId) -> Result<Slot> {
        let find = |slots: &[Slot]| slots.iter().find(|slot| slot.id == id).cloned();
        if let Some(slot) = find(&self.engine().current().header.slots) {
            return Ok(slot);
        }
        let snapshot = self.run(|engine| engine.snapshot()).await?;
        find(&snapshot.header.slots).ok_or_else(|| no_slot(id))
    }

    /// Makes a new data key and seals everything anew. Every slot must be named in the plan: kept,
    /// with what opens it, or dropped. Wrapping keys stay what they are. Other processes follow by
    /// the slot that they opened the store with.
    ///
    /// # Errors
    /// [`Slot`](StoreErrorKind::Slot) when the plan misses a slot or drops all of them;
    /// [`Busy`](StoreErrorKind::Busy) when another process changed a slot meanwhile;
    /// [`Integrity`](StoreErrorKind::Integrity) when a record does not open; the store then stays
    /// as it was.
    pub async fn rekey(&self, plan: Rekey) -> Result<()> {
        let mut dropped = Vec::with_capacity(plan.drop.len());
        for id in &plan.drop {
            dropped.push(self.known_slot(*id).await?);
        }
        let snapshot = self.run(|engine| engine.snapshot()).await?;
        let mut header = snapshot.header.clone();
        for slot in &dropped {
            find_slot(&mut header.slots, slot)?;
        }
        let old_keys = Arc::clone(&snapshot.keys);
        let data_key = SymmetricKey::random(&*self.engine().environment().entropy)?;
        let slots = self.reseal_slots(&header, plan, &data_key).await?;
        self.change_once(move |transaction| {
            check_data_key(transaction, &old_keys)?;
            let planned = header.slots.iter().map(Slot::to_bytes);
            if !transaction.slots.iter().map(Slot::to_bytes).eq(planned) {
                return Err(changed_meanwhile());
            }
            transaction.slots = slots;
            transaction.rekey(data_key)
        })
        .await
    }

    async fn reseal_slots(
        &self,
        header: &Header,
        plan: Rekey,
        data_key: &SymmetricKey,
    ) -> Result<Vec<Slot>> {
        let mut slots = Vec::with_capacity(header.slots.len());
        for slot in header.slots.iter().filter(|slot| !plan.drop.contains(&slot.id)) {
            slots.push(self.reseal_slot(header, slot, &plan.keep, data_key).await?);
        }
        if slots.is_empty() {
            let message = "the plan drops every slot: the store could not be opened any more";
            return Err(StoreError::new(StoreErrorKind::Slot, message));
        }
        Ok(slots)
    }

    async fn reseal_slot(
        &self,
        header: &Header,
        slot: &Slot,
        keep: &[Unlock],
        data_key: &SymmetricKey,
    ) -> Result<Slot> {
        for unlock in keep {
            if let (Unlock::Provider { provider, key }, SlotBody::Provider { wrapped: old }) =
                (unlock, &slot.body)
            {
                let wrapped = wrap(&**provider, key, header.store, data_key).await?;
                if old.key == *key || old.key == wrapped.key {
                    return provider_slot(slot.id, wrapped);
                }
                continue;
            }
            let one = Header { slots: vec![slot.clone()], ..header.clone() };
            let (unlock, store) = (unlock.clone(), header.store);
            let method = blocking(move || method_of(&unlock, &one)).await?;
            if let Some(method) = method {
                let entropy = &*self.engine().environment().entropy;
                return Slot::seal(entropy, store, slot.id, &method, data_key);
            }
        }
        let message = format!("the plan neither keeps nor drops slot {}", slot.id);
        Err(StoreError::new(StoreErrorKind::Slot, message))
    }
}

/// The key of a slot that is kept; `None` when it does not open with this.
fn method_of(unlock: &Unlock, header: &Header) -> Result<Option<SealMethod>> {
    match unlock.find_slot(header) {
        Ok((slot, key, _)) => Ok(SealMethod::of_slot(slot, key)),
        Err(error) if error.kind() == StoreErrorKind::WrongKey => Ok(None),
        Err(error) => Err(error),
    }
}

/// The slot in the file that the caller means. Numbers are used again, so the number alone does not
/// tell.
fn find_slot<'a>(slots: &'a mut [Slot], meant: &Slot) -> Result<&'a mut Slot> {
    let slot = slots.iter_mut().find(|slot| slot.id == meant.id);
    let slot = slot.ok_or_else(|| no_slot(meant.id))?;
    if slot.to_bytes() == meant.to_bytes() { Ok(slot) } else { Err(changed_meanwhile()) }
}

fn no_slot(id: SlotId) -> StoreError {
    StoreError::new(StoreErrorKind::Slot, format!("the store has no slot {id}"))
}

/// A slot was prepared for a data key that may have been replaced since.
fn check_data_key(transaction: &Transaction<'_>, keys: &StoreKeys) -> Result<()> {
    if same(transaction.base.keys.commitment(), keys.commitment()) {
        return Ok(());
    }
    Err(changed_meanwhile())
}

fn changed_meanwhile() -> StoreError {
    let message = "another process changed the slots or the data key meanwhile: try again";
    StoreError::new(StoreErrorKind::Busy, message)
}
