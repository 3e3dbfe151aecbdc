//! Requests that AWS published with their signatures: the test suite of Signature Version 4, 30 August 2015.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Expected, Failure, Request, verify};
use crate::identity::Identities;

const START: &str =
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ";

/// Method, path, query, headers but `authorization`, body, names of signed headers, signature.
type Vector = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
    &'static str,
);

const VECTORS: [Vector; 9] = [
    // get-vanilla
    (
        "GET",
        "/",
        "",
        &[],
        "",
        "host;x-amz-date",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    // get-vanilla-query-order-encoded
    (
        "GET",
        "/",
        "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        &[],
        "",
        "host;x-amz-date",
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    // get-vanilla-utf8-query
    (
        "GET",
        "/",
        "ሴ=bar",
        &[],
        "",
        "host;x-amz-date",
        "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    ),
    // get-utf8
    (
        "GET",
        "/ሴ",
        "",
        &[],
        "",
        "host;x-amz-date",
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    // get-space-normalized
    (
        "GET",
        "/example space/",
        "",
        &[],
        "",
        "host;x-amz-date",
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    ),
    // get-header-value-trim
    (
        "GET",
        "/",
        "",
        &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
        "",
        "host;my-header1;my-header2;x-amz-date",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    // get-header-key-duplicate
    (
        "GET",
        "/",
        "",
        &[("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")],
        "",
        "host;my-header1;x-amz-date",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    // post-header-key-sort
    (
        "POST",
        "/",
        "",
        &[("my-header1", "value1")],
        "",
        "host;my-header1;x-amz-date",
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    // post-x-www-form-urlencoded-parameters
    (
        "POST",
        "/",
        "",
        &[
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("content-length", "13"),
            (
                "x-amz-content-sha256",
                "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
            ),
        ],
        "Param1=value1",
        "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
        "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
    ),
];

fn check(vector: &Vector, signature: &str, body: &str) -> Result<(), Failure> {
    check_with(vector, signature, body, None)
}

/// The same with one more header, which nobody signed.
fn check_with(
    vector: &Vector,
    signature: &str,
    body: &str,
    more: Option<(&str, &str)>,
) -> Result<(), Failure> {
    let &(method, path, query, headers, _, names, _) = vector;
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut headers: Vec<(String, String)> = headers.iter().map(owned).collect();
    headers.extend([
        owned(&("host", "example.amazonaws.com")),
        owned(&("x-amz-date", "20150830T123600Z")),
        (
            "authorization".to_owned(),
            format!("{START}SignedHeaders={names}, Signature={signature}"),
        ),
    ]);
    headers.extend(more.iter().map(owned));
    let identities = Identities::default();
    let _ = identities.user_with_key(
        "111122223333",
        "published",
        "AKIDEXAMPLE",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    );
    let now: SystemTime = UNIX_EPOCH + Duration::from_secs(1_440_938_160);
    let expected = Expected {
        identities: &identities,
        service: "service",
        region: None,
        signing_time: now,
        now,
    };
    verify(&Request { method, path, query, headers: &headers, body: body.as_bytes() }, &expected)
        .map(|_| ())
}

#[test]
fn published_signatures_are_right() {
    for vector in &VECTORS {
        assert_eq!(
            check(vector, vector.6, vector.4),
            Ok(()),
            "{} {}?{}",
            vector.0,
            vector.1,
            vector.2
        );
    }
}

#[test]
fn any_change_is_noticed() {
    for vector in &VECTORS {
        let changed = vector.6.replacen(|c: char| c.is_ascii_digit(), "a", 1);
        for (signature, body) in [(changed.as_str(), vector.4), (vector.6, "another body")] {
            assert!(matches!(check(vector, signature, body), Err(Failure::Wrong(_))));
        }
    }
}

#[test]
fn headers_that_aws_acts_on_must_be_signed() {
    let first = &VECTORS[0];
    let with = |more| check_with(first, first.6, first.4, Some(more));
    assert_eq!(with(("user-agent", "anything")), Ok(()));
    let target = with(("x-amz-target", "secretsmanager.DeleteSecret"));
    assert!(matches!(target, Err(Failure::Wrong(why)) if why.contains("must be a 'SignedHeader'")));
}
