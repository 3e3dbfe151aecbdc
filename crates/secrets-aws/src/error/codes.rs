use secrets_core::ErrorKind;

/// What a code means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meaning {
    pub(super) kind: ErrorKind,
    /// What to tell.
    pub(super) text: &'static str,
    /// Whether AWS's own text may be told: it names principals, actions and keys, and helps. Texts
    /// about parameters and signatures quote what was sent.
    pub(super) quotable: bool,
}

const fn plain(kind: ErrorKind, text: &'static str) -> Meaning {
    Meaning { kind, text, quotable: false }
}

const fn quotable(kind: ErrorKind, text: &'static str) -> Meaning {
    Meaning { kind, text, quotable: true }
}

/// Codes of Secrets Manager, KMS, STS and SQS (API references, "Errors" and "Common errors"; what counts
/// as throttling is the list of `aws-runtime`, less the quota).
const CODES: &[(&[&str], Meaning)] = &[
    (
        &["ResourceNotFoundException", "NotFoundException"],
        plain(ErrorKind::NotFound, "no such secret, version, stage or key"),
    ),
    (
        &["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"],
        plain(ErrorKind::NotFound, "no such queue"),
    ),
    (
        &["ResourceExistsException"],
        plain(ErrorKind::Conflict, "the token was used for another value"),
    ),
    (&["AlreadyExistsException"], plain(ErrorKind::AlreadyExists, "it exists already")),
    (
        &["AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized"],
        quotable(ErrorKind::PermissionDenied, "this identity may not do it"),
    ),
    (
        &[
            "KMS.AccessDeniedException",
            "KMS.DisabledException",
            "KMS.InvalidKeyUsageException",
            "KMS.InvalidStateException",
            "KMS.NotFoundException",
            "KMS.OptInRequired",
        ],
        quotable(ErrorKind::PermissionDenied, "the queue's KMS key cannot be used"),
    ),
    (
        &["OptInRequired", "SubscriptionRequiredException", "RegionDisabledException"],
        quotable(ErrorKind::PermissionDenied, "the account or its region is not enabled for this"),
    ),
    (
        &["UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"],
        plain(ErrorKind::Unauthenticated, "the access key or its session token is not known"),
    ),
    (
        &["ExpiredTokenException", "ExpiredToken", "TokenRefreshRequired"],
        plain(ErrorKind::Unauthenticated, "the credentials have expired"),
    ),
    (
        &[
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "AuthFailure",
            "InvalidSecurity",
        ],
        plain(ErrorKind::Unauthenticated, "the signature is not accepted: key, region or clock"),
    ),
    (
        &["RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"],
        plain(ErrorKind::Unauthenticated, "the clock of this host is off"),
    ),
    (
        &[
            "IDPRejectedClaim",
            "InvalidIdentityToken",
            "ExpiredTradeInTokenException",
            "InvalidAuthorizationMessageException",
        ],
        plain(ErrorKind::Unauthenticated, "the web identity is not accepted"),
    ),
    (
        &[
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottledException",
            "RequestThrottled",
            "TooManyRequestsException",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "BandwidthLimitExceeded",
            "SlowDown",
            "PriorRequestNotComplete",
            "EC2ThrottledException",
            // Of SQS: the queue's key, and too many messages that were received and not taken off.
            "KMS.ThrottlingException",
            "OverLimit",
        ],
        plain(ErrorKind::Throttled, "too many requests of this account"),
    ),
    (
        &["LimitExceededException", "LimitExceeded", "ServiceQuotaExceededException"],
        quotable(ErrorKind::QuotaExceeded, "a quota of the account is used up"),
    ),
    (
        &[
            "InternalServiceError",
            "InternalServiceErrorException",
            "InternalServerError",
            "InternalFailure",
            "InternalError",
            "KMSInternalException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "ServiceUnavailableError",
            "IDPCommunicationError",
            "DependencyTimeoutException",
            "KeyUnavailableException",
            "RequestTimeout",
            "RequestTimeoutException",
            "RequestAbortedException",
        ],
        plain(ErrorKind::Unavailable, "the service cannot serve at the moment"),
    ),
    (
        &["InvalidNextTokenException", "InvalidMarkerException"],
        plain(ErrorKind::InvalidValue, "the page token is not one of this list"),
    ),
    (
        &[
            "InvalidParameterException",
            "InvalidParameterValue",
            "InvalidParameterCombination",
            "MissingParameter",
            "ValidationException",
            "ValidationError",
            "SerializationException",
            "MalformedHttpRequestException",
            "RequestEntityTooLargeException",
            "TagException",
            "ReceiptHandleIsInvalid",
        ],
        plain(ErrorKind::InvalidValue, "a parameter is not acceptable"),
    ),
    (
        &["MalformedPolicyDocumentException", "MalformedPolicyDocument"],
        quotable(ErrorKind::InvalidValue, "the policy is not well formed"),
    ),
    (
        &["PublicPolicyException"],
        quotable(ErrorKind::InvalidValue, "the policy would open the secret to the public"),
    ),
    (
        &["PackedPolicyTooLarge", "JWTPayloadSizeExceededException"],
        plain(ErrorKind::TooLarge, "session policy and tags are too large"),
    ),
    (
        &["PreconditionNotMetException", "ConflictException", "DryRunOperationException"],
        quotable(ErrorKind::Conflict, "something else has to be done first"),
    ),
    (
        &["DecryptionFailure", "EncryptionFailure"],
        quotable(
            ErrorKind::PermissionDenied,
            "the secret's KMS key cannot be used: disabled, being deleted, or not permitted",
        ),
    ),
    (
        &["KMSInvalidStateException"],
        quotable(ErrorKind::Conflict, "the state of the key does not allow it"),
    ),
    (&["DisabledException"], plain(ErrorKind::Disabled, "the key is disabled")),
    (
        &[
            "InvalidCiphertextException",
            "IncorrectKeyException",
            "IncorrectKeyMaterialException",
            "KMSInvalidSignatureException",
            "KMSInvalidMacException",
        ],
        plain(ErrorKind::Integrity, "not made by this key in this context, or damaged since"),
    ),
    (
        &["InvalidArnException", "InvalidAliasNameException"],
        plain(ErrorKind::InvalidName, "not an id of a key"),
    ),
    (
        &["InvalidKeyUsageException", "InvalidGrantTokenException", "InvalidGrantIdException"],
        quotable(ErrorKind::InvalidValue, "the key or the grant is not for this"),
    ),
    (
        &[
            "UnsupportedOperationException",
            "UnknownOperationException",
            "InvalidAction",
            "AWS.SimpleQueueService.UnsupportedOperation",
        ],
        plain(ErrorKind::Unsupported, "the endpoint does not have this operation"),
    ),
];

