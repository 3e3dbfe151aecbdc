//! What the linter finds, and what it leaves alone.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use proptest::prelude::*;
use secrets_core::memory::{Fault, FaultRule, Faults, MemoryProvider, Personality};
use secrets_core::{
    Capabilities, ErrorKind, GetOptions, ManualClock, NameRules, Operation, Page, PageRequest,
    PageToken, ProviderId, Result, Secret, SecretFilter, SecretInfo, SecretProvider,
    SecretProviderExt, SecretRef, SecretValue, VersionId, VersionInfo,
};
use secrets_manager::lint::{
    Environment, Finding, LintCode, LintReport, Linter, Severity, Subject, Suppression,
};
use service_settings::SecretSetting;

use crate::support::{build, noon, reference, secs};

use Environment::{Development, Production, Staging};

fn secret(value: impl AsRef<[u8]>) -> Secret {
    let version = VersionInfo::new(VersionId::new("1").unwrap(), noon());
    Secret::new(SecretValue::copy_from_slice(value.as_ref()), version)
}

fn report(environment: Environment, secrets: &[(&str, &[u8])]) -> LintReport {
    let mut linter = Linter::new(environment);
    for (name, value) in secrets {
        linter.check_secret(&reference(name), &secret(value));
    }
    linter.finish()
}

fn codes(environment: Environment, name: &str, value: impl AsRef<[u8]>) -> Vec<LintCode> {
    let report = report(environment, &[(name, value.as_ref())]);
    report.findings().iter().map(|finding| finding.code).collect()
}

const GOOD: &str = "q7Zt0vR2mXc9LbW4kH5n";

#[test]
fn good_values_are_left_alone() {
    let pem = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----\n";
    for value in [
        GOOD,
        pem,
        "postgres://app:q7Zt0vR2mXc9LbW4kH5n@db.internal/app",
        r#"{"username":"admin","password":"q7Zt0vR2mXc9LbW4kH5n","port":5432}"#,
        "correct-horse-battery-staple-and-more",
    ] {
        for environment in [Development, Staging, Production] {
            assert_eq!(codes(environment, "billing/db", value), [], "{value}");
        }
    }
    let raw = b" \x01\xc8\x03\xff\x63\x5aq7Zt0vR2\xca\n";
    assert_eq!(codes(Production, "billing/raw", raw), []);
}

#[test]
fn each_sort_of_value_has_its_code() {
    for (value, code) in [
        ("", LintCode::Empty),
        (" \n", LintCode::Empty),
        ("<your-password>", LintCode::Placeholder),
        ("${DB_PASSWORD}", LintCode::Placeholder),
        ("xxxxxxxx", LintCode::Placeholder),
        ("TODO", LintCode::Placeholder),
        ("replace-me", LintCode::Placeholder),
        ("changeme", LintCode::Default),
        ("Password", LintCode::Default),
        ("minioadmin", LintCode::Default),
        ("AKIAIOSFODNN7EXAMPLE", LintCode::Published),
        ("hunter3", LintCode::Weak),
        ("abcabcabcabcabcabcabc", LintCode::Weak),
        ("20241231", LintCode::Weak),
    ] {
        assert_eq!(codes(Development, "billing/db-password", value), [code], "{value}");
    }
    let line = format!("{GOOD}\n");
    assert_eq!(codes(Development, "a", &line), [LintCode::Whitespace]);
    assert_eq!(codes(Development, "a", format!(" {GOOD}")), [LintCode::Whitespace]);
    assert_eq!(codes(Development, "a", format!("{GOOD}\nand\nmore\n")), [], "a document");
    assert_eq!(codes(Development, "a", format!("{{\"token\":\"{GOOD}\"}}\n")), []);
}

#[test]
fn what_is_no_secret_by_its_name_is_not_held_to_be_one() {
    assert_eq!(codes(Production, "billing/db-user", "admin"), []);
    assert_eq!(codes(Production, "billing/db-host", "db-1"), []);
    assert_eq!(codes(Production, "billing/db-user", "<your-user>\n"), [LintCode::Whitespace]);
    assert_eq!(codes(Production, "billing/db-pass", "admin"), [LintCode::Default]);
}

