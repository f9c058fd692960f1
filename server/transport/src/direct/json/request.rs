//! A request to predict of REST, by rows (`instances`) or by columns (`inputs`), as tensors.
//!
//! What is said otherwise or wrongly is left to Python, which knows every form and every complaint.
//! Source: TensorFlow Serving's REST API, "Predict API".

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::direct::forms::{Form, Named, Sent};
use crate::direct::json::lists::{for_python, Item, Lists};
use crate::direct::messages::TensorProto;

const DEFAULT_SIGNATURE: &str = "serving_default";
const SIGNATURE_NAME: &str = "signature_name";
/// A name of more bytes is not looked for.
const LONGEST_NAME: usize = 1024;

/// The signature that a body seems to ask for, "" for the default one; `read` looks whether it does.
pub fn seen_signature(body: &[u8]) -> &str {
    let Some(at) = memchr::memmem::find(body, SIGNATURE_NAME.as_bytes()) else {
        return "";
    };
    let mut parts = body[at..].splitn(4, |&byte| byte == b'"');
    let name = parts.nth(2).filter(|name| name.len() <= LONGEST_NAME);
    name.and_then(|name| std::str::from_utf8(name).ok())
        .unwrap_or("")
}

/// What a body has for each input of this signature, if that is all it has.
pub fn read(body: &[u8], signature: &str, inputs: &[Named]) -> Option<Sent> {
    let lists = inputs.iter().map(|input| Lists::new(input.dtype));
    let mut document = Document {
        inputs,
        lists: lists.collect(),
        form: None,
        signature: None,
    };
    let mut reader = serde_json::Deserializer::from_slice(body);
    reader.deserialize_map(&mut document).ok()?;
    reader.end().ok()?;
    let asked = document.signature.filter(|name| !name.is_empty());
    if asked.as_deref().unwrap_or(DEFAULT_SIGNATURE) != signature {
        return None;
    }
    let tensors = document.lists.into_iter().map(Lists::into_tensor);
    Some(Sent {
        form: document.form?,
        tensors: tensors.collect::<Option<Vec<TensorProto>>>()?,
    })
}

/// What was read of the body.
struct Document<'a> {
    inputs: &'a [Named],
    lists: Vec<Lists>,
    form: Option<Form>,
    signature: Option<String>,
}

impl<'de> Visitor<'de> for &mut Document<'_> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter) -> fmt::Result {
        text.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<(), M::Error> {
        while let Some(key) = members.next_key::<String>()? {
            match (key.as_str(), &self.form, &self.signature) {
                (SIGNATURE_NAME, _, None) => self.signature = Some(members.next_value()?),
                ("instances", None, _) => {
                    self.form = Some(Form::Rows);
                    members.next_value_seed(Instances(self))?;
                }
                ("inputs", None, _) => {
                    self.form = Some(Form::Columns);
                    members.next_value_seed(Value::new(self, 0))?;
                }
                _ => return Err(for_python()),
            }
        }
        Ok(())
    }
}

/// The list of rows.
struct Instances<'a, 'b>(&'a mut Document<'b>);

impl<'de> DeserializeSeed<'de> for Instances<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Instances<'_, '_> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter) -> fmt::Result {
        text.write_str("a list of rows")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut rows: S) -> Result<(), S::Error> {
        let document = self.0;
        for lists in &mut document.lists {
            lists.open(0).ok_or_else(for_python)?;
        }
        let (mut size, mut are_named) = (0, None);
        while let Some(is_named) = rows.next_element_seed(Value::new(document, 1))? {
            if *are_named.get_or_insert(is_named) != is_named {
                return Err(for_python());
            }
            size += 1;
        }
        for lists in &mut document.lists {
            lists.close(0, size).ok_or_else(for_python)?;
        }
        Ok(())
    }
}

/// An object with a value for each input, or the value of the only one; whether it is an object.
struct Value<'a, 'b> {
    document: &'a mut Document<'b>,
    level: usize,
}

impl<'a, 'b> Value<'a, 'b> {
    fn new(document: &'a mut Document<'b>, level: usize) -> Self {
        Value { document, level }
    }

    fn only<E: Error>(self, visit: impl FnOnce(Item) -> Result<(), E>) -> Result<bool, E> {
        let level = self.level;
        match &mut self.document.lists[..] {
            [lists] => visit(Item { lists, level }).map(|()| false),
            _ => Err(for_python()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = bool;

    fn expecting(&self, text: &mut fmt::Formatter) -> fmt::Result {
        text.write_str("values")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<bool, M::Error> {
        let (document, level) = (self.document, self.level);
        let mut is_there = vec![false; document.inputs.len()];
        while let Some(name) = members.next_key::<String>()? {
            let mut inputs = document.inputs.iter();
            let index = inputs.position(|input| input.name == name);
            let index = index.ok_or_else(for_python)?;
            if std::mem::replace(&mut is_there[index], true) {
                return Err(for_python());
            }
            let lists = &mut document.lists[index];
            members.next_value_seed(Item { lists, level })?;
        }
        match is_there.contains(&false) {
            true => Err(for_python()),
            false => Ok(true),
        }
    }

    fn visit_seq<S: SeqAccess<'de>>(self, items: S) -> Result<bool, S::Error> {
        self.only(|item| item.visit_seq(items))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<bool, E> {
        self.only(|item| item.visit_f64(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        self.only(|item| item.visit_i64(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        self.only(|item| item.visit_u64(value))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        self.only(|item| item.visit_bool(value))
    }
}
