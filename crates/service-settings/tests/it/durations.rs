//! Lengths of time.

use std::time::Duration;

use proptest::prelude::*;
use serde::Deserialize;
use service_settings::ProblemKind::{Invalid, WrongType};
use service_settings::{DurationSetting, Format, Layers, Problem, Rules};

use crate::support::{message, variables, wrong};

#[derive(Debug, Deserialize)]
struct Timed {
    pause: DurationSetting,
}

impl Rules for Timed {
    fn problems(&self) -> Vec<Problem> {
        let outside = self.pause.outside(Duration::from_millis(1), Duration::from_secs(5_400));
        outside.map(|message| Problem::invalid("pause", message)).into_iter().collect()
    }
}

fn layers(text: &str) -> Layers<Timed> {
    Layers::new().defaults(Format::Toml, text)
}

#[test]
fn a_length_of_time_is_numbers_with_units() {
    for (text, millis) in [
        ("5m", 300_000),
        ("1h30m", 5_400_000),
        ("250ms", 250),
        ("1s1ms", 1_001),
        ("0s", 0),
        ("36500d", 36_500 * 86_400_000),
        ("2d3h4m5s6ms", 183_845_006),
    ] {
        let parsed = text.parse::<DurationSetting>().unwrap();
        assert_eq!(parsed.get(), Duration::from_millis(millis), "{text}");
        assert_eq!(parsed.to_string(), text);
    }
    for text in [
        "",
        " ",
        "5",
        "5 m",
        " 5m",
        "5m ",
        "m",
        "-5m",
        "+5m",
        "1.5h",
        "5M",
        "5min",
        "30m1h",
        "5m5m",
        "1ms1s",
        "36501d",
        "18446744073709551615d",
        "99999999999999999999s",
        "5m3",
        "٣s",
        "1h\u{0}",
        "1e3s",
        "5µs",
    ] {
        assert!(text.parse::<DurationSetting>().is_err(), "{text:?}");
    }
}

#[test]
fn what_is_none_is_told_with_the_form_and_without_the_value() {
    assert_eq!(layers("pause = '90s'").load().unwrap().settings.pause.get().as_secs(), 90);
    for (text, kind, part) in [
        ("pause = 90", WrongType, "a whole number stands where a length of time, as `5m`, `1h30m`"),
        ("pause = 'hunter2'", Invalid, "has the form `5m`, `1h30m` or `250ms`"),
        ("pause = '0s'", Invalid, "is not between `1ms` and `1h30m`"),
        ("pause = '2h'", Invalid, "is not between `1ms` and `1h30m`"),
    ] {
        let found = wrong(&layers(text));
        assert_eq!(found, [("pause".to_owned(), kind, "defaults:1".to_owned())], "{text}");
        let told = message(&layers(text));
        assert!(told.contains(part) && !told.contains("hunter2"), "{told}");
    }
    let told = message(&layers("pause = '1s'").variables("APP", variables([("APP__PAUSE", "90")])));
    assert!(told.contains("APP__PAUSE: `pause`: a length of time has the form"), "{told}");
}

proptest! {
    #[test]
    fn what_is_written_out_is_read_again(millis in 0..36_500_u64 * 86_400_000) {
        let setting = DurationSetting::new(Duration::from_millis(millis));
        prop_assert_eq!(setting.to_string().parse::<DurationSetting>(), Ok(setting));
    }

    #[test]
    fn nothing_panics(text in "[0-9dhms. -]{0,24}|.{0,8}") {
        let _ = text.parse::<DurationSetting>();
    }
}
