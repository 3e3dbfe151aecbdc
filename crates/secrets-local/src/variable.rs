//! Names of secrets and names of variables.

use std::collections::BTreeMap;

use secrets_core::{DecodedName, InvalidName, NameRules, NativeId, SecretName, SecretRef};

/// The longest name of a variable in bytes that a [`SecretName`] is written as, the prefix not
/// counted. No system sets one; this keeps listings readable.
const MAX_LEN: usize = 255;

/// How the names of secrets are written as names of variables: capitals, digits and underscores
/// (POSIX.1-2017, volume 1, chapter 8). `db/password` is `DB_2FPASSWORD`, `api_key` is `API__KEY`.
pub(crate) const VARIABLE_RULES: NameRules =
    NameRules::new(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_', b'_', MAX_LEN)
        .upper_case();

/// A prefix and a mapping, the way from a secret to its variable and back. The prefix is a scope:
/// only the mapping reaches out of it.
#[derive(Debug, Clone)]
pub(crate) struct VariableNames {
    prefix: String,
    mapping: BTreeMap<SecretName, String>,
    /// Which names are mapped to a variable.
    mapped: BTreeMap<String, Vec<SecretName>>,
}

impl VariableNames {
    pub(crate) fn new(prefix: String, mapping: BTreeMap<SecretName, String>) -> Self {
        let mut mapped: BTreeMap<String, Vec<SecretName>> = BTreeMap::new();
        for (name, variable) in &mapping {
            mapped.entry(variable.clone()).or_default().push(name.clone());
        }
        Self { prefix, mapping, mapped }
    }

    /// The variable of a secret: the mapping first, then the prefix with the code of a name, or with
    /// a native id as it is.
    pub(crate) fn variable(&self, reference: &SecretRef) -> Result<String, InvalidName> {
        let form = match reference {
            SecretRef::Name(name) => match self.mapping.get(name) {
                Some(variable) => return Ok(variable.clone()),
                None => VARIABLE_RULES.encode(name)?,
            },
            SecretRef::Native(id) => id.as_str().to_owned(),
            _ => return Err(InvalidName::NotUsable { reason: "neither a name nor a native id" }),
        };
        Ok(format!("{}{form}", self.prefix))
    }

    /// True for a variable that is the form of a name, by the mapping or by the code.
    pub(crate) fn is_form(&self, variable: &str) -> bool {
        self.mapped.contains_key(variable) || self.decode(variable).is_some()
    }

    /// True for a variable that the mapping names.
    pub(crate) fn is_mapped(&self, variable: &str) -> bool {
        self.mapped.contains_key(variable)
    }

    /// What secrets a variable holds: those that are mapped to it, otherwise the one that it is the
    /// form of, otherwise a native one. Nothing outside the prefix, or when its name is no id.
    pub(crate) fn references(&self, variable: &str) -> Vec<SecretRef> {
        if let Some(names) = self.mapped.get(variable) {
            return names.iter().map(SecretRef::from).collect();
        }
        let native = || NativeId::new(variable.strip_prefix(&*self.prefix)?).ok();
        match self.decode(variable) {
            Some(name) => vec![name.into()],
            None => native().map(SecretRef::from).into_iter().collect(),
        }
    }

    /// The name that a variable is the form of, unless that name is mapped to another variable.
    fn decode(&self, variable: &str) -> Option<SecretName> {
        let form = variable.strip_prefix(&*self.prefix)?;
        match VARIABLE_RULES.decode(form) {
            DecodedName::Name(name) if !self.mapping.contains_key(&name) => Some(name),
            _ => None,
        }
    }
}
