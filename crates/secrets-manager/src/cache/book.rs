use std::collections::HashMap;

use foldhash::fast::RandomState;
use secrets_core::{SecretRef, VersionSelector};

use crate::cache::line::{Key, LineId, may_be_same};

/// Where the lines of one provider stand.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pages: HashMap<SecretRef, Vec<(VersionSelector, LineId)>, RandomState>,
    /// How many of the pages are about native ids.
    natives: usize,
}

impl Book {
    pub(crate) fn find(&self, key: &Key) -> Option<LineId> {
        let page = self.pages.get(&key.reference)?;
        page.iter().find(|(selector, _)| *selector == key.selector).map(|(_, id)| *id)
    }

    pub(crate) fn add(&mut self, key: &Key, id: LineId) {
        let page = self.pages.entry(key.reference.clone()).or_default();
        self.natives += usize::from(page.is_empty() && key.reference.name().is_none());
        page.push((key.selector.clone(), id));
    }

    pub(crate) fn remove(&mut self, key: &Key) {
        let Some(page) = self.pages.get_mut(&key.reference) else { return };
        page.retain(|(selector, _)| *selector != key.selector);
        if page.is_empty() {
            self.pages.remove(&key.reference);
            self.natives -= usize::from(key.reference.name().is_none());
        }
    }

    /// The lines of a reference.
    pub(crate) fn page(&self, reference: &SecretRef) -> Vec<LineId> {
        self.pages.get(reference).map(|page| ids(page).collect()).unwrap_or_default()
    }

    /// The lines of native ids.
    pub(crate) fn natives(&self) -> Vec<LineId> {
        if self.natives == 0 {
            return Vec::new();
        }
        let pages = self.pages.iter().filter(|(reference, _)| reference.name().is_none());
        pages.flat_map(|(_, page)| ids(page)).collect()
    }

    /// The lines that may be about the same secret: its own, and, since only the provider knows
    /// what a native id means, those by native ids; all of them for a native id.
    pub(crate) fn related(&self, reference: &SecretRef) -> Vec<LineId> {
        if reference.name().is_some() && self.natives == 0 {
            return self.page(reference);
        }
        let pages = self.pages.iter().filter(|(other, _)| may_be_same(other, reference));
        pages.flat_map(|(_, page)| ids(page)).collect()
    }
}

fn ids(page: &[(VersionSelector, LineId)]) -> impl Iterator<Item = LineId> {
    page.iter().map(|(_, id)| *id)
}
