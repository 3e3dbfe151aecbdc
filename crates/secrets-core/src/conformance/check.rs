use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::capability::{Capabilities, Cas, Staging, Support};

use super::harness::Hook;

/// One item of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// The stable name, `subject.item`.
    pub id: &'static str,
    /// What it finds out.
    pub title: &'static str,
    /// The rule of the contract that it proves.
    pub rule: &'static str,
}

/// A declaration in [`Capabilities`] that decides which checks apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// `write`
    Write,
    /// `staging`
    Staging,
    /// `previous`
    Previous,
    /// `versions`
    Versions,
    /// `cas.set`
    CasSet,
    /// `cas.promote`
    CasPromote,
    /// `cas.metadata`
    CasMetadata,
    /// `idempotency`
    Idempotency,
    /// `list`
    List,
    /// `describe`
    Describe,
    /// `tags`
    Tags,
    /// `validity`
    Validity,
    /// `delete`
    Delete,
    /// `recover`
    Recover,
    /// `disable`
    Disable,
    /// `destroy`
    Destroy,
    /// `changes`
    Changes,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Write,
        Self::Staging,
        Self::Previous,
        Self::Versions,
        Self::CasSet,
        Self::CasPromote,
        Self::CasMetadata,
        Self::Idempotency,
        Self::List,
        Self::Describe,
        Self::Tags,
        Self::Validity,
        Self::Delete,
        Self::Recover,
        Self::Disable,
        Self::Destroy,
        Self::Changes,
    ];

    /// The field of [`Capabilities`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Staging => "staging",
            Self::Previous => "previous",
            Self::Versions => "versions",
            Self::CasSet => "cas.set",
            Self::CasPromote => "cas.promote",
            Self::CasMetadata => "cas.metadata",
            Self::Idempotency => "idempotency",
            Self::List => "list",
            Self::Describe => "describe",
            Self::Tags => "tags",
            Self::Validity => "validity",
            Self::Delete => "delete",
            Self::Recover => "recover",
            Self::Disable => "disable",
            Self::Destroy => "destroy",
            Self::Changes => "changes",
        }
    }

    /// Whether it is declared, natively or emulated.
    pub fn is_declared(self, by: &Capabilities) -> bool {
        match self {
            Self::Staging => by.staging != Staging::No,
            Self::CasSet => by.cas.set != Cas::No,
            Self::CasPromote => by.cas.promote != Cas::No,
            Self::CasMetadata => by.cas.metadata != Cas::No,
            _ => self.support(by).is_available(),
        }
    }

    fn support(self, by: &Capabilities) -> Support {
        match self {
            Self::Write => by.write,
            Self::Previous => by.previous,
            Self::Versions => by.versions,
            Self::Idempotency => by.idempotency,
            Self::List => by.list,
            Self::Describe => by.describe,
            Self::Tags => by.tags,
            Self::Validity => by.validity,
            Self::Delete => by.delete,
            Self::Recover => by.recover,
            Self::Disable => by.disable,
            Self::Destroy => by.destroy,
            Self::Changes => by.changes,
            Self::Staging | Self::CasSet | Self::CasPromote | Self::CasMetadata => Support::No,
        }
    }
}

/// What was expected and what was seen instead. Values are never quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What the suite was doing.
    pub step: Cow<'static, str>,
    /// What the rule demands.
    pub expected: Cow<'static, str>,
    /// What happened instead.
    pub seen: Cow<'static, str>,
}

impl Failure {
    /// A provider under test may put a secret into an error, which the report must not repeat.
    pub(super) fn without_secrets(mut self, shows: impl Fn(&str) -> bool) -> Self {
        for text in [&mut self.step, &mut self.expected, &mut self.seen] {
            if shows(text) {
                *text = "(withheld: the text holds a planted secret)".into();
            }
        }
        self
    }
}

/// Why a check says nothing about this provider.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Because {
    /// The provider does not declare this capability.
    NotDeclared(Capability),
    /// The provider declares it, and the check is about those that do not.
    Declared(Capability),
    /// Something else about the backend.
    Shape(&'static str),
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDeclared(capability) => write!(f, "`{}` is No", capability.as_str()),
            Self::Declared(capability) => write!(f, "`{}` is declared", capability.as_str()),
            Self::Shape(reason) => f.write_str(reason),
        }
    }
}

/// Ends a check before its end.
#[derive(Debug)]
pub(super) enum Stop {
    Failed(Failure),
    NotApplicable(Because),
    NotRun(Hook),
}

impl Stop {
    pub(super) fn failed(
        step: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
        seen: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Failed(Failure { step: step.into(), expected: expected.into(), seen: seen.into() })
    }
}

pub(super) type Verdict<T = ()> = Result<T, Stop>;

/// What a check asks of the provider and the harness.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    /// The capability is declared.
    Has(Capability),
    /// It is declared No.
    Lacks(Capability),
    /// The harness has the hook.
    Hook(Hook),
    /// Values can be put there, by the provider or by the plain writer.
    Seed,
}

pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// A check with what it takes to run it; `F` is the function that does.
pub(super) struct Item<F> {
    pub(super) check: Check,
    pub(super) needs: &'static [Need],
    pub(super) run: F,
}

/// Writes the table of a module: identifier, function, needs, title, rule.
macro_rules! checks {
    ($item:ty; $($id:literal, $run:ident, [$($need:expr),*], $title:literal, $rule:literal;)+) => {
        pub(super) const CHECKS: &[$item] = &[$(
            $crate::conformance::check::Item {
                check: $crate::conformance::check::Check { id: $id, title: $title, rule: $rule },
                needs: &[$($need),*],
                run: |context| Box::pin($run(context)),
            },
        )+];
    };
}
pub(super) use checks;
