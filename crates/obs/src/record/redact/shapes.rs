//! Shapes that give a secret away wherever it stands. Every scan goes over a text once: what a rule looks
//! at begins where a run of its own characters does, so no run is looked at from its middle again.

use std::ops::Range;

use crate::record::redact::{Part, take_out};

/// What is recognised by its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// JSON web tokens, signed or encrypted: base64url of `{"` and two dots at least (RFC 7515, RFC 7516).
    Jwt,
    /// Private keys in PEM (RFC 7468), those of OpenSSH and OpenPGP, too.
    PrivateKey,
    /// [Access key ids of AWS](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids)
    /// (`AKIA`, `ASIA`, `ABIA`, `ACCA`) and what looks like secret access keys in the same text.
    AwsKey,
    /// Tokens that begin as GitHub, GitLab, Slack, Stripe, Google, npm, PyPI, Vault and others have them begin.
    ServiceToken,
    /// What follows `Bearer` (RFC 6750).
    Bearer,
    /// Numbers of payment cards: of a network's length and beginning (ISO/IEC 7812), with a valid last digit (Luhn).
    Card,
}

/// Which shapes are not shown. They cost every text a scan: it is a net below
/// [`RedactedKeys`](super::RedactedKeys), not instead of it, and what has none of the shapes falls through.
///
/// ```
/// use obs::record::{RecordLayer, RedactedShapes, Shape};
///
/// let shapes = RedactedShapes::default().without(Shape::Card);
/// let layer = RecordLayer::builder().redacted_shapes(shapes).build();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedactedShapes(Vec<Shape>);

impl Default for RedactedShapes {
    /// All of them.
    fn default() -> Self {
        use Shape::{AwsKey, Bearer, Card, Jwt, PrivateKey, ServiceToken};
        Self(vec![Jwt, PrivateKey, AwsKey, ServiceToken, Bearer, Card])
    }
}

impl RedactedShapes {
    /// Without one of them.
    #[must_use]
    pub fn without(mut self, shape: Shape) -> Self {
        self.0.retain(|known| *known != shape);
        self
    }

    fn has(&self, shape: Shape) -> bool {
        self.0.contains(&shape)
    }

    /// Whether it is the number of a card.
    pub(crate) fn hides(&self, number: u128) -> bool {
        const CARDS: Range<u128> = 10_u128.pow(12)..10_u128.pow(19);
        self.has(Shape::Card) && CARDS.contains(&number) && {
            let digits = number.to_string();
            card(digits.as_bytes()) == Some(digits.len())
        }
    }

    /// Takes out of what was written what has one of the shapes.
    pub(crate) fn redact(&self, text: &mut String, part: Part) {
        let found = self.find(text.get(part.start..).unwrap_or_default(), part.is_cut);
        take_out(text, part.start, &found);
    }

    /// Where they are, in order.
    fn find(&self, text: &str, is_cut: bool) -> Vec<Range<usize>> {
        let scan = Scan { text: text.as_bytes(), is_cut };
        let (mut found, mut at, mut has_aws) = (Vec::new(), 0, false);
        while let Some(begin) = scan.next_begin(at) {
            at = begin + 1;
            if let Some((shape, start, end)) = self.at(&scan, begin) {
                has_aws |= shape == Shape::AwsKey;
                found.push(start..end);
                at = end;
            }
        }
        if has_aws {
            scan.add_aws_secrets(&mut found);
        }
        found
    }

