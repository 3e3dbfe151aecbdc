use std::fmt;
use std::sync::Arc;

use aws_sdk_kms::Client;
use secrets_core::{
    Error, ErrorKind, KeyCapabilities, KeyRef, Operation, ProviderId, Result, SignerCapabilities,
    Support,
};

use super::named::Target;
use crate::config::{AccountId, Partition};
use crate::wire::{AwsClients, Route};

/// The longest plaintext of `Encrypt` with a symmetric key, in bytes (API reference, `Encrypt`).
pub(super) const MOST_PLAINTEXT: usize = 4096;

/// Keys in AWS KMS: they wrap data keys and sign, and never leave it. Clones share everything.
///
/// A key is named by its id, its ARN, an alias (`alias/billing`) or an alias's ARN; an ARN decides on
/// account and region. What comes back names the ARN of the key that answered, never the alias.
///
/// A wrapped key and a signature name their key, and lie where data lies. Whoever may write there can
/// name a key of an account of his own that he lets everybody use, and have the service take a data
/// key that he chose. [`only_in_accounts`](Self::only_in_accounts) refuses such names before any call.
///
/// Every call of a contract's operation is one request, but for rewrapping across regions or
/// accounts, which is unwrapping and wrapping.
///
/// The context of a wrapped key is sent as KMS's encryption context. **CloudTrail shows it in the
/// clear**, so no secret belongs into it. Plaintext keys are in buffers of their exact size that are
/// wiped; buffers of the SDK and of TLS are outside of that.
///
/// ```no_run
/// use secrets_aws::secrets_core::{KeyLen, KeyProvider as _, KeyRef, WrapContext};
/// use secrets_aws::{AwsClients, AwsConfig, KmsProvider};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = KmsProvider::new(&AwsClients::connect(AwsConfig::default()).await?);
/// let (key, context) = (KeyRef::new("alias/billing")?, WrapContext::new().with("tenant", "acme")?);
/// let (data_key, wrapped) = keys.generate_data_key(&key, KeyLen::Bits256, &context).await?;
/// // Encrypt with `data_key`, and keep `wrapped.to_bytes()` beside the ciphertext.
/// let opened = keys.unwrap_key(&wrapped, &context).await?;
/// assert_eq!(opened.expose_secret(), data_key.expose_secret());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct KmsProvider {
    shared: Arc<Shared>,
    grant_tokens: Arc<[GrantToken]>,
    /// Whose keys are used; everybody's where there is none.
    accounts: Option<Arc<[AccountId]>>,
}

struct Shared {
    clients: AwsClients,
    id: ProviderId,
    keys: KeyCapabilities,
    signer: SignerCapabilities,
}

/// Proof of a grant that was just made, for use until AWS has told it everywhere: some minutes. Not a
/// secret: nobody but the grant's principal can use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantToken(Box<str>);

impl GrantToken {
    /// The `GrantToken` of `CreateGrant`.
    ///
    /// # Errors
    /// `InvalidValue` when it is not 1 to 8,192 graphic ASCII characters (API reference,
    /// `GrantTokens`).
    pub fn new(token: &str) -> Result<Self> {
        let is_sound =
            (1..=8192).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        is_sound
            .then(|| Self(token.into()))
            .ok_or_else(|| Error::new(ErrorKind::InvalidValue, "not a grant token"))
    }
}

impl KmsProvider {
    /// Over these clients.
    pub fn new(clients: &AwsClients) -> Self {
        let mut keys = KeyCapabilities::native(MOST_PLAINTEXT);
        // `DescribeKey` tells what is current; `Encrypt` does not tell what it took.
        keys.wrapping_version = Support::Emulated;
        keys.version_of_wrapped = Support::No;
        let id = ProviderId::new("aws-kms", clients.region(), &clients.acts_as());
        let (clients, signer) = (clients.clone(), SignerCapabilities::new(Support::Native));
        let shared = Shared { clients, id, keys, signer };
        Self { shared: Arc::new(shared), grant_tokens: Arc::new([]), accounts: None }
    }

    /// The same keys, with these grant tokens sent along (at most ten; AWS refuses more).
    #[must_use]
    pub fn with_grant_tokens(&self, tokens: impl IntoIterator<Item = GrantToken>) -> Self {
        Self { grant_tokens: tokens.into_iter().collect(), ..self.clone() }
    }

    /// The same keys, and none of other accounts: an ARN of another one is `PermissionDenied` before
    /// any call, whether it names a key to use or stands in a wrapped key or a signature. Ids and
    /// aliases without an account are the service's own.
    #[must_use]
    pub fn only_in_accounts(&self, accounts: impl IntoIterator<Item = AccountId>) -> Self {
        Self { accounts: Some(accounts.into_iter().collect()), ..self.clone() }
    }

    pub(super) fn id(&self) -> &ProviderId {
        &self.shared.id
    }

    pub(super) fn capabilities(&self) -> &KeyCapabilities {
        &self.shared.keys
    }

    pub(super) fn signing(&self) -> &SignerCapabilities {
        &self.shared.signer
    }

    /// The region that is meant where a name tells none.
    pub(super) fn region(&self) -> &str {
        self.shared.clients.region()
    }

    /// As the SDK takes them: `None` when there are none.
    pub(super) fn tokens(&self) -> Option<Vec<String>> {
        let tokens: Vec<String> =
            self.grant_tokens.iter().map(|token| token.0.to_string()).collect();
        (!tokens.is_empty()).then_some(tokens)
    }

    pub(super) fn client(&self, route: Route<'_>) -> Result<Client> {
        self.shared.clients.kms(route)
    }

    /// Whom to ask of this key, and by what name.
    pub(super) fn at<'k>(
        &self,
        key: &'k KeyRef,
        operation: impl Into<Option<Operation>>,
    ) -> Result<(Client, Target<'k>)> {
        let found = Target::of(key).and_then(|target| {
            self.check(&target)?;
            let client = self.client(target.route())?;
            Ok((client, target))
        });
        found.map_err(|error| match operation.into() {
            Some(operation) => error.with_operation(operation),
            None => error,
        })
    }
}

impl KmsProvider {
    /// What an ARN says, which anybody may have written.
    fn check(&self, target: &Target<'_>) -> Result<()> {
        let Some(partition) = target.partition() else { return Ok(()) };
        let own = self.shared.clients.partition();
        if Partition::of_arn(partition) != Some(own) {
            let message = format!("the ARN of the key is of another partition than `{own}`");
            return Err(Error::new(ErrorKind::InvalidValue, message));
        }
        let Some(accounts) = &self.accounts else { return Ok(()) };
        let account = target.route().account;
        if account.is_some_and(|account| accounts.iter().any(|own| own.as_str() == account)) {
            return Ok(());
        }
        let message = "the key is in an account whose keys are not used here";
        Err(Error::new(ErrorKind::PermissionDenied, message))
    }
}

impl fmt::Debug for KmsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsProvider")
            .field("id", &self.shared.id.to_string())
            .field("grant_tokens", &self.grant_tokens.len())
            .field("accounts", &self.accounts)
            .finish_non_exhaustive()
    }
}
