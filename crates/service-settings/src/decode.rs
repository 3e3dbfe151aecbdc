//! From trees of values to the application's types, finding everything that is wrong on the way.
//!
//! A `Deserialize` stops at the first error. So it is run again and again: what failed is written
//! down, and the next time stands in with something of the right type, until nothing new is found.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use crate::decode_error::DecodeError;
use crate::key::Key;
use crate::nearest::{folded, nearest};
use crate::node::{Node, Table, Value};
use crate::problem::{Problem, ProblemKind};
use crate::redact::without_values;
use crate::stand_in::{StandIn, of_stand_in};

/// The name by which a type says that what it reads is a secret, and must not be shown.
pub(crate) const SECRET: &str = "$service-settings::secret";

/// More problems than this help nobody.
const MOST_PROBLEMS: usize = 200;

/// What came of it, with the paths of what may be shown.
pub(crate) struct Decoded<T> {
    pub(crate) settings: T,
    pub(crate) shown: BTreeSet<String>,
}

/// Reads settings out of a tree, and gives what variables set the names that its types have.
pub(crate) fn decode<T: for<'de> Deserialize<'de>>(
    root: &mut Node,
) -> Result<Decoded<T>, Vec<Problem>> {
    let mut twice = Vec::new();
    loop {
        let (result, renames) = attempt(root);
        if renames.is_empty() {
            return match result {
                Ok(decoded) if twice.is_empty() => Ok(decoded),
                result => {
                    twice.extend(result.err().unwrap_or_default());
                    Err(twice)
                }
            };
        }
        for Rename { way, key, field } in renames {
            twice.extend(root.rename(&way, &key, field).map(|origin| {
                let path = [way.as_slice(), &[field.to_owned()]].concat().join(".");
                let message = "another variable sets this too, or a part of it";
                Problem::new(path, Some(origin), ProblemKind::Conflict, message)
            }));
        }
    }
}

/// A variable's name for a field.
struct Rename {
    way: Vec<String>,
    key: String,
    field: &'static str,
}

type Attempt<T> = (Result<Decoded<T>, Vec<Problem>>, Vec<Rename>);

fn attempt<T: for<'de> Deserialize<'de>>(root: &Node) -> Attempt<T> {
    let pass = Pass::default();
    for _ in 0..MOST_PROBLEMS {
        let decoder = Decoder { node: root, path: &Path::Root, pass: &pass };
        match decoder.at_here(T::deserialize(decoder)) {
            Ok(settings) if pass.problems.borrow().is_empty() => {
                let shown = pass.shown.into_inner();
                return (Ok(Decoded { settings, shown }), pass.renames.into_inner());
            }
            Ok(_) => break,
            Err(error) => {
                if !pass.note(error) {
                    break;
                }
            }
        }
    }
    (Err(pass.problems.into_inner()), pass.renames.into_inner())
}

/// What is known while settings are read.
#[derive(Default)]
struct Pass {
    problems: RefCell<Vec<Problem>>,
    /// What failed, and has something stand in for it.
    failed: RefCell<BTreeSet<String>>,
    /// Names that their types refuse.
    failed_keys: RefCell<BTreeSet<String>>,
    /// Tables whose unknown names are written down already.
    looked_at: RefCell<BTreeSet<String>>,
    /// What was read and is no secret.
    shown: RefCell<BTreeSet<String>>,
    is_secret: Cell<bool>,
    renames: RefCell<Vec<Rename>>,
}

impl Pass {
    /// False when this was known already, so that trying again would lead nowhere.
    fn note(&self, error: DecodeError) -> bool {
        let mut path = error.path.unwrap_or_default();
        if error.is_of_stand_in {
            // Not wrong by itself: all of it has something stand in for it.
            return !path.is_empty() && self.failed.borrow_mut().insert(path);
        }
        if let Some(field) = error.missing {
            path = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        }
        let known = if error.is_of_key { &self.failed_keys } else { &self.failed };
        let is_new = !path.is_empty() && known.borrow_mut().insert(path.clone());
        let problem = Problem::new(path, error.origin, error.kind, error.message);
        if is_new || !self.problems.borrow().contains(&problem) {
            self.problems.borrow_mut().push(problem);
        }
        is_new
    }
}

