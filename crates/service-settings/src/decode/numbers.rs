use super::decoder::Decoder;
use super::error::DecodeError;
use crate::node::Value;
use crate::problem::ProblemKind;

/// What of a number is kept: the digits of the binary fraction that `f64` and `f32` have (IEEE 754).
#[derive(Clone, Copy)]
pub(super) struct Precision(u32);

impl Precision {
    pub(super) const DOUBLE: Self = Self(f64::MANTISSA_DIGITS);
    pub(super) const SINGLE: Self = Self(f32::MANTISSA_DIGITS);

    fn holds(self, number: i128) -> bool {
        let number = number.unsigned_abs();
        let digits = (u128::BITS - number.leading_zeros()).saturating_sub(number.trailing_zeros());
        digits <= self.0
    }
}

impl Decoder<'_> {
    pub(super) fn integer(&self) -> Option<i128> {
        match &self.node.value {
            Value::Integer(number) => Some(*number),
            Value::Raw(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A number, unless it would be another one where it is kept. What is written with a fraction is
    /// rounded, as everywhere.
    pub(super) fn float(&self, precision: Precision) -> Result<Option<f64>, DecodeError> {
        let whole = |number: i128| match precision.holds(number) {
            true => Ok(Some(number as f64)),
            false => Err(inexact()),
        };
        match &self.node.value {
            Value::Float(number) => Ok(Some(*number)),
            Value::Integer(number) => whole(*number),
            Value::Raw(text) => {
                let text = text.trim();
                match text.parse::<i128>() {
                    Ok(number) => whole(number),
                    Err(_) if is_whole(text) => Err(inexact()),
                    Err(_) => fraction(text).map_or(Ok(None), |number| number.map(Some)),
                }
            }
            _ => Ok(None),
        }
    }
}

fn fraction(text: &str) -> Option<Result<f64, DecodeError>> {
    let number: f64 = text.parse().ok()?;
    let is_out = number.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
    Some(if is_out { Err(too_large()) } else { Ok(number) })
}

fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn inexact() -> DecodeError {
    let message = "the whole number has too many digits to be held exactly";
    DecodeError::new(ProblemKind::Invalid, message)
}

fn too_large() -> DecodeError {
    DecodeError::new(ProblemKind::Invalid, "the number is too large")
}
