//! What can happen, and which class of OCSF that is.

use request_context::{Code, Id, UserKind};

/// A class of events (OCSF `class_uid`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Class {
    /// 1008: what the trail says of itself.
    EventLogActivity,
    /// 3001.
    AccountChange,
    /// 3002.
    Authentication,
    /// 3003.
    AuthorizeSession,
    /// 3004.
    EntityManagement,
    /// 6003.
    ApiActivity,
}

impl Class {
    /// All that an application may record.
    pub const ALL: [Self; 5] = [
        Self::AccountChange,
        Self::Authentication,
        Self::AuthorizeSession,
        Self::EntityManagement,
        Self::ApiActivity,
    ];

    /// The number of the class.
    #[must_use]
    pub const fn uid(self) -> u32 {
        match self {
            Self::EventLogActivity => 1008,
            Self::AccountChange => 3001,
            Self::Authentication => 3002,
            Self::AuthorizeSession => 3003,
            Self::EntityManagement => 3004,
            Self::ApiActivity => 6003,
        }
    }

    /// The number of its category, the thousands of the class.
    #[must_use]
    pub const fn category_uid(self) -> u32 {
        self.uid() / 1000
    }

    /// The name of the class.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EventLogActivity => "Event Log Activity",
            Self::AccountChange => "Account Change",
            Self::Authentication => "Authentication",
            Self::AuthorizeSession => "Authorize Session",
            Self::EntityManagement => "Entity Management",
            Self::ApiActivity => "API Activity",
        }
    }
}

/// What somebody did, with what its class requires to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Something was done to an account: 3001.
    Account {
        /// What.
        activity: AccountActivity,
        /// To whose.
        user: User,
    },
    /// Somebody proved, or tried to prove, who they are: 3002.
    Authentication {
        /// What.
        activity: AuthenticationActivity,
        /// As whom; the id that was claimed where it failed.
        user: User,
        /// To which service.
        service: Code,
        /// By which protocol.
        protocol: Option<AuthProtocol>,
        /// Whether more than one factor was asked for.
        is_mfa: Option<bool>,
        /// The session that began or ended.
        session: Option<Id>,
    },
    /// Somebody was given rights for a session: 3003.
    Authorization {
        /// Who.
        user: User,
        /// What they may do now.
        grant: Grant,
        /// For which session.
        session: Option<Id>,
    },
    /// Something that is managed was read or changed: 3004. Secrets and keys are such things.
    Entity {
        /// What was done.
        activity: EntityActivity,
        /// To what.
        entity: Entity,
        /// What it is afterwards, where that is another thing: a new version, a new name.
        result: Option<Entity>,
    },
    /// A call of an interface: 6003.
    Api {
        /// What sort of call.
        activity: ApiActivity,
        /// Which operation.
        operation: Code,
        /// Of which service.
        service: Code,
        /// What it was about.
        resources: Vec<Entity>,
    },
}

impl Action {
    /// An authentication of which nothing else is known.
    #[must_use]
    pub const fn authentication(
        activity: AuthenticationActivity,
        user: User,
        service: Code,
    ) -> Self {
        let (protocol, is_mfa, session) = (None, None, None);
        Self::Authentication { activity, user, service, protocol, is_mfa, session }
    }

    /// Something done to a thing, which stays what it is.
    #[must_use]
    pub const fn entity(activity: EntityActivity, entity: Entity) -> Self {
        Self::Entity { activity, entity, result: None }
    }

    /// Its class.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Account { .. } => Class::AccountChange,
            Self::Authentication { .. } => Class::Authentication,
            Self::Authorization { .. } => Class::AuthorizeSession,
            Self::Entity { .. } => Class::EntityManagement,
            Self::Api { .. } => Class::ApiActivity,
        }
    }

    /// The number of the activity within its class (OCSF `activity_id`).
    #[must_use]
    pub const fn activity_id(&self) -> u8 {
        match self {
            Self::Account { activity, .. } => activity.id(),
            Self::Authentication { activity, .. } => activity.id(),
            Self::Authorization { grant, .. } => match grant {
                Grant::Privileges(_) => 1,
                Grant::Group(_) => 2,
            },
            Self::Entity { activity, .. } => activity.id(),
            Self::Api { activity, .. } => activity.id(),
        }
    }

    /// The name of the activity, as OCSF has it.
    #[must_use]
    pub const fn activity_name(&self) -> &'static str {
        match self {
            Self::Account { activity, .. } => activity.name(),
            Self::Authentication { activity, .. } => activity.name(),
            Self::Authorization { grant, .. } => match grant {
                Grant::Privileges(_) => "Assign Privileges",
                Grant::Group(_) => "Assign Groups",
            },
            Self::Entity { activity, .. } => activity.name(),
            Self::Api { activity, .. } => activity.name(),
        }
    }
}