#[test]
fn the_secret_parts_of_urls_and_json_are_looked_at_and_no_others() {
    assert_eq!(
        codes(Development, "db", "postgres://postgres:postgres@db.internal/a"),
        [LintCode::Default]
    );
    assert_eq!(codes(Development, "db", "postgres://postgres@db.internal/a"), []);
    let json = r#"{"username":"guest","password":"guest","api_key":"<key-here>","engine":"x","pin_file":"a"}"#;
    let report = report(Development, &[("db", json.as_bytes())]);
    let found: Vec<_> = report.findings().iter().map(|f| (f.code, f.subject.to_string())).collect();
    assert_eq!(
        found,
        [
            (LintCode::Placeholder, "`db` (#api_key)".to_owned()),
            (LintCode::Default, "`db` (#password)".to_owned()),
        ]
    );
}

#[test]
fn the_same_value_is_found_across_names_parts_and_calls_and_only_there() {
    let url = format!("postgres://a:{GOOD}@h.internal/d");
    let json = format!("{{\"password\":\"{GOOD}\",\"token\":\"{GOOD}x\"}}");
    let secrets: [(&str, &[u8]); 5] = [
        ("z/plain", GOOD.as_bytes()),
        ("a/url", url.as_bytes()),
        ("m/json", json.as_bytes()),
        ("n/padded", b"q7Zt0vR2mXc9LbW4kH5n\n"),
        ("other", b"another-q7Zt0vR2mXc9LbW4"),
    ];
    let report = report(Staging, &secrets);
    let duplicates: Vec<&Finding> =
        report.findings().iter().filter(|f| f.code == LintCode::Duplicate).collect();
    assert_eq!(duplicates.len(), 1);
    assert_eq!(
        duplicates[0].to_string(),
        "warning[duplicate]: `a/url` (password) has the same value as another: \
         `m/json` (#password), `n/padded`, `z/plain`"
    );
    // The same secret twice is not a duplicate of itself; short values are the same by chance.
    assert!(
        self::report(Staging, &[("a", GOOD.as_bytes()), ("a", GOOD.as_bytes())])
            .findings()
            .is_empty()
    );
    let short = self::report(Staging, &[("a-pin", b"12a4"), ("b-pin", b"12a4")]);
    assert!(short.findings().iter().all(|f| f.code == LintCode::Weak));
}

#[test]
fn expiry_is_measured_by_the_clock_that_is_given() {
    let check = |expires: Option<u64>| {
        let clock = ManualClock::at(noon());
        let mut linter =
            Linter::new(Production).with_clock(Arc::new(clock)).with_expires_within(secs(100));
        let mut secret = secret(GOOD);
        secret.version.expires = expires.map(|seconds| noon() - secs(1000) + secs(seconds));
        linter.check_secret(&reference("a"), &secret);
        linter.finish().findings().iter().map(|f| f.code).collect::<Vec<_>>()
    };
    assert_eq!(check(None), []);
    assert_eq!(check(Some(0)), [LintCode::Expired]);
    assert_eq!(check(Some(1000)), [LintCode::Expired]);
    assert_eq!(check(Some(1001)), [LintCode::ExpiresSoon]);
    assert_eq!(check(Some(1100)), [LintCode::ExpiresSoon]);
    assert_eq!(check(Some(1101)), []);
}

