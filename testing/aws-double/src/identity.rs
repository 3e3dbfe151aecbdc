//! Who may sign: access keys and what they stand for.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use crate::{policy::Policy, random};

/// What a client signs with. The double made them up; they open nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
}

impl Credentials {
    /// The access key id: `AKIA…` of a user, `ASIA…` of a session.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The secret access key.
    #[must_use]
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// The session token of temporary credentials.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }
}

/// Shows the access key alone.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// What an access key stands for.
#[derive(Clone)]
pub(crate) struct Identity {
    /// 12 digits.
    pub(crate) account: String,
    /// `arn:aws:iam::…:user/…` or `arn:aws:sts::…:assumed-role/ROLE/SESSION`.
    pub(crate) principal: String,
    /// The ARN that policies are attached to: the user's, or the role's of a session.
    pub(crate) holder: String,
    /// What the session is narrowed to.
    pub(crate) session_policy: Option<Policy>,
    /// When it begins to be valid.
    pub(crate) not_before: Option<SystemTime>,
    /// When it ends.
    pub(crate) expires: Option<SystemTime>,
    pub(crate) credentials: Credentials,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("account", &self.account)
            .field("principal", &self.principal)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// A session to be issued: everything but the keys.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) account: String,
    pub(crate) principal: String,
    pub(crate) holder: String,
    pub(crate) session_policy: Option<Policy>,
    pub(crate) not_before: Option<SystemTime>,
    pub(crate) expires: SystemTime,
}

/// The access keys that a double knows.
///
/// Clones are the same table.
#[derive(Clone, Default)]
pub struct Identities {
    known: Arc<Mutex<HashMap<String, Arc<Identity>>>>,
}

impl Identities {
    /// Makes a user of an account (12 digits) with an access key. It may do everything in its account until
    /// [`Grants`](crate::Grants) say otherwise.
    #[must_use]
    pub fn user(&self, account: &str, name: &str) -> Credentials {
        self.insert_user(account, name, mint("AKIA", false))
    }

    /// The same with an access key that is known beforehand.
    #[must_use]
    pub fn user_with_key(
        &self,
        account: &str,
        name: &str,
        access_key: &str,
        secret_key: &str,
    ) -> Credentials {
        let credentials = Credentials {
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            session_token: None,
        };
        self.insert_user(account, name, credentials)
    }

    /// Forgets an access key: its signatures are refused from now on.
    pub fn revoke(&self, access_key: &str) {
        self.known().remove(access_key);
    }

    /// Issues temporary credentials.
    pub(crate) fn issue(&self, session: Session) -> Credentials {
        self.insert(Identity {
            account: session.account,
            principal: session.principal,
            holder: session.holder,
            session_policy: session.session_policy,
            not_before: session.not_before,
            expires: Some(session.expires),
            credentials: mint("ASIA", true),
        })
    }

    fn insert_user(&self, account: &str, name: &str, credentials: Credentials) -> Credentials {
        let principal = format!("arn:aws:iam::{account}:user/{name}");
        self.insert(Identity {
            account: account.to_owned(),
            holder: principal.clone(),
            principal,
            session_policy: None,
            not_before: None,
            expires: None,
            credentials,
        })
    }

    pub(crate) fn find(&self, access_key: &str) -> Option<Arc<Identity>> {
        self.known().get(access_key).cloned()
    }

    fn insert(&self, identity: Identity) -> Credentials {
        let credentials = identity.credentials.clone();
        self.known().insert(credentials.access_key.clone(), Arc::new(identity));
        credentials
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<Identity>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").field("known", &self.known().len()).finish_non_exhaustive()
    }
}

/// Keys of AWS's shape: 20 and 40 characters.
fn mint(prefix: &str, with_token: bool) -> Credentials {
    const ID: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const KEY: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    Credentials {
        access_key: format!("{prefix}{}", random::text(ID, 16)),
        secret_key: random::text(KEY, 40),
        session_token: with_token.then(|| random::text(KEY, 256)),
    }
}
