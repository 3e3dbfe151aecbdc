use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrets_core::{
    Clock, Error, ErrorKind, GetOptions, Operation, PageRequest, Result, Secret, SecretFilter,
    SecretProvider, SecretRef, SecretValue, SystemClock,
};
use service_settings::SecretSetting;

use crate::lint::code::{Environment, LintCode};
use crate::lint::duplicates::Duplicates;
use crate::lint::finding::{Finding, LintReport, Subject};
use crate::lint::suppression::Suppression;
use crate::lint::{files, origin, parts, settings_file, value};

/// So many secrets are read in one call.
const AT_A_TIME: usize = 100;

/// Looks at secrets, files and settings, and tells what is weak, known to many, in the wrong place or
/// about to fail. No finding holds anything of a value.
///
/// What is looked at may come from several places; what has the same value is found across them.
///
/// ```
/// use secrets_core::{SecretProviderExt, memory::{MemoryProvider, Personality}};
/// use secrets_manager::lint::{Environment, LintCode, Linter, Severity};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> secrets_core::Result<()> {
/// let provider = MemoryProvider::new(Personality::Aws);
/// provider.put_text("billing/db-password", "changeme").await?;
///
/// let mut linter = Linter::new(Environment::Production);
/// linter.check_provider(&provider).await?;
/// let report = linter.finish();
///
/// assert_eq!(report.worst(), Some(Severity::Error));
/// assert_eq!(report.findings()[0].code, LintCode::Default);
/// assert_eq!(
///     report.findings()[0].to_string(),
///     "error[default]: `billing/db-password` is a default that many know"
/// );
/// # Ok(()) }
/// ```
#[must_use = "call `finish`"]
pub struct Linter {
    environment: Environment,
    clock: Arc<dyn Clock>,
    expires_within: Duration,
    suppressions: Vec<Suppression>,
    findings: Vec<Finding>,
    duplicates: Duplicates,
    looked_at: usize,
}

