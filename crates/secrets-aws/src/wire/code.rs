//! The code of an error, where it stands in the answers of JSON services.

use aws_smithy_json::deserialize::token::skip_value;
use aws_smithy_json::deserialize::{Token, json_token_iter};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// The code of an answer that is an error: from its header or its body, without the namespace
/// before it and the address behind it (AWS JSON 1.1, "operation error serialization").
pub(super) fn of(response: &HttpResponse) -> Option<String> {
    if response.status().is_success() {
        return None;
    }
    let header = response.headers().get("x-amzn-errortype").map(str::to_owned);
    let code = header.or_else(|| of_body(response.body().bytes()?))?;
    let bare = code.split(':').next().unwrap_or_default();
    Some(bare.rsplit('#').next().unwrap_or_default().to_owned())
}

fn of_body(body: &[u8]) -> Option<String> {
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
        let mut response = answer(400, "{}");
        response.headers_mut().insert("x-amzn-errortype", "ExpiredToken:http://internal/");
        assert_eq!(of(&response).as_deref(), Some("ExpiredToken"));
    }

    #[test]
    fn what_is_no_error_or_no_json_has_none() {
        assert_eq!(of(&answer(200, r#"{"__type":"X"}"#)), None);
        for body in
            ["", "<html>__type</html>", "[1]", r#"{"__type":"#, r#"{"__type":7}"#, "{\"a\":"]
        {
            assert_eq!(of(&answer(400, body)), None, "{body}");
        }
    }
}