/// An account that something is done to, or that somebody claims.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// What kind of account.
    pub kind: UserKind,
    /// Its id.
    pub id: Id,
}

impl User {
    /// An account.
    #[must_use]
    pub const fn new(kind: UserKind, id: Id) -> Self {
        Self { kind, id }
    }
}

/// A thing that is managed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entity {
    /// What kind of thing: `secret`, `key`, `policy`.
    pub kind: Code,
    /// Which.
    pub id: Id,
    /// Which version of it.
    pub version: Option<Id>,
    /// Where it is kept, when there are several places: a vault, an account, a file.
    pub store: Option<Id>,
}

impl Entity {
    /// A thing of a kind.
    #[must_use]
    pub const fn new(kind: Code, id: Id) -> Self {
        Self { kind, id, version: None, store: None }
    }

    /// This version of it.
    #[must_use]
    pub fn with_version(mut self, version: Id) -> Self {
        self.version = Some(version);
        self
    }

    /// Kept there.
    #[must_use]
    pub fn with_store(mut self, store: Id) -> Self {
        self.store = Some(store);
        self
    }
}

/// What somebody may do for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// These privileges.
    Privileges(Vec<Id>),
    /// What this group may.
    Group(Id),
}

/// Activities of one class with their numbers and names in OCSF.
macro_rules! activities {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $id:literal $caption:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$each])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The number in OCSF.
            #[must_use]
            pub const fn id(self) -> u8 {
                match self { $(Self::$variant => $id,)+ }
            }

            /// The name in OCSF.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $caption,)+ }
            }
        }
    };
}

activities! {
    /// What is done to an account.
    AccountActivity {
        /// It was created.
        Create = 1 "Create",
        /// It may be used again.
        Enable = 2 "Enable",
        /// Its owner changed the password.
        PasswordChange = 3 "Password Change",
        /// Somebody else reset the password.
        PasswordReset = 4 "Password Reset",
        /// It may not be used.
        Disable = 5 "Disable",
        /// It was deleted.
        Delete = 6 "Delete",
        /// A policy holds for it.
        AttachPolicy = 7 "Attach Policy",
        /// A policy no longer holds for it.
        DetachPolicy = 8 "Detach Policy",
        /// It is locked out.
        Lock = 9 "Lock",
        /// It has one more factor.
        MfaFactorEnable = 10 "MFA Factor Enable",
        /// It has one factor less.
        MfaFactorDisable = 11 "MFA Factor Disable",
        /// It is no longer locked out.
        Unlock = 12 "Unlock",
    }
}

activities! {
    /// How somebody proves who they are.
    AuthenticationActivity {
        /// A session begins.
        Logon = 1 "Logon",
        /// A session ends.
        Logoff = 2 "Logoff",
        /// A ticket or token was asked for.
        AuthenticationTicket = 3 "Authentication Ticket",
        /// A token for a service was asked for.
        ServiceTicketRequest = 4 "Service Ticket Request",
        /// A token was renewed.
        ServiceTicketRenew = 5 "Service Ticket Renew",
        /// A first step, before anything is issued.
        Preauth = 6 "Preauth",
        /// The session acts as somebody else from now on.
        AccountSwitch = 7 "Account Switch",
    }
}

activities! {
    /// What is done to a thing that is managed.
    EntityActivity {
        /// It was created.
        Create = 1 "Create",
        /// It was read.
        Read = 2 "Read",
        /// It was changed.
        Update = 3 "Update",
        /// It was deleted.
        Delete = 4 "Delete",
        /// It has another name or place.
        Move = 5 "Move",
        /// It is managed from now on.
        Enroll = 6 "Enroll",
        /// It is no longer managed.
        Unenroll = 7 "Unenroll",
        /// It may be used again, until somebody says otherwise.
        Enable = 8 "Enable",
        /// It may not be used, until somebody says otherwise.
        Disable = 9 "Disable",
        /// It is in use from now on.
        Activate = 10 "Activate",
        /// It is no longer in use.
        Deactivate = 11 "Deactivate",
        /// It is out of use for a while.
        Suspend = 12 "Suspend",
        /// It is in use again.
        Resume = 13 "Resume",
    }
}

activities! {
    /// What a call does.
    ApiActivity {
        /// It creates.
        Create = 1 "Create",
        /// It reads.
        Read = 2 "Read",
        /// It changes.
        Update = 3 "Update",
        /// It deletes.
        Delete = 4 "Delete",
    }
}

activities! {
    /// By which protocol somebody authenticates (OCSF `auth_protocol_id`).
    AuthProtocol {
        /// OpenID Connect.
        OpenId = 4 "OpenID",
        /// SAML.
        Saml = 5 "SAML",
        /// OAuth 2.0.
        OAuth2 = 6 "OAUTH 2.0",
        /// HTTP Basic (RFC 7617).
        Basic = 11 "Basic Authentication",
        /// LDAP.
        Ldap = 12 "LDAP",
    }
}
