//! The HTTP client that all services share: one pool of connections, one trust store, one proxy.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::config::{ConfigError, Network, Proxy};

/// Where containers and instances ask for credentials: on the machine, never through a proxy.
const METADATA: [&str; 5] =
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"];

/// Through the proxy, if there is one. Nothing is read from the environment.
pub(super) fn client(network: &Network) -> Result<SharedHttpClient, ConfigError> {
    let proxy = network.proxy.as_ref().map_or_else(|| Ok(ProxyConfig::disabled()), proxy)?;
    build(network, proxy)
}

/// Past the proxy: for what is on the machine.
pub(super) fn direct(network: &Network) -> Result<SharedHttpClient, ConfigError> {
    build(network, ProxyConfig::disabled())
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
