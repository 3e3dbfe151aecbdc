use secrets_core::{ErrorKind, Result};

use super::Route;
use super::clients::AwsClients;
use crate::config::AccountId;
use crate::error::{Call, send};

/// Whom AWS takes the service for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The account that it belongs to.
    pub account: AccountId,
    /// The user or the session of a role.
    pub arn: String,
}

impl AwsClients {
    /// Asks STS whom it takes the service for: a check at start-up that the identity and all its
    /// roles work. It needs no permission.
    ///
    /// # Errors
    /// `Unauthenticated` when there are no credentials, with the link of the chain that failed;
    /// `Unavailable`, `Timeout` or `Throttled` when STS could not say.
    pub async fn caller(&self) -> Result<Caller> {
        self.ask(None).await
    }

    /// The same for what the service is in one of the configured accounts; in any other it is who it
    /// is.
    ///
    /// # Errors
    /// As [`caller`](Self::caller).
    pub async fn caller_in(&self, account: &AccountId) -> Result<Caller> {
        self.ask(Some(account)).await
    }

    async fn ask(&self, account: Option<&AccountId>) -> Result<Caller> {
        let account = account.map(AccountId::as_str);
        let client = self.sts(Route { account, region: None })?;
        let call = Call::read(None, "GetCallerIdentity");
        let answer = send!(call, client.get_caller_identity())?;
        let account = answer.account.as_deref().and_then(|digits| AccountId::new(digits).ok());
        match (account, answer.arn) {
            (Some(account), Some(arn)) => Ok(Caller { account, arn }),
            _ => Err(call.own(ErrorKind::Unavailable, "what answered is not STS")),
        }
    }
}
