//! `tonic` at both ends of HTTP/2 connections: what a client is told of a call is what is measured.

use ::tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use ::tonic::{Code, Request, Response, Status};
use axum::Router;
use axum::body::Body;
use axum::routing::post;
use bytes::{Buf, BufMut};
use futures_util::{StreamExt as _, stream};
use http::uri::PathAndQuery;
use hyper_util::rt::{TokioExecutor, TokioIo};
use obs::http::GrpcLayer;
use tower::service_fn;

use super::{Served, serve, usual};

/// Messages as they are.
#[derive(Debug, Clone, Copy, Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}

type Message = Request<Vec<u8>>;

/// Answers `ok`; anything else is not found.
async fn get(request: http::Request<Body>) -> http::Response<Body> {
    let service = service_fn(async |request: Message| match request.get_ref().as_slice() {
        b"ok" => Ok(Response::new(b"found".to_vec())),
        _ => Err(Status::not_found("no such order")),
    });
    ::tonic::server::Grpc::new(Plain).unary(service, request).await.map(Body::new)
}

/// Two messages, and then what the request asks for: the end, a failure, or nothing ever.
async fn list(request: http::Request<Body>) -> http::Response<Body> {
    let service = service_fn(async |request: Message| {
        let messages = stream::iter([Ok(b"one".to_vec()), Ok(b"two".to_vec())]);
        let rest = match request.get_ref().as_slice() {
            b"fail" => stream::iter([Err(Status::data_loss("on purpose"))]).boxed(),
            b"hang" => stream::pending().boxed(),
            _ => stream::empty().boxed(),
        };
        Ok::<_, Status>(Response::new(messages.chain(rest)))
    });
    ::tonic::server::Grpc::new(Plain).server_streaming(service, request).await.map(Body::new)
}

async fn fail(request: http::Request<Body>) -> http::Response<Body> {
    let service = service_fn(async |_: Message| {
        Err::<Response<Vec<u8>>, _>(Status::unavailable("on purpose"))
    });
    ::tonic::server::Grpc::new(Plain).unary(service, request).await.map(Body::new)
}

/// How many calls of this method ended so.
fn calls(served: &Served, method: &str, code: &str) -> f64 {
    let labels = [format!(r#"rpc_method="{method}""#), format!(r#"status_code="{code}""#)];
    served.sum("rpc_server_call_duration_seconds_count", &[&labels[0], &labels[1]])
}

#[test]
fn what_a_client_is_told_is_what_is_measured() {
    let router = Router::new()
        .route("/shop.Orders/Get", post(get))
        .route("/shop.Orders/List", post(list))
        .route("/shop.Orders/Fail", post(fail));
    serve(usual(router.layer(GrpcLayer::new())), async |served| {
        let io = TokioIo::new(served.connect().await);
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        let connection = tokio::spawn(connection);
        let origin = format!("http://{}", served.address).parse().unwrap();
        let service = service_fn(move |request| sender.clone().send_request(request));
        let mut client = ::tonic::client::Grpc::with_origin(service, origin);
        let path = |method: &str| PathAndQuery::try_from(format!("/shop.Orders/{method}")).unwrap();

        let request = Request::new(b"ok".to_vec());
        let answer = client.unary::<_, Vec<u8>, _>(request, path("Get"), Plain).await.unwrap();
        assert_eq!(answer.get_ref(), b"found");
        assert_eq!(calls(&served, "shop.Orders/Get", "OK"), 1.0);
        for (method, code, name, shown) in [
            ("Get", Code::NotFound, "NOT_FOUND", "shop.Orders/Get"),
            // It never succeeded.
            ("Fail", Code::Unavailable, "UNAVAILABLE", "_OTHER"),
        ] {
            let request = Request::new(b"no".to_vec());
            let told = client.unary::<_, Vec<u8>, _>(request, path(method), Plain).await;
            assert_eq!(told.unwrap_err().code(), code);
            assert_eq!(calls(&served, shown, name), 1.0, "{method}");
        }

        let mut list = async |what: &str, messages: usize| {
            let request = Request::new(what.as_bytes().to_vec());
            let answer = client.server_streaming::<_, Vec<u8>, _>(request, path("List"), Plain);
            let mut answer = answer.await.unwrap().into_inner();
            for _ in 0..messages {
                assert!(answer.message().await.unwrap().is_some());
            }
            answer
        };
        assert!(list("end", 2).await.message().await.unwrap().is_none());
        assert_eq!(calls(&served, "shop.Orders/List", "OK"), 1.0);
        let told = list("fail", 2).await.message().await.unwrap_err();
        assert_eq!(told.code(), Code::DataLoss);
        assert_eq!(calls(&served, "shop.Orders/List", "DATA_LOSS"), 1.0);
        let failed = [r#"error_type="DATA_LOSS""#];
        assert_eq!(served.sum("rpc_server_call_duration_seconds_count", &failed), 1.0);
        // Given up half-way, and nothing of it stays.
        drop(list("hang", 2).await);
        served.until(|served| calls(served, "shop.Orders/List", "CANCELLED") == 1.0).await;
        served.until_idle().await;
        connection.abort();
    });
}
