use std::net::IpAddr;

/// URLs of single services, instead of those that AWS has for the region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Endpoints {
    /// Of Secrets Manager.
    pub secrets_manager: Option<String>,
    /// Of KMS.
    pub kms: Option<String>,
    /// Of the Security Token Service, which gives the credentials of roles.
    pub sts: Option<String>,
    /// Of SQS, which change hints come from.
    pub sqs: Option<String>,
}

impl Endpoints {
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let all = [
            ("secrets_manager", &self.secrets_manager),
            ("kms", &self.kms),
            ("sts", &self.sts),
            ("sqs", &self.sqs),
        ];
        all.into_iter().filter_map(|(name, url)| Some((name, url.as_ref()?)))
    }
}

/// The parts of a URL that count here.
#[derive(Debug)]
pub(crate) struct Url<'a> {
    pub(crate) is_https: bool,
    pub(crate) host: &'a str,
    pub(crate) has_path: bool,
}

impl<'a> Url<'a> {
    /// Takes `http` and `https`, a host, perhaps a port and a path. What is wrong is said without
    /// the text, which may hold a password.
    pub(crate) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let (is_https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            _ => return Err("does not begin with `https://` or `http://`"),
        };
        if !rest.bytes().all(|letter| letter.is_ascii_graphic()) {
            return Err("has a character that no URL has");
        }
        if rest.contains('@') {
            return Err("has a user or a password");
        }
        if rest.contains(['?', '#', '\\']) {
            return Err("has a query or a fragment");
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = split(authority).ok_or("has no host that can be")?;
        if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
            return Err("has a port that is not between 1 and 65535");
        }
        Ok(Self { is_https, host, has_path: !path.is_empty() })
    }

    /// True for what cannot leave the machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(self.host)
    }
}

/// True for `localhost` and the addresses of loopback.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    if authority.starts_with('[') {
        let end = authority.find(']')?;
        let (host, rest) = authority.split_at_checked(end + 1)?;
        host.get(1..end)?.parse::<std::net::Ipv6Addr>().ok()?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter))
    };
    let fits = host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(is_label);
    fits.then_some((host, port))
}

/// What is wrong with an endpoint.
pub(super) fn problem(name: &str, url: &str, insecure_http: bool) -> Option<String> {
    match Url::parse(url) {
        Err(problem) => Some(format!("`{name}` {problem}")),
        Ok(url) if !url.is_https && !url.is_loopback() && !insecure_http => Some(format!(
            "`{name}` is plain HTTP to `{}`, which is not this machine; if that must be, set \
             `insecure_http_endpoint`",
            url.host
        )),
        Ok(_) => None,
    }
}

/// Where agents of containers may be reached without TLS: loopback, ECS, EKS
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).
pub(super) fn container_problem(url: &str) -> Option<String> {
    const AGENTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];
    match Url::parse(url) {
        Err(problem) => Some(format!("the URL of the container's credentials {problem}")),
        Ok(url) if url.is_https || url.is_loopback() || AGENTS.contains(&url.host) => None,
        Ok(url) => Some(format!(
            "the URL of the container's credentials is plain HTTP to `{}`, which is neither this \
             machine nor the agent of ECS or EKS",
            url.host
        )),
    }
}

/// The same for the metadata service of an instance, which is plain HTTP at link-local addresses.
pub(super) fn instance_problem(url: &str) -> Option<String> {
    match Url::parse(url) {
        Err(problem) => Some(format!("the URL of the instance's metadata {problem}")),
        Ok(url)
            if url.is_https
                || url.is_loopback()
                || ["169.254.169.254", "[fd00:ec2::254]"].contains(&url.host) =>
        {
            None
        }
        Ok(url) => Some(format!(
            "the URL of the instance's metadata is plain HTTP to `{}`, which is not the metadata \
             service",
            url.host
        )),
    }
}
