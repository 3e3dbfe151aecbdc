//! How AWS is reached: by TLS with a private authority, through a proxy that wants a password, and
//! what is told when it is not reached at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, Issuer, KeyPair};
use secrets_aws::{AwsClients, AwsConfig, Container, Identity, Network, Proxy};
use secrets_core::{ErrorKind, SecretValue};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::retry::keys;
use crate::server::{Answer, on_loopback};

/// A private authority and what it vouches for: `localhost`.
struct Authority {
    pem: String,
    server: Arc<ServerConfig>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let own = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&own, &issuer).unwrap();
        let secret = PrivateKeyDer::try_from(own.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], secret)
            .unwrap();
        Self { pem: root.pem(), server: Arc::new(server) }
    }
}

/// Reads one request and answers it; says what its head was.
async fn serve_one(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &Answer,
) -> Option<String> {
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        seen.extend_from_slice(&chunk[..read]);
        if let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8(seen[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned)
        })
        .map_or(0, |length| length.parse::<usize>().unwrap());
    while seen.len() < end + 4 + length {
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        seen.extend_from_slice(&chunk[..read]);
    }
    let text = format!(
        "HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{}",
        answer.status,
        answer.body.len(),
        answer.body
    );
    stream.write_all(text.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()?;
    Some(head)
}

/// STS behind TLS: its URL, and how many requests reached it.
async fn over_tls(authority: &Authority) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let acceptor = TlsAcceptor::from(Arc::clone(&authority.server));
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, counted) = (acceptor.clone(), Arc::clone(&counted));
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.ok()?;
                serve_one(stream, &Answer::caller()).await?;
                Some(counted.fetch_add(1, Ordering::SeqCst))
            });
        }
    });
    (url, count)
}

/// A proxy that lets only this one through: its URL, and the heads that it saw.
async fn proxy(expected: &'static str) -> (String, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heads = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while !seen.ends_with(b"\r\n\r\n") {
                    seen.push(client.read_u8().await.ok()?);
                }
                let head = String::from_utf8(seen).unwrap();
                let target = head.split(' ').nth(1).unwrap().replace("localhost", "127.0.0.1");
                assert!(target.starts_with("127.0.0.1:"), "{target}");
                let is_known = head.to_ascii_lowercase().contains(&expected.to_ascii_lowercase());
                kept.lock().unwrap().push(head);
                if !is_known {
                    let refusal =
                        b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
                    return client.write_all(refusal).await.ok();
                }
                let mut server = TcpStream::connect(target).await.ok()?;
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
                copy_bidirectional(&mut client, &mut server).await.ok().map(|_| ())
            });
        }
    });
    (url, heads)
}

async fn caller(url: &str, network: Network) -> secrets_core::Result<String> {
    let config = AwsConfig::in_region("eu-west-1")
        .with_identity(keys())
        .with_endpoint(on_loopback(url))
        .with_network(network.with_attempts(1));
    Ok(AwsClients::connect(config).await?.caller().await?.arn)
}

const USER: &str = "arn:aws:iam::111122223333:user/u";

