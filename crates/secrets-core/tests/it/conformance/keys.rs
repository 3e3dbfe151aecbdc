//! The suite for key providers, over a sound one and over broken ones.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex};

use secrets_core::conformance::{self, Hook, KeyHarness, KeyRotator, Outcome, Report};
use secrets_core::{
    DataKey, Error, ErrorKind, KeyCapabilities, KeyLen, KeyProvider, KeyRef, Operation, ProviderId,
    Result, Support, VersionId, WrapContext, WrappedKey, WrappingVersion, async_trait,
};

const LONGEST: usize = 200;

/// What is wrong with a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Pads,
    OneLength,
    OneKey,
    TakesAll,
    ForgetsKeyName,
    IgnoresContext,
    RunsFactsTogether,
    BindsUndeclared,
    IgnoresLastByte,
    IgnoresTail,
    MakesKeys,
    OpensUnderAnyKey,
    RewrapsAnother,
    RewrapsWithoutContext,
    LosesOldVersions,
    RewrapsUnderTheOldVersion,
    CallsAllCurrent,
    CallsAllSuperseded,
    KnowsUnknownKeys,
    GuessesVersions,
    GuessesVersionsOfWrapped,
    KeepsQuietOfWrapped,
    FailsWithoutVersions,
    ShowsKeys,
    QuotesKeys,
    NamesNoOperation,
}

/// Every fault with the checks that have to find it.
const FAULTS: [(Fault, &[&str]); 26] = [
    (Fault::Pads, &["keys.lengths"]),
    (Fault::OneLength, &["keys.generated"]),
    (Fault::OneKey, &["keys.distinct"]),
    (Fault::TakesAll, &["keys.too-large"]),
    (Fault::ForgetsKeyName, &["keys.stored"]),
    (Fault::IgnoresContext, &["keys.context"]),
    (Fault::RunsFactsTogether, &["keys.context"]),
    (Fault::BindsUndeclared, &["keys.no-context"]),
    (Fault::IgnoresLastByte, &["keys.tampered"]),
    (Fault::IgnoresTail, &["keys.cut"]),
    (Fault::MakesKeys, &["keys.unknown"]),
    (Fault::OpensUnderAnyKey, &["keys.apart"]),
    (Fault::RewrapsAnother, &["keys.rewrap"]),
    (Fault::RewrapsWithoutContext, &["keys.rewrap-context"]),
    (Fault::LosesOldVersions, &["keys.rotation"]),
    (Fault::RewrapsUnderTheOldVersion, &["keys.version-superseded"]),
    (Fault::CallsAllCurrent, &["keys.version-superseded"]),
    (Fault::CallsAllSuperseded, &["keys.version-current"]),
    (Fault::KnowsUnknownKeys, &["keys.version-current"]),
    (Fault::GuessesVersionsOfWrapped, &["keys.version-current"]),
    (Fault::KeepsQuietOfWrapped, &["keys.version-current"]),
    (Fault::GuessesVersions, &["keys.version-unknown"]),
    (Fault::FailsWithoutVersions, &["keys.version-unknown"]),
    (Fault::ShowsKeys, &["keys.leaks"]),
    (Fault::QuotesKeys, &["keys.leaks"]),
    (Fault::NamesNoOperation, &["keys.operation"]),
];

/// What a handle stands for.
struct Entry {
    key: KeyRef,
    version: u32,
    context: Vec<u8>,
    bytes: Vec<u8>,
}

/// Keeps data keys in a table and gives out handles for them: no cryptography, all of the contract.
struct Table {
    id: ProviderId,
    fault: Fault,
    capabilities: KeyCapabilities,
    entries: Mutex<HashMap<Vec<u8>, Entry>>,
    /// The current versions of keys that were rotated.
    versions: Mutex<HashMap<KeyRef, u32>>,
}

impl Table {
    /// `optional` is declared for what not every service has.
    fn new(fault: Fault, optional: Support) -> Self {
        let mut capabilities = KeyCapabilities::native(LONGEST);
        capabilities.context_binding = optional;
        capabilities.wrapping_version = optional;
        let is_half = fault == Fault::GuessesVersionsOfWrapped;
        capabilities.version_of_wrapped = if is_half { Support::No } else { optional };
        let id = ProviderId::new("table", "tests", "");
        let (entries, versions) = Default::default();
        Self { id, fault, capabilities, entries, versions }
    }

