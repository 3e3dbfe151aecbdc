//! Names that lead from one to the next, and back.

use std::collections::BTreeMap;

/// Longer ways are told by how they begin.
const MOST_TOLD: usize = 8;

/// Names that lead back to the first of them; one that leads to itself is none.
pub(super) struct Circle<'s> {
    /// The first by the alphabet.
    pub(super) name: &'s str,
    /// The names on the way, as text.
    pub(super) way: String,
}

/// All circles, each once. Every name is visited once.
pub(super) fn circles<'s>(
    names: impl Iterator<Item = &'s str>,
    next: impl Fn(&str) -> Option<&'s str>,
) -> Vec<Circle<'s>> {
    let mut visited: BTreeMap<&str, usize> = BTreeMap::new();
    let mut circles = Vec::new();
    for (walk, start) in names.enumerate() {
        let mut way = Vec::new();
        let mut at = Some(start);
        while let Some(name) = at {
            match visited.get(name) {
                // Where this walk was before: what it has seen since goes round.
                Some(seen) if *seen == walk => {
                    let round = way.into_iter().skip_while(|other| *other != name).collect();
                    circles.extend(circle(round));
                    break;
                }
                Some(_) => break,
                None => {}
            }
            visited.insert(name, walk);
            way.push(name);
            at = next(name);
        }
    }
    circles
}

fn circle(mut round: Vec<&str>) -> Option<Circle<'_>> {
    let (first, name) = round.iter().copied().enumerate().min_by_key(|(_, name)| *name)?;
    if round.len() == 1 {
        return None;
    }
    round.rotate_left(first);
    let mut told: Vec<_> = round.iter().take(MOST_TOLD).map(|name| format!("`{name}`")).collect();
    if round.len() > MOST_TOLD {
        told.push("…".to_owned());
    }
    told.push(format!("`{name}`"));
    Some(Circle { name, way: told.join(" → ") })
}
