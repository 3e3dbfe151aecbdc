//! What KMS says no with. Texts as AWS sends them where a source shows them (RULES.md), else our own.

use crate::service::Refusal;

pub(super) fn no_key(arn: &str) -> Refusal {
    Refusal::new("NotFoundException", format!("Key '{arn}' does not exist"))
}

pub(super) fn no_alias(arn: &str) -> Refusal {
    Refusal::new("NotFoundException", format!("Alias {arn} is not found."))
}

pub(super) fn bad_id(reference: &str) -> Refusal {
    Refusal::new("NotFoundException", format!("Invalid keyId '{reference}'"))
}

pub(super) fn bad_arn(what: &str) -> Refusal {
    Refusal::new("InvalidArnException", format!("Invalid arn {what}"))
}

pub(super) fn disabled(arn: &str) -> Refusal {
    Refusal::new("DisabledException", format!("{arn} is disabled."))
}

/// The other code that AWS documents for a key that is pending deletion.
pub(super) fn leaving(arn: &str) -> Refusal {
    let text = format!("{arn} is pending deletion (or pending replica deletion).");
    Refusal::new("DisabledException", text)
}

/// `how`: `is pending deletion.`, `is pending import.`, `is not pending deletion.`
pub(super) fn invalid_state(arn: &str, how: &str) -> Refusal {
    Refusal::new("KMSInvalidStateException", format!("{arn} {how}"))
}

pub(super) fn unsupported(why: &str) -> Refusal {
    Refusal::new("UnsupportedOperationException", why)
}

pub(super) fn invalid_usage(arn: &str, usage: &str, operation: &str) -> Refusal {
    let text = format!("{arn} key usage is {usage} which is not valid for {operation}.");
    Refusal::new("InvalidKeyUsageException", text)
}

/// AWS sends no text with it.
pub(super) fn invalid_ciphertext() -> Refusal {
    Refusal::new("InvalidCiphertextException", "")
}

pub(super) fn incorrect_key() -> Refusal {
    let text = "The key ID in the request does not identify a CMK that can perform this operation.";
    Refusal::new("IncorrectKeyException", text)
}

/// What `Decrypt` says of a ciphertext under a key of a stranger: it does not tell whether the key exists.
pub(super) fn hidden_key() -> Refusal {
    let text = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, \
                or you are not allowed to access.";
    Refusal::new("AccessDeniedException", text)
}

/// A key of another account that is not there is refused like one that may not be used.
pub(super) fn foreign_key(principal: &str, arn: &str) -> Refusal {
    let text = format!("User: {principal} is not authorized to access this key: {arn}");
    Refusal::new("AccessDeniedException", text)
}

pub(super) fn invalid_token() -> Refusal {
    Refusal::new("InvalidGrantTokenException", "The grant token is not valid.")
}

pub(super) fn dry_run() -> Refusal {
    let text = "The request would have succeeded, but the DryRun option is set.";
    Refusal::new("DryRunOperationException", text).with_status(412)
}

pub(super) fn malformed_policy(why: &str) -> Refusal {
    Refusal::new("MalformedPolicyDocumentException", why)
}

pub(super) fn limit(why: &str) -> Refusal {
    Refusal::new("LimitExceededException", why)
}

pub(super) fn internal() -> Refusal {
    Refusal::new(
        "KMSInternalException",
        "The request was rejected because an internal exception occurred.",
    )
    .with_status(500)
}

impl From<super::material::Failed> for Refusal {
    fn from(_: super::material::Failed) -> Self {
        internal()
    }
}
