//! Random calls against a small model of the contract.

use std::collections::BTreeSet;

use proptest::prelude::*;
use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    DeleteMode, ErrorKind, Precondition, Result, SecretProvider, SecretRef, SetOptions, VersionId,
    VersionSelector,
};

use super::support::{get, name, token, value};

/// One call; texts are numbered, so that each is written once.
#[derive(Debug, Clone, Copy)]
enum Call {
    Set,
    SetAbsent,
    SetOver { current: bool },
    SetPending,
    Promote { pending: bool, base: bool },
    PromoteAgain,
    Discard { pending: bool },
    Foreign,
    Delete,
    Restore,
    DeleteForGood,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => Just(Call::Set),
        1 => Just(Call::SetAbsent),
        2 => any::<bool>().prop_map(|current| Call::SetOver { current }),
        4 => Just(Call::SetPending),
        4 => (prop::bool::weighted(0.8), prop::bool::weighted(0.8))
            .prop_map(|(pending, base)| Call::Promote { pending, base }),
        1 => Just(Call::PromoteAgain),
        2 => prop::bool::weighted(0.7).prop_map(|pending| Call::Discard { pending }),
        2 => Just(Call::Foreign),
        1 => Just(Call::Delete),
        2 => Just(Call::Restore),
        1 => Just(Call::DeleteForGood),
    ]
}

type Known = Option<(VersionId, String)>;

/// What the contract says there is.
#[derive(Debug, Default, Clone)]
struct Model {
    current: Known,
    previous: Known,
    pending: Known,
    deleted: bool,
    /// The last promotion: its arguments, and what it answered.
    promoted: Option<(VersionId, VersionId, secrets_core::Promoted, u8)>,
}

struct World {
    personality: Personality,
    provider: MemoryProvider,
    db: SecretRef,
    model: Model,
    written: u8,
    /// Every text that was current at some time, and every id that was given out.
    shown: BTreeSet<String>,
    ids: BTreeSet<VersionId>,
}

impl World {
    fn new(personality: Personality) -> Self {
        Self {
            personality,
            provider: MemoryProvider::new(personality),
            db: name("billing/db"),
            model: Model::default(),
            written: 0,
            shown: BTreeSet::new(),
            ids: BTreeSet::new(),
        }
    }

    fn text(&mut self) -> String {
        self.written += 1;
        format!("value {}", self.written)
    }

    fn make_current(&mut self, id: VersionId, text: String) {
        self.shown.insert(text.clone());
        self.model.previous = self.model.current.replace((id, text));
    }

    fn exists(&self) -> bool {
        self.model.current.is_some() && !self.model.deleted
    }

    /// What a call on a secret that is not there answers.
    fn absence(&self) -> ErrorKind {
        if self.model.deleted { ErrorKind::PendingDeletion } else { ErrorKind::NotFound }
    }

    async fn apply(&mut self, call: Call) {
        match call {
            Call::Set => self.set(Precondition::Any).await,
            Call::SetAbsent => self.set(Precondition::Absent).await,
            Call::SetOver { current } => {
                let base = if current { &self.model.current } else { &self.model.previous };
                // Where nothing is, no base is current.
                let never = || VersionId::new("never").unwrap();
                let base = base.as_ref().map_or_else(never, |(id, _)| id.clone());
                self.set(Precondition::CurrentIs(base)).await;
            }
            Call::SetPending => self.set_pending().await,
            Call::Promote { pending, base } => self.promote(pending, base).await,
            Call::PromoteAgain => self.promote_again().await,
            Call::Discard { pending } => self.discard(pending).await,
            Call::Foreign => self.foreign(),
            Call::Delete => self.delete().await,
            Call::Restore => self.restore().await,
            Call::DeleteForGood => self.delete_for_good().await,
        }
    }

    async fn set(&mut self, precondition: Precondition) {
        let text = self.text();
        let options = SetOptions::new().when(precondition.clone());
        let result = self.provider.set_secret(&self.db, value(&text), options).await;
        let current = self.model.current.as_ref().map(|(id, _)| id);
        let refused = match (&precondition, current) {
            _ if self.model.deleted => Some(ErrorKind::PendingDeletion),
            (Precondition::Absent, Some(_)) => Some(ErrorKind::AlreadyExists),
            (Precondition::CurrentIs(base), current) if current != Some(base) => {
                Some(ErrorKind::Conflict)
            }
            _ => None,
        };
        match (result, refused) {
            (Ok(info), None) => {
                assert!(self.ids.insert(info.id.clone()), "{} was given out twice", info.id);
                self.make_current(info.id, text);
            }
            (Err(error), Some(kind)) => assert_eq!(error.kind(), kind, "{error}"),
            (result, refused) => panic!("{result:?} where {refused:?} was to come"),
        }
    }

    async fn set_pending(&mut self) {
        let text = self.text();
        let result = self.provider.set_secret(&self.db, value(&text), SetOptions::pending()).await;
        if self.exists() {
            let id = result.unwrap().id;
            assert!(self.ids.insert(id.clone()), "{id} was given out twice");
            self.model.pending = Some((id, text));
        } else {
            assert_eq!(result.unwrap_err().kind(), self.absence());
        }
    }

