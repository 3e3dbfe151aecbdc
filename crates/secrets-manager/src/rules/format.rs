use std::fmt;

use serde::Deserialize;

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// UTF-8.
    Text,
    /// One or more blocks of PEM (RFC 7468), each whole: same label at both ends, strict base64,
    /// and content that is as long as its DER encoding says (ITU-T X.690, section 8.1.3), so that one
    /// that lost lines on the way is told from a whole one. Text between blocks is allowed, but for
    /// lines that begin or end a block and belong to none.
    ///
    /// What is in the blocks is not read: whether a key fits a certificate is for whoever uses them.
    /// Content that OpenSSL encrypted in its old way (`Proc-Type: 4,ENCRYPTED`, RFC 1421) and
    /// OpenSSH's own format are known by their marks instead. PGP's armour is no PEM.
    Pem,
    /// A URL with an authority or a path, by the grammar of RFC 3986, section 3: every character
    /// that the grammar does not have at its place is percent-encoded. A host may be a list joined
    /// by commas, each with its port, as drivers of PostgreSQL and MongoDB read it; a port is a
    /// number from 1 to 65535.
    Url,
    /// One JSON document (RFC 8259).
    Json,
}

/// A part of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UrlPart {
    /// A host, or several.
    Host,
    /// A port; of several hosts, at each.
    Port,
    /// A user.
    User,
    /// A password.
    Password,
    /// A path that is more than a slash, such as the name of a database.
    Path,
}

impl UrlPart {
    /// As it stands in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Port => "port",
            Self::User => "user",
            Self::Password => "password",
            Self::Path => "path",
        }
    }
}

impl fmt::Display for UrlPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
