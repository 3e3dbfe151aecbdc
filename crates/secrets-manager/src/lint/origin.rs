//! Whether a value looks as if it came from production, or was made for tests.

use std::net::IpAddr;

use secrets_core::SecretValue;
use zeroize::Zeroizing;

use crate::lint::code::LintCode;
use crate::rules;

/// What keys for production begin with, as their vendors document them and scanners of repositories
/// (gitleaks) know them: Stripe, with Clerk and Paystack; Razorpay, Braintree, Plaid, EasyPost,
/// GoCardless and Mollie, Shippo, Flutterwave, Square.
const PRODUCTION: &[&str] = &[
    "sk_live_",
    "rk_live_",
    "pk_live_",
    "rzp_live_",
    "access_token$production$",
    "access-production-",
    "EZAK",
    "live_",
    "shippo_live_",
    "FLWSECK-",
    "sq0atp-",
    "sq0csp-",
];

/// What the same vendors' keys for tests begin with.
const TEST: &[&str] = &[
    "sk_test_",
    "rk_test_",
    "pk_test_",
    "rzp_test_",
    "access_token$sandbox$",
    "access-sandbox-",
    "access-development-",
    "EZTK",
    "test_",
    "sandbox_",
    "shippo_test_",
    "FLWSECK_TEST-",
    "sandbox-sq0",
];

/// Labels of hosts.
const PRODUCTION_LABELS: &[&str] = &["prod", "production", "prd", "live"];
const TEST_LABELS: &[&str] = &[
    "dev",
    "develop",
    "development",
    "test",
    "testing",
    "tst",
    "stage",
    "staging",
    "stg",
    "qa",
    "uat",
    "sandbox",
    "local",
    "preview",
];

/// Ends of host names that never lead anywhere (RFC 2606, RFC 6761), but `.test` and `.localhost` at home.
const RESERVED: &[&str] =
    &["localhost", "test", "example", "invalid", "example.com", "example.net", "example.org"];

/// `ProductionValue`, `TestValue`, both or none.
pub(super) fn codes(value: &SecretValue) -> impl Iterator<Item = LintCode> + use<> {
    let text = std::str::from_utf8(value.expose_secret()).unwrap_or_default();
    let is_edge = |c: char| c.is_whitespace() || "\"'`;<>(){}\\".contains(c);
    let (mut is_production, mut is_test) = (false, false);
    // Keys and URLs stand alone, in JSON, or in lists.
    for word in text.split(is_edge).filter(|word| word.len() >= 4) {
        let begins = |list: &[&str]| {
            let mut keys = word.split(',');
            keys.any(|key| list.iter().any(|prefix| has_key(key, prefix)))
        };
        is_production |= begins(PRODUCTION);
        is_test |= begins(TEST);
        for host in rules::hosts_of_url(word) {
            let (production, test) = of_host(&Zeroizing::new(host.to_ascii_lowercase()));
            is_production |= production;
            is_test |= test;
        }
    }
    let codes = [(is_production, LintCode::ProductionValue), (is_test, LintCode::TestValue)];
    codes.into_iter().filter(|(is_so, _)| *is_so).map(|(_, code)| code)
}

/// The prefix with a key behind it: what follows is at least as long as an id.
fn has_key(word: &str, prefix: &str) -> bool {
    let is_of_key = |c: char| c.is_ascii_alphanumeric() || "_-$".contains(c);
    word.strip_prefix(prefix).is_some_and(|key| key.len() >= 12 && key.chars().all(is_of_key))
}

fn of_host(host: &str) -> (bool, bool) {
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return (false, address.is_loopback());
    }
    let ends = |end: &str| {
        host.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    // The last two are names that people bought, which may mean anything.
    let labels: Vec<&str> = host.split('.').collect();
    let own = labels.len().saturating_sub(2).max(usize::from(labels.len() == 1));
    let has = |list: &[&str]| {
        let words = labels.iter().take(own).flat_map(|label| label.split(['-', '_']));
        words.into_iter().any(|word| list.contains(&word))
    };
    (has(PRODUCTION_LABELS), has(TEST_LABELS) || RESERVED.iter().any(|end| ends(end)))
}