    async fn promote(&mut self, pending: bool, base: bool) {
        let id = |known: &Known| known.as_ref().map(|(id, _)| id.clone());
        // The wrong arguments are ids that do exist.
        let wanted = if pending { id(&self.model.pending) } else { id(&self.model.previous) };
        let over = if base { id(&self.model.current) } else { id(&self.model.previous) };
        let (Some(wanted), Some(over)) = (wanted, over) else { return };
        let number = self.written;
        self.written += 1;
        let result = self.provider.promote(&self.db, &wanted, &over, &token(number)).await;
        if !self.exists() {
            assert_eq!(result.unwrap_err().kind(), self.absence());
            return;
        }
        let fits = pending && Some(&over) == id(&self.model.current).as_ref();
        let Ok(promoted) = result else {
            let kind = result.unwrap_err().kind();
            assert!(!fits, "{kind:?}");
            assert!(matches!(kind, ErrorKind::Conflict | ErrorKind::NotFound), "{kind:?}");
            return;
        };
        assert!(fits, "{promoted:?}");
        assert_eq!(promoted.previous.as_ref(), Some(&over));
        let (_, text) = self.model.pending.take().unwrap();
        self.ids.insert(promoted.current.clone());
        self.make_current(promoted.current.clone(), text);
        self.model.promoted = Some((wanted, over, promoted, number));
    }

    /// A repetition answers the same as long as nothing else has happened.
    async fn promote_again(&mut self) {
        let Some((pending, base, promoted, number)) = self.model.promoted.clone() else { return };
        let current = self.model.current.as_ref().map(|(id, _)| id);
        if !self.exists() || current != Some(&promoted.current) {
            return;
        }
        let again = self.provider.promote(&self.db, &pending, &base, &token(number)).await;
        assert_eq!(again.unwrap(), promoted);
    }

    async fn discard(&mut self, pending: bool) {
        let known = if pending { &self.model.pending } else { &self.model.previous };
        let Some((id, _)) = known.clone() else { return };
        let result = self.provider.discard_pending(&self.db, &id).await;
        match (&self.model.pending, self.exists()) {
            (_, false) => assert_eq!(result.unwrap_err().kind(), self.absence()),
            (Some((waiting, _)), true) if *waiting != id => {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::Conflict);
            }
            _ => {
                result.unwrap();
                self.model.pending = None;
            }
        }
    }

    fn foreign(&mut self) {
        if self.model.deleted {
            return;
        }
        let text = self.text();
        let id = self.provider.outside().write(&self.db, value(&text)).unwrap();
        self.make_current(id, text);
        // Only our own tag names a predecessor on Azure.
        if self.personality == Personality::Azure {
            self.model.previous = None;
        }
    }

    async fn delete(&mut self) {
        let mode = DeleteMode::Recoverable { window: None };
        let result = self.provider.delete_secret(&self.db, mode).await;
        if self.personality == Personality::Google {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Unsupported);
        } else if self.exists() {
            result.unwrap();
            self.model.deleted = true;
        } else {
            assert_eq!(result.unwrap_err().kind(), self.absence());
        }
    }

    async fn restore(&mut self) {
        let result = self.provider.restore_secret(&self.db).await;
        if self.personality == Personality::Google {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Unsupported);
        } else if self.model.deleted {
            result.unwrap();
            self.model.deleted = false;
        } else {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
        }
    }

    async fn delete_for_good(&mut self) {
        let result = self.provider.delete_secret(&self.db, DeleteMode::Immediate).await;
        if self.model.current.is_some() {
            result.unwrap();
            self.model = Model::default();
            // What is gone may come again: Google counts from one.
            self.ids.clear();
        } else {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
        }
    }

    async fn check(&self) {
        let wanted = [
            (VersionSelector::Current, &self.model.current),
            (VersionSelector::Previous, &self.model.previous),
            (VersionSelector::Pending, &self.model.pending),
        ];
        for (selector, known) in wanted {
            let known = known.as_ref().filter(|_| !self.model.deleted);
            self.check_one(selector, known, self.absence()).await;
            if let Some((id, _)) = known {
                self.check_one(VersionSelector::Id(id.clone()), known, self.absence()).await;
            }
        }
        // The rule that counts: nobody outside reads what was only ever pending.
        match self.provider.outside().read(&self.db) {
            Ok(secret) => {
                let text = secret.value.expose_secret_text().unwrap();
                assert!(self.shown.contains(text), "{text} shows and was never current");
                assert_eq!(Some(text), self.model.current.as_ref().map(|(_, text)| text.as_str()));
            }
            Err(_) => assert!(!self.exists()),
        }
    }

    async fn check_one(
        &self,
        selector: VersionSelector,
        known: Option<&(VersionId, String)>,
        absence: ErrorKind,
    ) {
        let result: Result<_> = get(&self.provider, &self.db, selector.clone()).await;
        match (result, known) {
            (Ok(secret), Some((id, text))) => {
                assert_eq!(&secret.version.id, id, "{selector:?}");
                assert_eq!(secret.value.expose_secret(), text.as_bytes(), "{selector:?}");
            }
            (Err(error), None) => {
                let kinds = [ErrorKind::NotFound, absence];
                assert!(kinds.contains(&error.kind()), "{selector:?}: {error}");
            }
            (result, known) => panic!("{selector:?}: {result:?} where {known:?} was to come"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn random_calls_agree_with_the_model(calls in prop::collection::vec(call(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for personality in Personality::ALL {
                let mut world = World::new(personality);
                for call in &calls {
                    world.apply(*call).await;
                    world.check().await;
                }
            }
        });
    }
}
