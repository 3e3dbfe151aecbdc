//! Reading and writing of `.env` files, beside what dotenvy reads itself. The input is a new value for
//! the key `A`, a byte of 0x00, and the file.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The library opens its doors to the fuzzer alone.
#[cfg(fuzzing)]
fuzz_target!(|input: &[u8]| inside::check(input));

#[cfg(not(fuzzing))]
fuzz_target!(|_input: &[u8]| {});

#[cfg(fuzzing)]
mod inside {
    use secrets_local::dotenv::Substitution;
    use secrets_local::dotenv::fuzzing::{read, remove, set};

    type Entries = Vec<(String, Option<String>)>;

    /// What dotenvy makes of a text without dollar signs. It refuses white space at the very end of a
    /// text by mistake; a line end more makes up for that.
    fn by_dotenvy(text: &str) -> Option<Entries> {
        let text = format!("{}\n", text.strip_prefix('\u{feff}').unwrap_or(text));
        let entries = dotenvy::from_read_iter(text.as_bytes());
        entries.map(|entry| entry.map(|(key, value)| (key, Some(value))).ok()).collect()
    }

    /// The entries with another value for `A`: in the last one of that key, or in a new one.
    fn with(mut entries: Entries, value: &str) -> Entries {
        match entries.iter_mut().rev().find(|(key, _)| key == "A") {
            Some((_, old)) => *old = Some(value.to_owned()),
            None => entries.push(("A".to_owned(), Some(value.to_owned()))),
        }
        entries
    }

    pub fn check(input: &[u8]) {
        let Some(at) = input.iter().position(|byte| *byte == 0) else { return };
        let (value, file) = (&input[..at], &input[at + 1..]);
        let entries = read(file, Substitution::Never);
        let substituted = read(file, Substitution::WithinFile);
        assert_eq!(entries.is_some(), substituted.is_some());
        let Ok(text) = std::str::from_utf8(file) else { return assert_eq!(entries, None) };
        if !text.contains('$') {
            assert_eq!(entries, by_dotenvy(text));
            assert_eq!(entries, substituted);
        }
        let Ok(value) = std::str::from_utf8(value) else { return };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(written) = set(text, "A", value) {
            let entries = entries.clone().expect("what can be written can be read");
            let expected = Some(with(entries.clone(), value));
            assert_eq!(read(written.as_bytes(), Substitution::Never), expected);
            if !text.contains('$') && !value.contains('$') {
                assert_eq!(by_dotenvy(&written), expected);
            }
            if entries.iter().all(|(key, _)| key != "A") {
                assert!(written.starts_with(text));
            }
        }
        if let Some(rest) = remove(text, "A") {
            let mut expected = entries.expect("what can be changed can be read");
            expected.retain(|(key, _)| key != "A");
            assert_eq!(read(rest.as_bytes(), Substitution::Never), Some(expected));
        }
    }
}
