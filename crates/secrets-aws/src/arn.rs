//! Amazon Resource Names: what they say, and what cannot be told from them.

/// An ARN in its parts: `arn:partition:service:region:account:resource`
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>). A resource may hold
/// colons; region and account may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub(crate) partition: &'a str,
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes a text apart; `None` for what has not the form of an ARN.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        let mut next = || parts.next();
        let (partition, service) = (next()?, next()?);
        let (region, account, resource) = (next()?, next()?, next()?);
        let is_whole = !partition.is_empty() && !service.is_empty() && !resource.is_empty();
        let arn = Self { partition, service, region, account, resource };
        (is_whole && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(arn)
    }

    /// What follows `secret:` in the ARN of a secret.
    pub(crate) fn secret(&self) -> Option<SecretPart<'a>> {
        let part = (self.service == "secretsmanager").then_some(self.resource)?;
        part.strip_prefix("secret:").filter(|part| !part.is_empty()).map(SecretPart)
    }
}

/// A secret's name as its ARN has it: with a hyphen and six random characters behind it, or, in a
/// partial ARN, without.
///
/// Which of the two it is cannot be seen when a name itself ends in a hyphen and six letters or
/// digits. AWS then takes the ARN for a complete one, so that a partial ARN of such a secret finds
/// nothing (API reference, `SecretId` of `GetSecretValue`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SecretPart<'a>(&'a str);

impl<'a> SecretPart<'a> {
    /// All of it: the name, if the ARN is a partial one.
    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }

    /// The name, if the ARN is a complete one; `None` if it cannot be.
    pub(crate) fn without_suffix(self) -> Option<&'a str> {
        let (name, suffix) = self.0.rsplit_once('-')?;
        let is_suffix =
            suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_suffix && !name.is_empty()).then_some(name)
    }
}

/// Takes a text apart as an ARN and as the secret that it names: nothing of it is lost or made up, and
/// what goes into the name of a host is a region and nothing else.
#[cfg(fuzzing)]
pub fn fuzz_arn(text: &str) {
    use crate::config::Partition;

    let region = Partition::of_region(text);
    assert!(
        region.is_none() || text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    );
    crate::provider::fuzz_native(text);
    let Some(arn) = Arn::parse(text) else { return };
    let Arn { partition, service, region, account, resource } = arn;
    assert_eq!(text, format!("arn:{partition}:{service}:{region}:{account}:{resource}"));
    let Some(secret) = arn.secret() else { return };
    assert_eq!(resource, format!("secret:{}", secret.as_str()));
    if let Some(name) = secret.without_suffix() {
        let suffix = secret.as_str().strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
        assert!(!name.is_empty() && suffix.is_some_and(|suffix| suffix.len() == 6));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_taken_apart() {
        let arn = Arn::parse("arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a/b-AbC123")
            .unwrap();
        assert_eq!((arn.partition, arn.service), ("aws-cn", "secretsmanager"));
        assert_eq!((arn.region, arn.account), ("cn-north-1", "123456789012"));
        assert_eq!(arn.secret().unwrap().as_str(), "a/b-AbC123");
        assert_eq!(arn.secret().unwrap().without_suffix(), Some("a/b"));
        let role = Arn::parse("arn:aws:iam::123456789012:role/x").unwrap();
        assert_eq!((role.region, role.resource, role.secret()), ("", "role/x", None));
    }

    #[test]
    fn what_may_be_a_name_is_not_taken_for_a_suffix() {
        let suffix = |part: &'static str| SecretPart(part).without_suffix();
        assert_eq!(suffix("db"), None);
        assert_eq!(suffix("db-passwor"), None);
        assert_eq!(suffix("db-pass_1"), None);
        assert_eq!(suffix("-AbC123"), None);
        // Both may be meant: AWS takes it for a complete one.
        assert_eq!(suffix("db-master"), Some("db"));
    }

    #[test]
    fn other_texts_are_none() {
        let others = [
            "",
            "arn",
            "arn:",
            "arn:aws:secretsmanager:eu-west-1:1",
            "ARN:a:b:c:d:e",
            "db/password",
        ];
        for text in others.into_iter().chain([
            "arn:::::",
            "arn:aws:s3:::",
            "arn:aws:s 3:::b",
            "arn:aws:s3:::\u{e9}",
        ]) {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
        for resource in ["secret:", "secret", "other:db"] {
            let text = format!("arn:aws:secretsmanager:eu-west-1:123456789012:{resource}");
            assert_eq!(Arn::parse(&text).and_then(|arn| arn.secret()), None, "{text}");
        }
    }
}
