//! Answers on the wire.

use std::time::SystemTime;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, header},
};
use serde_json::{Value, json};

use super::form;
use crate::{
    service::{Page, Protocol, Refusal},
    stamp,
};

/// An answer before it is sent, so that a fault can still spoil it.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    /// The code of the error, for the record.
    pub(super) code: Option<String>,
}

impl Reply {
    pub(super) fn of_operation(
        protocol: Protocol,
        operation: &str,
        result: &Result<Value, Refusal>,
        request_id: &str,
    ) -> Self {
        let body = match (protocol, result) {
            (Protocol::Json(_), Ok(output)) => output.to_string(),
            (Protocol::Json(_), Err(refusal)) => {
                // Services differ in the case of this name; clients read both.
                let kind = match protocol {
                    Protocol::Json("1.0") => format!("com.amazonaws.sqs#{}", refusal.code),
                    _ => refusal.code.to_string(),
                };
                json!({ "__type": kind, "Message": refusal.message, "message": refusal.message })
                    .to_string()
            }
            (Protocol::Query(ns), Ok(output)) => form::answer(operation, ns, output, request_id),
            (Protocol::Query(ns), Err(refusal)) => form::refusal(ns, refusal, request_id),
        };
        let kind = match protocol {
            Protocol::Json(version) => format!("application/x-amz-json-{version}"),
            Protocol::Query(_) => "text/xml".to_owned(),
        };
        let mut headers = vec![
            ("content-type".to_owned(), kind),
            ("x-amzn-requestid".to_owned(), request_id.to_owned()),
        ];
        if let (Protocol::Json(_), Err(refusal)) = (protocol, result) {
            headers.push(("x-amzn-errortype".to_owned(), refusal.code.to_string()));
            if protocol == Protocol::Json("1.0") {
                let fault = if refusal.status < 500 { "Sender" } else { "Receiver" };
                let code = crate::sqs::query_code(&refusal.code);
                headers.push(("x-amzn-query-error".to_owned(), format!("{code};{fault}")));
            }
        }
        Self {
            status: result.as_ref().err().map_or(200, |refusal| refusal.status),
            headers,
            body,
            code: result.as_ref().err().map(|refusal| refusal.code.to_string()),
        }
    }

    pub(super) fn of_page(page: Page) -> Self {
        Self { status: page.status, headers: page.headers, body: page.body, code: None }
    }

    /// What a proxy says that stands in the way.
    pub(super) fn html(request_id: &str) -> Self {
        Self {
            status: 200,
            headers: vec![
                ("content-type".to_owned(), "text/html".to_owned()),
                ("x-amzn-requestid".to_owned(), request_id.to_owned()),
            ],
            body: "<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>".to_owned(),
            code: None,
        }
    }

    pub(super) fn empty(request_id: &str) -> Self {
        Self {
            status: 200,
            headers: vec![("x-amzn-requestid".to_owned(), request_id.to_owned())],
            body: String::new(),
            code: None,
        }
    }

    /// The same with half its body.
    pub(super) fn halved(mut self) -> Self {
        let mut half = self.body.len() / 2;
        while !self.body.is_char_boundary(half) {
            half -= 1;
        }
        self.body.truncate(half);
        self
    }

    /// The answer with the `Date` that clients correct their clocks by.
    pub(super) fn into_response(self, date: SystemTime) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        if let Ok(status) = axum::http::StatusCode::from_u16(self.status) {
            *response.status_mut() = status;
        }
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(&value))
            {
                headers.insert(name, value);
            }
        }
        if let Ok(date) = HeaderValue::from_str(&stamp::http(date)) {
            headers.insert(header::DATE, date);
        }
        response
    }
}
