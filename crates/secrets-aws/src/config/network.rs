use std::fmt;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrets_core::SecretValue;

use super::endpoint::Url;

/// How AWS is reached: whom TLS trusts, through what, and how patiently. Of several times that run
/// the one that ends first counts.
///
/// ```
/// use secrets_aws::Network;
/// use std::time::Duration;
///
/// let network = Network::default().with_timeout(Duration::from_secs(3)).with_attempts(2);
/// assert!(network.problems().is_empty());
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Network {
    /// Certificates of authorities, as PEM, that are trusted instead of those of the system.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub ca_pem: Option<String>,
    /// What requests go through. Not those to the addresses of containers and instances.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub proxy: Option<Proxy>,
    /// How long it may take to connect; 5 seconds unless set, 10 milliseconds to 5 minutes.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::deserialize::time"))]
    pub connect_timeout: Duration,
    /// How long one attempt may take until its answer is read; 10 seconds unless set, 100
    /// milliseconds to 10 minutes.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::deserialize::time"))]
    pub timeout: Duration,
    /// How long a call may take with all its attempts and the pauses between them; 30 seconds
    /// unless set, 100 milliseconds to an hour.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::deserialize::time"))]
    pub operation_timeout: Duration,
    /// How often a call is tried; 3 times unless set (the standard of AWS's SDKs), 1 to 10.
    pub attempts: u32,
    /// How many attempts beyond the first all calls together have before the next failures are
    /// final; 100 unless set, which is what AWS's SDKs give each client. Every call that succeeds
    /// at once gives a fifth of an attempt back.
    pub retry_budget: u16,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            ca_pem: None,
            proxy: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(30),
            attempts: 3,
            retry_budget: 100,
        }
    }
}

impl Network {
    /// Trusts these authorities, as PEM, instead of those of the system.
    #[must_use]
    pub fn with_ca_pem(mut self, pem: impl Into<String>) -> Self {
        self.ca_pem = Some(pem.into());
        self
    }

    /// Sends requests through this proxy.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Sets how long it may take to connect.
    #[must_use]
    pub fn with_connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = time;
        self
    }

    /// Sets how long one attempt may take.
    #[must_use]
    pub fn with_timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    /// Sets how long a call may take with all its attempts.
    #[must_use]
    pub fn with_operation_timeout(mut self, time: Duration) -> Self {
        self.operation_timeout = time;
        self
    }

    /// Sets how often a call is tried.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets how many attempts beyond the first all calls together have.
    #[must_use]
    pub fn with_retry_budget(mut self, attempts: u16) -> Self {
        self.retry_budget = attempts;
        self
    }

    /// What makes these options unusable; empty when they are sound.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let spans = [
            ("connect_timeout", self.connect_timeout, (10, 5 * 60 * 1_000, "10ms` and `5m")),
            ("timeout", self.timeout, (100, 10 * 60 * 1_000, "100ms` and `10m")),
            ("operation_timeout", self.operation_timeout, (100, 60 * 60 * 1_000, "100ms` and `1h")),
        ];
        for (name, time, (least, most, span)) in spans {
            if !(Duration::from_millis(least)..=Duration::from_millis(most)).contains(&time) {
                problems.push(format!("`{name}` is not between `{span}`"));
            }
        }
        if !(1..=10).contains(&self.attempts) {
            problems.push("`attempts` is not between 1 and 10".to_owned());
        }
        problems.extend(self.ca_pem.as_deref().and_then(ca_problem).map(str::to_owned));
        problems.extend(self.proxy.as_ref().map(Proxy::problems).unwrap_or_default());
        problems
    }
}

/// The SDK panics over certificates that it cannot read, so they are read here before.
fn ca_problem(pem: &str) -> Option<&'static str> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        if certificate.is_err() {
            return Some("the certificates of authorities are not PEM");
        }
        if certificate.is_ok_and(|certificate| roots.add(certificate).is_err()) {
            return Some("a certificate of an authority cannot be read");
        }
    }
    roots.is_empty().then_some("there is no certificate in the PEM of the authorities")
}

/// A proxy: plain HTTP goes through it as it is, HTTPS by `CONNECT`. Its `Debug` shows the URL.
#[derive(Clone)]
#[non_exhaustive]
pub struct Proxy {
    /// `http` or `https`, a host and perhaps a port. No user and no password.
    pub url: String,
    /// Whom the proxy knows the service as, and the password for it.
    pub credentials: Option<(String, SecretValue)>,
    /// Hosts that are reached without it: names, `.suffixes`, addresses, networks (`10.0.0.0/8`).
    pub except: Vec<String>,
}

impl Proxy {
    /// The proxy at this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), credentials: None, except: Vec::new() }
    }

    /// Sets whom the proxy knows the service as.
    #[must_use]
    pub fn with_credentials(mut self, user: impl Into<String>, password: SecretValue) -> Self {
        self.credentials = Some((user.into(), password));
        self
    }

    /// Adds a host that is reached without it.
    #[must_use]
    pub fn with_exception(mut self, host: impl Into<String>) -> Self {
        self.except.push(host.into());
        self
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match Url::parse(&self.url) {
            Ok(url) if url.has_path => problems.push("the URL of the proxy has a path".to_owned()),
            Ok(_) => {}
            // The text may hold a password: it is not quoted.
            Err(problem) => problems.push(format!("the URL of the proxy {problem}")),
        }
        if let Some((user, password)) = &self.credentials {
            // A colon ends the user (RFC 7617, section 2).
            if user.is_empty() || user.contains(|letter: char| letter == ':' || letter.is_control())
            {
                problems.push("the user of the proxy is empty or has a colon".to_owned());
            }
            let is_plain = |text: &str| !text.contains(char::is_control);
            if !password.expose_secret_text().is_ok_and(is_plain) {
                problems.push("the password of the proxy is not plain text".to_owned());
            }
        }
        if self.except.iter().any(|host| host.is_empty() || host.contains([',', ' '])) {
            problems.push("a host that is reached without the proxy is empty or a list".to_owned());
        }
        problems
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = Url::parse(&self.url).map_or("[no URL]", |_| self.url.as_str());
        f.debug_struct("Proxy")
            .field("url", &url)
            .field("except", &self.except)
            .finish_non_exhaustive()
    }
}
