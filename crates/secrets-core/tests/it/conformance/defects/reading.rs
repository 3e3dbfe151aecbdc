//! Identity, reads, names, batches, hints and what shows.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use secrets_core::memory::Personality;
use secrets_core::{
    Consistency, Effect, Error, ErrorKind, GetOptions, Health, NameRules, NativeId, Operation,
    ProviderId, Secret, SecretName, SecretRef, SecretValue, SetOptions, Validity, VersionId,
    VersionSelector,
};

use super::super::broken::{Defect, defect};
use super::{by, bytes, changed, current, error, give_way};

pub(super) fn defects() -> Vec<Defect> {
    let mut all = identity();
    all.extend(reads());
    all.extend(names());
    all.extend(exact());
    all.extend(batches());
    all.extend(hints());
    all.extend(shown());
    all.extend(told());
    all
}

fn identity() -> Vec<Defect> {
    let id = |kind: &str, scope: &str| ProviderId::new(kind, scope, "");
    vec![
        defect("another id at every call", &["identity.stable"])
            .ids([id("memory", "one"), id("memory", "two")]),
        defect("an id without a kind", &["identity.named"]).ids([id("", "aws")]),
        defect("an id with a line end", &["identity.named"]).ids([id("memory", "a\nb")]),
        defect("rules without digits", &["identity.name-rules"]).rules(NameRules::new(
            |b| b.is_ascii_alphabetic() || b"/+".contains(&b),
            b'+',
            512,
        )),
        defect("a batch of nothing", &["identity.coherent"]).declare(|c| c.limits.batch = 0),
        defect("a batch of one", &["identity.coherent"]).declare(|c| c.limits.batch = 1),
        defect("no health", &["identity.health"])
            .health(|| Err(error(ErrorKind::Unavailable, Operation::Health))),
        defect("ill health", &["identity.health"]).health(|| Ok(Health::unhealthy("a bad mood"))),
    ]
}

fn reads() -> Vec<Defect> {
    let count = Arc::new(AtomicU32::new(0));
    vec![
        defect("what is absent is an outage", &["reads.absent"]).get(|p, r, o| {
            Box::pin(async move {
                p.get_secret(r, o).await.map_err(|e| match e.kind() {
                    ErrorKind::NotFound => error(ErrorKind::Unavailable, Operation::GetSecret),
                    _ => e,
                })
            })
        }),
        absent_is_internal(&["reads.absent-previous"], VersionSelector::Previous),
        absent_is_internal(&["reads.absent-pending"], VersionSelector::Pending),
        defect("one wrong byte", &["reads.same-bytes"]).get(|p, r, o| {
            Box::pin(async move {
                let secret = p.get_secret(r, o).await?;
                Ok(changed(secret, |mut bytes| {
                    bytes[3] ^= 1;
                    bytes
                }))
            })
        }),
        defect("a version a read", &["reads.repeatable"]).get(move |p, r, o| {
            let count = count.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                let mut secret = p.get_secret(r, o).await?;
                secret.version.id = VersionId::new(&format!("{}-{count}", secret.version.id))?;
                Ok(secret)
            })
        }),
        defect("no native ids", &["reads.native"]).get(|p, r, o| {
            Box::pin(async move {
                match r.name() {
                    Some(_) => p.get_secret(r, o).await,
                    None => Err(error(ErrorKind::NotFound, Operation::GetSecret)),
                }
            })
        }),
        defect("native ids are put into a URL", &["reads.native-detour"]).get(|p, r, o| {
            Box::pin(async move {
                let SecretRef::Native(id) = r else { return p.get_secret(r, o).await };
                let path = id.as_str().split(['?', '#']).next().unwrap_or_default();
                p.get_secret(&NativeId::new(path)?.into(), o).await
            })
        }),
        defect("a read that is dropped blocks the next", &["dropping.read"]).get({
            let is_busy = Arc::new(AtomicBool::new(false));
            move |p, r, o| {
                let is_busy = is_busy.clone();
                Box::pin(async move {
                    if is_busy.swap(true, Ordering::Relaxed) {
                        return Err(error(ErrorKind::Unavailable, Operation::GetSecret));
                    }
                    give_way().await;
                    let secret = p.get_secret(r, o).await;
                    is_busy.store(false, Ordering::Relaxed);
                    secret
                })
            }
        }),
    ]
}

