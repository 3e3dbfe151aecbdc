//! Lists of secrets.

use std::{sync::Arc, time::SystemTime};

use serde_json::Value;

use super::{
    Op,
    describe::{details, stages},
    filter::Filters,
    input::millis,
    model::Secret,
    pages::{self},
    put,
    store::Inner,
};
use crate::{service::Refusal, stamp};

/// What a list is ordered by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Created,
    Changed,
    Accessed,
    Name,
}

impl Op<'_> {
    pub(super) fn list_secrets(&self) -> Result<Value, Refusal> {
        let most = self.input.page_size(100)?;
        let planned = self.input.flag("IncludePlannedDeletion")?;
        let order = self.order()?;
        let descending = match self.input.text("SortOrder")? {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => {
                return Err(super::input::constraint(
                    "SortOrder",
                    "Member must satisfy enum value set: [asc, desc]",
                ));
            }
        };
        let filters = Filters::read(self)?;
        self.authorize_alone("ListSecrets")?;
        let inner = self.service.store.lock();
        let mut found = self.listed(&inner, &filters, planned);
        found.sort_by_cached_key(|s| position(&inner, s, order));
        if descending {
            found.reverse();
        }
        // What a token is for: the whole question but the size of the page.
        let filter_text = self.call.input.get("Filters").map(Value::to_string).unwrap_or_default();
        let scope = format!("list {planned} {order:?} {descending} {filter_text}");
        let after =
            self.input.text("NextToken")?.map(|t| pages::open(self, &scope, t)).transpose()?;
        let behind = |s: &Arc<Secret>| {
            let at = position(&inner, s, order);
            after.as_ref().is_none_or(|a| if descending { at < *a } else { at > *a })
        };
        let mut rest = found.into_iter().filter(behind);
        let page: Vec<Arc<Secret>> = rest.by_ref().take(most).collect();
        let next = rest.next().is_some().then(|| page.last()).flatten().map(|last| {
            let (at, name) = position(&inner, last, order);
            pages::seal(self, &scope, at, &name)
        });
        let mut answer = serde_json::json!({
            "SecretList": page.iter().map(|s| entry(&inner, s)).collect::<Vec<_>>(),
        });
        put(&mut answer, "NextToken", next);
        Ok(answer)
    }

    /// The secrets that a list shows, by name.
    pub(super) fn listed(
        &self,
        inner: &Inner,
        filters: &Filters,
        planned: bool,
    ) -> Vec<Arc<Secret>> {
        let mut found = inner.all(&self.caller(), self.list_view());
        found.retain(|s| (planned || s.deletion.is_none()) && filters.match_all(s));
        found
    }

    fn order(&self) -> Result<Order, Refusal> {
        match self.input.text("SortBy")? {
            None | Some("created-date") => Ok(Order::Created),
            Some("last-changed-date") => Ok(Order::Changed),
            Some("last-accessed-date") => Ok(Order::Accessed),
            Some("name") => Ok(Order::Name),
            Some(_) => Err(super::input::constraint(
                "SortBy",
                "Member must satisfy enum value set: [created-date, last-accessed-date, \
                 last-changed-date, name]",
            )),
        }
    }
}

pub(super) fn position(inner: &Inner, secret: &Secret, order: Order) -> (u64, String) {
    let at = match order {
        Order::Created => millis(secret.created),
        Order::Changed => millis(secret.changed),
        Order::Accessed => inner.last_accessed(secret).map_or(0, |at: SystemTime| millis(at)),
        Order::Name => 0,
    };
    (at, secret.place.name.clone())
}

fn entry(inner: &Inner, secret: &Secret) -> Value {
    let mut entry = details(inner, secret);
    put(&mut entry, "SecretVersionsToStages", stages(secret));
    put(&mut entry, "DeletedDate", secret.deletion.map(|d| stamp::epoch(d.requested)));
    entry
}
