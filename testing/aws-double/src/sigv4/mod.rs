//! Signatures of version 4, verified as AWS does.
//!
//! The rules: "Signature Version 4 signing process" and "Create a signed AWS API request" in the IAM user guide; the errors'
//! texts as users have reported them (botocore#3587, boto3#4716, and the like).

mod canonical;
#[cfg(test)]
mod vectors;

pub(crate) use self::canonical::decode;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::{
    identity::{Identities, Identity},
    service::{Protocol, Refusal},
    stamp,
};

/// How far a signature's time may be off.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// A request as it came.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// As sent, still encoded.
    pub(crate) path: &'a str,
    /// As sent, without the question mark.
    pub(crate) query: &'a str,
    /// Names in lower case, in the order of arrival.
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: &'a [u8],
}

impl Request<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What a signature is held against.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) identities: &'a Identities,
    /// The service's name in the scope.
    pub(crate) service: &'a str,
    /// The one region whose endpoint was asked, if it was not the address of all.
    pub(crate) region: Option<&'a str>,
    /// The time for signatures.
    pub(crate) signing_time: SystemTime,
    /// The time for credentials.
    pub(crate) now: SystemTime,
}

/// Who signed, and for where.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) identity: Arc<Identity>,
    pub(crate) region: String,
}

/// Why a signature is no good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is none.
    Missing,
    /// The header is not whole.
    Incomplete(String),
    /// The access key, or the session token, is not known.
    Unrecognized,
    /// The session is over.
    Expired,
    /// The signature is not right, for this reason.
    Wrong(String),
}

impl Failure {
    /// As a service of this protocol tells it.
    pub(crate) fn refusal(&self, protocol: Protocol) -> Refusal {
        let query = matches!(protocol, Protocol::Query(_));
        let pick = |json: &'static str, xml: &'static str| if query { xml } else { json };
        let (code, message) = match self {
            Self::Missing => (
                pick("MissingAuthenticationTokenException", "MissingAuthenticationToken"),
                pick("Missing Authentication Token", "Request is missing Authentication Token"),
            ),
            Self::Incomplete(message) => {
                (pick("IncompleteSignatureException", "IncompleteSignature"), message.as_str())
            }
            Self::Unrecognized => (
                pick("UnrecognizedClientException", "InvalidClientTokenId"),
                "The security token included in the request is invalid.",
            ),
            Self::Expired => (
                pick("ExpiredTokenException", "ExpiredToken"),
                "The security token included in the request is expired",
            ),
            Self::Wrong(message) => {
                (pick("InvalidSignatureException", "SignatureDoesNotMatch"), message.as_str())
            }
        };
        Refusal::new(code, message).with_status(if query { 403 } else { 400 })
    }
}

/// The parts of `Authorization`.
struct Authorization<'a> {
    access_key: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

/// The access key that a request says it is signed with, right or wrong.
pub(crate) fn claimed_key(authorization: &str) -> Option<&str> {
    authorization.split_once("Credential=")?.1.split('/').next()
}

/// The region that a request says it is signed for.
pub(crate) fn claimed_region(authorization: &str) -> Option<&str> {
    authorization.split_once("Credential=")?.1.split('/').nth(2)
}

/// Verifies the signature of a request.
///
/// # Errors
///
/// The first thing that is wrong with it.
pub(crate) fn verify(request: &Request<'_>, expected: &Expected<'_>) -> Result<Signer, Failure> {
    let header = request.header("authorization").ok_or(Failure::Missing)?;
    let authorization = parse(header)?;
    let date = request.header("x-amz-date").ok_or_else(|| {
        Failure::Incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                .to_owned(),
        )
    })?;
    let identity =
        expected.identities.find(authorization.access_key).ok_or(Failure::Unrecognized)?;
    check_session(request, &identity, expected.now)?;
    check_scope(&authorization, date, expected)?;
    check_time(date, expected.signing_time)?;
    check_signature(request, &authorization, date, &identity)?;
    Ok(Signer { region: authorization.region.to_owned(), identity })
}

