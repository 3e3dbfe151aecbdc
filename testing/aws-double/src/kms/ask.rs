//! One request to KMS, and who asks.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::input::{Input, invalid};
use super::key::set;
use crate::identity::Identity;
use crate::service::{Call, Refusal};
use crate::world::{World, partition};

/// The pairs of an encryption context.
pub(super) type Context = BTreeMap<String, String>;

/// One request to KMS.
#[derive(Clone)]
pub(super) struct Ask<'a> {
    pub(super) input: Input<'a>,
    pub(super) identity: &'a Identity,
    pub(super) world: &'a World,
    pub(super) region: &'a str,
    pub(super) now: SystemTime,
    /// The grant tokens that are shown.
    pub(super) tokens: Vec<&'a str>,
    /// The encryption context, for an operation that has one.
    pub(super) context: Option<&'a Context>,
    /// The service that asks for the caller, such as `secretsmanager`.
    pub(super) via: Option<&'static str>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(call: &'a Call<'a>) -> Result<Self, Refusal> {
        let input = Input(call.input);
        let identity = call.identity.ok_or_else(|| {
            Refusal::new(
                "MissingAuthenticationTokenException",
                "Request is missing Authentication Token",
            )
        })?;
        Ok(Self {
            input,
            identity,
            world: call.world,
            region: call.region,
            now: call.now,
            tokens: input.list("GrantTokens")?,
            context: None,
            via: None,
        })
    }

    /// The same request over this encryption context.
    pub(super) fn with_context(&self, context: &'a Context) -> Self {
        Self { context: Some(context), ..self.clone() }
    }

    pub(super) fn dry_run(&self) -> Result<bool, Refusal> {
        self.input.flag("DryRun")
    }

    /// `arn:aws:kms:<region>:<account>:<resource>` in the caller's account.
    pub(super) fn arn(&self, resource: &str) -> String {
        let partition = partition(self.region);
        format!("arn:{partition}:kms:{}:{}:{resource}", self.region, self.identity.account)
    }

    /// The condition keys that policies may ask for, in lower case (Developer Guide, "AWS KMS condition keys").
    pub(super) fn conditions(&self) -> BTreeMap<String, String> {
        let mut conditions = BTreeMap::new();
        conditions.insert("kms:calleraccount".to_owned(), self.identity.account.clone());
        if let Some(service) = self.via {
            let via = format!("{service}.{}.amazonaws.com", self.region);
            conditions.insert("kms:viaservice".to_owned(), via);
        }
        for (name, value) in self.context.into_iter().flatten() {
            let key = format!("kms:encryptioncontext:{}", name.to_lowercase());
            conditions.insert(key, value.clone());
        }
        conditions
    }

    pub(super) fn denied(&self, operation: &str, resource: &str) -> Refusal {
        Refusal::new(
            "AccessDeniedException",
            format!(
                "User: {} is not authorized to perform: kms:{operation} on resource: {resource} because no \
                 resource-based policy allows the kms:{operation} action",
                self.identity.principal
            ),
        )
    }

    /// A page of a listing: `Limit`, `Marker`, `Truncated`, `NextMarker`.
    pub(super) fn page(
        &self,
        entries: Vec<Value>,
        name: &str,
        usual: i64,
        most: i64,
    ) -> Result<Value, Refusal> {
        let limit = self.input.number("Limit", 1, most)?.unwrap_or(usual);
        let limit = usize::try_from(limit).map_err(|_| invalid("", "Limit", "a whole number"))?;
        let from = match self.input.text("Marker")? {
            None => 0,
            Some(marker) => marker
                .strip_prefix("after-")
                .and_then(|after| after.parse::<usize>().ok())
                .filter(|after| *after <= entries.len())
                .ok_or_else(|| {
                    Refusal::new("InvalidMarkerException", "The marker is not valid.")
                })?,
        };
        let total = entries.len();
        let page: Vec<Value> = entries.into_iter().skip(from).take(limit).collect();
        let end = from + page.len();
        let mut answer = json!({ name: page, "Truncated": end < total });
        if end < total {
            set(&mut answer, "NextMarker", json!(format!("after-{end}")));
        }
        Ok(answer)
    }
}
