//! The elements of lists, the members of tables, and choices with what belongs to them.

use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use super::decoder::Decoder;
use super::error::DecodeError;
use super::key::Key;
use super::path::Path;
use super::stand_in::{StandIn, of_stand_in};
use crate::node::{Node, Table, Value};

pub(super) struct Elements<'n, 'a> {
    pub(super) nodes: &'n [Node],
    pub(super) next: usize,
    pub(super) decoder: Decoder<'a>,
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, '_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some(node) = self.nodes.get(self.next) else { return Ok(None) };
        let path = Path::Index(self.decoder.path, self.next);
        let (read, of) = (self.next, self.nodes.len());
        self.next += 1;
        let decoder = Decoder { node, path: &path, pass: self.decoder.pass };
        let element = decoder.at_here(seed.deserialize(decoder)).map(Some);
        self.decoder.stopped_after(read, of, element)
    }
}

pub(super) struct Members<'n, 'a, K> {
    pub(super) keys: K,
    pub(super) table: &'n Table,
    pub(super) value: Option<&'n str>,
    /// How many members were read.
    pub(super) read: usize,
    /// Any names may stand in it.
    pub(super) is_open: bool,
    pub(super) decoder: Decoder<'a>,
}

impl<'de, 'n, K: Iterator<Item = &'n str>> MapAccess<'de> for Members<'n, '_, K> {
    type Error = DecodeError;

    fn next_key_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        self.value = self.keys.next();
        let Some(key) = self.value else { return Ok(None) };
        let Some(node) = self.table.get(key) else { return seed.deserialize(Key(key)).map(Some) };
        let path = Path::Key(self.decoder.path, key);
        let named = Node::new(Value::Text(key.to_owned()), node.origin.clone());
        let decoder = Decoder { node: &named, path: &path, pass: self.decoder.pass };
        let is_of_key = |error| DecodeError { is_of_key: true, ..error };
        let name = decoder.at_here(seed.deserialize(Key(key)).map_err(is_of_key)).map(Some);
        self.stopped(name)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        let key = self.value.take().unwrap_or_default();
        match self.table.get(key) {
            Some(node) => {
                let path = Path::Key(self.decoder.path, key);
                let decoder = Decoder { node, path: &path, pass: self.decoder.pass };
                let value = decoder.at_here(seed.deserialize(decoder));
                let value = self.stopped(value);
                self.read += 1;
                value
            }
            None => seed.deserialize(StandIn(0)).map_err(of_stand_in),
        }
    }
}

impl<K> Members<'_, '_, K> {
    fn stopped<T>(&self, result: Result<T, DecodeError>) -> Result<T, DecodeError> {
        let of = if self.is_open { self.table.len() } else { 0 };
        self.decoder.stopped_after(self.read, of, result)
    }
}

/// A variant with what belongs to it.
pub(super) struct Chosen<'n, 'a> {
    pub(super) variant: &'n str,
    pub(super) node: &'n Node,
    pub(super) decoder: Decoder<'a>,
}

impl<'de, 'n, 'a> EnumAccess<'de> for Chosen<'n, 'a> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Self), DecodeError> {
        let variant: de::value::StrDeserializer<'_, DecodeError> = self.variant.into_deserializer();
        Ok((seed.deserialize(variant)?, self))
    }
}

impl<'de> VariantAccess<'de> for Chosen<'_, '_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        self.newtype_variant_seed(std::marker::PhantomData::<()>)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        let path = Path::Key(self.decoder.path, self.variant);
        let decoder = Decoder { node: self.node, path: &path, pass: self.decoder.pass };
        decoder.at_here(seed.deserialize(decoder))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let path = Path::Key(self.decoder.path, self.variant);
        let decoder = Decoder { node: self.node, path: &path, pass: self.decoder.pass };
        de::Deserializer::deserialize_tuple(decoder, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let path = Path::Key(self.decoder.path, self.variant);
        let decoder = Decoder { node: self.node, path: &path, pass: self.decoder.pass };
        de::Deserializer::deserialize_struct(decoder, "", fields, visitor)
    }
}
