use secrets_core::{
    DecodedName, Error, ErrorKind, InvalidName, NameRules, NativeId, Result, SecretRef,
};

use crate::arn::Arn;
use crate::config::Partition;
use crate::wire::Route;

/// ASCII letters, digits and `/_+=.@-`, 512 bytes (API reference, `CreateSecret`); and `!`, which the
/// secrets of other services of AWS have: `rds!cluster-…` (User Guide, "Secrets managed by other AWS
/// services"). `+` stands in no neutral name, so every name is its own form.
pub(super) static RULES: NameRules =
    NameRules::new(|b| b.is_ascii_alphanumeric() || b"/_+=.@-!".contains(&b), b'+', 512);

/// The secret that a reference means, as AWS calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// A name, or an ARN with or without its suffix: what `SecretId` takes.
    id: Box<str>,
    /// Where an ARN says that it is.
    place: Option<Place>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    partition: Box<str>,
    account: Box<str>,
    region: Box<str>,
    /// Ends in a hyphen and six characters: AWS takes it for a complete ARN, whatever was meant.
    looks_complete: bool,
}

impl Target {
    /// Reads a reference; nothing is asked of AWS.
    pub(super) fn of(reference: &SecretRef) -> Result<Self> {
        match reference {
            SecretRef::Name(name) => Ok(Self { id: RULES.encode(name)?.into(), place: None }),
            SecretRef::Native(id) => Self::of_native(id.as_str()),
            _ => Err(unusable("this provider knows names and native ids")),
        }
    }

    fn of_native(id: &str) -> Result<Self> {
        if !id.starts_with("arn:") {
            return match RULES.accepts(id) {
                true => Ok(Self { id: id.into(), place: None }),
                false => Err(unusable("it is neither a name of Secrets Manager nor an ARN")),
            };
        }
        let arn = Arn::parse(id).ok_or_else(|| unusable("it is not a whole ARN"))?;
        let part = arn.secret().filter(|part| RULES.accepts(part.as_str()));
        let part = part.ok_or_else(|| unusable("it is not the ARN of a secret"))?;
        let is_account = arn.account.len() == 12 && arn.account.bytes().all(|b| b.is_ascii_digit());
        if !is_account || arn.region.is_empty() {
            return Err(unusable("the ARN names no region or no account"));
        }
        let looks_complete = part.without_suffix().is_some();
        let (account, region) = (arn.account.into(), arn.region.into());
        let partition = arn.partition.into();
        let place = Place { partition, account, region, looks_complete };
        Ok(Self { id: id.into(), place: Some(place) })
    }

    /// What `SecretId` is given.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The name for a secret that is to be created; an ARN names none that does not exist.
    pub(super) fn name(&self) -> Option<&str> {
        self.place.is_none().then_some(&*self.id)
    }

    /// The client to ask.
    pub(super) fn route(&self) -> Route<'_> {
        match &self.place {
            None => Route::default(),
            Some(place) => Route { account: Some(&place.account), region: Some(&place.region) },
        }
    }

    /// Fails where an ARN lies in another partition: no identity reaches from one into another.
    pub(super) fn check_partition(&self, own: Partition) -> Result<()> {
        match &self.place {
            Some(place) if *place.partition != *own.as_str() => {
                let message = format!("the ARN lies in another partition, the service in `{own}`");
                Err(Error::new(ErrorKind::InvalidValue, message))
            }
            _ => Ok(()),
        }
    }

    /// Whether an answer with this name and ARN is about this secret.
    pub(super) fn is(&self, name: Option<&str>, arn: Option<&str>) -> bool {
        if self.place.is_none() {
            return name == Some(self.id());
        }
        let Some(arn) = arn else { return false };
        arn == self.id() || arn.rsplit_once('-').is_some_and(|(partial, _)| partial == self.id())
    }

    /// The entry that an answer tells: by name as it was asked for, by ARN completed.
    pub(super) fn reference(&self, arn: Option<&str>) -> Option<SecretRef> {
        match &self.place {
            None => listed(self.id()),
            Some(_) => NativeId::new(arn.unwrap_or(self.id())).ok().map(SecretRef::Native),
        }
    }

    /// What is worth saying when it is not found.
    pub(super) fn absence(&self) -> &'static str {
        match &self.place {
            Some(Place { looks_complete: true, .. }) => {
                "no such secret; an ARN that ends in a hyphen and six characters is taken for a \
                 complete one: name the secret, or give the whole ARN, if these are the end of \
                 its name"
            }
            _ => "no such secret",
        }
    }

    /// The same of a version: AWS answers alike where there is no secret, no such version, and a
    /// version without a value.
    pub(super) fn absence_of_version(&self) -> &'static str {
        match &self.place {
            Some(Place { looks_complete: true, .. }) => self.absence(),
            _ => "no such secret or version, or one that has no value yet",
        }
    }
}