    /// The secret that begins there: its shape, and what of it is taken out.
    fn at(&self, scan: &Scan<'_>, begin: usize) -> Option<(Shape, usize, usize)> {
        let here = |shape, end| Some((shape, begin, end));
        match scan.text.get(begin)? {
            b'-' if self.has(Shape::PrivateKey) => {
                here(Shape::PrivateKey, scan.private_key(begin)?)
            }
            b'0'..=b'9' if self.has(Shape::Card) => {
                let length = card(scan.text.get(begin..)?)?;
                scan.is_edge(begin).then_some((Shape::Card, begin, begin + length))
            }
            b'e' if self.has(Shape::Jwt) => here(Shape::Jwt, scan.jwt(begin)?),
            b'A' if self.has(Shape::AwsKey) && scan.aws_key_id(begin).is_some() => {
                here(Shape::AwsKey, scan.aws_key_id(begin)?)
            }
            b'B' | b'b' if self.has(Shape::Bearer) && scan.bearer(begin).is_some() => {
                let (start, end) = scan.bearer(begin)?;
                Some((Shape::Bearer, start, end))
            }
            _ if self.has(Shape::ServiceToken) => here(Shape::ServiceToken, scan.token(begin)?),
            _ => None,
        }
    }
}

/// How tokens begin, and how many characters follow at least. Sources:
/// [GitHub](https://github.blog/engineering/behind-githubs-new-authentication-token-formats/),
/// [GitLab](https://docs.gitlab.com/security/tokens/#token-prefixes),
/// [Slack](https://docs.slack.dev/authentication/tokens/), [Stripe](https://docs.stripe.com/keys),
/// [Google](https://cloud.google.com/docs/authentication/api-keys), [npm](https://docs.npmjs.com/about-access-tokens/),
/// [PyPI](https://pypi.org/help/#apitoken), [Vault](https://developer.hashicorp.com/vault/docs/concepts/tokens),
/// [Anthropic](https://docs.anthropic.com/en/api/administration-api), [Hugging Face](https://huggingface.co/docs/hub/security-tokens).
const TOKENS: &[(&[u8], usize)] = &[
    (b"ghp_", 36),
    (b"gho_", 36),
    (b"ghu_", 36),
    (b"ghs_", 36),
    (b"ghr_", 36),
    (b"github_pat_", 22),
    (b"glpat-", 20),
    (b"gloas-", 20),
    (b"gldt-", 20),
    (b"glrt-", 20),
    (b"glcbt-", 20),
    (b"glptt-", 20),
    (b"glft-", 20),
    (b"glimt-", 20),
    (b"glagent-", 20),
    (b"glsoat-", 20),
    (b"xoxb-", 10),
    (b"xoxp-", 10),
    (b"xoxa-", 10),
    (b"xoxr-", 10),
    (b"xoxs-", 10),
    (b"xoxe-", 10),
    (b"xoxe.xoxp-", 10),
    (b"xoxe.xoxb-", 10),
    (b"xapp-", 10),
    (b"hooks.slack.com/services/", 20),
    (b"sk_live_", 16),
    (b"sk_test_", 16),
    (b"rk_live_", 16),
    (b"rk_test_", 16),
    (b"whsec_", 16),
    (b"AIza", 35),
    (b"ya29.", 20),
    (b"GOCSPX-", 20),
    (b"npm_", 36),
    (b"pypi-", 50),
    (b"hvs.", 24),
    (b"hvb.", 24),
    (b"hvr.", 24),
    (b"sk-ant-", 24),
    (b"hf_", 30),
];

/// How a [token of a bot](https://core.telegram.org/bots/api#authorizing-your-bot) begins where it stands in a URL.
const BOT: &[u8] = b"bot";

/// The characters of base64url, which are those of most tokens.
const fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

struct Scan<'a> {
    text: &'a [u8],
    is_cut: bool,
}

