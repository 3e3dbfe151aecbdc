use std::fmt;

use crate::record::{REDACTED, Value};

/// What a field of a captured record held, as it was shown.
///
/// ```
/// use obs::testing::FieldValue;
///
/// assert_eq!(FieldValue::from("abc"), FieldValue::Text("abc".to_owned()));
/// assert_eq!(FieldValue::from(7_u8), FieldValue::Whole(7), "whole numbers are one kind");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum FieldValue {
    /// A text, or what `Display` or `Debug` made of something.
    Text(String),
    /// A whole number of any type.
    Whole(i128),
    /// A whole number above that of [`i128::MAX`].
    Huge(u128),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// Something that is not shown.
    Redacted,
}

impl FieldValue {
    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn of(value: Value<'_>) -> Self {
        match value {
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::I64(number) => Self::Whole(number.into()),
            Value::U64(number) => Self::Whole(number.into()),
            Value::I128(number) => Self::Whole(number),
            Value::U128(number) => i128::try_from(number).map_or(Self::Huge(number), Self::Whole),
            Value::F64(number) => Self::Float(number),
            Value::Bool(is) => Self::Bool(is),
            Value::Redacted => Self::Redacted,
        }
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Huge(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Bool(is) => write!(f, "{is}"),
            Self::Redacted => f.write_str(REDACTED),
        }
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for FieldValue {
    fn from(is: bool) -> Self {
        Self::Bool(is)
    }
}

impl From<f64> for FieldValue {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<u128> for FieldValue {
    fn from(number: u128) -> Self {
        Self::of(Value::U128(number))
    }
}

macro_rules! whole {
    ($($number:ty)*) => {$(
        impl From<$number> for FieldValue {
            fn from(number: $number) -> Self {
                Self::Whole(number.into())
            }
        }
    )*};
}

whole!(u8 u16 u32 u64 i8 i16 i32 i64 i128);
