//! Random passwords.

use serde_json::{Value, json};

use super::Op;
use crate::{random, service::Refusal};

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
/// As the API reference lists it.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

impl Op<'_> {
    pub(super) fn get_random_password(&self) -> Result<Value, Refusal> {
        self.authorize_alone("GetRandomPassword")?;
        let length = self.input.integer("PasswordLength", 1, 4_096)?.unwrap_or(32);
        let length = usize::try_from(length).unwrap_or(32);
        let excluded = self.input.text("ExcludeCharacters")?.unwrap_or_default();
        let each = self.input.optional_flag("RequireEachIncludedType")?.unwrap_or(true);
        let kinds = [
            (LOWER, !self.input.flag("ExcludeLowercase")?),
            (UPPER, !self.input.flag("ExcludeUppercase")?),
            (DIGITS, !self.input.flag("ExcludeNumbers")?),
            (PUNCTUATION, !self.input.flag("ExcludePunctuation")?),
            (" ", self.input.flag("IncludeSpace")?),
        ];
        let alphabets: Vec<Vec<u8>> = kinds
            .iter()
            .filter(|(_, included)| *included)
            .map(|(all, _)| all.bytes().filter(|b| !excluded.as_bytes().contains(b)).collect())
            .filter(|alphabet: &Vec<u8>| !alphabet.is_empty())
            .collect();
        if alphabets.is_empty() || (each && alphabets.len() > length) {
            return Err(Refusal::new(
                "InvalidParameterException",
                "The password length is too short, or no characters are left to make it of.",
            ));
        }
        let all = alphabets.concat();
        loop {
            let password = random::text(&all, length);
            let has = |alphabet: &Vec<u8>| password.bytes().any(|b| alphabet.contains(&b));
            // Drawing again keeps every allowed password equally likely.
            if !each || alphabets.iter().all(has) {
                return Ok(json!({ "RandomPassword": password }));
            }
        }
    }
}
