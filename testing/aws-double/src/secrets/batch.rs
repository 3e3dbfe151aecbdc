//! Many values in one call.

use serde_json::{Value, json};

use super::{Op, filter::Filters, pages, put};
use crate::service::Refusal;

const MOST: usize = 20;

impl Op<'_> {
    pub(super) fn batch_get_secret_value(&self) -> Result<Value, Refusal> {
        let ids = self.input.texts("SecretIdList", MOST)?;
        let filters = Filters::read(self)?;
        let sized = self.input.0.get("MaxResults").is_some_and(|v| !v.is_null());
        let most = self.input.page_size(MOST)?;
        self.authorize_alone("BatchGetSecretValue")?;
        let wanted: Vec<String> = match (ids, filters.is_empty()) {
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
            (Some(ids), true) => ids.into_iter().map(str::to_owned).collect(),
            (None, false) => {
                self.authorize_alone("ListSecrets")?;
                let inner = self.service.store.lock();
                self.listed(&inner, &filters, false).iter().map(|s| s.arn.clone()).collect()
            }
        };
        self.batch(&wanted, most)
    }

    /// As many of these as fit, from where the last answer ended.
    fn batch(&self, wanted: &[String], most: usize) -> Result<Value, Refusal> {
        let scope = format!("batch {}", self.question());
        let after =
            self.input.text("NextToken")?.map(|t| pages::open(self, &scope, t)).transpose()?;
        let done = after.map_or(0, |(at, _)| usize::try_from(at).unwrap_or(usize::MAX));
        let (mut values, mut errors, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut taken = done;
        let mut inner = self.service.store.lock();
        for id in wanted.iter().skip(done).take(most) {
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
            taken += 1;
        }
        drop(inner);
        let mut answer = json!({ "SecretValues": values, "Errors": errors });
        let next = (taken < wanted.len())
            .then(|| pages::seal(self, &scope, u64::try_from(taken).unwrap_or(u64::MAX), ""));
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