#[tokio::test]
async fn a_private_authority_is_trusted_instead_of_the_systems() {
    let authority = Authority::new();
    let (url, count) = over_tls(&authority).await;
    let network = Network::default().with_ca_pem(&authority.pem);
    assert_eq!(caller(&url, network).await.unwrap(), USER);
    // Without it, and with another one, nothing is sent.
    for network in [Network::default(), Network::default().with_ca_pem(Authority::new().pem)] {
        let error = caller(&url, network).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    // A name that the certificate does not have.
    let by_address = url.replace("localhost", "127.0.0.1");
    let network = Network::default().with_ca_pem(&authority.pem);
    assert!(caller(&by_address, network).await.is_err());
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_bundle_of_authorities_is_taken_whole() {
    let (first, second) = (Authority::new(), Authority::new());
    let (url, _) = over_tls(&second).await;
    let bundle = format!("# ours\n{}\n{}", first.pem, second.pem);
    assert_eq!(caller(&url, Network::default().with_ca_pem(bundle)).await.unwrap(), USER);
}

fn through(proxy: &str, user: &str, password: &str) -> Proxy {
    let password = SecretValue::from_string(password.to_owned());
    Proxy::new(on_loopback(proxy)).with_credentials(user, password)
}

#[tokio::test]
async fn a_proxy_gets_its_password_and_nothing_of_what_goes_through() {
    let authority = Authority::new();
    let (url, count) = over_tls(&authority).await;
    // `billing:hunter2` by RFC 7617.
    let (proxy, heads) = proxy("proxy-authorization: basic YmlsbGluZzpodW50ZXIy").await;
    let network = || Network::default().with_ca_pem(&authority.pem);
    let known = through(&proxy, "billing", "hunter2");
    assert_eq!(caller(&url, network().with_proxy(known)).await.unwrap(), USER);
    let seen = heads.lock().unwrap().clone();
    assert_eq!(seen.len(), 1);
    let target = url.strip_prefix("https://").unwrap();
    assert!(seen[0].starts_with(&format!("CONNECT {target} HTTP/1.1")), "{}", seen[0]);
    assert!(!seen[0].contains("AKIA"), "{}", seen[0]);

    let unknown = through(&proxy, "billing", "canary-82");
    let error = caller(&url, network().with_proxy(unknown)).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary-82"));
    assert_eq!(count.load(Ordering::SeqCst), 1);

    // And past it, for what it is not for.
    let past = through(&proxy, "x", "y").with_exception("localhost");
    assert_eq!(caller(&url, network().with_proxy(past)).await.unwrap(), USER);
    assert_eq!(heads.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_refused_connection_is_told_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let before = Instant::now();
    // No time is up when it is told.
    let minute = Duration::from_secs(60);
    let network = Network::default()
        .with_connect_timeout(minute)
        .with_timeout(minute)
        .with_operation_timeout(minute);
    let config = AwsConfig::in_region("eu-west-1")
        .with_identity(keys())
        .with_endpoint(on_loopback(&url))
        .with_network(network);
    let error = AwsClients::connect(config).await.unwrap().caller().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // Three attempts, with pauses of up to one and two seconds.
    assert!(before.elapsed() < minute / 2, "{:?}", before.elapsed());
}

#[tokio::test]
async fn who_accepts_and_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // No other time is up soon.
    let minute = Duration::from_secs(60);
    let network = Network::default()
        .with_timeout(Duration::from_millis(300))
        .with_connect_timeout(minute)
        .with_operation_timeout(minute);
    let before = Instant::now();
    let error = caller(&url, network.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    // The same before TLS.
    let secure = url.replace("http://", "https://");
    let error = caller(&secure, network).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(before.elapsed() < minute / 2, "{:?}", before.elapsed());
    drop(listener);
}

#[tokio::test]
async fn tls_is_not_spoken_to_who_does_not() {
    let server = crate::server::Server::start(|_| Answer::caller()).await;
    let url = server.url.replace("http://", "https://");
    let error = caller(&url, Network::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn what_is_on_the_machine_is_asked_past_the_proxy() {
    let authority = Authority::new();
    let (url, _) = over_tls(&authority).await;
    let (proxy, heads) = proxy("proxy-authorization: basic YmlsbGluZzpodW50ZXIy").await;
    let agent = crate::server::Server::start(|_| {
        Answer::new(200, r#"{"AccessKeyId":"ASIAAGENT","SecretAccessKey":"k","Token":"t"}"#)
    })
    .await;
    let container = Container::new(format!("{}/credentials", on_loopback(&agent.url)));
    let network = Network::default()
        .with_ca_pem(&authority.pem)
        .with_proxy(through(&proxy, "billing", "hunter2"));
    let config = AwsConfig::in_region("eu-west-1")
        .with_identity(Identity::Container(container))
        .with_endpoint(on_loopback(&url))
        .with_network(network);
    let clients = AwsClients::connect(config).await.unwrap();
    assert_eq!(clients.caller().await.unwrap().arn, USER);
    assert_eq!(agent.count(), 1);
    let seen = heads.lock().unwrap().clone();
    assert!(seen.len() == 1 && seen[0].starts_with("CONNECT localhost:"), "{seen:?}");
}