impl Linter {
    /// A linter for what is used in an environment.
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            clock: Arc::new(SystemClock),
            expires_within: Duration::from_secs(14 * 24 * 60 * 60),
            suppressions: Vec::new(),
            findings: Vec::new(),
            duplicates: Duplicates::new(),
            looked_at: 0,
        }
    }

    /// The wall clock that expiry is measured by; that of the system unless set.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What expires within this time is told; 14 days unless set.
    pub fn with_expires_within(mut self, time: Duration) -> Self {
        self.expires_within = time;
        self
    }

    /// What is known and meant to be so. One that suppresses nothing is a finding itself.
    pub fn with_suppressions(mut self, known: impl IntoIterator<Item = Suppression>) -> Self {
        self.suppressions.extend(known);
        self
    }

    /// Looks at the current version of every secret that the provider lists, a manager's
    /// [`cached`](crate::SecretManager::cached) among them. One that cannot be read is a finding.
    ///
    /// # Errors
    /// When the provider cannot list, `Integrity` when its list does not end; what was looked at
    /// before stays.
    pub async fn check_provider(&mut self, provider: &dyn SecretProvider) -> Result<()> {
        let (mut page, mut tokens) = (PageRequest::first(), BTreeSet::new());
        loop {
            let listed = provider.list_secrets(&SecretFilter::all(), page).await?;
            let references: Vec<_> = listed.items.into_iter().map(|info| info.reference).collect();
            self.check_references(provider, &references).await;
            match listed.next {
                Some(token) if tokens.insert(token.as_str().to_owned()) => {
                    page = PageRequest::after(token);
                }
                Some(_) => {
                    let message = "the provider's list goes round in a circle";
                    let error = Error::new(ErrorKind::Integrity, message);
                    return Err(error.with_operation(Operation::ListSecrets));
                }
                None => return Ok(()),
            }
        }
    }

    /// Looks at the current version of these secrets.
    pub async fn check_references(
        &mut self,
        provider: &dyn SecretProvider,
        references: &[SecretRef],
    ) {
        // What has expired is to be looked at as well.
        let options = GetOptions::default().ignore_validity();
        for some in references.chunks(AT_A_TIME) {
            let wanted: Vec<_> = some.iter().map(|r| (r.clone(), options.clone())).collect();
            // Which answer is missing, where some are, nobody can tell.
            let answers = provider.get_secrets(&wanted).await.ok();
            let answers = answers.filter(|answers| answers.len() == some.len()).unwrap_or_default();
            let mut answers = answers.into_iter();
            for reference in some {
                match answers.next() {
                    Some(Ok(secret)) => self.check_secret(reference, &secret),
                    Some(Err(_)) | None => {
                        self.looked_at += 1;
                        self.find(LintCode::Unreadable, Subject::secret(reference));
                    }
                }
            }
        }
    }

    /// Looks at one secret.
    pub fn check_secret(&mut self, reference: &SecretRef, secret: &Secret) {
        self.looked_at += 1;
        let name = reference.to_string();
        self.check_expiry(&name, secret.version.expires);
        let part_of = |part: String| Subject::Secret { name: name.clone(), part };
        self.check_value(&name, &secret.value, part_of);
    }

    /// Looks at a setting that is a secret, by its name such as `database.password`: whether the
    /// value itself stands there, and what is wrong with it then. In a URL or JSON no part is named.
    pub fn check_setting(&mut self, key: &str, setting: &SecretSetting) {
        self.looked_at += 1;
        let SecretSetting::Inline(value) = setting else { return };
        let subject = Subject::Value { key: key.to_owned() };
        self.find(LintCode::InlineSecret, subject.clone());
        self.check_value(key, value, |_| subject.clone());
    }

    fn check_value(&mut self, name: &str, value: &SecretValue, of: impl Fn(String) -> Subject) {
        let is_foreign = |code: &LintCode| match code {
            LintCode::ProductionValue => self.environment == Environment::Production,
            LintCode::TestValue => self.environment != Environment::Production,
            _ => false,
        };
        let whole = value::codes_of_whole(value);
        let looks = origin::codes(value).filter(|code| !is_foreign(code));
        let mut found: Vec<_> = whole.chain(looks).map(|code| (code, of(String::new()))).collect();
        let parts = parts::of(name, value);
        if parts.is_cut {
            found.push((LintCode::Incomplete, of(String::new())));
        }
        for part in parts.all {
            let subject = of(part.label);
            found.extend(value::codes_of_part(&part.value).map(|code| (code, subject.clone())));
            self.duplicates.add(&part.value, subject);
        }
        found.into_iter().for_each(|(code, subject)| self.find(code, subject));
    }

    fn check_expiry(&mut self, name: &str, expires: Option<SystemTime>) {
        let Some(expires) = expires else { return };
        let now = self.clock.now();
        if expires <= now {
            self.find(LintCode::Expired, Subject::secret(name));
        } else if expires.duration_since(now).is_ok_and(|left| left <= self.expires_within) {
            self.find(LintCode::ExpiresSoon, Subject::secret(name));
        }
    }

    /// Looks at who may read and write a file that holds secrets, or all files of a folder, eight
    /// folders deep and 10,000 files and folders at most; that there is more is a finding. Links are
    /// followed to files, not to folders. Only mode and owner are looked at, on Unix; nothing is opened.
    pub fn check_path(&mut self, path: impl AsRef<Path>) {
        let seen = files::look_at(path.as_ref());
        self.looked_at += seen.looked_at;
        for (code, path) in seen.findings {
            self.find(code, Subject::File { path });
        }
    }

    /// Looks for secrets that stand in a file of settings or variables (TOML, YAML, JSON, `.env`) where a
    /// reference to a secret could stand: by the names of settings, and by the marks that keys of
    /// many vendors bear. Line by line, without reading the format; a file of more than 1 MiB is not
    /// looked at, which is a finding.
    pub fn check_settings_file(&mut self, path: impl AsRef<Path>) {
        self.looked_at += 1;
        let path = path.as_ref();
        let Some(found) = settings_file::look_at(path) else {
            return self.find(LintCode::Unreadable, Subject::File { path: path.to_owned() });
        };
        for (line, key) in found {
            let subject = Subject::Setting { path: path.to_owned(), line, key };
            self.find(LintCode::InlineSecret, subject);
        }
    }

    fn find(&mut self, code: LintCode, subject: Subject) {
        let severity = code.severity(self.environment);
        self.findings.push(Finding { severity, code, subject, others: Vec::new() });
    }

    /// What was found, without what is suppressed.
    pub fn finish(mut self) -> LintReport {
        for (subject, others) in std::mem::take(&mut self.duplicates).groups() {
            let code = LintCode::Duplicate;
            let severity = code.severity(self.environment);
            self.findings.push(Finding { severity, code, subject, others });
        }
        let (mut idle, mut suppressed) = (vec![true; self.suppressions.len()], 0);
        let mut findings = std::mem::take(&mut self.findings);
        findings.retain(|finding| {
            let mut is_kept = true;
            for (known, idle) in self.suppressions.iter().zip(&mut idle) {
                if known.covers(finding) {
                    (is_kept, *idle) = (false, false);
                }
            }
            suppressed += usize::from(!is_kept);
            is_kept
        });
        let idle = self.suppressions.iter().zip(idle).filter(|(_, idle)| *idle);
        findings.extend(idle.map(|(known, _)| Finding {
            severity: LintCode::IdleSuppression.severity(self.environment),
            code: LintCode::IdleSuppression,
            subject: Subject::secret(known.name()),
            others: Vec::new(),
        }));
        findings.sort_by(|a, b| {
            let by = |f: &Finding| (f.code, f.subject.clone());
            b.severity.cmp(&a.severity).then_with(|| by(a).cmp(&by(b)))
        });
        LintReport { findings, suppressed, looked_at: self.looked_at }
    }
}

/// Shows how much was looked at and found.
impl fmt::Debug for Linter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linter")
            .field("environment", &self.environment)
            .field("looked_at", &self.looked_at)
            .field("findings", &self.findings.len())
            .finish_non_exhaustive()
    }
}
