//! The code of an error, where it stands in answers.

use aws_smithy_json::deserialize::token::skip_value;
use aws_smithy_json::deserialize::{Token, json_token_iter};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// The code of an answer that is an error: from its header or its body, without the namespace
/// before it and the address behind it (AWS JSON 1.1 and AWS query, "operation error
/// serialization").
pub(super) fn of(response: &HttpResponse) -> Option<String> {
    if response.status().is_success() {
        return None;
    }
    let header = response.headers().get("x-amzn-errortype").map(str::to_owned);
    let code = header.or_else(|| {
        let body = response.body().bytes()?;
        of_json(body).or_else(|| of_xml(body))
    })?;
    let bare = code.split(':').next().unwrap_or_default();
    Some(bare.rsplit('#').next().unwrap_or_default().to_owned())
}

fn of_json(body: &[u8]) -> Option<String> {
    let mut tokens = json_token_iter(body).peekable();
    let Some(Ok(Token::StartObject { .. })) = tokens.next() else { return None };
    let mut named = None;
    while let Some(Ok(Token::ObjectKey { key, .. })) = tokens.next() {
        if let Some(Ok(Token::ValueString { value, .. })) = tokens.peek() {
            let text = value.to_unescaped().ok().map(std::borrow::Cow::into_owned);
            match key.as_escaped_str() {
                "code" => return text,
                "__type" => named = text,
                _ => {}
            }
        }
        skip_value(&mut tokens).ok()?;
    }
    named
}

/// STS alone speaks XML, and has one element of that name in its errors.
fn of_xml(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim_start();
    let (_, rest) = text.strip_prefix("<ErrorResponse")?.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    Some(code.trim().to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;

    fn answer(status: u16, body: &str) -> HttpResponse {
        HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
    }

    #[test]
    fn the_code_is_found_where_it_stands() {
        let plain = r#"{"__type":"ThrottlingException","message":"slow down"}"#;
        assert_eq!(of(&answer(400, plain)).as_deref(), Some("ThrottlingException"));
        let namespaced = r#"{"message":{"a":[1]},"__type":"com.amazonaws#LimitExceededException"}"#;
        assert_eq!(of(&answer(400, namespaced)).as_deref(), Some("LimitExceededException"));
        let xml =
            "<ErrorResponse xmlns=\"x\"><Error><Code>ExpiredToken</Code></Error></ErrorResponse>";
        assert_eq!(of(&answer(403, xml)).as_deref(), Some("ExpiredToken"));
        let mut response = answer(400, "{}");
        response.headers_mut().insert("x-amzn-errortype", "ExpiredToken:http://internal/");
        assert_eq!(of(&response).as_deref(), Some("ExpiredToken"));
    }

    #[test]
    fn what_is_no_error_or_no_json_has_none() {
        assert_eq!(of(&answer(200, r#"{"__type":"X"}"#)), None);
        for body in [
            "",
            "<html><Code>X</Code></html>",
            "<ErrorResponse><Code>X",
            "[1]",
            r#"{"__type":"#,
            r#"{"__type":7}"#,
            "{\"a\":",
        ] {
            assert_eq!(of(&answer(400, body)), None, "{body}");
        }
    }
}
