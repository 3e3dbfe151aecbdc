//! The HTTP client that all services share: one pool of connections, one trust store, one proxy.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use secrets_core::{Error, ErrorKind};

use crate::config::{AwsConfig, ConfigError, Network, Proxy, is_loopback};

/// Where containers and instances ask for credentials: on the machine, never through a proxy.
const METADATA: [&str; 5] =
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"];

/// Through the proxy, if there is one. Nothing is read from the environment.
pub(super) fn client(config: &AwsConfig) -> Result<SharedHttpClient, ConfigError> {
    let network = &config.network;
    let proxy = network.proxy.as_ref().map_or_else(|| Ok(ProxyConfig::disabled()), proxy)?;
    let inner = build(network, proxy)?;
    if config.insecure_http_endpoint {
        return Ok(inner);
    }
    Ok(SharedHttpClient::new(Guarded { inner }))
}

/// Past the proxy: for what is on the machine, whose address the configuration checks.
pub(super) fn direct(network: &Network) -> Result<SharedHttpClient, ConfigError> {
    build(network, ProxyConfig::disabled())
}

/// Refuses requests without TLS that would leave the machine. All that asks AWS goes through here,
/// whatever chose the endpoint: the sources within the default chain as well, which send tokens and
/// are sent keys.
#[derive(Debug)]
struct Guarded<T> {
    inner: T,
}

impl HttpClient for Guarded<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Guarded { inner })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

impl HttpConnector for Guarded<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if is_safe(request.uri()) {
            return self.inner.call(request);
        }
        // Providers find the contract's error among the causes of the SDK's.
        let message = "the endpoint is plain HTTP and not on this machine; nothing was sent";
        let refused = Error::new(ErrorKind::InvalidValue, message);
        HttpConnectorFuture::ready(Err(ConnectorError::user(refused.into())))
    }
}

fn is_safe(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once("://") else { return false };
    if scheme.eq_ignore_ascii_case("https") {
        return true;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = match authority.find(']') {
        Some(end) => authority.get(..=end),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // What stands before an `@` is no host.
    !authority.contains('@') && (is_loopback(host) || METADATA.contains(&bare))
}

fn build(network: &Network, proxy: ProxyConfig) -> Result<SharedHttpClient, ConfigError> {
    let trust = match &network.ca_pem {
        Some(pem) => TrustStore::empty().with_pem_certificate(pem.as_bytes()),
        None => TrustStore::default(),
    };
    let tls = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|_| ConfigError::one("the certificates of authorities cannot be used"))?;
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(tls.clone())
            .proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.build()
    }))
}

fn proxy(proxy: &Proxy) -> Result<ProxyConfig, ConfigError> {
    let unusable = || ConfigError::one("the proxy cannot be used");
    let mut config = ProxyConfig::all(proxy.url.as_str()).map_err(|_| unusable())?;
    if let Some((user, password)) = &proxy.credentials {
        let password = password.expose_secret_text().map_err(|_| unusable())?;
        config = config.with_basic_auth(user, password);
    }
    let except = proxy.except.iter().map(String::as_str).chain(METADATA).collect::<Vec<_>>();
    Ok(config.no_proxy(except.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_here_goes_without_tls() {
        for safe in [
            "https://sts.eu-west-1.amazonaws.com/",
            "HTTPS://x",
            "http://127.0.0.1:8080/a@b",
            "http://localhost",
            "http://[::1]:80?x",
            "http://169.254.170.2/v2/credentials",
            "http://[fd00:ec2::254]/latest",
        ] {
            assert!(is_safe(safe), "{safe}");
        }
        for not in [
            "http://sts.eu-west-1.amazonaws.com/",
            "HTTP://sts.eu-west-1.amazonaws.com/",
            "http://127.0.0.1@evil.example/",
            "http://localhost:80@evil.example/",
            "http://[::1]@evil.example/",
            "http://localhost.evil.example/",
            "http://0.0.0.0/",
            "http://169.254.169.254.evil.example/",
            "ftp://x",
            "/",
            "",
        ] {
            assert!(!is_safe(not), "{not}");
        }
    }
}
