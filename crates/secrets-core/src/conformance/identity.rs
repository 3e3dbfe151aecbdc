//! What a provider says of itself.

use crate::capability::{Cas, Staging};
use crate::codec::NameRules;
use crate::health::HealthStatus;
use crate::options::GetOptions;

use super::check::{Capability, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::outcome::{done, ensure};

checks! {
    SecretItem;
    "identity.stable", stable, [],
        "a provider stays who it is",
        "`id`, `capabilities` and `name_rules` answer the same at every call: caches are keyed by \
         them.";
    "identity.named", named, [],
        "the id names the kind of backend in one clean line",
        "an id goes into logs and cache keys: its kind is not empty, and it holds no control \
         characters.";
    "identity.name-rules", sound_rules, [],
        "the name rules make an injective code",
        "`NameRules::problems` is empty.";
    "identity.coherent", coherent, [],
        "the capabilities do not contradict each other",
        "staging, tokens and preconditions of `set_secret` need `write`; staging and \
         `cas.promote` come together; limits are not zero, and a batch is more than one.";
    "identity.health", health, [],
        "the health of a provider that serves is told",
        "`health` answers, and does not call a provider unhealthy that serves.";
}

async fn stable(cx: &Cx<'_>) -> Verdict {
    let provider = cx.provider;
    let (id, capabilities) = (provider.id().clone(), provider.capabilities().clone());
    let rules = shape(provider.name_rules());
    let absent = cx.secret()?;
    let _ = provider.get_secret(&absent, GetOptions::default()).await;
    let again = provider.id().clone();
    ensure(again == id, "ask for the id twice", "the same id", || {
        format!("`{id}`, then `{again}`")
    })?;
    ensure(
        *provider.capabilities() == capabilities,
        "ask for the capabilities twice",
        "the same",
        || "others than before".to_owned(),
    )?;
    ensure(
        shape(provider.name_rules()) == rules,
        "ask for the name rules twice",
        "the same",
        || "others than before".to_owned(),
    )
}

/// What of the rules can be compared.
fn shape(rules: &NameRules) -> impl PartialEq {
    (rules.case(), rules.max_len(), rules.companion_suffix())
}

async fn named(cx: &Cx<'_>) -> Verdict {
    let id = cx.provider.id();
    let shown = id.to_string();
    ensure(!id.kind().is_empty(), "show the id", "a kind", || format!("{id:?}"))?;
    ensure(!shown.chars().any(char::is_control), "show the id", "no control characters", || {
        format!("{shown:?}")
    })
}

async fn sound_rules(cx: &Cx<'_>) -> Verdict {
    let problems = cx.provider.name_rules().problems();
    ensure(problems.is_empty(), "ask the name rules for problems", "none", || problems.join("; "))
}

async fn coherent(cx: &Cx<'_>) -> Verdict {
    let capabilities = cx.capabilities();
    let writes = cx.has(Capability::Write);
    let staged = capabilities.staging != Staging::No;
    let rules = [
        (writes || !staged, "`staging` without `write`"),
        (writes || !cx.has(Capability::Idempotency), "`idempotency` without `write`"),
        (writes || capabilities.cas.set == Cas::No, "`cas.set` without `write`"),
        (
            staged == (capabilities.cas.promote != Cas::No),
            "one of `staging` and `cas.promote` alone",
        ),
        (capabilities.limits.value_len > 0, "`limits.value_len` of 0"),
        (capabilities.limits.batch > 0, "`limits.batch` of 0"),
        (
            !capabilities.batch.is_available() || capabilities.limits.batch > 1,
            "`batch` with a `limits.batch` of 1",
        ),
    ];
    let broken: Vec<_> = rules.iter().filter(|(holds, _)| !holds).map(|(_, what)| *what).collect();
    ensure(broken.is_empty(), "read the capabilities", "no contradiction", || broken.join("; "))
}

async fn health(cx: &Cx<'_>) -> Verdict {
    let health = done("ask for the health", cx.provider.health().await)?;
    let serves = health.status != HealthStatus::Unhealthy;
    ensure(serves, "ask for the health", "anything but unhealthy", || format!("{health:?}"))
}