impl Scan<'_> {
    /// The next place where something may begin: a word, or the dashes of PEM.
    fn next_begin(&self, from: usize) -> Option<usize> {
        let rest = self.text.get(from..)?.iter().enumerate();
        let mut begins = rest.map(|(at, byte)| (from + at, *byte)).filter(|(at, byte)| {
            byte.is_ascii_alphanumeric() && !self.is_in_word(*at)
                || self.text.get(*at..).is_some_and(|rest| rest.starts_with(BEGIN))
        });
        begins.next().map(|(at, _)| at)
    }

    /// Whether the character before is one of a word, and not the end of an escaped line feed or tab.
    fn is_in_word(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return false };
        self.text.get(before).copied().is_some_and(is_url_safe) && !self.is_escape(before)
    }

    /// Whether that is the letter of a line feed or tab that `Debug` escaped.
    fn is_escape(&self, at: usize) -> bool {
        let slash = at.checked_sub(1).and_then(|before| self.text.get(before));
        slash == Some(&b'\\') && matches!(self.text.get(at), Some(b'n' | b'r' | b't'))
    }

    /// Whether a number stands alone there: not within a fraction, a version or a longer word.
    fn is_edge(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.text.get(before));
        before != Some(&b'.')
    }

    /// The end of a run from there on.
    fn run(&self, from: usize, is_of: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        from + rest.iter().position(|byte| !is_of(*byte)).unwrap_or(rest.len())
    }

    /// Whether a run is long enough; one that was cut off may have been.
    fn is_long(&self, run: Range<usize>, at_least: usize) -> bool {
        run.len() >= at_least || self.is_cut && run.end == self.text.len() && !run.is_empty()
    }

    fn jwt(&self, begin: usize) -> Option<usize> {
        let rest = self.text.get(begin..)?;
        if !rest.starts_with(b"eyJ") {
            return None;
        }
        let mut end = self.run(begin, is_url_safe);
        let is_header = self.is_long(begin..end, 12);
        let (mut dots, mut bytes) = (0, 0);
        // A signed token has three parts, an encrypted one five, of which some may be empty.
        while dots < 4 && self.text.get(end) == Some(&b'.') {
            let next = self.run(end + 1, is_url_safe);
            (dots, bytes, end) = (dots + 1, bytes + next - end - 1, next);
        }
        let is_cut = self.is_cut && end == self.text.len();
        (is_header && (is_cut || dots >= 2 && bytes >= 8)).then_some(end)
    }

    fn private_key(&self, begin: usize) -> Option<usize> {
        const LONGEST_LABEL: usize = 48;
        let rest = self.text.get(begin + BEGIN.len()..)?;
        let label = rest.get(..LONGEST_LABEL).unwrap_or(rest);
        let label = label.get(..position(label, b"-----")?)?;
        position(label, b"PRIVATE KEY")?;
        // What was not ended was cut off, or left out: nothing of it is shown.
        let after = begin + BEGIN.len() + label.len() + 5;
        let rest = self.text.get(after..)?;
        let end = position(rest, b"-----END ").and_then(|end| {
            let tail = rest.get(end + 9..)?;
            Some(after + end + 9 + position(tail, b"-----")? + 5)
        });
        Some(end.unwrap_or(self.text.len()))
    }

    fn aws_key_id(&self, begin: usize) -> Option<usize> {
        let id = self.text.get(begin..)?.get(..4)?;
        let end = self.run(begin, |byte| byte.is_ascii_alphanumeric());
        let is_of_id = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        let is_id = matches!(id, b"AKIA" | b"ASIA" | b"ABIA" | b"ACCA")
            && self.text.get(begin..end)?.iter().all(is_of_id)
            && (end - begin == 20 || self.is_cut && end == self.text.len());
        is_id.then_some(end)
    }

    /// Forty characters of base64 with small and capital letters and digits: a secret access key, beside its
    /// id. The hexadecimal digests of that length have no capital letters.
    fn add_aws_secrets(&self, found: &mut Vec<Range<usize>>) {
        let is_of = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+');
        let mut at = 0;
        while at < self.text.len() {
            let end = self.run(at, is_of);
            at += usize::from(self.is_escape(at));
            let run = self.text.get(at..end).unwrap_or_default();
            let has = |is: fn(&u8) -> bool| run.iter().any(is);
            let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
            let is_whole =
                run.len() == 40 || run.len() >= 20 && self.is_cut && end == self.text.len();
            if is_whole && is_mixed && has(u8::is_ascii_digit) {
                found.push(at..end);
            }
            at = end + 1;
        }
        found.sort_by_key(|range| range.start);
        // What lies in something that is taken out anyway.
        found.dedup_by(|later, before| later.start < before.end);
    }

    fn token(&self, begin: usize) -> Option<usize> {
        let rest = self.text.get(begin..)?;
        if rest.starts_with(BOT) {
            return self.bot(begin);
        }
        let is_of = |(prefix, _): &&(&[u8], usize)| rest.starts_with(prefix);
        let (prefix, at_least) =
            TOKENS.iter().filter(is_of).max_by_key(|(prefix, _)| prefix.len())?;
        let body = begin + prefix.len();
        let is_path = prefix.ends_with(b"/");
        let end = self.run(body, |byte| is_url_safe(byte) || is_path && byte == b'/');
        self.is_long(body..end, *at_least).then_some(end)
    }

    /// `bot123456:…` in a URL of Telegram.
    fn bot(&self, begin: usize) -> Option<usize> {
        let colon = self.run(begin + BOT.len(), |byte| byte.is_ascii_digit());
        let is_id = colon >= begin + BOT.len() + 6 && self.text.get(colon) == Some(&b':');
        let end = self.run(colon + 1, is_url_safe);
        (is_id && self.is_long(colon + 1..end, 35)).then_some(end)
    }

    fn bearer(&self, begin: usize) -> Option<(usize, usize)> {
        let word = self.text.get(begin..begin + 6)?;
        let token = begin + 7;
        if !word.eq_ignore_ascii_case(b"bearer") || self.text.get(begin + 6) != Some(&b' ') {
            return None;
        }
        let is_of =
            |byte: u8| is_url_safe(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'=');
        let end = self.run(token, is_of);
        // Words follow it in prose; a token has digits.
        let has_digit = self.text.get(token..end)?.iter().any(u8::is_ascii_digit);
        (has_digit && self.is_long(token..end, 16)).then_some((token, end))
    }
}

