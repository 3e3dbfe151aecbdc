use std::num::NonZeroU32;

use crate::error::{Error, ErrorKind, Result};
use crate::memory::random::fingerprint;
use crate::page::{PageRequest, PageToken};

/// Which list a token belongs to: a token of another list, or of another provider, is refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListId(u64);

impl ListId {
    /// The list of `kind` that these `arguments` describe.
    pub(crate) fn new(kind: &str, arguments: &str) -> Self {
        Self(fingerprint(&format!("{kind}\n{arguments}")))
    }

    /// The entry after which the asked page starts; `None` for the first page.
    pub(crate) fn start(self, page: &PageRequest) -> Result<Option<String>> {
        let Some(token) = &page.token else { return Ok(None) };
        let (list, entry) = token.as_str().split_once('.').ok_or_else(foreign_token)?;
        let known = u64::from_str_radix(list, 16).is_ok_and(|list| list == self.0);
        if known { Ok(Some(entry.to_owned())) } else { Err(foreign_token()) }
    }

    /// The token of the page that starts after `entry`.
    pub(crate) fn token(self, entry: &str) -> PageToken {
        PageToken::new(format!("{:016x}.{entry}", self.0))
    }
}

fn foreign_token() -> Error {
    Error::new(ErrorKind::InvalidValue, "the page token is not one of this list")
}

/// So many of `items`, and the last of them where there are more.
pub(crate) fn cut<T>(
    items: impl Iterator<Item = T>,
    limit: NonZeroU32,
    name: impl Fn(&T) -> String,
) -> (Vec<T>, Option<String>) {
    let limit = usize::try_from(limit.get()).unwrap_or(usize::MAX);
    let mut items = items.peekable();
    let page: Vec<T> = items.by_ref().take(limit).collect();
    let last = items.peek().and(page.last()).map(name);
    (page, last)
}
