//! The named providers: their options read, whose credentials they need, and what is wrong there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use service_settings::{DurationSetting, Placed, Problem, ProblemKind, Problems, Subtree, nearest};

use super::Outline;
use super::chain::unknown;
use super::circle::{Circle, circles};
use super::plan::ProviderPlan;
use super::registry::Registry;

/// A provider that can be connected.
pub(super) struct Planned {
    pub(super) plan: ProviderPlan,
    pub(super) options: Subtree,
    pub(super) credentials_from: Option<String>,
    pub(super) timeout: Option<Duration>,
}

/// The options that are the manager's, of whatever type a provider is.
const OURS: [&str; 3] = ["type", "credentials_from", "timeout"];

/// What the manager itself knows of a provider.
struct Face {
    kind: Option<String>,
    credentials_from: Option<String>,
    timeout: Option<Duration>,
    options: Subtree,
}

/// Plans every provider whose type there is, and finds what is wrong with all of them.
pub(super) fn plan(
    outline: &Placed<Outline>,
    registry: &Registry,
) -> (Vec<Problem>, BTreeMap<String, Planned>) {
    let mut problems = Vec::new();
    let faces: BTreeMap<&str, Face> = outline
        .value
        .providers
        .iter()
        .map(|(name, options)| (name.as_str(), Face::read(options, &mut problems)))
        .collect();
    let used = used(outline, &faces);
    let mut planned = BTreeMap::new();
    for (name, face) in &faces {
        let Some(kind) = &face.kind else { continue };
        let Some(factory) = registry.factory(kind) else {
            // Another program that reads these settings may have it.
            if used.contains(name) {
                problems.push(registry.unknown(kind, &face.options));
            }
            continue;
        };
        match factory.plan(&face.rest()) {
            Ok(plan) => {
                problems.extend(face.unresolved(&plan));
                let Face { options, credentials_from, timeout, .. } = face;
                let (options, credentials_from) = (options.clone(), credentials_from.clone());
                let made = Planned { plan, options, credentials_from, timeout: *timeout };
                planned.insert((*name).to_owned(), made);
            }
            Err(found) => {
                problems.extend(found.into_iter().map(|problem| face.with_our_names(problem)));
            }
        }
    }
    problems.extend(credentials(outline, &faces));
    planned.retain(|name, _| used.contains(name.as_str()));
    (problems, planned)
}

impl Face {
    fn read(options: &Subtree, problems: &mut Vec<Problem>) -> Self {
        let mut noted = |result: Result<Option<String>, Problems>| {
            result.unwrap_or_else(|found| {
                problems.extend(found);
                None
            })
        };
        if let Err(found) = options.read::<BTreeMap<String, Subtree>>() {
            problems.extend(found);
            let options = options.clone();
            return Self { kind: None, credentials_from: None, timeout: None, options };
        }
        let kind = options.text("type");
        let is_missing = matches!(kind, Ok(None));
        let kind = noted(kind);
        let credentials_from = noted(options.text("credentials_from"));
        if is_missing {
            problems.push(options.missing("type"));
            let keys = options.keys();
            let near = nearest("type", keys.iter().map(String::as_str));
            problems.extend(near.map(|near| {
                let mut problem = options.problem(near, "nothing has this name; is `type` meant?");
                problem.kind = ProblemKind::UnknownKey;
                problem
            }));
        }
        let timeout = options.part("timeout").and_then(|part| {
            let time: DurationSetting = part.read().map_err(|found| problems.extend(found)).ok()?;
            let outside = time.outside(Duration::from_millis(10), Duration::from_secs(60 * 60));
            problems.extend(outside.map(|message| part.problem("", message)));
            Some(time.get())
        });
        Self { kind, credentials_from, timeout, options: options.clone() }
    }

    /// What a factory says of a name that it does not know, and that is nearly one of ours.
    fn with_our_names(&self, mut problem: Problem) -> Problem {
        // What it knows itself is nearer.
        let is_open =
            problem.kind == ProblemKind::UnknownKey && !problem.message.ends_with("meant?");
        let key = problem.path.strip_prefix(self.options.path());
        let key = key.and_then(|rest| rest.strip_prefix('.')).filter(|_| is_open);
        if let Some(near) = key.and_then(|key| nearest(key, OURS)) {
            problem.message = format!("nothing has this name; is `{near}` meant?");
        }
        problem
    }

    /// What the factory is given.
    fn rest(&self) -> Subtree {
        OURS.into_iter().fold(self.options.clone(), |rest, name| rest.without(name))
    }

    /// References to secrets that nobody has.
    fn unresolved(&self, plan: &ProviderPlan) -> Vec<Problem> {
        if self.credentials_from.is_some() {
            return Vec::new();
        }
        let message = "a reference to a secret needs `credentials_from`, the name of the provider that has it";
        plan.needs.iter().map(|path| self.options.problem(path, message)).collect()
    }
}

/// Those that are asked, and those that have the credentials of these, and so on.
fn used<'s>(outline: &'s Placed<Outline>, faces: &'s BTreeMap<&str, Face>) -> BTreeSet<&'s str> {
    let Outline { provider, fallback, snapshot, audit, .. } = &outline.value;
    let of_snapshot =
        snapshot.as_ref().and_then(|snapshot| snapshot.value.credentials_from.as_ref());
    let of_audit = audit.as_ref().and_then(|audit| audit.value.credentials_from.as_ref());
    let named = std::iter::once(provider).chain(fallback).chain(of_snapshot).chain(of_audit);
    let mut used = BTreeSet::new();
    let mut open: Vec<&str> = named.map(String::as_str).collect();
    while let Some(name) = open.pop() {
        if used.insert(name) {
            let face = faces.get(name);
            open.extend(face.and_then(|face| face.credentials_from.as_deref()));
        }
    }
    used
}

fn credentials(outline: &Placed<Outline>, faces: &BTreeMap<&str, Face>) -> Vec<Problem> {
    let next = |name: &str| faces.get(name).and_then(|face| face.credentials_from.as_deref());
    let mut problems = Vec::new();
    for (name, face) in faces {
        let Some(from) = &face.credentials_from else { continue };
        let message = match unknown(outline, from) {
            Some(message) => message,
            None if from == name => {
                "is this provider itself: its credentials have to be elsewhere".to_owned()
            }
            None => continue,
        };
        problems.push(face.options.problem("credentials_from", message));
    }
    for Circle { name, way } in circles(faces.keys().copied(), next) {
        let message = format!("comes back to this provider: {way}");
        let face = faces.get(name).map(|face| face.options.problem("credentials_from", message));
        problems.extend(face);
    }
    problems
}