fn parse(header: &str) -> Result<Authorization<'_>, Failure> {
    let rest = header.strip_prefix("AWS4-HMAC-SHA256").ok_or_else(|| {
        Failure::Incomplete(format!(
            "Authorization header requires 'AWS4-HMAC-SHA256' algorithm. Authorization={}",
            header.split_whitespace().next().unwrap_or_default()
        ))
    })?;
    let part = |name: &str| {
        rest.split(',').find_map(|p| p.trim().strip_prefix(name)?.strip_prefix('=')).ok_or_else(
            || Failure::Incomplete(format!("Authorization header requires '{name}' parameter.")),
        )
    };
    let (credential, signed_headers, signature) =
        (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let scope: Vec<&str> = credential.split('/').collect();
    let &[access_key, date, region, service, "aws4_request"] = scope.as_slice() else {
        return Err(Failure::Incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term"
                .to_owned(),
        ));
    };
    Ok(Authorization { access_key, date, region, service, signed_headers, signature })
}

fn check_session(
    request: &Request<'_>,
    identity: &Identity,
    now: SystemTime,
) -> Result<(), Failure> {
    if request.header("x-amz-security-token") != identity.credentials.session_token()
        || identity.not_before.is_some_and(|at| now < at)
    {
        return Err(Failure::Unrecognized);
    }
    if identity.expires.is_some_and(|at| now >= at) {
        return Err(Failure::Expired);
    }
    Ok(())
}

fn check_scope(
    authorization: &Authorization<'_>,
    date: &str,
    expected: &Expected<'_>,
) -> Result<(), Failure> {
    let wrong = |text: String| Err(Failure::Wrong(text));
    if authorization.service != expected.service {
        return wrong(format!(
            "Credential should be scoped to correct service: '{}'.",
            expected.service
        ));
    }
    if let Some(region) = expected.region
        && region != authorization.region
    {
        return wrong(format!(
            "Credential should be scoped to a valid region, not '{}'. ",
            authorization.region
        ));
    }
    if !date.starts_with(authorization.date) {
        return wrong(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{}' != '{}', from '{date}'.",
            authorization.date,
            date.get(..8).unwrap_or_default()
        ));
    }
    Ok(())
}

fn check_time(date: &str, now: SystemTime) -> Result<(), Failure> {
    let signed = stamp::parse_compact(date).ok_or_else(|| {
        Failure::Incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{date}'. See \
             http://en.wikipedia.org/wiki/ISO_8601"
        ))
    })?;
    let (earliest, latest) = (now - TOLERANCE, now + TOLERANCE);
    let text = stamp::compact;
    if signed < earliest {
        return Err(Failure::Wrong(format!(
            "Signature expired: {date} is now earlier than {} ({} - 5 min.)",
            text(earliest),
            text(now)
        )));
    }
    if signed > latest {
        return Err(Failure::Wrong(format!(
            "Signature not yet current: {date} is still later than {} ({} + 5 min.)",
            text(latest),
            text(now)
        )));
    }
    Ok(())
}

fn check_signature(
    request: &Request<'_>,
    authorization: &Authorization<'_>,
    date: &str,
    identity: &Identity,
) -> Result<(), Failure> {
    let signed: Vec<&str> = authorization.signed_headers.split(';').collect();
    // AWS wants the host and whatever it acts on to be signed, or a signature could be moved to another request.
    for (name, _) in request.headers {
        let needed = name == "host" || name.starts_with("x-amz-");
        if needed && !signed.contains(&name.as_str()) {
            return Err(Failure::Wrong(format!(
                "'{name}' must be a 'SignedHeader' in the AWS Authorization."
            )));
        }
    }
    let canonical = canonical::request(request, &signed);
    let scope = format!(
        "{}/{}/{}/aws4_request",
        authorization.date, authorization.region, authorization.service
    );
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let mut key = format!("AWS4{}", identity.credentials.secret_key()).into_bytes();
    for part in [authorization.date, authorization.region, authorization.service, "aws4_request"] {
        key = mac(&key, part).finalize().into_bytes().to_vec();
    }
    let mismatch = || {
        Failure::Wrong(
            "The request signature we calculated does not match the signature you provided. Check \
             your AWS Secret Access Key and signing method. Consult the service documentation for \
             details."
                .to_owned(),
        )
    };
    let given = unhex(authorization.signature).ok_or_else(mismatch)?;
    mac(&key, &to_sign).verify_slice(&given).map_err(|_| mismatch())
}

fn mac(key: &[u8], text: &str) -> Hmac<Sha256> {
    // HMAC takes keys of any length; `KeyInit` cannot say so.
    let mut mac = Hmac::<Sha256>::new_from_slice(key)
        .unwrap_or_else(|_| Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    mac.update(text.as_bytes());
    mac
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}
