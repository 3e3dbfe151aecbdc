use secrets_core::{DecodedName, InvalidName, NameRules, NativeId, SecretRef};

/// The longest name of a file in bytes (`NAME_MAX` of Linux).
const MAX_LEN: usize = 255;

/// A name is one file of that name, with `~2f` for the slash: `db` and `db/password` can both be
/// there, which a file and a folder `db` cannot.
pub(super) const FILE_RULES: NameRules = NameRules::new(
    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-~".contains(&b),
    b'~',
    MAX_LEN,
);

/// The path of an entry under the folder: parts joined by `/`, none of which is empty, `.`, or
/// begins with two dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryPath(String);

impl EntryPath {
    pub(super) fn of(reference: &SecretRef) -> Result<Self, InvalidName> {
        match reference {
            SecretRef::Name(name) => FILE_RULES.encode(name).map(Self),
            SecretRef::Native(id) if id.as_str().split('/').all(is_part) => {
                Ok(Self(id.as_str().to_owned()))
            }
            _ => Err(InvalidName::NotUsable { reason: "not the path of a file in the folder" }),
        }
    }

    /// The path of the entry `name` in the folder at `above`, which is empty for the root; `None` for
    /// names that are not read.
    pub(super) fn below(above: &str, name: &str) -> Option<Self> {
        let path = if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
        is_part(name).then_some(Self(path))
    }

    /// What the file at this path is called; `None` when it cannot be named.
    pub(super) fn reference(&self) -> Option<SecretRef> {
        match FILE_RULES.decode(&self.0) {
            DecodedName::Name(name) => Some(name.into()),
            _ => NativeId::new(&self.0).ok().map(SecretRef::from),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// True for what may stand between slashes. On Windows a backslash and a colon are separators, too.
fn is_part(part: &str) -> bool {
    let separates = cfg!(windows) && part.contains(['\\', ':']);
    !(part.is_empty() || part == "." || part.starts_with("..") || separates)
}