    fn version(&self, key: &KeyRef) -> u32 {
        self.versions.lock().unwrap().get(key).copied().unwrap_or(1)
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn error(&self, kind: ErrorKind, operation: Operation, bytes: &[u8]) -> Error {
        let message = match self.fault {
            Fault::QuotesKeys => format!("a planted fault: {bytes:?}"),
            _ => "a planted fault".to_owned(),
        };
        let error = Error::new(kind, message);
        if self.has(Fault::NamesNoOperation) { error } else { error.with_operation(operation) }
    }

    fn aad(&self, operation: Operation, context: &WrapContext) -> Result<Vec<u8>> {
        let has_facts = context.iter().next().is_some();
        let is_undeclared = self.capabilities.context_binding == Support::No;
        if has_facts && is_undeclared && !self.has(Fault::BindsUndeclared) {
            return Err(Error::unsupported(operation, "no context is bound here"));
        }
        Ok(match self.fault {
            Fault::IgnoresContext => Vec::new(),
            // The parts without their lengths.
            Fault::RunsFactsTogether => {
                context.iter().flat_map(|(n, v)| [n, v]).collect::<String>().into()
            }
            _ => context.to_aad(),
        })
    }

    fn insert(
        &self,
        operation: Operation,
        key: &KeyRef,
        bytes: Vec<u8>,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        self.insert_under(self.version(key), operation, key, bytes, context)
    }

    fn insert_under(
        &self,
        version: u32,
        operation: Operation,
        key: &KeyRef,
        mut bytes: Vec<u8>,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        if key.as_str() == "unknown" && !self.has(Fault::MakesKeys) {
            return Err(self.error(ErrorKind::NotFound, operation, &bytes));
        }
        if bytes.len() > LONGEST && !self.has(Fault::TakesAll) {
            return Err(self.error(ErrorKind::TooLarge, operation, &bytes));
        }
        if self.has(Fault::Pads) {
            bytes.resize(bytes.len().next_multiple_of(16), 0);
        }
        let (handle, context) = (random(24), self.aad(operation, context)?);
        let entry = Entry { key: key.clone(), version, context, bytes };
        self.entries.lock().unwrap().insert(self.looked_up(&handle), entry);
        let named = if self.has(Fault::ForgetsKeyName) { "default" } else { key.as_str() };
        let is_told = self.capabilities.wrapping_version.is_available();
        let version = is_told.then(|| VersionId::new(&version.to_string())).transpose()?;
        Ok(WrappedKey::new(KeyRef::new(named)?, version, handle))
    }

    /// What of a ciphertext finds the entry.
    fn looked_up(&self, ciphertext: &[u8]) -> Vec<u8> {
        let len = match self.fault {
            Fault::IgnoresLastByte => ciphertext.len().saturating_sub(1),
            Fault::IgnoresTail => ciphertext.len().min(24),
            _ => ciphertext.len(),
        };
        ciphertext[..len].to_vec()
    }

    fn open(
        &self,
        operation: Operation,
        wrapped: &WrappedKey,
        context: Option<&WrapContext>,
    ) -> Result<Vec<u8>> {
        if wrapped.key.as_str() == "unknown" && !self.has(Fault::MakesKeys) {
            return Err(self.error(ErrorKind::NotFound, operation, &wrapped.ciphertext));
        }
        let context = context.map(|context| self.aad(operation, context)).transpose()?;
        let entries = self.entries.lock().unwrap();
        let found = entries.get(&self.looked_up(&wrapped.ciphertext)).filter(|entry| {
            let is_named = entry.key == wrapped.key
                || [Fault::OpensUnderAnyKey, Fault::ForgetsKeyName].contains(&self.fault);
            let is_kept =
                !self.has(Fault::LosesOldVersions) || entry.version == self.version(&entry.key);
            is_named && is_kept && context.is_none_or(|context| context == entry.context)
        });
        let found = found.map(|entry| entry.bytes.clone());
        found.ok_or_else(|| self.error(ErrorKind::Integrity, operation, &wrapped.ciphertext))
    }
}

fn random(len: usize) -> Vec<u8> {
    let words = std::iter::repeat_with(|| RandomState::new().hash_one(()).to_be_bytes());
    words.flatten().take(len).collect()
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has(Fault::ShowsKeys) {
            let entries = self.entries.lock().unwrap();
            let keys: Vec<_> = entries.values().map(|entry| &entry.bytes).collect();
            return f.debug_struct("Table").field("keys", &keys).finish();
        }
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyProvider for Table {
    fn key_provider_id(&self) -> &ProviderId {
        &self.id
    }

    fn key_capabilities(&self) -> &KeyCapabilities {
        &self.capabilities
    }

    async fn generate_data_key(
        &self,
        key: &KeyRef,
        len: KeyLen,
        context: &WrapContext,
    ) -> Result<(DataKey, WrappedKey)> {
        let bytes = match self.fault {
            Fault::OneLength => random(32),
            Fault::OneKey => vec![7; len.bytes()],
            _ => random(len.bytes()),
        };
        let wrapped = self.insert(Operation::GenerateDataKey, key, bytes.clone(), context)?;
        Ok((DataKey::from_boxed(bytes.into()), wrapped))
    }

    async fn wrap_key(
        &self,
        key: &KeyRef,
        data_key: &DataKey,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        let bytes = data_key.expose_secret().to_vec();
        let mut wrapped = self.insert(Operation::WrapKey, key, bytes, context)?;
        let is_told = self.capabilities.version_of_wrapped.is_available();
        if self.has(Fault::KeepsQuietOfWrapped)
            || !is_told && !self.has(Fault::GuessesVersionsOfWrapped)
        {
            wrapped.version = None;
        }
        Ok(wrapped)
    }

    async fn unwrap_key(&self, wrapped: &WrappedKey, context: &WrapContext) -> Result<DataKey> {
        let bytes = self.open(Operation::UnwrapKey, wrapped, Some(context))?;
        Ok(DataKey::from_boxed(bytes.into()))
    }

    async fn rewrap_key(
        &self,
        wrapped: &WrappedKey,
        to: &KeyRef,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        let operation = Operation::RewrapKey;
        let bound = (!self.has(Fault::RewrapsWithoutContext)).then_some(context);
        let mut bytes = self.open(operation, wrapped, bound)?;
        if self.has(Fault::RewrapsAnother) {
            bytes = random(bytes.len());
        }
        let version = match &wrapped.version {
            Some(version) if self.has(Fault::RewrapsUnderTheOldVersion) => {
                version.as_str().parse().unwrap()
            }
            _ => self.version(to),
        };
        self.insert_under(version, operation, to, bytes, context)
    }

    async fn wrapping_version(&self, wrapped: &WrappedKey) -> Result<WrappingVersion> {
        let operation = Operation::WrappingVersion;
        let Some(version) = &wrapped.version else {
            return match self.fault {
                Fault::GuessesVersions => Ok(WrappingVersion::Current),
                Fault::FailsWithoutVersions => Err(Error::unsupported(operation, "not told")),
                _ => Ok(WrappingVersion::Unknown),
            };
        };
        if wrapped.key.as_str() == "unknown" && !self.has(Fault::KnowsUnknownKeys) {
            return Err(self.error(ErrorKind::NotFound, operation, &wrapped.ciphertext));
        }
        let is_current = version.as_str() == self.version(&wrapped.key).to_string();
        Ok(match self.fault {
            Fault::CallsAllCurrent => WrappingVersion::Current,
            Fault::CallsAllSuperseded => WrappingVersion::Superseded,
            _ if is_current => WrappingVersion::Current,
            _ => WrappingVersion::Superseded,
        })
    }
}

#[async_trait]
impl KeyRotator for Table {
    async fn rotate(&self, key: &KeyRef) -> Result<()> {
        *self.versions.lock().unwrap().entry(key.clone()).or_insert(1) += 1;
        Ok(())
    }
}

struct Keys(Arc<Table>);

impl KeyHarness for Keys {
    fn provider(&self) -> Arc<dyn KeyProvider> {
        self.0.clone()
    }

    fn title(&self) -> String {
        "a table of keys".to_owned()
    }

    fn key(&self) -> KeyRef {
        KeyRef::new("key").unwrap()
    }

    fn other_key(&self) -> KeyRef {
        KeyRef::new("other").unwrap()
    }

    fn unknown_key(&self) -> KeyRef {
        KeyRef::new("unknown").unwrap()
    }

    fn rotator(&self) -> Option<&dyn KeyRotator> {
        Some(&*self.0)
    }
}

async fn report(fault: Fault, optional: Support) -> Report {
    conformance::run_keys(&Keys(Arc::new(Table::new(fault, optional)))).await
}

#[tokio::test]
async fn who_does_not_name_the_version_of_what_was_wrapped_conforms() {
    let mut table = Table::new(Fault::None, Support::Native);
    table.capabilities.version_of_wrapped = Support::No;
    let report = conformance::run_keys(&Keys(Arc::new(table))).await.into_result().unwrap();
    for check in ["keys.version-current", "keys.version-superseded"] {
        assert_eq!(report.outcome(check), Some(&Outcome::Passed));
    }
}

#[tokio::test]
async fn a_sound_key_provider_conforms_and_every_check_passes_somewhere() {
    let mut checks: BTreeSet<_> = conformance::key_checks().map(|check| check.id).collect();
    for optional in [Support::Native, Support::No] {
        let report = report(Fault::None, optional).await.into_result().unwrap();
        for result in report.results.iter().filter(|result| result.outcome == Outcome::Passed) {
            checks.remove(result.check.id);
        }
    }
    assert!(checks.is_empty(), "on no sound provider these checks pass: {checks:?}");
}

#[tokio::test]
async fn every_fault_of_a_key_provider_is_found() {
    for (fault, checks) in FAULTS {
        let optional = match fault {
            Fault::BindsUndeclared | Fault::GuessesVersions | Fault::FailsWithoutVersions => {
                Support::No
            }
            _ => Support::Native,
        };
        let report = report(fault, optional).await;
        for check in checks {
            let outcome = report.outcome(check);
            let is_found = matches!(outcome, Some(Outcome::Failed(_)));
            assert!(is_found, "{fault:?}: {check} is {outcome:?}");
        }
        assert!(!report.to_string().contains("k9Zq"), "a key is in the report of {fault:?}");
        assert!(!report.to_string().contains("107, 57, 90, 113"), "{fault:?}: {report}");
    }
}

/// A harness that cannot rotate, and that may say so.
struct Unrotated(Keys, Option<&'static str>);

impl KeyHarness for Unrotated {
    fn provider(&self) -> Arc<dyn KeyProvider> {
        self.0.provider()
    }

    fn title(&self) -> String {
        self.0.title()
    }

    fn key(&self) -> KeyRef {
        self.0.key()
    }

    fn other_key(&self) -> KeyRef {
        self.0.other_key()
    }

    fn unknown_key(&self) -> KeyRef {
        self.0.unknown_key()
    }

    fn waives(&self, hook: Hook) -> Option<&'static str> {
        self.1.filter(|_| hook == Hook::KeyRotator)
    }
}

#[tokio::test]
async fn what_cannot_be_rotated_is_not_conformant_until_somebody_says_why() {
    for (waived, conforms) in [(None, false), (Some("the service rotates once a year"), true)] {
        let table = Keys(Arc::new(Table::new(Fault::None, Support::Native)));
        let report = conformance::run_keys(&Unrotated(table, waived)).await;
        for check in ["keys.rotation", "keys.version-superseded"] {
            let not_run = Outcome::NotRun { hook: Hook::KeyRotator, waived };
            assert_eq!(report.outcome(check), Some(&not_run));
        }
        assert_eq!(report.is_conformant(), conforms);
    }
}

#[test]
fn every_check_of_key_providers_has_a_fault() {
    let checks: BTreeSet<_> = conformance::key_checks().map(|check| check.id).collect();
    let found: BTreeSet<_> = FAULTS.iter().flat_map(|(_, checks)| *checks).copied().collect();
    assert_eq!(checks, found);
}
