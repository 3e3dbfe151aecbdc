//! Whole lists, page by page.

use std::num::NonZeroU32;

use crate::error::Result;
use crate::metadata::SecretInfo;
use crate::page::{Page, PageRequest, PageToken, SecretFilter};
use crate::reference::SecretRef;
use crate::version::VersionInfo;

use super::check::{Stop, Verdict};
use super::context::Cx;
use super::outcome::{done, ensure};

/// More pages than any list of the suite has, even on an account with much else in it.
const MOST_PAGES: usize = 20_000;

/// Collects pages, and watches over their sizes and tokens.
struct Pages<T> {
    items: Vec<T>,
    limit: Option<NonZeroU32>,
    count: usize,
}

impl<T> Pages<T> {
    fn new(limit: Option<NonZeroU32>) -> Self {
        Self { items: Vec::new(), limit, count: 0 }
    }

    fn request(&self, token: Option<PageToken>) -> PageRequest {
        PageRequest { limit: self.limit, token }
    }

    /// Takes a page; the token of the next one, if any.
    fn take(&mut self, asked: &PageRequest, page: Result<Page<T>>) -> Verdict<Option<PageToken>> {
        let page = done("ask for a page", page)?;
        if let Some(limit) = self.limit {
            let most = usize::try_from(limit.get()).unwrap_or(usize::MAX);
            ensure(
                page.items.len() <= most,
                "ask for a page",
                "no more items than asked for",
                || format!("{} items where {limit} were asked for", page.items.len()),
            )?;
        }
        let ends = page.next.is_none() || page.next != asked.token;
        ensure(ends, "ask for a page", "another token than the one before", || {
            "the same token again: the list never ends".to_owned()
        })?;
        self.count += 1;
        if self.count > MOST_PAGES {
            let seen = format!("more than {MOST_PAGES} pages");
            return Err(Stop::failed("ask for all pages", "the list ends", seen));
        }
        self.items.extend(page.items);
        Ok(page.next)
    }
}

impl Cx<'_> {
    /// All versions of a secret.
    pub(super) async fn versions(
        &self,
        r: &SecretRef,
        limit: Option<NonZeroU32>,
    ) -> Verdict<Vec<VersionInfo>> {
        let mut pages = Pages::new(limit);
        let mut request = pages.request(None);
        loop {
            let page = self.provider.list_versions(r, request.clone()).await;
            match pages.take(&request, page)? {
                None => return Ok(pages.items),
                token => request = pages.request(token),
            }
        }
    }

    /// All secrets that pass a filter.
    pub(super) async fn listed(
        &self,
        filter: &SecretFilter,
        limit: Option<NonZeroU32>,
    ) -> Verdict<Vec<SecretInfo>> {
        let mut pages = Pages::new(limit);
        let mut request = pages.request(None);
        loop {
            let page = self.provider.list_secrets(filter, request.clone()).await;
            match pages.take(&request, page)? {
                None => return Ok(pages.items),
                token => request = pages.request(token),
            }
        }
    }
}
