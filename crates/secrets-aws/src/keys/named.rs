use secrets_core::{Error, ErrorKind, KeyRef, Result};

use crate::arn::Arn;
use crate::wire::Route;

/// A key as a request names it, and where that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target<'k> {
    name: &'k str,
    arn: Option<Arn<'k>>,
}

impl<'k> Target<'k> {
    /// # Errors
    /// `InvalidName` for an ARN of something that is no key. Other names are AWS's to refuse.
    pub(super) fn of(key: &'k KeyRef) -> Result<Self> {
        let name = key.as_str();
        if !name.starts_with("arn:") {
            return Ok(Self { name, arn: None });
        }
        let is_key = |arn: &Arn<'_>| {
            let kind = arn.resource.split_once('/').map(|(kind, _)| kind);
            arn.service == "kms" && matches!(kind, Some("key" | "alias"))
        };
        match Arn::parse(name).filter(is_key) {
            Some(arn) => Ok(Self { name, arn: Some(arn) }),
            None => Err(Error::new(ErrorKind::InvalidName, "not the ARN of a key or an alias")),
        }
    }

    /// What a request says.
    pub(super) fn id(&self) -> &'k str {
        self.name
    }

    /// The partition, of an ARN.
    pub(super) fn partition(&self) -> Option<&'k str> {
        self.arn.as_ref().map(|arn| arn.partition)
    }

    pub(super) fn route(&self) -> Route<'k> {
        let part = |part: fn(&Arn<'k>) -> &'k str| {
            self.arn.as_ref().map(part).filter(|text| !text.is_empty())
        };
        Route { account: part(|arn| arn.account), region: part(|arn| arn.region) }
    }

    /// Whether one request may name both: they are in one region and, as far as is known, in one
    /// account. `region` is meant where a name tells none.
    pub(super) fn is_beside(&self, other: &Target<'_>, region: &str) -> bool {
        let (one, two) = (self.route(), other.route());
        let is_one_account = match (one.account, two.account) {
            (Some(one), Some(two)) => one == two,
            _ => true,
        };
        is_one_account && one.region.unwrap_or(region) == two.region.unwrap_or(region)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234";

    fn key(name: &str) -> KeyRef {
        KeyRef::new(name).unwrap()
    }

    #[test]
    fn arns_say_where_a_key_is() {
        let alias = "arn:aws-cn:kms:cn-north-1:444455556666:alias/a/b";
        for (name, account, region) in [
            (KEY, Some("111122223333"), Some("eu-west-1")),
            (alias, Some("444455556666"), Some("cn-north-1")),
            ("alias/billing", None, None),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", None, None),
        ] {
            let key = key(name);
            let target = Target::of(&key).unwrap();
            assert_eq!((target.id(), target.route()), (name, Route { account, region }));
        }
    }

    #[test]
    fn arns_of_other_things_are_no_keys() {
        for name in [
            "arn:",
            "arn:aws:kms:eu-west-1:111122223333:",
            "arn:aws:kms:eu-west-1:111122223333:key",
            "arn:aws:kms:eu-west-1:111122223333:grant/1",
            "arn:aws:iam::111122223333:role/key",
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:key/1",
        ] {
            assert_eq!(
                Target::of(&key(name)).unwrap_err().kind(),
                ErrorKind::InvalidName,
                "{name}"
            );
        }
    }

    #[test]
    fn one_request_names_keys_of_one_place() {
        for (other, is_beside) in [
            ("arn:aws:kms:eu-west-1:111122223333:key/2", true),
            ("arn:aws:kms:eu-west-2:111122223333:key/2", false),
            ("arn:aws:kms:eu-west-1:444455556666:key/2", false),
            ("alias/2", true),
        ] {
            let (one, other) = (key(KEY), key(other));
            let (one, other) = (Target::of(&one).unwrap(), Target::of(&other).unwrap());
            assert_eq!(one.is_beside(&other, "eu-west-1"), is_beside, "{other:?}");
            assert_eq!(other.is_beside(&one, "eu-west-1"), is_beside, "{other:?}");
        }
        let (one, other) = (key(KEY), key("alias/2"));
        let (one, other) = (Target::of(&one).unwrap(), Target::of(&other).unwrap());
        assert!(!one.is_beside(&other, "us-east-1"));
    }
}