impl Pass {
    /// Whether this error, at this path, may come of what stands in for something else.
    fn has_stand_in(&self, path: &str, error: &DecodeError) -> bool {
        let failed = self.failed.borrow();
        // What a type finds when all of it is read. The rest is found before anything is made of it.
        let is_of_whole = error.kind == ProblemKind::Invalid;
        let is_within = |failed: &String| {
            let rest = failed.strip_prefix(path);
            path.is_empty() || rest.is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        failed.contains(path) || is_of_whole && failed.iter().any(is_within)
    }
}

/// The way to a value.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// The names on the way, if there are no lists on it.
    fn keys(&self) -> Option<Vec<String>> {
        match self {
            Path::Root => Some(Vec::new()),
            Path::Key(before, key) => {
                let mut keys = before.keys()?;
                keys.push((*key).to_owned());
                Some(keys)
            }
            Path::Index(..) => None,
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(key),
            Path::Key(before, key) => write!(f, "{before}.{key}"),
            Path::Index(before, index) => write!(f, "{before}[{index}]"),
        }
    }
}

#[derive(Clone, Copy)]
struct Decoder<'a> {
    node: &'a Node,
    path: &'a Path<'a>,
    pass: &'a Pass,
}

impl<'a> Decoder<'a> {
    fn has_failed(&self) -> bool {
        let failed = self.pass.failed.borrow();
        !failed.is_empty() && failed.contains(&self.path.to_string())
    }

    /// It was read and may be shown, unless it is a secret.
    fn show(&self) {
        if !self.pass.is_secret.get() {
            self.pass.shown.borrow_mut().insert(self.path.to_string());
        }
    }

    fn at_here<T>(&self, result: Result<T, DecodeError>) -> Result<T, DecodeError> {
        result.map_err(|error| {
            if error.path.is_some() {
                return error;
            }
            let path = self.path.to_string();
            let mut error = error;
            if error.is_foreign && !self.pass.is_secret.get() {
                error.message = without_values(&error.message, self.node);
            }
            let error =
                if self.pass.has_stand_in(&path, &error) { of_stand_in(error) } else { error };
            error.at(&path, &self.node.origin)
        })
    }

    fn wrong_type<T>(&self, expected: &dyn de::Expected) -> Result<T, DecodeError> {
        let found = self.node.value.kind();
        let message = format!("{found} stands where {expected} is asked for");
        Err(DecodeError::new(ProblemKind::WrongType, message))
    }

