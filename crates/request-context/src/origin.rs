use std::net::{IpAddr, SocketAddr};

use crate::word::Id;

/// Where a request came from, and where each part of that was learnt: what a proxy said and what the
/// socket says are not the same kind of fact.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// Who is at the other end of the connection: a client, or the nearest proxy.
    pub peer: SocketAddr,
    /// The client's address.
    pub client: Learnt<IpAddr>,
    /// The scheme by which the client asked.
    pub scheme: Option<Learnt<Scheme>>,
    /// The host that the client asked for.
    pub host: Option<Learnt<Id>>,
}

impl Origin {
    /// A connection of which nothing else is known: its peer is the client.
    #[must_use]
    pub const fn of_peer(peer: SocketAddr) -> Self {
        let client = Learnt { value: peer.ip(), from: Provenance::Connection };
        Self { peer, client, scheme: None, host: None }
    }

    /// With the client's address, where a proxy told it.
    #[must_use]
    pub const fn with_client(mut self, address: IpAddr, from: Provenance) -> Self {
        self.client = Learnt { value: address, from };
        self
    }

    /// With the scheme.
    #[must_use]
    pub const fn with_scheme(mut self, scheme: Scheme, from: Provenance) -> Self {
        self.scheme = Some(Learnt { value: scheme, from });
        self
    }

    /// With the host.
    #[must_use]
    pub fn with_host(mut self, host: Id, from: Provenance) -> Self {
        self.host = Some(Learnt { value: host, from });
        self
    }
}

/// A fact and who told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learnt<T> {
    /// The fact.
    pub value: T,
    /// Who told it.
    pub from: Provenance,
}

/// Where a fact about a request was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provenance {
    /// From the connection itself: its socket, its TLS handshake.
    Connection,
    /// From the PROXY protocol's header of a trusted proxy.
    ProxyProtocol,
    /// From `Forwarded` (RFC 7239) of a trusted proxy.
    Forwarded,
    /// From `X-Forwarded-For`, `-Proto` or `-Host` of a trusted proxy.
    XForwarded,
    /// From another header that the operator named.
    Header,
    /// From the request line or `:authority`, which any client may choose.
    Request,
    /// From the service's own configuration.
    Configured,
}

impl Provenance {
    /// The name that stands in the trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::ProxyProtocol => "proxy_protocol",
            Self::Forwarded => "forwarded",
            Self::XForwarded => "x_forwarded",
            Self::Header => "header",
            Self::Request => "request",
            Self::Configured => "configured",
        }
    }
}

/// How the client speaks to the first of our machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