/// What a code means for this request. Some codes mean several things, which only AWS's text tells.
pub(super) fn meaning(request: &str, code: &str, message: &str, status: u16) -> Meaning {
    match (request, code) {
        ("CreateSecret", "ResourceExistsException") => {
            return plain(ErrorKind::AlreadyExists, "the name is taken");
        }
        ("ReplicateSecretToRegions", "ResourceExistsException") => {
            return plain(ErrorKind::AlreadyExists, "the name is taken in that region");
        }
        ("UpdateSecretVersionStage", "InvalidParameterException") => {
            return plain(ErrorKind::Conflict, "the stage is not where the call says");
        }
        // AWS has no code of its own for it, and its text names what was asked for alone.
        (_, "InvalidParameterException") if is_about_copies(message) => {
            return quotable(ErrorKind::Conflict, "the secret has copies, or is one");
        }
        (_, "InvalidRequestException") => return invalid_request(message),
        // AWS documents both codes for a key that is on its way out.
        (_, "KMSInvalidStateException" | "DisabledException") if is_leaving(message) => {
            return plain(ErrorKind::PendingDeletion, "the key is scheduled for deletion");
        }
        _ => {}
    }
    let known = CODES.iter().find(|(codes, _)| codes.contains(&code));
    match known {
        Some((_, meaning)) => *meaning,
        None if status >= 500 => plain(ErrorKind::Unavailable, "the service failed"),
        None => plain(ErrorKind::Internal, "for a reason that this library does not know"),
    }
}

/// "You can't perform this operation on the secret because it was marked for deletion", "a secret
/// with this name is already scheduled for deletion", "A previous rotation isn't complete": one code
/// for all of them.
fn invalid_request(message: &str) -> Meaning {
    if message.contains("deletion") || message.contains("deleted") {
        return plain(ErrorKind::PendingDeletion, "the secret is scheduled for deletion");
    }
    if message.contains("managed by another service") {
        let text = "another service of AWS manages the secret, and changes it alone";
        return plain(ErrorKind::PermissionDenied, text);
    }
    if message.contains("rotation isn't complete") || message.contains("rotation is not complete") {
        return plain(ErrorKind::Conflict, "a rotation has begun and is not finished");
    }
    quotable(ErrorKind::Conflict, "the state of the secret does not allow it")
}

/// "You can't delete secret … that still has replica regions […]", "Operation not permitted on a
/// replica secret. Call must be made in primary secret's region."
fn is_about_copies(message: &str) -> bool {
    message.contains("still has replica regions") || message.contains("on a replica secret")
}

/// "… is pending deletion." among the states of a key.
fn is_leaving(message: &str) -> bool {
    message.contains("pending deletion") || message.contains("PendingDeletion")
}