fn absent_is_internal(fails: &'static [&'static str], asked: VersionSelector) -> Defect {
    defect("an absent version is an internal error", fails).get(move |p, r, o| {
        let is_asked = o.version == asked;
        Box::pin(async move {
            p.get_secret(r, o).await.map_err(|e| match e.kind() {
                ErrorKind::NotFound if is_asked => error(ErrorKind::Internal, Operation::GetSecret),
                _ => e,
            })
        })
    })
}

/// The secret under another name.
fn renamed(r: &SecretRef, rename: impl Fn(&str) -> String) -> SecretRef {
    match r.name().map(|name| SecretName::new(&rename(name.as_str()))) {
        Some(Ok(name)) => name.into(),
        _ => r.clone(),
    }
}

fn refuse_name(r: &SecretRef, is_refused: impl Fn(&str) -> bool) -> Result<(), Error> {
    match r.name() {
        Some(name) if is_refused(name.as_str()) => {
            Err(error(ErrorKind::InvalidName, Operation::SetSecret))
        }
        _ => Ok(()),
    }
}

fn names() -> Vec<Defect> {
    let flat = |r: &SecretRef| renamed(r, |name| name.replace('/', "-"));
    vec![
        defect("no underscores", &["names.alphabet"]).set(|p, r, v, o| {
            Box::pin(async move {
                refuse_name(r, |name| name.contains('_'))?;
                p.set_secret(r, v, o).await
            })
        }),
        defect("slashes become hyphens", &["names.apart"])
            .get(move |p, r, o| Box::pin(async move { p.get_secret(&flat(r), o).await }))
            .set(move |p, r, v, o| Box::pin(async move { p.set_secret(&flat(r), v, o).await })),
        defect("a companion under a common name", &["names.companion-like"])
            .get(|p, r, o| {
                Box::pin(async move {
                    if o.version != VersionSelector::Pending {
                        return p.get_secret(r, o).await;
                    }
                    p.get_secret(&renamed(r, |name| format!("{name}-pending")), current()).await
                })
            })
            .set(|p, r, v, o| {
                Box::pin(async move {
                    if o.stage != secrets_core::WriteStage::Pending {
                        return p.set_secret(r, v, o).await;
                    }
                    let companion = renamed(r, |name| format!("{name}-pending"));
                    p.set_secret(&companion, v, SetOptions::new()).await
                })
            }),
        defect("native ids are for reading", &["names.native"]).set(|p, r, v, o| {
            Box::pin(async move {
                match r.name() {
                    Some(_) => p.set_secret(r, v, o).await,
                    None => Err(error(ErrorKind::InvalidName, Operation::SetSecret)),
                }
            })
        }),
        defect("shorter names than declared", &["names.longest"]).set(|p, r, v, o| {
            Box::pin(async move {
                refuse_name(r, |name| name.len() > 200)?;
                p.set_secret(r, v, o).await
            })
        }),
        defect("names that are too long are cut", &["names.too-long"])
            .like(Personality::Azure)
            .get(|p, r, o| Box::pin(async move { p.get_secret(&cut(p, r), o).await }))
            .set(|p, r, v, o| Box::pin(async move { p.set_secret(&cut(p, r), v, o).await })),
    ]
}

/// As many characters of the name as fit.
fn cut(p: &super::super::broken::Inner, r: &SecretRef) -> SecretRef {
    let Some(name) = r.name() else { return r.clone() };
    let mut name = name.clone();
    while p.name_rules().encode(&name).is_err() {
        let mut shorter = name.to_string();
        shorter.pop();
        name = SecretName::new(&shorter).unwrap();
    }
    name.into()
}

fn exact() -> Vec<Defect> {
    let asked = Arc::new(Mutex::new(std::collections::HashSet::new()));
    vec![
        defect("an exact version is not there at first", &["versions.exact-at-once"])
            .declare(|c| c.consistency = Consistency::Strong)
            .get(move |p, r, o| {
                let is_late = matches!(&o.version, VersionSelector::Id(id)
                    if asked.lock().unwrap().insert(id.clone()));
                Box::pin(async move {
                    if is_late {
                        return Err(error(ErrorKind::NotFound, Operation::GetSecret));
                    }
                    p.get_secret(r, o).await
                })
            }),
        defect("an unknown version is the current one", &["versions.unknown"]).get(|p, r, o| {
            Box::pin(async move {
                let is_by_id = matches!(o.version, VersionSelector::Id(_));
                match p.get_secret(r, o).await {
                    Err(e) if is_by_id && e.kind() == ErrorKind::NotFound => {
                        p.get_secret(r, current()).await
                    }
                    read => read,
                }
            })
        }),
        defect("an id reads the newest value", &["versions.exact"]).get(|p, r, o| {
            Box::pin(async move {
                let VersionSelector::Id(id) = o.version.clone() else {
                    return p.get_secret(r, o).await;
                };
                let mut secret = p.get_secret(r, current()).await?;
                secret.version.id = id;
                Ok(secret)
            })
        }),
    ]
}

