//! The options of what is on a network.

use std::fs;

use secrets_manager::NetworkOptions;
use secrets_manager::service_settings::{Format, Subtree};

fn problems(text: &str) -> Vec<String> {
    let options = Subtree::parse(Format::Toml, "app.toml", text).unwrap();
    match options.read_checked::<NetworkOptions>() {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|problem| problem.to_string()).collect(),
    }
}

fn read(text: &str) -> NetworkOptions {
    Subtree::parse(Format::Toml, "app.toml", text).unwrap().read_checked().unwrap()
}

#[test]
fn proxies_are_hosts_without_secrets() {
    for proxy in [
        "http://proxy",
        "https://proxy.internal:3128",
        "socks5://10.0.0.1:1080",
        "http://[2001:db8::1]:3128/",
        "http://[::1]",
        "http://a_b.example.",
    ] {
        assert_eq!(read(&format!("proxy = '{proxy}'")).proxy.unwrap().as_str(), proxy);
    }
    for (proxy, part) in [
        ("proxy:3128", "begins with"),
        ("ftp://proxy", "begins with"),
        ("", "begins with"),
        ("http://", "no host"),
        ("http://:3128", "no host"),
        ("http://a b", "no host"),
        ("http://-a", "no host"),
        ("http://a..b", "no host"),
        ("http://[::1", "no host"),
        ("http://[::1]x", "no host"),
        ("http://[1.2.3.4]", "no host"),
        ("http://proxy:", "the port"),
        ("http://proxy:0", "the port"),
        ("http://proxy:65536", "the port"),
        ("http://proxy:+80", "the port"),
        ("http://proxy:80:80", "the port"),
        ("http://proxy/path", "ends after"),
        ("http://proxy?hunter2", "ends after"),
        ("http://app:hunter2@proxy", "has a user or a password"),
        ("http://hunter2@proxy", "has a user or a password"),
    ] {
        let found = problems(&format!("proxy = '{proxy}'"));
        assert!(found.len() == 1 && found[0].contains(part), "{proxy}: {found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }
}

#[test]
fn what_goes_together_is_held_together() {
    for (text, expected) in [
        (
            "proxy_user = 'app'",
            vec!["`proxy_user`: there is no `proxy`", "`proxy_user`: `proxy_user` and"],
        ),
        (
            "proxy = 'http://p'\nproxy_password = 'hunter2'",
            vec!["`proxy_password`: `proxy_user` and"],
        ),
        ("ca_file = ''", vec!["`ca_file`: is empty"]),
        ("connect_timeout = '1m'", vec!["`connect_timeout`: is longer than `timeout`"]),
        ("connect_timeout = '1ms'", vec!["`connect_timeout`: is not between `10ms` and `5m`"]),
        ("timeout = '11m'", vec!["`timeout`: is not between `100ms` and `10m`"]),
        ("ca = '/x'", vec!["`ca`: nothing has this name; there are"]),
        ("proxy = 'http://p'\nproxy_user = 'app'\nproxy_password = 'secret://proxy'", vec![]),
        ("", vec![]),
    ] {
        let found = problems(text);
        assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected) && !found.contains("hunter2"), "{text}: {found}");
        }
    }
}

#[test]
fn authorities_are_pem_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let options = read(&format!("ca_file = '{}'", path.display()));
    let refused = || options.read_ca_file().unwrap_err().to_string();
    assert!(refused().contains("cannot be read"));
    let pem = "# ours\n-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n";
    fs::write(&path, pem).unwrap();
    assert_eq!(options.read_ca_file().unwrap().unwrap(), pem);
    assert!(read("").read_ca_file().unwrap().is_none());
    for (text, part) in [
        ("", "are not PEM"),
        ("-----BEGIN CERTIFICATE-----", "are not PEM"),
        (&pem.replace("CERTIFICATE", "PUBLIC KEY"), "are not PEM"),
        (&format!("{pem}-----BEGIN RSA PRIVATE KEY-----"), "a private key"),
    ] {
        fs::write(&path, text).unwrap();
        assert!(refused().contains(part), "{text}: {}", refused());
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(refused().contains("cannot be read"));
    fs::File::options().write(true).open(&path).unwrap().set_len(100 << 30).unwrap();
    assert!(refused().contains("more than 1 MiB"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(refused().contains("no regular file"));
}
