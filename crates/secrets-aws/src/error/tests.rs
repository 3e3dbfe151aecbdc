use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;

use super::*;

fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
    response.headers_mut().insert("x-amzn-requestid", "request-1");
    for (name, value) in headers {
        response.headers_mut().insert(*name, *value);
    }
    response
}

fn refusal(code: &str, message: &str) -> SdkError<ErrorMetadata, HttpResponse> {
    let meta = ErrorMetadata::builder().code(code).message(message).build();
    SdkError::service_error(meta, answer(400, &[]))
}

fn told(request: &'static str, code: &str, message: &str) -> Error {
    Call::write(Operation::SetSecret, request).failure(refusal(code, message)).into()
}

#[test]
fn the_code_decides_and_the_status_does_not() {
    let cases = [
        ("GetSecretValue", "ResourceNotFoundException", ErrorKind::NotFound, Retry::Never),
        ("CreateSecret", "ResourceExistsException", ErrorKind::AlreadyExists, Retry::Never),
        ("PutSecretValue", "ResourceExistsException", ErrorKind::Conflict, Retry::Never),
        ("PutSecretValue", "ThrottlingException", ErrorKind::Throttled, Retry::Backoff),
        ("PutSecretValue", "LimitExceededException", ErrorKind::QuotaExceeded, Retry::Never),
        ("PutSecretValue", "InternalServiceError", ErrorKind::Unavailable, Retry::Backoff),
        ("PutSecretValue", "ExpiredTokenException", ErrorKind::Unauthenticated, Retry::AfterReauth),
        ("Decrypt", "DisabledException", ErrorKind::Disabled, Retry::Never),
        ("Decrypt", "InvalidCiphertextException", ErrorKind::Integrity, Retry::Never),
        ("Decrypt", "NoSuchCodeYet", ErrorKind::Internal, Retry::Never),
    ];
    for (request, code, kind, retry) in cases {
        let error = told(request, code, "");
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{request} {code}");
        assert_eq!(error.request_id(), Some("request-1"));
        assert_eq!(error.operation(), Some(Operation::SetSecret));
        assert!(error.to_string().contains(code), "{error}");
    }
}

/// The errors of the requests that are made here, by the models of the SDK, and those common to all.
#[test]
fn every_code_of_the_models_is_known() {
    let secrets_manager = "DecryptionFailure EncryptionFailure InternalServiceError \
        InvalidNextTokenException InvalidParameterException InvalidRequestException \
        LimitExceededException MalformedPolicyDocumentException PreconditionNotMetException \
        PublicPolicyException ResourceExistsException ResourceNotFoundException";
    let kms = "AlreadyExistsException ConflictException DependencyTimeoutException \
        DisabledException DryRunOperationException IncorrectKeyException \
        IncorrectKeyMaterialException InvalidAliasNameException InvalidArnException \
        InvalidCiphertextException InvalidGrantIdException InvalidGrantTokenException \
        InvalidKeyUsageException InvalidMarkerException KMSInternalException \
        KMSInvalidMacException KMSInvalidSignatureException KMSInvalidStateException \
        KeyUnavailableException NotFoundException TagException UnsupportedOperationException";
    let sts = "ExpiredTokenException IDPCommunicationError IDPRejectedClaim \
        InvalidAuthorizationMessageException InvalidIdentityToken JWTPayloadSizeExceededException \
        MalformedPolicyDocument PackedPolicyTooLarge RegionDisabledException";
    let sqs = "AWS.SimpleQueueService.NonExistentQueue AWS.SimpleQueueService.UnsupportedOperation \
        InvalidAddress InvalidSecurity KMS.AccessDeniedException KMS.DisabledException \
        KMS.InvalidKeyUsageException KMS.InvalidStateException KMS.NotFoundException \
        KMS.OptInRequired KMS.ThrottlingException OverLimit ReceiptHandleIsInvalid RequestThrottled";
    let common = "AccessDeniedException ExpiredTokenException IncompleteSignature InternalFailure \
        MalformedHttpRequestException NotAuthorized OptInRequired RequestAbortedException \
        RequestEntityTooLargeException RequestExpired RequestTimeoutException ServiceUnavailable \
        ThrottlingException UnrecognizedClientException UnknownOperationException ValidationError";
    for code in [secrets_manager, kms, sts, sqs, common].iter().flat_map(|all| all.split(' ')) {
        let error = told("DescribeSecret", code, "");
        assert_ne!(error.kind(), ErrorKind::Internal, "{error}");
    }
}