#[test]
fn values_are_told_that_look_as_if_they_belonged_elsewhere() {
    let live = concat!("sk_", "live_51H8xq2eZvKYlo2C0aBcDeFgH");
    let test = concat!("sk_", "test_51H8xq2eZvKYlo2C0aBcDeFgH");
    let production = [
        live.to_owned(),
        format!("{{\"stripe_key\":\"{live}\"}}"),
        "https://api:q7Zt0vR2mXc9LbW4kH5n@db.prod.corp.internal:8443/x".to_owned(),
        "mongodb://a:q7Zt0vR2mXc9LbW4kH5n@one.corp.net,eu-production-2.corp.net/x".to_owned(),
    ];
    for value in production {
        for environment in [Development, Staging] {
            let found = codes(environment, "a", &value);
            assert_eq!(found, [LintCode::ProductionValue], "{environment:?} {value}");
        }
        assert_eq!(codes(Production, "a", &value), [], "{value}");
    }
    for value in [
        test.to_owned(),
        "postgres://a:q7Zt0vR2mXc9LbW4kH5n@localhost/x".to_owned(),
        "postgres://a:q7Zt0vR2mXc9LbW4kH5n@127.0.0.1:5432/x".to_owned(),
        "postgres://a:q7Zt0vR2mXc9LbW4kH5n@[::1]:5432/x".to_owned(),
        "https://hooks.example.com/q7Zt0vR2mXc9LbW4kH5n".to_owned(),
        "postgres://a:q7Zt0vR2mXc9LbW4kH5n@db-staging.corp.net/x".to_owned(),
        "postgres://a:q7Zt0vR2mXc9LbW4kH5n@db.test/x".to_owned(),
    ] {
        for environment in [Development, Staging] {
            assert_eq!(codes(environment, "a", &value), [], "{value}");
        }
        assert_eq!(codes(Production, "a", &value), [LintCode::TestValue], "{value}");
    }
    // The name that somebody bought, and words that only begin so.
    for value in [
        "https://api:q7Zt0vR2mXc9LbW4kH5n@live.com/x",
        "https://api:q7Zt0vR2mXc9LbW4kH5n@products.corp.net/x",
        "https://api:q7Zt0vR2mXc9LbW4kH5n@testimonials.corp.net/x",
        "https://api:q7Zt0vR2mXc9LbW4kH5n@contest.org/x",
        "sk_live_",
    ] {
        for environment in [Development, Production] {
            let found = codes(environment, "a", value);
            assert!(!found.contains(&LintCode::ProductionValue), "{value}");
            assert!(!found.contains(&LintCode::TestValue), "{value}");
        }
    }
}

