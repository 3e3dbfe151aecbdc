//! Policies of secrets.

use serde_json::{Value, json};

use super::{Op, model::ResourcePolicy, named, put};
use crate::{policy::Policy, service::Refusal};

/// Bytes of a policy (quota page).
const LARGEST: usize = 20_480;

impl Op<'_> {
    pub(super) fn get_resource_policy(&self) -> Result<Value, Refusal> {
        let inner = self.service.store.lock();
        let secret = self.open(&inner, self.read_view())?;
        let mut answer = named(&secret);
        put(&mut answer, "ResourcePolicy", secret.policy.as_ref().map(|p| p.text.as_str()));
        Ok(answer)
    }

    pub(super) fn put_resource_policy(&self) -> Result<Value, Refusal> {
        let text = self.input.required("ResourcePolicy")?;
        let block_public = self.input.flag("BlockPublicPolicy")?;
        let ((), secret) = self.change(|op, _, secret| {
            let policy =
                read(text).map_err(|why| Refusal::new("MalformedPolicyDocumentException", why))?;
            if block_public && policy.is_public() {
                return Err(Refusal::new(
                    "PublicPolicyException",
                    "This resource policy grants broad access to the secret.",
                ));
            }
            secret.policy = Some(ResourcePolicy { text: text.to_owned(), policy });
            secret.changed = op.now();
            Ok(())
        })?;
        self.tell(&secret, &[]);
        Ok(named(&secret))
    }

    pub(super) fn delete_resource_policy(&self) -> Result<Value, Refusal> {
        let ((), secret) = self.change(|op, _, secret| {
            secret.policy = None;
            secret.changed = op.now();
            Ok(())
        })?;
        self.tell(&secret, &[]);
        Ok(named(&secret))
    }

    pub(super) fn validate_resource_policy(&self) -> Result<Value, Refusal> {
        let text = self.input.required("ResourcePolicy")?;
        if self.input.text("SecretId")?.is_some() {
            let inner = self.service.store.lock();
            self.open(&inner, self.read_view())?;
        } else {
            self.authorize_alone("ValidateResourcePolicy")?;
        }
        let problem = match read(text) {
            Err(why) => Some(("PolicySyntax", why)),
            Ok(policy) if policy.is_public() => Some((
                "PublicPolicy",
                "This resource policy grants broad access to the secret.".to_owned(),
            )),
            Ok(_) => None,
        };
        let errors: Vec<Value> = problem
            .iter()
            .map(|(check, why)| json!({ "CheckName": check, "ErrorMessage": why }))
            .collect();
        Ok(json!({ "PolicyValidationPassed": errors.is_empty(), "ValidationErrors": errors }))
    }
}

/// A policy that may be a secret's.
fn read(text: &str) -> Result<Policy, String> {
    if text.len() > LARGEST {
        return Err(format!("This resource policy is larger than {LARGEST} bytes."));
    }
    let policy = Policy::parse(text)?;
    if !policy.names_principals() {
        return Err("Missing required field Principal".to_owned());
    }
    Ok(policy)
}
