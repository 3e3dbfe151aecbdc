//! Lists of processors as the kernel writes them: `0-3,8`.

/// How many there are in a list (cpuset(7), "List format"); an empty list has none.
pub(super) fn count(list: &str) -> Option<f64> {
    let list = list.trim();
    if list.is_empty() {
        return Some(0.0);
    }
    let ranges = list.split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        Some(f64::from(last.checked_sub(first)?) + 1.0)
    });
    ranges.sum()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn lists_are_counted() {
        let cases = [
            ("0\n", Some(1.0)),
            ("0-3,8\n", Some(5.0)),
            ("0-255", Some(256.0)),
            ("\n", Some(0.0)),
            ("3-0", None),
            ("0-", None),
            ("0,,1", None),
            ("0-99999999999", None),
        ];
        for (list, expected) in cases {
            assert_eq!(count(list), expected, "{list:?}");
        }
    }
}
