use std::fmt;

use secrets_core::SecretValue;
use zeroize::Zeroizing;

use crate::rules::{UrlFault, parse_url};
use crate::view::error::{ViewError, ViewFault};

/// A connection URL (RFC 3986), such as `postgres://user:password@host:5432/database`, taken apart; what
/// is percent-encoded in it is decoded.
pub struct ConnectionUrl {
    whole: SecretValue,
    scheme: Box<str>,
    user: Option<Box<str>>,
    password: Option<SecretValue>,
    hosts: Vec<Host>,
    path: Box<str>,
    parameters: Vec<(Box<str>, SecretValue)>,
}

/// A host of a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Host {
    /// Its name or address; an IPv6 address without its brackets.
    pub name: Box<str>,
    /// Its port, where the URL says one.
    pub port: Option<u16>,
}

impl ConnectionUrl {
    pub(crate) fn parse(value: &SecretValue) -> Result<Self, ViewError> {
        let text = std::str::from_utf8(value.expose_secret());
        let text = text.map_err(|_| ViewError::new(ViewFault::NotText))?;
        let url = parse_url(text).map_err(|fault| ViewError::new(ViewFault::Url(fault)))?;
        let user = (!url.user.is_empty()).then(|| decoded_text(url.user)).transpose()?;
        let hosts = match url.hosts {
            "" => Ok(Vec::new()),
            hosts => hosts.split(',').map(host).collect(),
        };
        let parameters = url.query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded_text(name)?, decoded(value)))
        });
        Ok(Self {
            whole: value.clone(),
            scheme: url.scheme.into(),
            user,
            password: (!url.password.is_empty()).then(|| decoded(url.password)),
            hosts: hosts?,
            path: decoded_text(url.path.strip_prefix('/').unwrap_or(url.path))?,
            parameters: parameters.collect::<Result<_, ViewError>>()?,
        })
    }

    /// The URL as it is, for drivers that take one.
    #[must_use]
    pub fn whole(&self) -> &SecretValue {
        &self.whole
    }

    /// The scheme, as it is written.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The user name.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> Option<&SecretValue> {
        self.password.as_ref()
    }

    /// The first host.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.hosts.first().map(|host| &*host.name)
    }

    /// The port of the first host.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.hosts.first()?.port
    }

    /// All hosts, of URLs that list several.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// What follows the first slash behind the hosts: the name of the database, for most.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A parameter of the query; the first of several. It may be a secret (`?password=`).
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&SecretValue> {
        self.parameters.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }
}

fn host(host: &str) -> Result<Host, ViewError> {
    let wrong = || ViewError::new(ViewFault::Url(UrlFault::Host));
    let (name, port) = match host.strip_prefix('[') {
        Some(literal) => {
            let (name, port) = literal.split_once(']').ok_or_else(wrong)?;
            (name, port.strip_prefix(':'))
        }
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let port = port.map(str::parse).transpose().map_err(|_| wrong())?;
    Ok(Host { name: decoded_text(name)?, port })
}

/// What is percent-encoded (RFC 3986, section 2.1), decoded, in a buffer of the exact size.
fn decode(encoded: &str) -> Zeroizing<Vec<u8>> {
    let len = encoded.len() - 2 * encoded.bytes().filter(|byte| *byte == b'%').count();
    let mut out = Zeroizing::new(Vec::with_capacity(len));
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            // Both are there: the URL was looked at.
            b'%' => digit(bytes.next()) << 4 | digit(bytes.next()),
            byte => byte,
        };
        out.push(byte);
    }
    out
}

fn digit(byte: Option<u8>) -> u8 {
    let digit = byte.and_then(|byte| char::from(byte).to_digit(16));
    digit.and_then(|digit| u8::try_from(digit).ok()).unwrap_or_default()
}

fn decoded(encoded: &str) -> SecretValue {
    SecretValue::from_vec(std::mem::take(&mut *decode(encoded)))
}

fn decoded_text(encoded: &str) -> Result<Box<str>, ViewError> {
    let bytes = decode(encoded);
    let text = std::str::from_utf8(&bytes);
    text.map(Box::from).map_err(|_| ViewError::new(ViewFault::Url(UrlFault::Encoding)))
}

/// Shows where it leads, neither password nor parameters.
impl fmt::Debug for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionUrl")
            .field("scheme", &self.scheme)
            .field("user", &self.user)
            .field("hosts", &self.hosts)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
