//! Reading configurations by `serde`.

/// A map from names of secrets to names of variables.
#[cfg(any(feature = "env", feature = "dotenv"))]
pub(crate) fn mapping<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<std::collections::BTreeMap<secrets_core::SecretName, String>, D::Error> {
    use serde::Deserialize;
    use serde::de::Error;

    std::collections::BTreeMap::<String, String>::deserialize(from)?
        .into_iter()
        .map(|(name, variable)| match secrets_core::SecretName::new(&name) {
            Ok(parsed) => Ok((parsed, variable)),
            Err(reason) => Err(D::Error::custom(format!("`{name}`: {reason}"))),
        })
        .collect()
}

/// A time as a number and a unit: `500ms`, `5s` or `2m`.
#[cfg(any(feature = "dotenv", feature = "directory"))]
pub(crate) fn time<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<std::time::Duration, D::Error> {
    use serde::Deserialize;
    use serde::de::Error;
    use std::time::Duration;

    let text = String::deserialize(from)?;
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let parsed = text.split_at_checked(digits).and_then(|(number, unit)| {
        let number: u64 = number.parse().ok()?;
        match unit {
            "ms" => Some(Duration::from_millis(number)),
            "s" => Some(Duration::from_secs(number)),
            "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
            _ => None,
        }
    });
    parsed.ok_or_else(|| D::Error::custom(format!("`{text}` is not a time like `500ms` or `5s`")))
}
