use std::net::SocketAddr;

use crate::error::PeerError;

/// The address behind the URL of something on this machine.
///
/// # Errors
/// Anything else: a test must not reach the cloud, whatever it was given. Names are refused too,
/// `localhost` included, since a resolver decides what they mean.
pub(crate) fn loopback(url: &str) -> Result<SocketAddr, PeerError> {
    let authority = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))
        .map(|rest| rest.split_once('/').map_or(rest, |(authority, _)| authority));
    let address: Option<SocketAddr> = authority.and_then(|authority| authority.parse().ok());
    match address {
        Some(address) if address.ip().is_loopback() => Ok(address),
        _ => Err(PeerError::new(format!(
            "`{url}` is not on loopback: give `http://127.0.0.1:PORT`, no peer calls anything else"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_called() {
        for url in ["http://127.0.0.1:5000", "https://127.0.0.1:1/path", "http://[::1]:80/"] {
            assert!(loopback(url).is_ok(), "{url}");
        }
        let elsewhere = [
            "",
            "127.0.0.1:5000",
            "http://127.0.0.1",
            "http://localhost:5000",
            "http://10.0.0.1:5000",
            "http://0.0.0.0:5000",
            "http://169.254.169.254:80",
            "https://kms.eu-west-1.amazonaws.com:443",
            "http://127.0.0.1:5000@example.org:80",
            "http://user@127.0.0.1:5000",
            "http://127.0.0.1.example.org:80",
        ];
        for url in elsewhere {
            let error = loopback(url).unwrap_err().to_string();
            assert!(error.contains(&format!("`{url}` is not on loopback")), "{error}");
        }
    }
}
