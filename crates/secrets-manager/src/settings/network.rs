use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrets_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use service_settings::{DurationSetting, Problem, Rules, SecretSetting};

/// How to reach what is on a network: the options that every provider of that kind has, as its
/// `network`. For factories: make it a field of the options, and add its problems to those.
///
/// ```toml
/// [secrets.providers.main.network]
/// ca_file = "/etc/ssl/company.pem"    # trusted instead of what the system trusts
/// proxy = "http://proxy.internal:3128"
/// proxy_user = "billing"              # with proxy_password, a reference to a secret
/// connect_timeout = "5s"              # 10s unless set; 10ms to 5m
/// timeout = "20s"                     # of one request, 30s unless set; 100ms to 10m
/// ```
///
/// ```
/// use secrets_manager::NetworkOptions;
/// use service_settings::{Format, Problem, Rules, Subtree};
///
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct VaultOptions {
///     url: String,
///     #[serde(default)]
///     network: NetworkOptions,
/// }
///
/// impl Rules for VaultOptions {
///     fn problems(&self) -> Vec<Problem> {
///         self.network.problems_at("network")
///     }
/// }
///
/// let text = "url = 'https://vault'\nnetwork.proxy_user = 'app'\nnetwork.timeout = '1h'";
/// let options = Subtree::parse(Format::Toml, "app.toml", text)?;
/// let problems = options.read_checked::<VaultOptions>().err().ok_or("problems")?.to_string();
/// assert!(problems.contains("app.toml:2: `network.proxy_user`: there is no `proxy`"));
/// assert!(problems.contains("app.toml:3: `network.timeout`: is not between `100ms` and `10m`"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct NetworkOptions {
    /// Certificates of authorities, as PEM, that are trusted instead of those of the system.
    pub ca_file: Option<PathBuf>,
    /// What requests go through.
    pub proxy: Option<ProxyUrl>,
    /// Whom the proxy knows the service as.
    pub proxy_user: Option<String>,
    /// And the password for it.
    pub proxy_password: Option<SecretSetting>,
    /// How long it may take to connect.
    pub connect_timeout: DurationSetting,
    /// How long one request may take, until its answer is read.
    pub timeout: DurationSetting,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            ca_file: None,
            proxy: None,
            proxy_user: None,
            proxy_password: None,
            connect_timeout: DurationSetting::new(Duration::from_secs(10)),
            timeout: DurationSetting::new(Duration::from_secs(30)),
        }
    }
}

/// Larger files hold something else: all authorities that browsers trust take a quarter of it.
const LARGEST_CA_FILE: u64 = 1 << 20;

impl NetworkOptions {
    /// [`Rules::problems`], where these options stand at this path from those around them.
    #[must_use]
    pub fn problems_at(&self, path: &str) -> Vec<Problem> {
        let mut problems = self.problems();
        for problem in &mut problems {
            problem.path = format!("{path}.{}", problem.path);
        }
        problems
    }

    /// Reads `ca_file`, if it is set: as PEM, with a certificate in it at least. This blocks.
    ///
    /// # Errors
    /// `InvalidValue`: what is wrong with the file.
    pub fn read_ca_file(&self) -> Result<Option<String>> {
        self.ca_file.as_deref().map(read_certificates).transpose()
    }
}

fn read_certificates(path: &Path) -> Result<String> {
    let refuse = |what: &str| {
        let message = format!("the certificates in `{}` {what}", path.display());
        Error::new(ErrorKind::InvalidValue, message)
    };
    let unreadable = |error: std::io::Error| refuse("cannot be read").with_source(error);
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(refuse("are no regular file"));
    }
    if metadata.len() > LARGEST_CA_FILE {
        return Err(refuse("take more than 1 MiB"));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    if text.contains("PRIVATE KEY-----") {
        return Err(refuse("have a private key among them"));
    }
    let has = |line: &str| text.lines().any(|found| found.trim_end() == line);
    if !has("-----BEGIN CERTIFICATE-----") || !has("-----END CERTIFICATE-----") {
        return Err(refuse("are not PEM (RFC 7468)"));
    }
    Ok(text)
}