fn batches() -> Vec<Defect> {
    vec![
        defect("answers in the order of the names", &["batch.order"]).batch(|p, wanted| {
            Box::pin(async move {
                let mut sorted = wanted.to_vec();
                sorted.sort_by_key(|(r, _)| r.to_string());
                p.get_secrets(&sorted).await
            })
        }),
        defect("one that fails fails all", &["batch.per-item"]).batch(|p, wanted| {
            Box::pin(async move {
                let answers = p.get_secrets(wanted).await?;
                Ok(answers
                    .into_iter()
                    .collect::<Result<Vec<_>, _>>()?
                    .into_iter()
                    .map(Ok)
                    .collect())
            })
        }),
        defect("one batch and no more", &["batch.many"]).batch(|p, wanted| {
            Box::pin(async move {
                let most = p.capabilities().limits.batch;
                p.get_secrets(&wanted[..wanted.len().min(most)]).await
            })
        }),
        defect("an empty batch is an error", &["batch.none"]).batch(|p, wanted| {
            Box::pin(async move {
                if wanted.is_empty() {
                    return Err(error(ErrorKind::InvalidValue, Operation::GetSecrets));
                }
                p.get_secrets(wanted).await
            })
        }),
        defect("a batch reads current versions only", &["batch.selectors"]).batch(|p, wanted| {
            Box::pin(async move {
                let current = wanted.iter().map(|(r, _)| (r.clone(), current()));
                p.get_secrets(&current.collect::<Vec<_>>()).await
            })
        }),
        defect("a batch answers what is absent with an outage", &["batch.as-single"]).batch(
            |p, wanted| {
                Box::pin(async move {
                    let named = |e: Error| match e.kind() {
                        ErrorKind::NotFound => error(ErrorKind::Unavailable, Operation::GetSecrets),
                        _ => e,
                    };
                    let answers = p.get_secrets(wanted).await?;
                    Ok(answers.into_iter().map(|answer| answer.map_err(named)).collect())
                })
            },
        ),
        batch_minds_validity("a batch minds validity always", |_| GetOptions::default()),
        batch_minds_validity("a batch minds validity never", |asked| {
            asked.clone().ignore_validity()
        }),
        batch_minds_validity("the first question decides for all", |asked| asked.clone()),
        defect("pages larger than asked for", &["listing.pages", "versions.pages"])
            .list(|p, filter, mut page| {
                page.limit = page.limit.map(|limit| limit.saturating_add(1));
                Box::pin(async move { p.list_secrets(filter, page).await })
            })
            .versions(|p, r, mut page| {
                page.limit = page.limit.and(NonZeroU32::new(3));
                Box::pin(async move { p.list_versions(r, page).await })
            }),
    ]
}

/// Single reads mind validity as they are asked to, those of a batch as `heard` says. A name that
/// is asked for again is answered as it was the first time.
fn batch_minds_validity(name: &'static str, heard: fn(&GetOptions) -> GetOptions) -> Defect {
    fn judge(answer: Result<Secret, Error>, options: &GetOptions) -> Result<Secret, Error> {
        let secret = answer?;
        match options.validity {
            Validity::Enforce if secret.version.expires.is_some() => {
                Err(error(ErrorKind::Expired, Operation::GetSecret))
            }
            _ => Ok(secret),
        }
    }
    defect(name, &["batch.validity"])
        .like(Personality::Azure)
        .get(|p, r, o| Box::pin(async move { judge(p.get_secret(r, o.clone()).await, &o) }))
        .batch(move |p, wanted| {
            Box::pin(async move {
                let mut first = HashMap::new();
                let mut answers = Vec::new();
                for (r, asked) in wanted {
                    let key = (r.clone(), format!("{:?}", asked.version));
                    let options = first.entry(key).or_insert_with(|| heard(asked)).clone();
                    answers.push(judge(p.get_secret(r, options.clone()).await, &options));
                }
                Ok(answers)
            })
        })
}

