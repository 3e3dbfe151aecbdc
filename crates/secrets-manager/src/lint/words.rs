//! What the names of secrets, fields and settings say of what they hold.

/// Last words of names of what is secret.
const SECRET: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pass",
    "secret",
    "secrets",
    "token",
    "apikey",
    "credential",
    "credentials",
    "pepper",
    "pin",
    "psk",
];

/// A `key` is secret with one of these before it.
const KEY_OF: &[&str] = &[
    "api",
    "access",
    "private",
    "signing",
    "encryption",
    "secret",
    "master",
    "account",
    "shared",
    "session",
    "hmac",
    "jwt",
    "auth",
    "service",
    "storage",
    "license",
    "deploy",
    "webhook",
];

/// Last words of names of what is kept with secrets and is none.
const PLAIN: &[&str] = &[
    "user",
    "username",
    "login",
    "host",
    "hostname",
    "port",
    "database",
    "dbname",
    "region",
    "account",
    "endpoint",
    "email",
    "id",
    "name",
    "certificate",
    "cert",
    "url",
    "uri",
    "engine",
    "public",
];

/// `dbPassword`, `DB_PASSWORD`, `db.password` as words in lower case.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (was_lower && c.is_uppercase()) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether what bears this name is secret by itself: `db_password`, `apiKey`; not `password_file`.
pub(super) fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let mut last = words.iter().rev().map(String::as_str);
    match (last.next(), last.next()) {
        (Some("key"), Some(of)) => KEY_OF.contains(&of),
        (Some(word), _) => SECRET.contains(&word),
        (None, _) => false,
    }
}

/// Whether what bears this name is no password or key, though it is kept like one.
pub(super) fn is_plain_name(name: &str) -> bool {
    words(name).last().is_some_and(|word| PLAIN.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_by_their_last_words() {
        for name in
            ["password", "DB_PASSWORD", "dbPassword", "stripe.api-key", "accessKey", "token"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["password_file", "token_url", "key", "public_key", "secretName", "monkey", ""]
        {
            assert!(!is_secret_name(name), "{name}");
        }
        assert!(is_plain_name("billing/db-user") && !is_plain_name("billing/db-password"));
    }
}