impl Rules for NetworkOptions {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, path: &str, message: &str| {
            if !holds {
                problems.push(Problem::invalid(path, message));
            }
        };
        let is_path = |path: &PathBuf| !path.as_os_str().is_empty();
        check(self.ca_file.as_ref().is_none_or(is_path), "ca_file", "is empty");
        let has_proxy = self.proxy.is_some();
        check(has_proxy || self.proxy_user.is_none(), "proxy_user", "there is no `proxy`");
        check(
            self.proxy_password.is_some() == self.proxy_user.is_some(),
            if self.proxy_user.is_some() { "proxy_user" } else { "proxy_password" },
            "`proxy_user` and `proxy_password` go together",
        );
        check(
            self.connect_timeout <= self.timeout,
            "connect_timeout",
            "is longer than `timeout`, which a request may take with all of it",
        );
        let spans = [
            ("connect_timeout", self.connect_timeout, (10, 5 * 60 * 1_000)),
            ("timeout", self.timeout, (100, 10 * 60 * 1_000)),
        ];
        for (path, span, (least, most)) in spans {
            let outside = span.outside(Duration::from_millis(least), Duration::from_millis(most));
            problems.extend(outside.map(|message| Problem::invalid(path, message)));
        }
        problems
    }
}

/// The URL of a proxy: `http`, `https` or `socks5`, a host and perhaps a port. No user and no
/// password, which URLs are not the place for.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Box<str>);

impl ProxyUrl {
    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is no URL of a proxy; it may hold a password, and is not quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProxy {
    /// Another scheme, or none.
    #[error("the URL of a proxy begins with `http://`, `https://` or `socks5://`")]
    Scheme,
    /// A user or a password.
    #[error("the URL has a user or a password; use `proxy_user` and `proxy_password`")]
    Credentials,
    /// A path, a query or a fragment.
    #[error("the URL of a proxy ends after host and port")]
    Path,
    /// The host is missing, or is none.
    #[error("the URL has no host that can be")]
    Host,
    /// The port is none.
    #[error("the port is not between 1 and 65535")]
    Port,
}

impl TryFrom<String> for ProxyUrl {
    type Error = InvalidProxy;

    fn try_from(text: String) -> std::result::Result<Self, InvalidProxy> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidProxy::Scheme)?;
        if !["http", "https", "socks5"].contains(&scheme) {
            return Err(InvalidProxy::Scheme);
        }
        if rest.contains('@') {
            return Err(InvalidProxy::Credentials);
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(InvalidProxy::Path);
        }
        let (host, port) = split_port(rest)?;
        let is_port = |port: &str| {
            port.bytes().all(|digit| digit.is_ascii_digit())
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        if !port.is_none_or(is_port) {
            return Err(InvalidProxy::Port);
        }
        if !is_host(host) {
            return Err(InvalidProxy::Host);
        }
        Ok(Self(text.into()))
    }
}

/// The host, an IPv6 address in brackets (RFC 3986, 3.2.2), and the port.
fn split_port(authority: &str) -> std::result::Result<(&str, Option<&str>), InvalidProxy> {
    if !authority.starts_with('[') {
        return Ok(match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        });
    }
    let end = authority.find(']').ok_or(InvalidProxy::Host)?;
    let (host, rest) = authority.split_at_checked(end + 1).ok_or(InvalidProxy::Host)?;
    match (rest, rest.strip_prefix(':')) {
        ("", _) => Ok((host, None)),
        (_, Some(port)) => Ok((host, Some(port))),
        _ => Err(InvalidProxy::Host),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(is_label)
}

impl<'de> Deserialize<'de> for ProxyUrl {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.try_into().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}
