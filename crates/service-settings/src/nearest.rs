//! What somebody may have meant.

/// Names are short; what is longer is cut.
const LONGEST: usize = 100;

/// A name without what differs between ways to write it: capitals, hyphens, underscores.
fn folded(name: &str) -> impl Iterator<Item = char> {
    let letters = name.chars().filter(|letter| !matches!(letter, '_' | '-'));
    letters.flat_map(char::to_lowercase)
}

/// Whether the name that a variable makes of a setting is that of this field: `max_size` of
/// `MAX_SIZE` stands for `max-size` and `maxSize` too.
pub(crate) fn is_meant(key: &str, field: &str) -> bool {
    folded(key).eq(folded(field))
}

/// The known name that is nearest to a given one, if any is near: at most a third of its letters
/// changed, put in, left out, or swapped with their neighbours. Capitals, hyphens and underscores
/// make no difference.
///
/// ```
/// assert_eq!(service_settings::nearest("valut", ["file", "vault"]), Some("vault"));
/// assert_eq!(service_settings::nearest("consul", ["file", "vault"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = match name.chars().count() {
        0..3 => 0,
        letters => letters.min(LONGEST) / 3,
    };
    let apart = known.into_iter().map(|known| (distance(name, known), known));
    apart
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|n| n.1)
}

/// Optimal string alignment: edits of single letters, and swaps of neighbours.
fn distance(one: &str, other: &str) -> usize {
    let fold = |text| folded(text).take(LONGEST).collect::<Vec<_>>();
    let (one, other) = (fold(one), fold(other));
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (j, (b, pair)) in other.iter().zip(last.windows(2)).enumerate() {
            let [diagonal, above] = pair else { continue };
            left = (diagonal + usize::from(a != b)).min(above + 1).min(left + 1);
            let crosswise = i
                .checked_sub(1)
                .zip(j.checked_sub(1))
                .filter(|(i, j)| one.get(*i) == Some(b) && other.get(*j) == Some(a));
            if let Some(two_back) = crosswise.and_then(|(_, j)| before.get(j)) {
                left = left.min(two_back + 1);
            }
            next.push(left);
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_found_and_what_is_far_is_not() {
        let known = ["port", "password", "pool-size", "max_connections"];
        for (name, meant) in [
            ("prot", Some("port")),
            ("pasword", Some("password")),
            ("poolsize", Some("pool-size")),
            ("POOL_SIZE", Some("pool-size")),
            ("max_conections", Some("max_connections")),
            ("x", None),
            ("pt", None),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
        assert_eq!(
            (distance("abcd", "acbd"), distance("ca", "abc"), distance("", "ab")),
            (1, 3, 2)
        );
    }
}