    fn integer(&self) -> Option<i128> {
        match &self.node.value {
            Value::Integer(number) => Some(*number),
            Value::Raw(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn float(&self) -> Option<f64> {
        match &self.node.value {
            Value::Float(number) => Some(*number),
            Value::Integer(number) => Some(*number as f64),
            Value::Raw(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn boolean(&self) -> Option<bool> {
        match &self.node.value {
            Value::Bool(value) => Some(*value),
            Value::Raw(text) => text.trim().to_ascii_lowercase().parse().ok(),
            _ => None,
        }
    }

    fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) | Value::Raw(text) => Some(text),
            _ => None,
        }
    }

    /// A variable holds lists and tables as JSON.
    fn structured(&self) -> Result<Option<Node>, DecodeError> {
        if let Value::Raw(text) = &self.node.value {
            let source = std::sync::Arc::from(self.node.origin.source());
            return match crate::read::parse_value(&source, text) {
                Ok(node) => Ok(Some(node)),
                Err(_) => {
                    let message = "the variable is asked for a list or a table, as JSON";
                    Err(DecodeError::new(ProblemKind::WrongType, message))
                }
            };
        }
        Ok(None)
    }

    fn list<'de, V: Visitor<'de>>(
        self,
        visitor: V,
        nodes: &[Node],
    ) -> Result<V::Value, DecodeError> {
        let mut elements = Elements { nodes, next: 0, decoder: self };
        let value = visitor.visit_seq(&mut elements)?;
        match nodes.get(elements.next..) {
            None | Some([]) => Ok(value),
            Some(rest) => {
                let message = format!("there are {} elements too many", rest.len());
                Err(DecodeError::new(ProblemKind::WrongType, message))
            }
        }
    }

    fn table<'de, V: Visitor<'de>>(
        self,
        visitor: V,
        table: &Table,
        fields: Option<&'static [&'static str]>,
    ) -> Result<V::Value, DecodeError> {
        let mut keys: Vec<&str> = table.keys().map(String::as_str).collect();
        if !self.pass.failed_keys.borrow().is_empty() {
            let failed = self.pass.failed_keys.borrow();
            keys.retain(|key| !failed.contains(&Path::Key(self.path, key).to_string()));
        }
        if let Some(fields) = fields {
            self.refuse_unknown(table, fields);
            keys.retain(|key| fields.contains(key));
            let stands_in = |field: &&&str| {
                let path = Path::Key(self.path, field).to_string();
                !table.contains_key(**field) && self.pass.failed.borrow().contains(&path)
            };
            keys.extend(fields.iter().filter(stands_in));
        }
        visitor.visit_map(Members { keys: keys.into_iter(), table, value: None, decoder: self })
    }

    /// A choice that carries something: a table of one.
    fn choice<'de, V: Visitor<'de>>(
        self,
        visitor: V,
        table: &Table,
        variants: &[&str],
    ) -> Result<V::Value, DecodeError> {
        match table.iter().collect::<Vec<_>>()[..] {
            [(variant, node)] => visitor.visit_enum(Chosen { variant, node, decoder: self }),
            _ => {
                let message = format!("one of {} is asked for", list_of(variants));
                Err(DecodeError::new(ProblemKind::WrongType, message))
            }
        }
    }

    fn refuse_unknown(&self, table: &Table, fields: &[&'static str]) {
        if !self.pass.looked_at.borrow_mut().insert(self.path.to_string()) {
            return;
        }
        for (key, node) in table.iter().filter(|(key, _)| !fields.contains(&key.as_str())) {
            if let Some(field) = fields.iter().find(|field| is_meant(key, field))
                && node.origin.is_variable()
                && let Some(way) = self.path.keys()
            {
                let rename = Rename { way, key: key.clone(), field };
                self.pass.renames.borrow_mut().push(rename);
                continue;
            }
            if self.pass.problems.borrow().len() >= MOST_PROBLEMS {
                continue;
            }
            let message = match nearest(key, fields.iter().copied()) {
                Some(near) => format!("nothing has this name; is `{near}` meant?"),
                None if fields.is_empty() => "nothing can be set here".to_owned(),
                None => format!("nothing has this name; there are {}", list_of(fields)),
            };
            let path = Path::Key(self.path, key).to_string();
            let origin = Some(node.origin.clone());
            let problem = Problem::new(path, origin, ProblemKind::UnknownKey, message);
            self.pass.problems.borrow_mut().push(problem);
        }
    }
}

/// Whether the name that a variable makes of a setting is that of this field: `max_size` of
/// `MAX_SIZE` stands for `max-size` and `maxSize` too.
fn is_meant(key: &str, field: &str) -> bool {
    folded(key).eq(folded(field))
}

fn list_of(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

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
        let is_out = |number: f64| number.is_finite() && !(number as f32).is_finite();
        if !self.has_failed() && self.float().is_some_and(is_out) {
            let (least, most) = (f32::MIN, f32::MAX);
            let message = format!("the number is not between {least:e} and {most:e}");
            return self.at_here(Err(DecodeError::new(ProblemKind::Invalid, message)));
        }
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.has_failed() {
            return StandIn(0).deserialize_f64(visitor);
        }
        self.show();
        let result = match self.float() {
            Some(number) => visitor.visit_f64(number),
            None => self.wrong_type(&visitor),
        };
        self.at_here(result)
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
        if name != SECRET {
            return visitor.visit_newtype_struct(self);
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
            _ => self.wrong_type(&visitor),
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
                _ => self.wrong_type(&visitor),
            },
            Value::Text(text) | Value::Raw(text) => {
                self.show();
                visitor.visit_enum(text.as_str().into_deserializer())
            }
            Value::Table(table) => self.choice(visitor, table, variants),
            _ => self.wrong_type(&visitor),
        };
        self.at_here(result)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }
}

struct Elements<'n, 'a> {
    nodes: &'n [Node],
    next: usize,
    decoder: Decoder<'a>,
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, '_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some(node) = self.nodes.get(self.next) else { return Ok(None) };
        let path = Path::Index(self.decoder.path, self.next);
        self.next += 1;
        let decoder = Decoder { node, path: &path, pass: self.decoder.pass };
        decoder.at_here(seed.deserialize(decoder)).map(Some)
    }
}

struct Members<'n, 'a, K> {
    keys: K,
    table: &'n Table,
    value: Option<&'n str>,
    decoder: Decoder<'a>,
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
        decoder.at_here(seed.deserialize(Key(key)).map_err(is_of_key)).map(Some)
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
                decoder.at_here(seed.deserialize(decoder))
            }
            None => seed.deserialize(StandIn(0)).map_err(of_stand_in),
        }
    }
}

/// A variant with what belongs to it.
struct Chosen<'n, 'a> {
    variant: &'n str,
    node: &'n Node,
    decoder: Decoder<'a>,
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