fn hints() -> Vec<Defect> {
    vec![
        defect("a stream that never speaks", &["hints.own", "hints.foreign"])
            .announcing()
            .changes(|| Some(Box::pin(futures_util::stream::pending()))),
        defect("a stream that ends", &["hints.own", "hints.foreign"])
            .announcing()
            .changes(|| Some(Box::pin(futures_util::stream::empty()))),
        defect("only the first listener hears", &["hints.all"]).announcing().one_listener(),
        defect("hints without a stream", &["hints.own", "hints.foreign"])
            .announcing()
            .changes(|| None),
    ]
}

fn shown() -> Vec<Defect> {
    let shown = Arc::new(Mutex::new(String::new()));
    let last = shown.clone();
    vec![
        defect("an error quotes the value", &["leaks.errors"]).set(|p, r, v, o| {
            Box::pin(async move {
                let text = String::from_utf8_lossy(v.expose_secret()).into_owned();
                p.set_secret(r, v, o).await.map_err(|e| {
                    Error::new(e.kind(), format!("cannot write {text}"))
                        .with_operation(Operation::SetSecret)
                })
            })
        }),
        defect("the source of an error shows the bytes", &["leaks.errors"]).set(|p, r, v, o| {
            Box::pin(async move {
                let source = std::io::Error::other(format!("body {:?}", bytes(&v)));
                p.set_secret(r, v, o).await.map_err(|e| e.with_source(source))
            })
        }),
        defect("a description holds the value", &["leaks.results"]).describe(|p, r| {
            Box::pin(async move {
                let mut info = p.describe_secret(r).await?;
                let value = p.get_secret(r, current()).await?.value;
                info.description =
                    Some(String::from_utf8_lossy(value.expose_secret()).into_owned());
                Ok(info)
            })
        }),
        defect("a version's id is the value in hexadecimal", &["leaks.results"]).get(|p, r, o| {
            Box::pin(async move {
                let mut secret = p.get_secret(r, o).await?;
                let hex: String =
                    bytes(&secret.value).iter().take(64).map(|b| format!("{b:02x}")).collect();
                secret.version.id = VersionId::new(&hex)?;
                Ok(secret)
            })
        }),
        defect("the provider shows its last value", &["leaks.provider"]).shows(shown).set(
            move |p, r, v, o| {
                *last.lock().unwrap() = String::from_utf8_lossy(v.expose_secret()).into_owned();
                Box::pin(async move { p.set_secret(r, v, o).await })
            },
        ),
    ]
}

fn told() -> Vec<Defect> {
    vec![
        defect("errors without an operation", &["errors.operation"]).get(|p, r, o| {
            Box::pin(async move {
                p.get_secret(r, o).await.map_err(|e| Error::new(e.kind(), "something failed"))
            })
        }),
        defect("errors of another operation", &["errors.operation"]).set(|p, r, v, o| {
            Box::pin(async move {
                p.set_secret(r, v, o).await.map_err(|e| e.with_operation(Operation::GetSecret))
            })
        }),
        defect("refusals that may have had an effect", &["errors.effect"]).set(|p, r, v, o| {
            Box::pin(async move {
                p.set_secret(r, v, o).await.map_err(|e| e.with_effect(Effect::Unknown))
            })
        }),
        defect("a media type of its own", &["values.content-type"]).get(|p, r, o| {
            Box::pin(async move {
                let secret = p.get_secret(r, o).await?;
                let value = SecretValue::copy_from_slice(secret.value.expose_secret());
                Ok(Secret::new(value.with_content_type("text/plain"), secret.version))
            })
        }),
        defect("previous is current", &["versions.previous"]).get(|p, r, o| {
            Box::pin(async move {
                match p.get_secret(r, o.clone()).await {
                    Ok(_) if o.version == VersionSelector::Previous => {
                        p.get_secret(r, by(VersionSelector::Current)).await
                    }
                    read => read,
                }
            })
        }),
        defect("where nothing is previous, current is", &["versions.no-previous"]).get(
            |p, r, o| {
                Box::pin(async move {
                    let is_previous = o.version == VersionSelector::Previous;
                    match p.get_secret(r, o).await {
                        Err(e) if is_previous && e.kind() == ErrorKind::NotFound => {
                            p.get_secret(r, current()).await
                        }
                        read => read,
                    }
                })
            },
        ),
    ]
}