#[test]
fn one_code_for_several_states_is_told_apart_by_text() {
    let texts = [
        (
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
            ErrorKind::PendingDeletion,
        ),
        (
            "You can't perform this operation on the secret because it was marked for deletion.",
            ErrorKind::PendingDeletion,
        ),
        (
            "A previous rotation isn't complete. That rotation will be reattempted.",
            ErrorKind::Conflict,
        ),
        (
            "The secret is managed by another service, and you must use that service to update it.",
            ErrorKind::PermissionDenied,
        ),
        ("You tried to perform the operation on a secret of another kind.", ErrorKind::Conflict),
    ];
    for (text, kind) in texts {
        assert_eq!(told("PutSecretValue", "InvalidRequestException", text).kind(), kind, "{text}");
    }
}

#[test]
fn no_text_of_aws_is_told_where_the_request_held_a_secret() {
    let canary = "hunter2-canary";
    for code in ["AccessDeniedException", "LimitExceededException", "ValidationException"] {
        let call = Call::write_secret(Operation::SetSecret, "PutSecretValue");
        let error = Error::from(call.failure(refusal(code, canary)));
        let shown = format!("{error} {error:?} {:?}", error.source().map(ToString::to_string));
        assert!(!shown.contains(canary), "{shown}");
    }
    // Texts about parameters and signatures quote what was sent, whatever the call.
    for code in ["ValidationException", "InvalidSignatureException"] {
        let error = told("UpdateSecretVersionStage", code, canary);
        assert!(!format!("{error} {error:?}").contains(canary), "{error}");
    }
    let helpful = told("DescribeSecret", "AccessDeniedException", "User: arn:aws:iam::1:user/a");
    assert!(helpful.to_string().contains("arn:aws:iam::1:user/a"), "{helpful}");
}

#[test]
fn foreign_text_is_one_line_of_bounded_length() {
    let long = format!("a\n\u{202e}{}", "x".repeat(10_000));
    let error = told("DescribeSecret", "AccessDeniedException", &long).to_string();
    assert!(error.len() < 700 && !error.contains('\n') && !error.contains('\u{202e}'), "{error}");
}

#[test]
fn an_answer_that_is_not_one_of_aws_is_an_outage() {
    for (status, kind) in
        [(200, ErrorKind::Unavailable), (503, ErrorKind::Unavailable), (429, ErrorKind::Throttled)]
    {
        let page = SdkError::<ErrorMetadata, _>::response_error("a page", answer(status, &[]));
        let error = Error::from(Call::write(Operation::SetSecret, "PutSecretValue").failure(page));
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("not one of AWS"), "{error}");
        assert_eq!(error.effect(), Effect::Unknown, "no attempt was seen");
    }
}

#[test]
fn an_endpoint_that_says_when_is_heeded() {
    let wait = |name, value| {
        let meta = ErrorMetadata::builder().code("ThrottlingException").build();
        let error = SdkError::service_error(meta, answer(400, &[(name, value)]));
        Error::from(Call::read(Operation::GetSecret, "GetSecretValue").failure(error)).retry()
    };
    assert_eq!(wait("retry-after", "3"), Retry::After(Duration::from_secs(3)));
    assert_eq!(wait("x-amz-retry-after", "250"), Retry::After(Duration::from_millis(250)));
    assert_eq!(wait("retry-after", "soon"), Retry::Backoff);
}

#[test]
fn missing_credentials_are_told_as_such() {
    let error = CredentialsError::not_loaded("no profile, no variables");
    let error =
        SdkError::<ErrorMetadata, _>::dispatch_failure(ConnectorError::other(error.into(), None));
    let error = Error::from(Call::read(Operation::GetSecret, "GetSecretValue").failure(error));
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthenticated, Retry::AfterReauth));

    let ours = Error::new(ErrorKind::Timeout, "role `arn:aws:iam::1:role/a` did not answer");
    let error = SdkError::<ErrorMetadata, _>::dispatch_failure(ConnectorError::other(
        CredentialsError::provider_error(ours).into(),
        None,
    ));
    let error = Error::from(Call::read(Operation::GetSecret, "GetSecretValue").failure(error));
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("role/a"), "{error}");
}

#[test]
fn a_call_that_changes_nothing_leaves_nothing_unknown() {
    let lost = || SdkError::<ErrorMetadata, _>::timeout_error("too late");
    let read = Error::from(Call::read(Operation::GetSecret, "GetSecretValue").failure(lost()));
    let write = Error::from(Call::write(Operation::SetSecret, "PutSecretValue").failure(lost()));
    assert_eq!((read.kind(), read.effect()), (ErrorKind::Timeout, Effect::NotApplied));
    assert_eq!((write.kind(), write.effect()), (ErrorKind::Timeout, Effect::Unknown));
}
