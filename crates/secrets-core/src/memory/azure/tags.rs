use crate::error::{Error, ErrorKind, Result};
use crate::memory::azure::vault::{MAX_TAG_LEN, MAX_TAGS};
use crate::metadata::{Change, MetadataPatch, Tags};

/// The token of the write, or a number that nobody else has drawn: finds a write again.
pub(crate) const WRITE: &str = "mainstay-write";
/// The version that was current when this one was written.
pub(crate) const PREDECESSOR: &str = "mainstay-predecessor";
/// The token of the promotion that wrote this version, a slash, and the pending version's id.
pub(crate) const ROTATION: &str = "mainstay-rotation";
/// The description: the vault has no other place for one.
pub(crate) const DESCRIPTION: &str = "mainstay-description";

const RESERVED: [&str; 4] = [WRITE, PREDECESSOR, ROTATION, DESCRIPTION];
/// Names that start so are ours.
const PREFIX: &str = "mainstay-";
/// What is left for the user.
pub(crate) const MAX_USER_TAGS: usize = MAX_TAGS - RESERVED.len();

/// The user's tags among all.
pub(crate) fn of_user(tags: &Tags) -> Tags {
    let user = tags.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str()));
    user.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The user's tags and description after a patch over those that are there.
pub(crate) fn patched(before: &Tags, patch: &MetadataPatch) -> Result<Tags> {
    let unfit = |(name, value): (&String, &String)| {
        name.is_empty()
            || name.starts_with(PREFIX)
            || name.chars().count() > MAX_TAG_LEN
            || value.chars().count() > MAX_TAG_LEN
    };
    let mut tags = of_user(before);
    patch.apply_tags(&mut tags);
    let mut description = before.get(DESCRIPTION).cloned();
    patch.description.clone().apply(&mut description);
    let long = description.as_ref().is_some_and(|text| text.chars().count() > MAX_TAG_LEN);
    if tags.len() > MAX_USER_TAGS || long || patch.set_tags.iter().any(unfit) {
        let message = "a version has 11 tags of 256 characters at most, none named `mainstay-`";
        return Err(Error::new(ErrorKind::InvalidValue, message));
    }
    tags.extend(description.map(|text| (DESCRIPTION.to_owned(), text)));
    Ok(tags)
}

/// The patched tags with what is ours of the version that stays.
pub(crate) fn replaced(before: &Tags, patch: &MetadataPatch) -> Result<Tags> {
    let mut tags = patched(before, patch)?;
    for name in [WRITE, PREDECESSOR, ROTATION] {
        tags.extend(before.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    Ok(tags)
}

/// The value that a change sets.
pub(crate) fn set<T>(change: &Change<T>) -> Option<&T> {
    match change {
        Change::Set(value) => Some(value),
        Change::Keep | Change::Clear => None,
    }
}
