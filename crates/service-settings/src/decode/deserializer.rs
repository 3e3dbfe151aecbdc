use serde::de::{self, IntoDeserializer, Visitor};

use super::SECRET;
use super::decoder::Decoder;
use super::error::DecodeError;
use super::hand_over::{PLACED, SUBTREE};
use super::numbers::Precision;
use super::stand_in::StandIn;
use crate::node::{Node, Value};
use crate::problem::ProblemKind;

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty),+ $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            if self.has_failed() {
                return StandIn(0).$method(visitor);
            }
            self.show();
            let Some(number) = self.integer() else {
                return self.at_here(self.wrong_type(&visitor));
            };
            match <$type>::try_from(number) {
                Ok(number) => self.at_here(visitor.$visit(number)),
                Err(_) => {
                    let (least, most) = (<$type>::MIN, <$type>::MAX);
                    let message = format!("the number is not between {least} and {most}");
                    self.at_here(Err(DecodeError::new(ProblemKind::Invalid, message)))
                }
            }
        })+
    };
}

impl<'de> de::Deserializer<'de> for Decoder<'_> {
    type Error = DecodeError;

    numbers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64, deserialize_i128 visit_i128 i128,
        deserialize_u128 visit_u128 u128,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.has_failed() {
            return StandIn(0).deserialize_any(visitor);
        }
        // Not shown: whoever does not say what it asks for may make a secret of it later.
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(number) => match (i64::try_from(*number), u64::try_from(*number)) {
                (Ok(number), _) => visitor.visit_i64(number),
                (_, Ok(number)) => visitor.visit_u64(number),
                _ => visitor.visit_i128(*number),
            },
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Text(text) | Value::Raw(text) => visitor.visit_str(text),
            Value::List(nodes) => self.list(visitor, nodes),
            Value::Table(table) => self.table(visitor, table, None),
        };
        self.at_here(result)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.has_failed() {
            return StandIn(0).deserialize_bool(visitor);
        }
        self.show();
        let result = match self.boolean() {
            Some(value) => visitor.visit_bool(value),
            None => self.wrong_type(&visitor),
        };
        self.at_here(result)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.has_failed() {
            return StandIn(0).deserialize_f32(visitor);
        }
        let is_out = |number: f64| number.is_finite() && !(number as f32).is_finite();
        if self.float(Precision::SINGLE).is_ok_and(|number| number.is_some_and(is_out)) {
            let (least, most) = (f32::MIN, f32::MAX);
            let message = format!("the number is not between {least:e} and {most:e}");
            return self.at_here(Err(DecodeError::new(ProblemKind::Invalid, message)));
        }
        self.number(visitor, Precision::SINGLE)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.has_failed() {
            return StandIn(0).deserialize_f64(visitor);
        }
        self.number(visitor, Precision::DOUBLE)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.has_failed() {
            return StandIn(0).deserialize_str(visitor);
        }
        self.show();
        let result = match self.text() {
            Some(text) => visitor.visit_str(text),
            None => self.wrong_type(&visitor),
        };
        self.at_here(result)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.has_failed() {
            return StandIn(0).deserialize_unit(visitor);
        }
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            _ => self.wrong_type(&visitor),
        };
        self.at_here(result)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match name {
            SECRET => {}
            SUBTREE => {
                return self.at_here(self.handed().over(|| visitor.visit_newtype_struct(self)));
            }
            PLACED => {
                let places = self.handed_places();
                return self.at_here(places.over(|| visitor.visit_newtype_struct(self)));
            }
            _ => return visitor.visit_newtype_struct(self),
        }
        let was_secret = self.pass.is_secret.replace(true);
        let result = visitor.visit_newtype_struct(self);
        self.pass.is_secret.set(was_secret);
        self.at_here(result)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.has_failed() {
            return StandIn(0).deserialize_seq(visitor);
        }
        let result = match (&self.node.value, self.structured()) {
            (Value::List(nodes), _) => self.list(visitor, nodes),
            (_, Err(error)) => Err(error),
            (_, Ok(Some(Node { value: Value::List(nodes), .. }))) => self.list(visitor, &nodes),
            _ => self.wrong_type(&visitor),
        };
        self.at_here(result)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if self.has_failed() {
            return StandIn(0).deserialize_tuple(len, visitor);
        }
        if len > 0 {
            self.is_of_fixed_length();
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.has_failed() {
            return StandIn(0).deserialize_map(visitor);
        }
        let result = match (&self.node.value, self.structured()) {
            (Value::Table(table), _) => self.table(visitor, table, None),
            (_, Err(error)) => Err(error),
            (_, Ok(Some(Node { value: Value::Table(table), .. }))) => {
                self.table(visitor, &table, None)
            }
            _ => self.wrong_type(&visitor),
        };
        self.at_here(result)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if self.has_failed() {
            return StandIn(0).deserialize_struct(name, fields, visitor);
        }
        let result = match (&self.node.value, self.structured()) {
            (Value::Table(table), _) => self.table(visitor, table, Some(fields)),
            (_, Err(error)) => Err(error),
            (_, Ok(Some(Node { value: Value::Table(table), .. }))) => {
                self.table(visitor, &table, Some(fields))
            }
            _ => self.wrong_type(&"a table"),
        };
        self.at_here(result)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if self.has_failed() {
            return StandIn(0).deserialize_enum(name, variants, visitor);
        }
        let result = match &self.node.value {
            Value::Raw(text) if text.trim_start().starts_with('{') => match self.structured() {
                Ok(Some(Node { value: Value::Table(table), .. })) => {
                    self.choice(visitor, &table, variants)
                }
                Err(error) => Err(error),
                _ => self.no_choice(variants),
            },
            Value::Text(text) | Value::Raw(text) => {
                self.show();
                visitor.visit_enum(text.as_str().into_deserializer())
            }
            Value::Table(table) => self.choice(visitor, table, variants),
            _ => self.no_choice(variants),
        };
        self.at_here(result)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }
}
