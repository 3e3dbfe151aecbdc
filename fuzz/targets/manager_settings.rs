//! The settings of a manager: whatever stands in them is settings or problems on one line each, in
//! bounded time, and nothing is touched. The first byte chooses the format.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrets_manager::{Registry, SecretManagerSettings};
use serde::Deserialize;
use service_settings::{Format, Layers, Problem, Rules};

#[derive(Debug, Deserialize)]
struct Service {
    secrets: SecretManagerSettings,
}

impl Rules for Service {
    fn problems(&self) -> Vec<Problem> {
        self.secrets.problems()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((format, text)) = bytes.split_first() else { return };
    let format = match format % 3 {
        0 => Format::Toml,
        1 => Format::Yaml,
        _ => Format::Json,
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    match Layers::<Service>::new().defaults(format, text).load() {
        Ok(loaded) => {
            let secrets = &loaded.settings.secrets;
            // The same settings are sound however often they are looked at.
            assert!(secrets.check(&Registry::new()).is_empty());
            assert!(secrets.required().len() <= secrets.secrets().count());
            let _ = (secrets.cache_policy(), secrets.audit());
            assert!(!format!("{secrets:?}").is_empty());
            assert!(!loaded.explanation.to_string().is_empty());
        }
        Err(problems) => {
            let (told, count) = (problems.to_string(), problems.iter().count());
            assert!(count > 0 && told.lines().count() == count + usize::from(count > 1), "{told}");
        }
    }
});