#[test]
fn suppressions_need_a_reason_suppress_by_code_and_name_and_are_told_when_idle() {
    let json = r#"[{"code":"default","name":"a","reason":"a demo"},
        {"code":"duplicate","name":"a","reason":"gone since"}]"#;
    let known: Vec<Suppression> = serde_json::from_str(json).unwrap();
    let mut linter = Linter::new(Production).with_suppressions(known);
    linter.check_secret(&reference("a"), &secret("changeme"));
    linter.check_secret(&reference("b"), &secret("changeit"));
    let report = linter.finish();
    let found: Vec<_> = report.findings().iter().map(|f| (f.code, f.subject.name())).collect();
    assert_eq!(
        found,
        [(LintCode::Default, "b".to_owned()), (LintCode::IdleSuppression, "a".to_owned())]
    );
    assert_eq!(report.suppressed(), 1);
    let refused = serde_json::from_str::<Suppression>(r#"{"code":"weak","name":"a","reason":" "}"#);
    assert!(refused.unwrap_err().to_string().contains("needs a reason"));
    assert!(
        serde_json::from_str::<Suppression>(r#"{"code":"nope","name":"a","reason":"b"}"#).is_err()
    );
}

#[tokio::test]
async fn a_provider_is_gone_through_page_by_page_on_all_personalities() {
    for personality in Personality::ALL {
        let builder = MemoryProvider::builder(personality);
        let provider = builder.page_size(3.try_into().unwrap()).build().unwrap();
        for number in 0..10 {
            let value = if number % 2 == 0 { "changeme" } else { GOOD };
            provider.put_text(&format!("s{number}-key"), value).await.unwrap();
        }
        let mut linter = Linter::new(Development);
        linter.check_provider(build(provider.clone()).cached()).await.unwrap();
        let report = linter.finish();
        assert_eq!(report.looked_at(), 10);
        let of = |code| report.findings().iter().filter(|f| f.code == code).count();
        assert_eq!((of(LintCode::Default), of(LintCode::Duplicate)), (5, 2), "{personality:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_a_finding_and_what_cannot_be_listed_an_error() {
    let provider = MemoryProvider::new(Personality::Azure);
    provider.put_text("a", GOOD).await.unwrap();
    let no_reads = FaultRule::new(Fault::Unavailable).on(Operation::GetSecrets);
    provider.inject(Faults::seeded(1).with(no_reads)).unwrap();
    let mut linter = Linter::new(Development);
    linter.check_provider(&provider).await.unwrap();
    let absent: SecretRef = reference("absent");
    provider.inject(Faults::none()).unwrap();
    linter.check_references(&provider, &[absent]).await;
    let report = linter.finish();
    let found: Vec<_> = report.findings().iter().map(|f| (f.code, f.subject.name())).collect();
    assert_eq!(
        found,
        [(LintCode::Unreadable, "a".to_owned()), (LintCode::Unreadable, "absent".to_owned())]
    );
    let no_lists = FaultRule::new(Fault::Unavailable).on(Operation::ListSecrets);
    provider.inject(Faults::seeded(1).with(no_lists)).unwrap();
    assert!(Linter::new(Development).check_provider(&provider).await.is_err());
}

#[cfg(unix)]
mod files {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn write(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn codes_of(path: &Path) -> Vec<(LintCode, String)> {
        let mut linter = Linter::new(Production);
        linter.check_path(path);
        let of = |f: &Finding| {
            let Subject::File { path } = &f.subject else { panic!("{f}") };
            (f.code, path.file_name().unwrap().to_string_lossy().into_owned())
        };
        linter.finish().findings().iter().map(of).collect()
    }

    #[test]
    fn modes_and_owners_of_files_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        for (mode, found) in [
            (0o600, vec![]),
            (0o400, vec![]),
            (0o640, vec![LintCode::GroupReadable]),
            (0o644, vec![LintCode::WorldReadable]),
            (0o604, vec![LintCode::WorldReadable]),
            (0o620, vec![LintCode::OthersMayWrite]),
            (0o602, vec![LintCode::OthersMayWrite]),
            (0o666, vec![LintCode::WorldReadable, LintCode::OthersMayWrite]),
        ] {
            write(&path, "A=b", mode);
            let codes: Vec<_> = codes_of(&path).into_iter().map(|(code, _)| code).collect();
            assert_eq!(codes, found, "{mode:o}");
        }
        assert_eq!(codes_of(&folder.path().join("none"))[0].0, LintCode::Unreadable);
    }

    #[test]
    fn folders_are_gone_through_with_links_to_files_and_without_links_to_folders() {
        let folder = tempfile::tempdir().unwrap();
        let (data, deep) = (folder.path().join("..data"), folder.path().join("deep"));
        fs::create_dir(&data).unwrap();
        fs::create_dir(&deep).unwrap();
        for inner in [&data, &deep] {
            fs::set_permissions(inner, Permissions::from_mode(0o755)).unwrap();
        }
        write(&data.join("password"), "x", 0o644);
        symlink(data.join("password"), folder.path().join("linked")).unwrap();
        symlink("/", folder.path().join("away")).unwrap();
        write(&deep.join("key"), "x", 0o600);
        fs::set_permissions(&deep, Permissions::from_mode(0o777)).unwrap();
        let found = codes_of(folder.path());
        let expected = [
            (LintCode::WorldReadable, "password"),
            (LintCode::WorldReadable, "linked"),
            (LintCode::OthersMayWrite, "deep"),
        ];
        assert_eq!(found, expected.map(|(code, name)| (code, name.to_owned())));
        fs::set_permissions(&deep, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(codes_of(&deep), [], "guarded by the sticky bit");
    }

    #[test]
    fn a_file_of_somebody_else_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, "x", 0o600);
        match std::os::unix::fs::chown(&path, Some(12_345), None) {
            Ok(()) => assert_eq!(codes_of(&path), [(LintCode::ForeignOwner, "key".to_owned())]),
            // Who may not give a file away looks at one of root's instead, which is fine.
            Err(_) => assert!(
                !codes_of(Path::new("/etc/hosts"))
                    .iter()
                    .any(|(code, _)| *code == LintCode::ForeignOwner)
            ),
        }
    }
}

fn settings(name: &str, text: &str) -> Vec<(usize, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let mut linter = Linter::new(Production);
    linter.check_settings_file(&path);
    let of = |f: &Finding| match (&f.subject, f.code) {
        (Subject::Setting { line, key, .. }, LintCode::InlineSecret) => (*line, key.clone()),
        _ => panic!("{f}"),
    };
    linter.finish().findings().iter().map(of).collect()
}

#[test]
fn secrets_in_settings_are_found_by_name_mark_and_url() {
    let key = |line, key: &str| (line, key.to_owned());
    let toml = "# password = 'commented'\n[db]\nhost = 'h'\npassword = 'hunter22' # note\n\
        token = \"secret://db#token\"\napi_key = '${KEY}'\nclient_secret = '<your-secret>'\n\
        password_file = '/run/x'\nurl = 'postgres://u:hunter22@h/d'\nlink = 'https://h/d'\n\
        pool = { size = 3, password = 'hunter22', secret = 'secret://x' }\nprivate_key = ''\n";
    assert_eq!(settings("a.toml", toml), [key(4, "password"), key(9, "url"), key(11, "password")]);
    let yaml = "db:\n  password: hunter22\n  token:\n    - a\n  note: AKIAIOSFODNN7ABCDEFGH\n\
        list:\n  - name: x\n    accessKey: \"abcdefgh\"\n  key: |\n    -----BEGIN PRIVATE KEY-----\n";
    assert_eq!(
        settings("a.yaml", yaml),
        [key(2, "password"), key(5, "note"), key(8, "accessKey"), key(10, "")]
    );
    let json = r#"{"a":{"password":"hunter22","user":"secret"},"n":{"apiKey":"secret://x"},"t":["ghp_abcdefghijklmnop"]}"#;
    assert_eq!(settings("a.json", json), [key(1, "password")]);
    let env =
        "export DB_PASSWORD=hunter22\nDB_USER=secret\nSTRIPE=sk_live_abcdefghijklmnop\nPORT=80\n";
    assert_eq!(settings(".env", env), [key(1, "DB_PASSWORD"), key(3, "STRIPE")]);
    assert_eq!(settings("x", "ghp_abcdefghijklmnopqrst: AKIAIOSFODNN7ABCDEFGH"), [key(1, "")]);
}

/// `harmless` by its first character alone is what a guesser would call a password.
#[test]
fn what_only_begins_like_a_reference_is_a_value() {
    let found = |name: &str, text: &str| {
        settings(name, text).into_iter().map(|(line, _)| line).collect::<Vec<_>>()
    };
    let env = "A_TOKEN=$ecret123\nB_TOKEN=$NAME\nC_TOKEN=${name:-}\nD_TOKEN=$(cat x)\n\
        E_TOKEN=!hunter2\nF_TOKEN=*hunter2\nG_TOKEN=&hunter2\nH_TOKEN=/9j4AAQSkZJRg\n\
        I_TOKEN=/run/secrets/db\nJ_TOKEN=/9j/4AAQSkZJRg\nK_TOKEN=/hunter2\nL_TOKEN=/token\n\
        M_TOKEN=${NAME}\nN_TOKEN=$2y$10$abcdefghijkl\nO_TOKEN=/run/v1/Key.pem\n";
    assert_eq!(found(".env", env), [1, 5, 6, 7, 8, 10, 11, 14]);
    let yaml = "a_token: *alias\nb_token: &anchor hunter2\nc_token: &anchor\nd_token: !vault abcdef\n\
        e_token: !!str hunter2\nf_token: '*hunter2'\ng_token: \"!hunter2\"\nh_token: '&hunter2'\n\
        i_token: !!str $NAME\nj_token: &a !!str 'hunter2'\nk_token: *not!an?alias\nl_token: ! hunter2\n";
    assert_eq!(found("a.yaml", yaml), [2, 5, 6, 7, 8, 10, 11, 12]);
    assert_eq!(found("a.toml", "url = 'postgres://u:$ecret123@h/d'\n"), [1]);
}

#[test]
fn fields_within_fields_are_looked_at() {
    let json = r#"{"db":{"user":"app","password":"changeme"},"list":[{"apiKey":"minioadmin"}],
        "credentials":{"username":"root","value":"hunter2","more":["letmein"]},
        "note":{"text":"changeme"},"a secret!":{"x":{"password":"admin"}}}"#;
    let mut linter = Linter::new(Production);
    linter.check_secret(&reference("app"), &secret(json));
    let report = linter.finish();
    let of = |f: &Finding| match &f.subject {
        Subject::Secret { part, .. } => part.clone(),
        _ => panic!("{f}"),
    };
    let mut found: Vec<_> = report.findings().iter().map(of).collect();
    found.sort();
    let expected =
        ["#credentials.more", "#credentials.value", "#db.password", "#list.apiKey", "a field"];
    assert_eq!(found, expected);
    assert!(!format!("{report} {report:?}").contains("changeme"));
}

#[test]
fn what_is_not_looked_at_is_told() {
    let codes = |json: String| {
        let mut linter = Linter::new(Production);
        linter.check_secret(&reference("app"), &secret(&json));
        linter.finish().findings().iter().map(|f| f.code).collect::<Vec<_>>()
    };
    let nested = |levels| {
        format!("{}{}", r#"{"a":"#.repeat(levels), r#"{"password":"changeme"}"#)
            + &"}".repeat(levels)
    };
    assert_eq!(codes(nested(16)), [LintCode::Default]);
    assert_eq!(codes(nested(17)), [LintCode::Incomplete]);
    let wide = |fields: usize| {
        let fields: Vec<_> = (0..fields).map(|n| format!(r#""f{n}":1"#)).collect();
        format!(r#"{{{},"password":"changeme"}}"#, fields.join(","))
    };
    assert_eq!(codes(wide(4_095)), [LintCode::Default]);
    assert_eq!(codes(wide(4_096)), [LintCode::Incomplete]);
    let many = |pins: usize| format!(r#"{{"pin":[{}]}}"#, vec!["1"; pins].join(","));
    assert_eq!(codes(many(257)).iter().filter(|code| **code == LintCode::Weak).count(), 256);
    assert!(codes(many(257)).contains(&LintCode::Incomplete));
    assert!(!codes(many(256)).contains(&LintCode::Incomplete));
    // Lists within lists, as deep as the parser goes.
    let lists = format!(r#"{{"a":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    assert_eq!(codes(lists), [LintCode::Incomplete]);

    let folder = tempfile::tempdir().unwrap();
    let look = || {
        let mut linter = Linter::new(Production);
        linter.check_path(folder.path());
        let report = linter.finish();
        let is_cut = |f: &&Finding| f.code == LintCode::Incomplete;
        report.findings().iter().filter(is_cut).map(|f| f.subject.clone()).collect::<Vec<_>>()
    };
    let path = |levels: usize| (0..levels).fold(folder.path().to_owned(), |at, _| at.join("d"));
    std::fs::create_dir_all(path(8)).unwrap();
    assert_eq!(look(), []);
    std::fs::create_dir_all(path(9)).unwrap();
    let whole = [Subject::File { path: folder.path().to_owned() }];
    assert_eq!(look(), whole);
    std::fs::remove_dir(path(9)).unwrap();
    for number in 0..10_001 {
        std::fs::write(folder.path().join(number.to_string()), "").unwrap();
    }
    assert_eq!(look(), whole);
}

#[test]
fn a_setting_that_holds_the_secret_itself_is_told_with_what_is_wrong_with_it() {
    let inline = |text: &str| SecretSetting::Inline(SecretValue::copy_from_slice(text.as_bytes()));
    let mut linter = Linter::new(Production);
    linter.check_setting("database.password", &inline("changeme"));
    linter.check_setting("mail.token", &inline(GOOD));
    linter.check_setting("api.token", &SecretSetting::Reference("secret://a#b".parse().unwrap()));
    linter.check_secret(&reference("mail/token"), &secret(GOOD));
    let report = linter.finish();
    let found: Vec<_> = report.findings().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "error[default]: the setting `database.password` is a default that many know",
            "error[inline-secret]: the setting `database.password` seems to hold a secret itself, \
             not a reference to one",
            "error[inline-secret]: the setting `mail.token` seems to hold a secret itself, \
             not a reference to one",
            "warning[duplicate]: `mail/token` has the same value as another: the setting `mail.token`",
        ]
    );
    assert_eq!(report.looked_at(), 4);
}

/// A provider that does not keep to the contract.
#[derive(Debug)]
struct Odd {
    inner: MemoryProvider,
    answers: usize,
    token: Option<&'static str>,
}

#[async_trait]
#[allow(clippy::missing_trait_methods, reason = "only what the linter calls")]
impl SecretProvider for Odd {
    fn id(&self) -> &ProviderId {
        self.inner.id()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn name_rules(&self) -> &NameRules {
        self.inner.name_rules()
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        self.inner.get_secret(reference, options).await
    }

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        let mut answers = self.inner.get_secrets(wanted).await?;
        answers.truncate(self.answers);
        Ok(answers)
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        _: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        tokio::task::yield_now().await;
        let mut page = self.inner.list_secrets(filter, PageRequest::first()).await?;
        page.next = self.token.map(PageToken::new);
        Ok(page)
    }
}

#[tokio::test]
async fn a_provider_that_keeps_answers_back_hides_nothing() {
    let inner = MemoryProvider::new(Personality::Aws);
    inner.put_text("a-key", GOOD).await.unwrap();
    inner.put_text("b-key", "changeme").await.unwrap();
    let mut linter = Linter::new(Development);
    linter.check_provider(&Odd { inner, answers: 1, token: None }).await.unwrap();
    let report = linter.finish();
    let found: Vec<_> = report.findings().iter().map(|f| f.code).collect();
    assert_eq!((found, report.looked_at()), (vec![LintCode::Unreadable; 2], 2));
}

#[tokio::test]
async fn a_list_that_goes_round_in_a_circle_is_an_error() {
    let inner = MemoryProvider::new(Personality::Aws);
    inner.put_text("a-key", GOOD).await.unwrap();
    let odd = Odd { inner, answers: 1, token: Some("again") };
    let mut linter = Linter::new(Development);
    let checked = tokio::time::timeout(secs(60), linter.check_provider(&odd));
    let error = checked.await.expect("goes on for ever").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
}

/// Opening a pipe waits for somebody who writes into it.
#[cfg(unix)]
#[test]
fn a_pipe_for_settings_does_not_hold_up_the_linter() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join(".env");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut linter = Linter::new(Production);
        linter.check_settings_file(&pipe);
        done.send(linter.finish().findings()[0].code).unwrap();
    });
    let found = ended.recv_timeout(secs(60)).expect("the linter waits for the pipe");
    assert_eq!(found, LintCode::Unreadable);
}

/// Settings of one line or another may stand within a value. What is there is told, not what it is
/// called.
#[test]
fn what_looks_like_a_name_within_a_value_is_not_shown() {
    let name = "c4naryZq7kV-secret";
    let long = format!("{}_password", "x".repeat(5_000));
    for text in [
        format!("password: Xk,{name}=hunter22"),
        format!("password: a{{{name}=hunter22"),
        format!("text = \"\"\"\nfirst\n{name}=hunter22\n\"\"\""),
        format!("text: |\n  first\n\n  {name}=hunter22\n"),
        format!("  - text: >-\n      {name}: hunter22\n"),
        format!("TEXT=\"first\n{name}=hunter22\nlast\""),
        format!(r#"{{"text":"say \"hi\", {name}=hunter22, and"}}"#),
        format!("tokens = [\"{name}:hunter22\"]"),
        format!("tokens:\n  - '{name}=hunter22'"),
    ] {
        let found = settings("a", &text);
        // A text in quotes has no settings at all.
        assert_eq!(found.is_empty(), text.starts_with('{'), "{text}");
        for (line, key) in found {
            assert!(!key.contains("c4nary"), "{key} in line {line} of {text}");
        }
    }
    // Behind it names are names again.
    let text = "text = \"\"\"\nfirst\n\"\"\"\npassword = 'hunter22'\nnote: don't\ntoken: abcd\n\
        more: |\n  first\n\nlast:\n  pin: abcd\n[a]\nsay = \"a \\\" b\"\npwd = { x = 1, pass = 'hunter22' }\n";
    let keys: Vec<_> = settings("a", text).into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys, ["password", "token", "pin", "pass"]);

    for field in
        [long.as_str(), "ghp_abcdefghijklmnopqrst-token", "c4 nary password", "\u{1b}[2J_token"]
    {
        let value = format!("{{{field:?}:\"changeme\"}}").replace("\\u{1b}", "\\u001b");
        let report = report(Production, &[("s", value.as_bytes())]);
        assert_eq!(report.findings().len(), 1, "{field}");
        let (finding, shown) = (&report.findings()[0], report.to_string());
        assert_eq!(finding.code, LintCode::Default);
        assert!(shown.len() < 200 && !shown.contains("nary") && !shown.contains("ghp_"), "{shown}");
    }
}

#[test]
fn settings_that_begin_with_the_mark_of_their_encoding_are_read() {
    assert_eq!(settings("a", "\u{feff}password=hunter22"), [(1, "password".to_owned())]);
}

#[test]
fn settings_that_cannot_be_read_are_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large");
    std::fs::write(&large, vec![b'\n'; (1 << 20) + 1]).unwrap();
    for path in [folder.path().join("none"), folder.path().to_owned(), large] {
        let mut linter = Linter::new(Production);
        linter.check_settings_file(&path);
        assert_eq!(linter.finish().findings()[0].code, LintCode::Unreadable, "{path:?}");
    }
}

#[test]
fn no_output_shows_a_value_or_a_part_of_one() {
    let canary = "c4naryZq7kV";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings");
    let lines = format!(
        "password={canary}\nurl: https://u:{canary}@h/\n{canary}: {canary}\nkey-{canary}-token\n\
         \"{canary} x\": \"sk_live_{canary}abcdefghi\"\nghp_{canary}1234567: ghp_{canary}1234567\n\
         -----BEGIN PRIVATE KEY----- {canary}: {canary}\n"
    );
    std::fs::write(&file, lines).unwrap();
    for environment in [Development, Staging, Production] {
        let mut linter = Linter::new(environment);
        let url = format!("https://u:{canary}@prod.localhost/");
        for (number, value) in [
            canary.to_owned(),
            format!("{canary}\n"),
            format!("<your {canary}>"),
            format!("sk_live_{canary}1234"),
            format!("sk_test_{canary}1234"),
            url.clone(),
            format!("{{\"password\":\"{canary}\",\"user\":\"{canary}\",\"url\":\"{url}\"}}"),
            format!("{{\"password\":{canary}"),
            format!("-----BEGIN X-----\n{canary}"),
        ]
        .into_iter()
        .enumerate()
        {
            linter.check_secret(&reference(&format!("s{number}")), &secret(value));
        }
        linter.check_settings_file(&file);
        let shown = format!("{linter:?}");
        let report = linter.finish();
        assert!(report.findings().len() > 8);
        let json = serde_json::to_string(&report).unwrap();
        for text in [shown, format!("{report}"), format!("{report:?}"), json] {
            let text = text.to_ascii_lowercase();
            assert!(!text.contains(&canary.to_ascii_lowercase()), "{text}");
            assert!(!text.contains("c4nary"), "{text}");
        }
    }
}

#[test]
fn the_table_in_the_documentation_is_that_of_the_code() {
    let table = include_str!("../../LINTS.md");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let written: Vec<Vec<String>> = rows
        .map(|row| {
            row.split('|').skip(1).take(4).map(|c| c.trim().trim_matches('`').to_owned()).collect()
        })
        .collect();
    let expected: Vec<Vec<String>> = LintCode::ALL
        .iter()
        .map(|code| {
            let of = |environment| code.severity(environment).to_string();
            vec![code.to_string(), of(Development), of(Staging), of(Production)]
        })
        .collect();
    assert_eq!(written, expected);
    for code in LintCode::ALL {
        let name = serde_json::to_string(code).unwrap();
        assert_eq!(name, format!("\"{code}\""), "one name in settings and output");
    }
}

#[test]
fn profiles_are_known_by_their_usual_names() {
    for (name, environment) in [
        ("development", Some(Development)),
        ("staging", Some(Staging)),
        ("Production", Some(Production)),
        ("live", Some(Production)),
        ("other", None),
    ] {
        assert_eq!(Environment::of_profile(name), environment, "{name}");
    }
    assert!(Severity::Error > Severity::Warning && Severity::Warning > Severity::Note);
}

fn drawn(
    alphabet: &'static [u8],
    len: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::sample::select(alphabet), len)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn random_secrets_are_left_alone(
        hex in drawn(b"0123456789abcdef", 20..=64),
        token in drawn(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 16..=64),
        base64 in drawn(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 16..=88),
        printable in drawn(b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~", 16..=40),
        bytes in proptest::collection::vec(any::<u8>(), 16..=64),
    ) {
        for value in [hex, token, base64, printable, bytes] {
            for environment in [Development, Production] {
                let found = codes(environment, "billing/key", &value);
                prop_assert!(found.is_empty(), "{:?} {:?}", found, value);
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_breaks_the_linter(value in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
        for value in [&value[..], text.as_bytes()] {
            let _ = report(Development, &[("a", value)]);
        }
        let _ = settings("x", &text);
    }
}
