//! Something of the right type in the place of what failed, so that the rest can be read too. What
//! is made with it is thrown away.

use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, VariantAccess, Visitor,
};

use super::error::DecodeError;
use crate::problem::ProblemKind;

/// Within this many choices.
#[derive(Clone, Copy)]
pub(crate) struct StandIn(pub(crate) usize);

/// Choices within choices beyond this go on for ever, as far as can be told.
const DEEPEST: usize = 16;

pub(crate) fn of_stand_in(error: DecodeError) -> DecodeError {
    DecodeError { is_of_stand_in: true, ..error }
}

macro_rules! values {
    ($($method:ident $visit:ident $value:expr),+ $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            visitor.$visit($value).map_err(of_stand_in)
        })+
    };
}

impl<'de> de::Deserializer<'de> for StandIn {
    type Error = DecodeError;

    values! {
        deserialize_bool visit_bool false, deserialize_char visit_char 'x',
        deserialize_i8 visit_i8 1, deserialize_i16 visit_i16 1, deserialize_i32 visit_i32 1,
        deserialize_i64 visit_i64 1, deserialize_i128 visit_i128 1, deserialize_u8 visit_u8 1,
        deserialize_u16 visit_u16 1, deserialize_u32 visit_u32 1, deserialize_u64 visit_u64 1,
        deserialize_u128 visit_u128 1, deserialize_f32 visit_f32 1.0, deserialize_f64 visit_f64 1.0,
        deserialize_str visit_str "x", deserialize_string visit_str "x",
        deserialize_identifier visit_str "x", deserialize_bytes visit_bytes b"x",
        deserialize_byte_buf visit_bytes b"x", deserialize_seq visit_seq Nothing,
        deserialize_map visit_map Nothing,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit().map_err(of_stand_in)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_none().map_err(of_stand_in)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit().map_err(of_stand_in)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_unit().map_err(of_stand_in)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self).map_err(of_stand_in)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_seq(Several(len, self.0)).map_err(of_stand_in)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_seq(Several(len, self.0)).map_err(of_stand_in)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        // By their order: aliases are among the names, and a field is not to be set twice.
        visitor.visit_seq(Several(fields.len(), self.0)).map_err(of_stand_in)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        // Another choice further in: the first may hold this type again.
        let variant = variants.iter().cycle().nth(self.0).filter(|_| self.0 < DEEPEST);
        let Some(variant) = variant else {
            let message = "nothing can stand in for this";
            return Err(of_stand_in(DecodeError::new(ProblemKind::Invalid, message)));
        };
        visitor.visit_enum(Choice(variant, self.0 + 1)).map_err(of_stand_in)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit().map_err(of_stand_in)
    }
}

struct Nothing;

impl<'de> de::SeqAccess<'de> for Nothing {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        _seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        Ok(None)
    }
}

/// So many elements, within so many choices.
struct Several(usize, usize);

impl<'de> de::SeqAccess<'de> for Several {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some(rest) = self.0.checked_sub(1) else { return Ok(None) };
        self.0 = rest;
        seed.deserialize(StandIn(self.1)).map(Some)
    }
}

impl<'de> MapAccess<'de> for Nothing {
    type Error = DecodeError;

    fn next_key_seed<T: DeserializeSeed<'de>>(
        &mut self,
        _seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        seed.deserialize(StandIn(0))
    }
}

/// A choice, and how many it makes with those around it.
struct Choice(&'static str, usize);

impl<'de> EnumAccess<'de> for Choice {
    type Error = DecodeError;
    type Variant = StandIn;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, StandIn), DecodeError> {
        let variant: de::value::StrDeserializer<'_, DecodeError> = self.0.into_deserializer();
        Ok((seed.deserialize(variant)?, StandIn(self.1)))
    }
}

impl<'de> VariantAccess<'de> for StandIn {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_seq(Several(len, self.0))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_seq(Several(fields.len(), self.0))
    }
}
