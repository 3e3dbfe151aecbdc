//! URLs by RFC 3986, section 3, with an authority or a path.

use std::net::Ipv6Addr;

use crate::rules::{UrlFault, UrlPart};

/// What a URL has, as it is written.
pub(crate) struct Url<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// With their ports, divided by commas.
    pub(crate) hosts: &'a str,
    has_port: bool,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
}

/// Everything that is wrong with a URL.
pub(super) fn faults(bytes: &[u8], schemes: &[String], parts: &[UrlPart]) -> Vec<UrlFault> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => return vec![UrlFault::NotUrl],
    };
    let url = match parse(text) {
        Ok(url) => url,
        Err(fault) => return vec![fault],
    };
    let is_allowed = |scheme: &String| scheme.eq_ignore_ascii_case(url.scheme);
    let bad_scheme = !schemes.is_empty() && !schemes.iter().any(is_allowed);
    let missing = parts.iter().filter(|part| !url.has(**part));
    let missing = missing.map(|part| UrlFault::Missing { part: *part });
    bad_scheme.then_some(UrlFault::Scheme).into_iter().chain(missing).collect()
}

impl Url<'_> {
    fn has(&self, part: UrlPart) -> bool {
        match part {
            UrlPart::Host => !self.hosts.is_empty(),
            UrlPart::Port => self.has_port,
            UrlPart::User => !self.user.is_empty(),
            UrlPart::Password => !self.password.is_empty(),
            UrlPart::Path => self.path.chars().any(|c| c != '/'),
        }
    }
}

/// Takes a URL apart.
pub(crate) fn parse(text: &str) -> Result<Url<'_>, UrlFault> {
    let (scheme, rest) = text.split_once(':').ok_or(UrlFault::NotUrl)?;
    if !is_scheme(scheme) {
        return Err(UrlFault::NotUrl);
    }
    let rest = rest.strip_prefix("//").ok_or(UrlFault::NotUrl)?;
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) =
        rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    let (userinfo, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let is_encoded = is_encoded(userinfo, ":")
        && is_encoded(path, ":@/")
        && is_encoded(query, ":@/?")
        && is_encoded(fragment, ":@/?");
    if !is_encoded {
        return Err(UrlFault::Encoding);
    }
    if authority.is_empty() && path.is_empty() {
        return Err(UrlFault::NotUrl);
    }
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let has_port = match hosts {
        "" => false,
        hosts => ports(hosts)?,
    };
    Ok(Url { scheme, user, password, hosts, has_port, path, query })
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// Whether all is unreserved, a sub-delimiter, percent-encoded, or one of these.
fn is_encoded(part: &str, others: &str) -> bool {
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        let is_fine = match byte {
            b'%' => [bytes.next(), bytes.next()]
                .iter()
                .all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => {
                byte.is_ascii_alphanumeric()
                    || b"-._~!$&'()*+,;=".contains(&byte)
                    || others.as_bytes().contains(&byte)
            }
        };
        if !is_fine {
            return false;
        }
    }
    true
}

/// Whether each of the hosts has a port.
fn ports(hosts: &str) -> Result<bool, UrlFault> {
    let mut all = true;
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(literal) => {
                let (address, port) = literal.split_once(']').ok_or(UrlFault::Host)?;
                // A zone follows `%25` (RFC 6874).
                let (address, zone) = address.split_once("%25").unwrap_or((address, "0"));
                if zone.is_empty() || !is_encoded(zone, "") {
                    return Err(UrlFault::Host);
                }
                address.parse::<Ipv6Addr>().map_err(|_| UrlFault::Host)?;
                (address, port)
            }
            None => {
                let at = host.find(':').unwrap_or(host.len());
                host.split_at_checked(at).ok_or(UrlFault::Host)?
            }
        };
        let has_name = !name.is_empty() && is_encoded(name, ":");
        let is_port = |port: &str| {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|n| n > 0)
        };
        match port.strip_prefix(':') {
            _ if !has_name => return Err(UrlFault::Host),
            Some(port) if !is_port(port) => return Err(UrlFault::Host),
            Some(_) => {}
            None if port.is_empty() => all = false,
            None => return Err(UrlFault::Host),
        }
    }
    Ok(all)
}

/// The password of a URL, percent-encoded as it stands there; empty if it has none. `None` when the
/// text is no URL with an authority.
pub(crate) fn password_of_url(text: &str) -> Option<&str> {
    parse(text).ok().map(|url| url.password)
}

/// The hosts of a URL.
pub(crate) fn hosts_of_url(text: &str) -> impl Iterator<Item = &str> {
    let authority = parse(text).ok().and_then(|_| {
        let (_, rest) = text.split_once("://")?;
        rest.split(['/', '?', '#']).next()
    });
    let hosts = authority.map(|authority| authority.rsplit('@').next().unwrap_or(authority));
    hosts.into_iter().flat_map(|hosts| hosts.split(',')).map(|host| match host.find(']') {
        Some(end) => host.get(..=end).unwrap_or(host),
        None => host.split(':').next().unwrap_or(host),
    })
}
