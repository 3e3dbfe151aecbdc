//! Values that many know: what stands where a secret should.

mod lists;
mod placeholder;

/// Longer values are none of these.
const LONGEST: usize = 256;

/// Why many know a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KnownSort {
    /// It says that a secret should stand here.
    Placeholder,
    /// Some product has it unless it is changed, or everybody tries it first.
    Default,
    /// It stands in a manual, or was published.
    Published,
}

/// Whether, and why, many know a value. The whole of it counts, but for blanks around it.
pub(crate) fn sort_of(value: &[u8]) -> Option<KnownSort> {
    let text = std::str::from_utf8(value.get(..LONGEST).unwrap_or(value)).ok()?.trim();
    if value.len() > LONGEST || text.is_empty() {
        return None;
    }
    if lists::PUBLISHED.contains(&text) {
        return Some(KnownSort::Published);
    }
    if lists::DEFAULTS.iter().any(|known| known.eq_ignore_ascii_case(text)) {
        return Some(KnownSort::Default);
    }
    placeholder::is_placeholder(text).then_some(KnownSort::Placeholder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_say_nothing_twice() {
        let lists = [lists::PUBLISHED, lists::DEFAULTS].concat();
        for (at, text) in lists.iter().enumerate() {
            assert!(text.len() <= LONGEST && text.trim() == *text && !text.is_empty(), "{text}");
            assert!(!lists[..at].contains(text), "{text} stands there twice");
        }
    }
}
