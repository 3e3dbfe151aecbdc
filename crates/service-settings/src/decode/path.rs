use std::borrow::Cow;
use std::fmt;

/// The way to a value.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// The names on the way, if there are no lists on it.
    pub(super) fn keys(&self) -> Option<Vec<String>> {
        match self {
            Path::Root => Some(Vec::new()),
            Path::Key(before, key) => {
                let mut keys = before.keys()?;
                keys.push((*key).to_owned());
                Some(keys)
            }
            Path::Index(..) => None,
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(&segment(key)),
            Path::Key(before, key) => write!(f, "{before}.{}", segment(key)),
            Path::Index(before, index) => write!(f, "{before}[{index}]"),
        }
    }
}

/// A name as a part of a path: in quotation marks where it holds what paths are made of, so that no two
/// places have one path.
pub(crate) fn segment(key: &str) -> Cow<'_, str> {
    if !key.is_empty() && !key.contains(['.', '[', ']', '"']) {
        return Cow::Borrowed(key);
    }
    Cow::Owned(format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// The path of a name within what stands at a path.
pub(crate) fn under(path: &str, key: &str) -> String {
    joined(path, &segment(key))
}

/// Where the parts of a path begin that are not its first: at dots and brackets outside of names.
fn boundaries(path: &str) -> impl Iterator<Item = usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    path.char_indices().filter_map(move |(at, letter)| {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '.' | '[' if !is_quoted => return Some(at),
            _ => {}
        }
        None
    })
}

/// What the place at a path is in; empty for the whole.
pub(crate) fn parent(path: &str) -> &str {
    boundaries(path).last().and_then(|end| path.get(..end)).unwrap_or_default()
}

/// The names of a path up to its first list.
pub(crate) fn names(path: &str) -> Vec<String> {
    let (mut names, mut begin) = (Vec::new(), 0);
    for end in boundaries(path).chain([path.len()]) {
        let part = path.get(begin..end).unwrap_or_default();
        names.push(name_of(part));
        if path.get(end..).is_some_and(|rest| rest.starts_with('[')) {
            break;
        }
        begin = end + 1;
    }
    names
}

fn name_of(part: &str) -> String {
    let Some(inner) = part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return part.to_owned();
    };
    let mut is_escaped = false;
    let is_of_name = |letter: &char| {
        is_escaped = *letter == '\\' && !is_escaped;
        !is_escaped
    };
    inner.chars().filter(is_of_name).collect()
}

/// A path on one line, whatever names are in it.
pub(crate) fn shown(path: &str) -> String {
    let mut shown = String::with_capacity(path.len());
    for letter in path.chars() {
        match letter {
            '"' | '\\' => shown.push(letter),
            _ => shown.extend(letter.escape_debug()),
        }
    }
    shown
}

/// A path, and one that begins there.
pub(crate) fn joined(base: &str, path: &str) -> String {
    match (base, path) {
        ("", path) => path.to_owned(),
        (base, "") => base.to_owned(),
        (base, path) if path.starts_with('[') => format!("{base}{path}"),
        (base, path) => format!("{base}.{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_places_have_one_path() {
        let (ab, a) = (Path::Key(&Path::Root, "a.b"), Path::Key(&Path::Root, "a"));
        assert_eq!(ab.to_string(), "\"a.b\"");
        assert_eq!(Path::Key(&a, "b").to_string(), "a.b");
        assert_eq!(Path::Index(&a, 0).to_string(), "a[0]");
        assert_eq!(Path::Key(&Path::Root, "a[0]").to_string(), "\"a[0]\"");
        assert_eq!(Path::Key(&a, "").to_string(), "a.\"\"");
        assert_eq!(Path::Key(&a, "\\\"x").to_string(), r#"a."\\\"x""#);
    }

    #[test]
    fn names_come_out_of_a_path_as_they_went_in() {
        for keys in [["a", "b"], ["a.b", "c[0]"], ["", "\""], ["\\", "x\\\"."], ["ä.", "]"]] {
            let before = Path::Key(&Path::Root, keys[0]);
            let path = Path::Key(&before, keys[1]).to_string();
            assert_eq!(names(&path), keys, "{path}");
            assert_eq!(parent(&path), before.to_string());
            assert_eq!(parent(parent(&path)), "");
            assert_eq!(names(&format!("{path}[3].x")), keys);
        }
    }
}
