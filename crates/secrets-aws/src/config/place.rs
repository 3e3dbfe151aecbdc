use std::fmt;

/// A part of AWS with regions, accounts and ARNs of its own
/// (<https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[non_exhaustive]
pub enum Partition {
    /// `aws`: the commercial regions.
    #[cfg_attr(feature = "serde", serde(rename = "aws"))]
    Aws,
    /// `aws-cn`: China.
    #[cfg_attr(feature = "serde", serde(rename = "aws-cn"))]
    AwsCn,
    /// `aws-us-gov`: GovCloud.
    #[cfg_attr(feature = "serde", serde(rename = "aws-us-gov"))]
    AwsUsGov,
    /// `aws-eusc`: the European Sovereign Cloud.
    #[cfg_attr(feature = "serde", serde(rename = "aws-eusc"))]
    AwsEusc,
    /// `aws-iso`, and the three below: networks without a way to the others.
    #[cfg_attr(feature = "serde", serde(rename = "aws-iso"))]
    AwsIso,
    /// `aws-iso-b`.
    #[cfg_attr(feature = "serde", serde(rename = "aws-iso-b"))]
    AwsIsoB,
    /// `aws-iso-e`.
    #[cfg_attr(feature = "serde", serde(rename = "aws-iso-e"))]
    AwsIsoE,
    /// `aws-iso-f`.
    #[cfg_attr(feature = "serde", serde(rename = "aws-iso-f"))]
    AwsIsoF,
}

impl Partition {
    const ALL: [Self; 8] = [
        Self::Aws,
        Self::AwsCn,
        Self::AwsUsGov,
        Self::AwsEusc,
        Self::AwsIso,
        Self::AwsIsoB,
        Self::AwsIsoE,
        Self::AwsIsoF,
    ];

    /// As ARNs have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsEusc => "aws-eusc",
            Self::AwsIso => "aws-iso",
            Self::AwsIsoB => "aws-iso-b",
            Self::AwsIsoE => "aws-iso-e",
            Self::AwsIsoF => "aws-iso-f",
        }
    }

    /// The partition that a region lies in; `None` for what is no region, or one of a partition
    /// that this crate does not know.
    #[must_use]
    pub fn of_region(region: &str) -> Option<Self> {
        if !is_region(region) {
            return None;
        }
        // By the regular expressions of the SDK's partition table: a prefix, a direction, a number.
        match region.split('-').collect::<Vec<_>>().as_slice() {
            ["cn", _, _] => Some(Self::AwsCn),
            ["us", "gov", _, _] => Some(Self::AwsUsGov),
            ["eusc", "de", _, _] => Some(Self::AwsEusc),
            ["us", "iso", _, _] => Some(Self::AwsIso),
            ["us", "isob", _, _] => Some(Self::AwsIsoB),
            ["eu", "isoe", _, _] => Some(Self::AwsIsoE),
            ["us", "isof", _, _] => Some(Self::AwsIsoF),
            [_, _, _] => Some(Self::Aws),
            _ => None,
        }
    }

    /// By the name that ARNs have.
    #[must_use]
    pub fn of_arn(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// True for `eu-west-1` and its like. A region becomes a part of a host name: nothing else may
/// come through, least of all from an ARN that somebody else wrote.
fn is_region(text: &str) -> bool {
    let mut parts = text.split('-').rev();
    let number = parts.next().is_some_and(|number| {
        (1..=2).contains(&number.len()) && number.bytes().all(|digit| digit.is_ascii_digit())
    });
    let is_word = |word: &str| {
        (2..=12).contains(&word.len()) && word.bytes().all(|letter| letter.is_ascii_lowercase())
    };
    let mut words = 0;
    number
        && text.len() <= 32
        && parts.all(|word| {
            words += 1;
            is_word(word)
        })
        && words >= 2
}

/// The number of an account: 12 digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(try_from = "String"))]
pub struct AccountId(Box<str>);

impl AccountId {
    /// Takes 12 digits.
    ///
    /// # Errors
    /// [`InvalidAccountId`] for any other text.
    ///
    /// ```
    /// use secrets_aws::AccountId;
    ///
    /// assert_eq!(AccountId::new("123456789012")?.as_str(), "123456789012");
    /// assert!(AccountId::new("12345").is_err());
    /// # Ok::<(), secrets_aws::InvalidAccountId>(())
    /// ```
    pub fn new(text: &str) -> Result<Self, InvalidAccountId> {
        let fits = text.len() == 12 && text.bytes().all(|digit| digit.is_ascii_digit());
        if fits { Ok(Self(text.into())) } else { Err(InvalidAccountId(text.into())) }
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AccountId {
    type Error = InvalidAccountId;

    fn try_from(text: String) -> Result<Self, InvalidAccountId> {
        Self::new(&text)
    }
}

/// A text that is not the number of an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the number of an account, which has 12 digits")]
pub struct InvalidAccountId(Box<str>);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn regions_tell_their_partition() {
        let known = [
            ("eu-west-1", Partition::Aws),
            ("us-east-1", Partition::Aws),
            ("ap-southeast-5", Partition::Aws),
            ("mx-central-1", Partition::Aws),
            ("cn-north-1", Partition::AwsCn),
            ("cn-northwest-1", Partition::AwsCn),
            ("us-gov-west-1", Partition::AwsUsGov),
            ("eusc-de-east-1", Partition::AwsEusc),
            ("us-iso-east-1", Partition::AwsIso),
            ("us-isob-east-1", Partition::AwsIsoB),
            ("eu-isoe-west-1", Partition::AwsIsoE),
            ("us-isof-south-1", Partition::AwsIsoF),
        ];
        for (region, partition) in known {
            assert_eq!(Partition::of_region(region), Some(partition), "{region}");
        }
    }

    #[test]
    fn what_would_change_a_host_name_is_no_region() {
        let bad = [
            "",
            "1",
            "eu",
            "eu-west",
            "eu--1",
            "-1",
            "eu-west-",
            "eu-west-1.evil.example",
            "eu-west-1/",
            "eu-west-1#",
            "evil.example/eu-west-1",
            "EU-WEST-1",
            "eu-west-1 ",
            "eu-west-123",
            "us-isoz-east-1",
            "eu-iso-west-1",
            "eusc-fr-east-1",
            "eu_west_1",
            "aws-global",
            "é-west-1",
        ];
        for region in bad {
            assert_eq!(Partition::of_region(region), None, "{region}");
        }
    }

    #[test]
    fn partitions_of_arns() {
        assert_eq!(Partition::of_arn("aws-cn"), Some(Partition::AwsCn));
        assert_eq!(Partition::of_arn("aws-iso"), Some(Partition::AwsIso));
        assert_eq!(Partition::of_arn("aws-iso-z"), None);
        assert!(
            Partition::ALL.iter().all(|known| Partition::of_arn(known.as_str()) == Some(*known))
        );
    }
}
