//! Pages and the tokens between them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::Op;
use crate::service::Refusal;

/// A page of a list.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// The token of the next one.
    pub(super) next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts a page out of a list, in ascending order of `position`, which no two items share.
    ///
    /// # Errors
    ///
    /// `InvalidNextTokenException` for a token that was not given out for this list.
    pub(super) fn cut<'k>(
        op: &Op<'_>,
        scope: &str,
        mut items: Vec<T>,
        most: usize,
        position: impl Fn(&T) -> (u64, &'k String),
    ) -> Result<Self, Refusal>
    where
        T: 'k,
    {
        let after = op.input.text("NextToken")?.map(|t| open(op, scope, t)).transpose()?;
        items.sort_by(|a, b| position(a).cmp(&position(b)));
        let mut rest = items.into_iter().filter(|item| {
            let (at, name) = position(item);
            after.as_ref().is_none_or(|(a, n)| (at, name) > (*a, n))
        });
        let items: Vec<T> = rest.by_ref().take(most).collect();
        let next = match (rest.next(), items.last()) {
            (Some(_), Some(last)) => {
                let (at, name) = position(last);
                Some(seal(op, scope, at, name))
            }
            _ => None,
        };
        Ok(Self { items, next })
    }
}

/// A token for what comes after a position.
pub(super) fn seal(op: &Op<'_>, scope: &str, at: u64, name: &str) -> String {
    let text = format!("{at} {name}");
    BASE64_URL_SAFE_NO_PAD.encode(format!("{} {text}", mark(op, scope, &text)))
}

/// The position behind a token.
///
/// # Errors
///
/// `InvalidNextTokenException` for a token that was not given out for this.
pub(super) fn open(op: &Op<'_>, scope: &str, token: &str) -> Result<(u64, String), Refusal> {
    let read = || {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let sealed = String::from_utf8(bytes).ok()?;
        let (mark_of, text) = sealed.split_once(' ')?;
        let (at, name) = text.split_once(' ')?;
        let genuine = mark(op, scope, text) == mark_of;
        genuine.then_some((at.parse().ok()?, name.to_owned()))
    };
    read()
        .ok_or_else(|| Refusal::new("InvalidNextTokenException", "The NextToken value is invalid."))
}

fn mark(op: &Op<'_>, scope: &str, text: &str) -> String {
    let who = format!("{} {} {scope} {text}", op.call.account, op.call.region);
    let digest = Sha256::new_with_prefix(op.service.seal).chain_update(who).finalize();
    digest.iter().take(8).map(|b| format!("{b:02x}")).collect()
}
