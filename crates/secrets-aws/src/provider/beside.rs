use secrets_core::{
    Effect, ErrorKind, Operation, Precondition, Result, SecretProvider, SecretRef, SecretValue,
    SetOptions, VersionInfo, WriteStage,
};

use crate::error::{Call, send};
use crate::provider::SecretsManagerProvider;
use crate::provider::metadata::tags;
use crate::provider::session::{Described, Session};
use crate::wire::Route;

/// What AWS makes a password of.
///
/// ```
/// use secrets_aws::PasswordRules;
///
/// let rules = PasswordRules::of_length(24).without_punctuation().without_characters("0O1l");
/// # let _ = rules;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct PasswordRules {
    length: u16,
    exclude: String,
    punctuation: bool,
    spaces: bool,
}

impl PasswordRules {
    /// So many characters, 1 to 4,096, of letters, digits and punctuation, one of each sort at
    /// least (API reference, `GetRandomPassword`).
    pub fn of_length(length: u16) -> Self {
        Self { length, exclude: String::new(), punctuation: true, spaces: false }
    }

    /// None of these characters.
    pub fn without_characters(mut self, characters: &str) -> Self {
        self.exclude = characters.to_owned();
        self
    }

    /// Letters and digits alone.
    pub fn without_punctuation(mut self) -> Self {
        self.punctuation = false;
        self
    }

    /// Spaces, too.
    pub fn with_spaces(mut self) -> Self {
        self.spaces = true;
        self
    }
}

impl SecretsManagerProvider {
    /// A password of AWS's making. Nothing is stored.
    ///
    /// # Errors
    /// `InvalidValue` for rules that leave no characters; `PermissionDenied`.
    pub async fn random_password(&self, rules: &PasswordRules) -> Result<SecretValue> {
        let client = self.clients().secrets_manager(Route::default())?;
        let exclude = (!rules.exclude.is_empty()).then(|| rules.exclude.clone());
        let call = Call::read(None, "GetRandomPassword");
        let request = client
            .get_random_password()
            .password_length(i64::from(rules.length))
            .set_exclude_characters(exclude)
            .exclude_punctuation(!rules.punctuation)
            .include_space(rules.spaces)
            .require_each_included_type(true);
        let output = send!(call, request)?;
        let password = output
            .random_password
            .ok_or_else(|| call.own(ErrorKind::Internal, "the answer has no password"))?;
        Ok(SecretValue::from_string(password))
    }

    /// The KMS key that new versions of a secret are encrypted with: an id, an ARN or an alias;
    /// `None` where it is the account's `aws/secretsmanager`.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`.
    pub async fn kms_key_of(&self, reference: &SecretRef) -> Result<Option<String>> {
        let session = self.session_for(reference, None)?;
        let described = session.describe().await.map_err(|failure| session.told(failure))?;
        Ok(described.0.kms_key_id.filter(|key| !key.is_empty()))
    }

    /// Changes the KMS key of a secret. AWS re-encrypts the versions that have a stage, where the
    /// caller may use the new key to encrypt and the old one to decrypt.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied` where the key cannot be used, `InvalidValue`.
    pub async fn set_kms_key_of(&self, reference: &SecretRef, key: Option<&str>) -> Result<()> {
        let session = self.session_for(reference, None)?;
        let call = session.write("UpdateSecret");
        let request = session.client.update_secret().secret_id(session.id());
        // "If you set this to an empty string, Secrets Manager uses the key aws/secretsmanager".
        let request = request.kms_key_id(key.unwrap_or_default());
        send!(call, request).map(drop).map_err(|failure| session.told(failure))
    }

    /// Takes the scheduled deletion of a secret back and writes a value, which `set_secret` refuses
    /// with `PendingDeletion`: a name whose secret somebody deleted is in use again, with its
    /// history, tags and policy. A secret that is not deleted is written all the same.
    ///
    /// A write that would be refused on the restored secret is refused before: what was deleted is not
    /// readable again for nothing.
    ///
    /// # Errors
    /// Those of `set_secret`; `Effect::Partial` where the secret is restored and not written.
    pub async fn restore_and_set(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        match self.set_secret(reference, value.clone(), options.clone()).await {
            Err(error) if error.kind() == ErrorKind::PendingDeletion => {}
            written => return written,
        }
        let session = self.session(reference, Operation::SetSecret)?;
        let described = session.describe().await.map_err(|failure| session.told(failure))?;
        session.check_restored(&described, &options)?;
        session.restore().await?;
        let mut patience = self.patience();
        let written = loop {
            match self.set_secret(reference, value.clone(), options.clone()).await {
                // Reads may not show the restored secret yet.
                Err(error)
                    if error.kind() == ErrorKind::PendingDeletion && patience.wait().await => {}
                written => break written,
            }
        };
        written.map_err(|error| match error.effect() {
            Effect::NotApplied => error.with_effect(Effect::Partial),
            _ => error,
        })
    }
}

impl Session {
    /// Refuses what would be refused of a write once the secret is restored.
    fn check_restored(&self, described: &Described, options: &SetOptions) -> Result<()> {
        self.check_patch(&tags(described), &options.metadata)?;
        let token = options.token.as_ref().map(|token| token.as_str());
        match &options.precondition {
            Precondition::Absent => {
                return Err(self.error(ErrorKind::AlreadyExists, "the secret exists"));
            }
            Precondition::CurrentIs(base) => {
                let current = described.current();
                if current != Some(base.as_str()) && (current.is_none() || current != token) {
                    return Err(self.conflict("the base is not current"));
                }
            }
            _ => {}
        }
        if options.stage == WriteStage::Pending && described.current().is_none() {
            return Err(self.not_found("the secret has no current version"));
        }
        Ok(())
    }
}
