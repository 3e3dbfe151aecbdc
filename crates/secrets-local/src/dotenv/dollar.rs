//! Takes substitution away from dotenvy, whose own reads the environment of the process first and
//! puts nothing where a name is unknown (0.15.7, `apply_substitution`).
//!
//! Before dotenvy sees a line, each dollar sign that it would act on is written as [`MARK`], `\$`,
//! what was referred to, `MARK`, `1`. Where dotenvy minds backslashes it makes `$` of `\$`; between
//! single quotes it leaves both. So its own answer tells which dollar signs are live, and this needs no
//! second opinion on quoting. A `MARK` in the text itself becomes `MARK`, `0`.

/// A character for private use (Unicode, section 23.5), which no quoting rule knows.
const MARK: char = '\u{e000}';
const LITERAL_MARK: char = '0';
const END: char = '1';

fn is_harmless(line: &str) -> bool {
    !line.contains('$') && !line.contains(MARK)
}

/// At most so many bytes [`disarm`] appends.
pub(super) fn disarmed_len(line: &str) -> usize {
    if is_harmless(line) {
        return line.len();
    }
    let signs = line.chars().filter(|c| matches!(*c, '$' | MARK)).count();
    line.len() + signs * (2 * MARK.len_utf8() + 2)
}

/// Appends a line as dotenvy is to see it.
pub(super) fn disarm(line: &str, to: &mut String) {
    if is_harmless(line) {
        return to.push_str(line);
    }
    let mut rest = line;
    // Backslashes right before: an even number leaves the dollar sign live. In single quotes the
    // number does not matter, since a dollar sign that is left alone stays one there.
    let mut backslashes = 0;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            MARK => to.extend([MARK, LITERAL_MARK]),
            '$' if backslashes % 2 == 0 => {
                let (target, behind) =
                    rest.split_at_checked(target_len(rest)).unwrap_or(("", rest));
                to.extend([MARK, '\\', '$']);
                to.push_str(target);
                to.extend([MARK, END]);
                rest = behind;
            }
            _ => to.push(c),
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
    }
}

/// How many bytes after a dollar sign say what it refers to: `{NAME}`, or letters and digits.
fn target_len(rest: &str) -> usize {
    let is_name_char = |c: char| c.is_alphanumeric() || c == '_';
    let Some(braced) = rest.strip_prefix('{') else {
        return rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
    };
    match braced.find(|c| !is_name_char(c) && c != '.') {
        Some(end) if braced.get(end..).is_some_and(|tail| tail.starts_with('}')) => end + 2,
        _ => 0,
    }
}

/// A piece of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'v> {
    Text(&'v str),
    /// A live dollar sign with what follows it: `NAME`, `{NAME}`, or nothing.
    Reference(&'v str),
}

/// The pieces of a value that dotenvy made of a disarmed line; `None` when it is none.
pub(super) fn parts(value: &str) -> Option<Vec<Part<'_>>> {
    const ONE_MARK: &str = "\u{e000}";
    let (first, mut rest) = value.split_once(MARK).unwrap_or((value, ""));
    let mut parts = vec![Part::Text(first)];
    let mut more = first.len() < value.len();
    while more {
        let sign = rest.chars().next()?;
        let behind = rest.get(sign.len_utf8()..)?;
        let (text, next) = behind.split_once(MARK).unwrap_or((behind, ""));
        more = text.len() < behind.len();
        rest = next;
        match sign {
            LITERAL_MARK => parts.extend([Part::Text(ONE_MARK), Part::Text(text)]),
            END => parts.push(Part::Text(text)),
            '$' => parts.push(Part::Reference(text)),
            // Between single quotes: `\$` as it was written for dotenvy, `$` as it is meant.
            '\\' => parts.push(Part::Text(text.strip_prefix('$').map(|_| text)?)),
            _ => return None,
        }
    }
    Some(parts)
}