/// What a listing shows for the name of an entry.
pub(crate) fn listed(name: &str) -> Option<SecretRef> {
    match RULES.decode(name) {
        DecodedName::Name(name) => Some(SecretRef::Name(name)),
        _ => NativeId::new(name).ok().map(SecretRef::Native),
    }
}

fn unusable(reason: &'static str) -> Error {
    Error::new(ErrorKind::InvalidName, format!("the name cannot be used: {reason}"))
        .with_source(InvalidName::NotUsable { reason })
}

/// Takes a text for the id of a secret: what is accepted is asked for as it is written, and nowhere but
/// where it says.
#[cfg(fuzzing)]
pub(crate) fn fuzz_native(text: &str) {
    let Ok(target) = Target::of_native(text) else { return };
    assert_eq!(target.id(), text);
    let Route { account, region } = target.route();
    match target.name() {
        Some(name) => assert!(name == text && !text.starts_with("arn:") && region.is_none()),
        None => {
            let place = format!(":secretsmanager:{}:{}:", region.unwrap(), account.unwrap());
            assert!(text.contains(&place), "{place}");
        }
    }
    assert!(target.is(Some(text), Some(text)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db/main-AbC123";

    fn native(id: &str) -> Result<Target> {
        Target::of(&NativeId::new(id)?.into())
    }

    #[test]
    fn an_arn_says_where_to_ask() {
        let target = native(ARN).unwrap();
        assert_eq!(target.id(), ARN);
        let route = target.route();
        assert_eq!((route.account, route.region), (Some("123456789012"), Some("eu-west-1")));
        assert_eq!(target.name(), None);
        for name in ["Legacy+Name@x", "rds!cluster-1f-2a"] {
            let named = native(name).unwrap();
            assert_eq!((named.id(), named.name()), (name, Some(name)));
            assert_eq!(named.route(), Route::default());
        }
    }

    #[test]
    fn an_answer_is_matched_by_name_arn_and_partial_arn() {
        let partial = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db/main";
        let (name, arn) = (Some("db/main"), Some(ARN));
        assert!(native("db/main").unwrap().is(name, arn));
        assert!(native(ARN).unwrap().is(name, arn));
        assert!(native(partial).unwrap().is(name, arn));
        assert!(!native("db").unwrap().is(name, arn));
        let other = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db";
        assert!(!native(other).unwrap().is(name, arn));
    }

    #[test]
    fn what_is_no_secret_is_refused_before_any_call() {
        let others = [
            "arn:aws:kms:eu-west-1:123456789012:key/1",
            "arn:aws:secretsmanager:eu-west-1:123456789012:other:db",
            "arn:aws:secretsmanager:eu-west-1:12345:secret:db",
            "arn:aws:secretsmanager::123456789012:secret:db",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:d?b",
            "db?x",
            "db name",
        ];
        for id in others {
            assert_eq!(native(id).unwrap_err().kind(), ErrorKind::InvalidName, "{id}");
        }
    }

    #[test]
    fn the_suffix_trap_is_explained() {
        let trap = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-master";
        assert!(native(trap).unwrap().absence().contains("six characters"));
        assert_eq!(native("db-master").unwrap().absence(), "no such secret");
    }
}