const BEGIN: &[u8] = b"-----BEGIN ";

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// The length of the number of a card that `text` begins with, with the spaces or dashes between its groups.
/// What follows it after a space may be digits, too: the longest run of groups that is a number decides.
fn card(text: &[u8]) -> Option<usize> {
    let mut digits = [0; 19];
    let (mut count, mut end, mut between, mut longest) = (0, 0, None, None);
    loop {
        let byte = text.get(end).copied().unwrap_or_default();
        if byte.is_ascii_digit() {
            let Some(place) = digits.get_mut(count) else { return longest };
            *place = byte - b'0';
            (count, end) = (count + 1, end + 1);
            continue;
        }
        let has_more = is_digit(text, end + 1);
        if byte.is_ascii_alphabetic() || byte == b'_' || byte == b'.' && has_more {
            return longest;
        }
        let digits = digits.get(..count)?;
        if is_of_network(digits) && is_luhn(digits) {
            longest = Some(end);
        }
        let is_between = matches!(byte, b' ' | b'-') && between.is_none_or(|known| known == byte);
        if !is_between || !has_more {
            return longest;
        }
        (between, end) = (Some(byte), end + 1);
    }
}

fn is_digit(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_digit)
}

/// The beginnings and lengths that the networks publish for their cards.
fn is_of_network(digits: &[u8]) -> bool {
    let begin = |count: usize| {
        let digits = digits.iter().take(count);
        digits.fold(0_u32, |number, digit| number * 10 + u32::from(*digit))
    };
    match (digits.len(), begin(1), begin(2), begin(4)) {
        // American Express.
        (15, _, 34 | 37, _) => true,
        // Visa.
        (13 | 16 | 19, 4, _, _) => true,
        // Mastercard.
        (16, _, 51..=55, _) | (16, _, _, 2221..=2720) => true,
        // Discover, JCB, UnionPay.
        (16..=19, _, 62 | 64 | 65, _) | (16..=19, _, _, 6011 | 3528..=3589) => true,
        // Diners Club.
        (14, _, 36 | 38 | 39, _) => true,
        _ => false,
    }
}

/// The last digit makes the sum, in which every second digit counts twice, a multiple of ten (ISO/IEC 7812-1, annex B).
fn is_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .zip([1_u32, 2].into_iter().cycle())
        .map(|(digit, times)| u32::from(*digit) * times)
        .map(|number| number / 10 + number % 10)
        .sum();
    sum.is_multiple_of(10)
}
