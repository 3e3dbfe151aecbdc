use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrets_core::SecretValue;
use zeroize::Zeroize;

use super::bytes::{Malformed, Reader, Writer};
use super::crypto::{KEY_LEN, SymmetricKey, on_wiped_stack};
use super::error::{Result, StoreError, StoreErrorKind};

/// A passphrase: any bytes but none, wiped when the last clone is dropped.
///
/// Its bytes are taken as they are. Two ways to type one character (composed, decomposed) are two
/// passphrases.
#[derive(Clone)]
pub struct Passphrase(SecretValue);

impl Passphrase {
    /// Takes a passphrase.
    ///
    /// # Errors
    /// [`OutOfBounds`](StoreErrorKind::OutOfBounds) when it is empty.
    pub fn new(passphrase: SecretValue) -> Result<Self> {
        if passphrase.is_empty() {
            return Err(StoreError::new(StoreErrorKind::OutOfBounds, "the passphrase is empty"));
        }
        Ok(Self(passphrase))
    }

    /// Takes over a text.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_string(passphrase: String) -> Result<Self> {
        Self::new(SecretValue::from_string(passphrase))
    }

    /// Argon2id (RFC 9106) of the passphrase; its memory is wiped afterwards.
    pub(crate) fn stretch(&self, cost: PassphraseCost, salt: &[u8]) -> Result<SymmetricKey> {
        cost.check()?;
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY_LEN))
            .map_err(|_| cost.out_of_bounds())?;
        let mut memory = Memory::allocate(params.block_count())?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let stretch = |out: &mut [u8]| {
            argon2
                .hash_password_into_with_memory(self.0.expose_secret(), salt, out, &mut memory.0)
                .map_err(|_| StoreError::new(StoreErrorKind::Internal, "key derivation failed"))
        };
        on_wiped_stack(|| SymmetricKey::filled(stretch))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase([REDACTED])")
    }
}

struct Memory(Vec<Block>);

impl Memory {
    fn allocate(blocks: usize) -> Result<Self> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(blocks).map_err(|_| {
            StoreError::new(StoreErrorKind::OutOfBounds, "not enough memory for the key derivation")
        })?;
        memory.resize(blocks, Block::default());
        Ok(Self(memory))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What one guess at a passphrase costs: the parameters of Argon2id (RFC 9106, section 3.1).
///
/// The default is the second recommended option of RFC 9106, section 4: 64 MiB, 3 passes, 4 lanes
/// (some tenths of a second on one core). Allowed are at least 19 MiB with 2 passes (the minimum of
/// the OWASP Password Storage Cheat Sheet) and at most 1 GiB, 16 passes, 16 lanes: the parameters
/// stand in the clear in the file, and a forged one must not exhaust the reader. For the same reason
/// memory times passes of all slots of a store must not exceed that of one slot of the highest cost.
///
/// ```
/// use secrets_local::store::PassphraseCost;
///
/// let cost = PassphraseCost::new(256 * 1024, 3, 4)?;
/// assert_eq!(cost.memory_kib(), 262_144);
/// assert!(PassphraseCost::new(1 << 30, 3, 4).is_err());
/// # Ok::<(), secrets_local::store::StoreError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassphraseCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl PassphraseCost {
    /// The least that is allowed: 19 MiB, 2 passes, 1 lane.
    pub const MINIMUM: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
    /// The most that is allowed: 1 GiB, 16 passes, 16 lanes.
    pub const MAXIMUM: Self = Self { memory_kib: 1024 * 1024, passes: 16, lanes: 16 };
    pub(crate) const ENCODED_LEN: usize = 12;

    /// A cost: memory in KiB, passes over it, lanes.
    ///
    /// # Errors
    /// [`OutOfBounds`](StoreErrorKind::OutOfBounds) outside [`MINIMUM`](Self::MINIMUM) and
    /// [`MAXIMUM`](Self::MAXIMUM).
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self> {
        let cost = Self { memory_kib, passes, lanes };
        cost.check()?;
        Ok(cost)
    }

    /// Memory in KiB.
    pub fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub fn passes(self) -> u32 {
        self.passes
    }

    /// Lanes.
    pub fn lanes(self) -> u32 {
        self.lanes
    }

    /// Checks that all passphrase slots of a store together cost a guess no more than one slot of
    /// the highest cost: whoever opens it tries each of them.
    pub(crate) fn check_total(costs: impl Iterator<Item = Self>) -> Result<()> {
        let work = |cost: Self| u64::from(cost.memory_kib).saturating_mul(u64::from(cost.passes));
        let mut total = 0_u64;
        for cost in costs {
            cost.check()?;
            total = total.saturating_add(work(cost));
        }
        if total <= work(Self::MAXIMUM) {
            return Ok(());
        }
        Err(StoreError::new(
            StoreErrorKind::OutOfBounds,
            "the passphrase slots together cost more than one slot may",
        ))
    }

    fn check(self) -> Result<()> {
        let (min, max) = (Self::MINIMUM, Self::MAXIMUM);
        let within = (min.memory_kib..=max.memory_kib).contains(&self.memory_kib)
            && (min.passes..=max.passes).contains(&self.passes)
            && (min.lanes..=max.lanes).contains(&self.lanes);
        if within { Ok(()) } else { Err(self.out_of_bounds()) }
    }

    fn out_of_bounds(self) -> StoreError {
        let Self { memory_kib, passes, lanes } = self;
        StoreError::new(
            StoreErrorKind::OutOfBounds,
            format!(
                "Argon2id with {memory_kib} KiB, {passes} passes, {lanes} lanes is not allowed"
            ),
        )
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.put_u32(self.memory_kib);
        out.put_u32(self.passes);
        out.put_u32(self.lanes);
    }

    /// Takes what is written; [`Passphrase::stretch`] checks the bounds before it allocates.
    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { memory_kib: reader.u32()?, passes: reader.u32()?, lanes: reader.u32()? })
    }
}

impl Default for PassphraseCost {
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 }
    }
}
