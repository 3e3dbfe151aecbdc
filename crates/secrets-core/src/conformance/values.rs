//! Values of every sort and size are kept or refused, never changed.

use crate::error::ErrorKind;
use crate::options::SetOptions;
use crate::value::SecretValue;
use crate::version::VersionSelector;

use super::check::Capability::Write;
use super::check::Need::{Has, Seed};
use super::check::{Because, Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::harness::ValueClass;
use super::outcome::{ensure, refused};

checks! {
    SecretItem;
    "values.zero-bytes", zero_bytes, [Seed],
        "bytes of 0x00 survive",
        "a value is bytes: what the backend takes comes back exactly, what it does not take is \
         `InvalidValue`.";
    "values.not-utf8", not_utf8, [Seed],
        "all 256 bytes survive, in an order that is not UTF-8",
        "a value is bytes: what the backend takes comes back exactly, what it does not take is \
         `InvalidValue`.";
    "values.whitespace", whitespace, [Seed],
        "line ends, tabs, blanks and a byte-order mark survive at both ends",
        "nothing is trimmed or normalised.";
    "values.syntax", syntax, [Seed],
        "text that means something elsewhere survives",
        "quotes, escapes, variables, JSON and base64 in a value are content, not syntax.";
    "values.empty", empty, [Has(Write)],
        "the empty value is kept or refused",
        "an empty value comes back empty, or is `InvalidValue` and changes nothing.";
    "values.largest", largest, [Has(Write)],
        "the largest value fits",
        "a text of `limits.value_len` bytes is kept.";
    "values.too-large", too_large, [Has(Write)],
        "a larger value is refused and changes nothing",
        "a text of `limits.value_len` + 1 bytes is `TooLarge`, before any effect.";
    "values.content-type", content_type, [Has(Write)],
        "the media type is kept or dropped, never changed",
        "a value's media type comes back as it was, or not at all.";
}

async fn zero_bytes(cx: &Cx<'_>) -> Verdict {
    let mut bytes = vec![0];
    bytes.extend(cx.bytes("zero"));
    bytes.extend([0, 0, 1, 0]);
    kept_or_refused(cx, cx.plant("with zero bytes", bytes), ValueClass::ZeroBytes).await
}

async fn not_utf8(cx: &Cx<'_>) -> Verdict {
    let mut bytes = cx.bytes("binary");
    bytes.extend((1..=255).rev());
    kept_or_refused(cx, cx.plant("binary", bytes), ValueClass::NotUtf8).await
}

/// What is added at the ends of a text.
const BLANKS: [(&str, &str); 7] = [
    ("", "\n"),
    ("", "\r\n"),
    ("", "\n\n"),
    ("\n", ""),
    (" ", " "),
    ("\t", "\t"),
    ("\u{feff}", ""),
];

async fn whitespace(cx: &Cx<'_>) -> Verdict {
    for (before, after) in BLANKS {
        let bytes = [before.as_bytes(), &cx.bytes("blank"), after.as_bytes()].concat();
        let value = cx.plant("with white space", bytes);
        kept_or_refused(cx, value, ValueClass::Whitespace).await?;
    }
    Ok(())
}

async fn kept_or_refused(cx: &Cx<'_>, value: SecretValue, class: ValueClass) -> Verdict {
    if cx.harness.takes(class) {
        let name = cx.fresh_name()?;
        cx.seed(&name, &value).await?;
        cx.reads("read it back", &name.into(), VersionSelector::Current, &value).await?;
        return Ok(());
    }
    if !cx.has(Write) {
        let reason = "the backend does not take such values, and the provider writes none";
        return Err(Stop::NotApplicable(Because::Shape(reason)));
    }
    refused_and_unchanged(cx, value, &[ErrorKind::InvalidValue]).await
}

async fn refused_and_unchanged(cx: &Cx<'_>, value: SecretValue, kinds: &[ErrorKind]) -> Verdict {
    let (name, before) = (cx.secret()?, cx.value("before"));
    cx.put(&name, &before).await?;
    let state = cx.snapshot(&name).await?;
    let written = cx.provider.set_secret(&name, value, SetOptions::new()).await;
    refused("write it", written, kinds)?;
    cx.unchanged("read after the refusal", &name, &state).await
}

async fn syntax(cx: &Cx<'_>) -> Verdict {
    let lead = cx.bytes("syntax");
    let tails = [
        r#"'single' "double" `back` \n \\ \u0041"#,
        "$HOME ${HOME} $(id) #not a comment",
        r#"{"a":[1,null,"x"],"b":{}}"#,
        "QUJDREVGRw==",
        "%00%2e%2e%2f &amp; <![CDATA[x]]> += -----BEGIN KEY-----",
        "null",
    ];
    for (at, tail) in tails.into_iter().enumerate() {
        let name = cx.name(&format!("syntax.{at}"))?;
        let value = cx.plant("with syntax", [&lead, tail.as_bytes()].concat());
        cx.seed(&name, &value).await?;
        cx.reads("read it back", &name.into(), VersionSelector::Current, &value).await?;
    }
    Ok(())
}

async fn empty(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    let (before, empty) = (cx.value("before"), cx.plant("empty", Vec::new()));
    cx.put(&name, &before).await?;
    let state = cx.snapshot(&name).await?;
    match cx.provider.set_secret(&name, empty.clone(), SetOptions::new()).await {
        Ok(_) if cx.harness.takes(ValueClass::Empty) => {
            cx.reads("read it back", &name, VersionSelector::Current, &empty).await?;
            Ok(())
        }
        refusal => {
            refused("write it", refusal, &[ErrorKind::InvalidValue])?;
            cx.unchanged("read after the refusal", &name, &state).await
        }
    }
}

/// A text of this size: a canary at each end.
fn sized(cx: &Cx<'_>, label: &'static str, len: usize) -> SecretValue {
    let mut bytes = cx.bytes(label);
    let end = cx.bytes(label);
    bytes.resize(len.saturating_sub(end.len()), b'x');
    bytes.extend(end);
    bytes.truncate(len);
    cx.plant(label, bytes)
}

async fn largest(cx: &Cx<'_>) -> Verdict {
    let len = cx.capabilities().limits.value_len.min(cx.harness.largest_value());
    let (name, value) = (cx.secret()?, sized(cx, "largest", len));
    cx.put(&name, &value).await?;
    Ok(())
}

async fn too_large(cx: &Cx<'_>) -> Verdict {
    let most = cx.capabilities().limits.value_len;
    if most >= cx.harness.largest_value() {
        let reason = "the harness bounds values below `limits.value_len`";
        return Err(Stop::NotApplicable(Because::Shape(reason)));
    }
    let value = sized(cx, "too large", most + 1);
    refused_and_unchanged(cx, value, &[ErrorKind::TooLarge]).await
}

async fn content_type(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    let value = cx.plant("typed", cx.bytes("typed")).with_content_type("application/json");
    cx.set(&name, &value).await?;
    let read = cx.reads("read it back", &name, VersionSelector::Current, &value).await?;
    let kept = read.value.content_type().is_none_or(|kept| kept == "application/json");
    ensure(kept, "read it back", "`application/json` or no media type", || "another".to_owned())
}
