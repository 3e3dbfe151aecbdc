//! Many values in one call.

use serde_json::{Value, json};

use super::{
    Op,
    filter::Filters,
    list::{Order, position},
    pages, put,
};
use crate::service::Refusal;

const MOST: usize = 20;

/// A secret of a batch and its place in it, which no other has: what comes in between two pages shifts
/// nothing.
struct Wanted {
    id: String,
    place: (u64, String),
}

impl Op<'_> {
    pub(super) fn batch_get_secret_value(&self) -> Result<Value, Refusal> {
        let ids = self.input.texts("SecretIdList", MOST)?;
        let filters = Filters::read(self)?;
        let sized = self.input.0.get("MaxResults").is_some_and(|v| !v.is_null());
        let most = self.input.page_size(MOST)?;
        self.authorize_alone("BatchGetSecretValue")?;
        let wanted: Vec<Wanted> = match (ids, filters.is_empty()) {
            (Some(_), _) if sized => {
                return Err(invalid("You can't use MaxResults with SecretIdList."));
            }
            (Some(_), false) => {
                return Err(invalid(
                    "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
                ));
            }
            (None, true) => {
                return Err(invalid(
                    "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
                ));
            }
            (Some(ids), true) => (1..)
                .zip(ids)
                .map(|(at, id)| Wanted { id: id.to_owned(), place: (at, String::new()) })
                .collect(),
            (None, false) => {
                self.authorize_alone("ListSecrets")?;
                let inner = self.service.store.lock();
                let listed = self.listed(&inner, &filters, false);
                let wanted = listed.iter().map(|secret| Wanted {
                    id: secret.arn.clone(),
                    place: position(&inner, secret, Order::Created),
                });
                let mut wanted: Vec<_> = wanted.collect();
                wanted.sort_by(|one, other| one.place.cmp(&other.place));
                wanted
            }
        };
        self.batch(&wanted, most)
    }

    /// As many of these as fit, from where the last answer ended.
    fn batch(&self, wanted: &[Wanted], most: usize) -> Result<Value, Refusal> {
        let scope = format!("batch {}", self.question());
        let after =
            self.input.text("NextToken")?.map(|t| pages::open(self, &scope, t)).transpose()?;
        let is_left = |one: &&Wanted| after.as_ref().is_none_or(|after| one.place > *after);
        let rest: Vec<&Wanted> = wanted.iter().filter(is_left).collect();
        let (mut values, mut errors, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut last = None;
        let mut inner = self.service.store.lock();
        for Wanted { id, place } in rest.iter().take(most) {
            match self.read(&mut inner, id, None, None, self.read_view()) {
                Ok(value) => {
                    let size = ["SecretString", "SecretBinary"]
                        .iter()
                        .filter_map(|name| value.get(name)?.as_str())
                        .map(str::len)
                        .sum::<usize>();
                    if !values.is_empty() && bytes + size > self.service.settings.batch_bytes {
                        break;
                    }
                    bytes += size;
                    values.push(value);
                }
                Err(refusal) => errors.push(json!({
                    "SecretId": id,
                    "ErrorCode": refusal.code,
                    "Message": refusal.message,
                })),
            }
            last = Some(place);
        }
        drop(inner);
        let mut answer = json!({ "SecretValues": values, "Errors": errors });
        let end = rest.last().map(|one| &one.place);
        let next = last.filter(|last| Some(*last) != end);
        let next = next.map(|(at, name)| pages::seal(self, &scope, *at, name));
        put(&mut answer, "NextToken", next);
        Ok(answer)
    }

    /// What is asked for, without where to go on.
    fn question(&self) -> String {
        let part = |name: &str| self.call.input.get(name).map(Value::to_string).unwrap_or_default();
        format!("{} {}", part("SecretIdList"), part("Filters"))
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}
