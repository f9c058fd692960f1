//! Numbers in nested lists of JSON, as a tensor.
//!
//! What is no tensor of numbers, or not of the type, is left to Python.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use crate::direct::messages::{Dim, TensorProto, TensorShape};
use crate::direct::tensors::{BOOL, DOUBLE, FLOAT, INT16, INT32, INT64, INT8, UINT8};

/// Whether values of this type are read here.
pub fn is_read(dtype: u8) -> bool {
    matches!(
        dtype,
        FLOAT | DOUBLE | INT32 | INT16 | INT8 | UINT8 | INT64 | BOOL
    )
}

pub fn for_python<E: Error>() -> E {
    E::custom("for Python")
}

/// What was read of a tensor. The functions that return None do so where it cannot be one.
pub struct Lists {
    tensor: TensorProto,
    dtype: u8,
    /// Of the lists at each level, as the first one that ended there had it.
    sizes: Vec<Option<i64>>,
    /// The level of the values.
    rank: Option<usize>,
}

impl Lists {
    pub fn new(dtype: u8) -> Self {
        Lists {
            tensor: TensorProto {
                dtype: i32::from(dtype),
                ..TensorProto::default()
            },
            dtype,
            sizes: Vec::new(),
            rank: None,
        }
    }

    pub fn into_tensor(mut self) -> Option<TensorProto> {
        let sizes = self.sizes.into_iter();
        let dim = sizes.map(|size| size.map(|size| Dim { size }));
        self.tensor.tensor_shape = Some(TensorShape {
            dim: dim.collect::<Option<_>>()?,
            unknown_rank: false,
        });
        Some(self.tensor)
    }

    /// A list begins at this level.
    pub fn open(&mut self, level: usize) -> Option<()> {
        if self.sizes.len() == level {
            if self.rank.is_some() {
                return None;
            }
            self.sizes.push(None);
        }
        Some(())
    }

    /// It ends, with so many items; all at one level have as many, and some.
    pub fn close(&mut self, level: usize, size: i64) -> Option<()> {
        (*self.sizes[level].get_or_insert(size) == size && size > 0).then_some(())
    }

    /// A value comes at this level, which is that of all.
    fn come(&mut self, level: usize) -> Option<()> {
        (*self.rank.get_or_insert(self.sizes.len()) == level).then_some(())
    }

    fn put_real(&mut self, value: f64) -> Option<()> {
        match self.dtype {
            // Which may have been a whole number, and 0 then.
            _ if value == 0.0 && value.is_sign_negative() => return None,
            // Infinite if it is beyond the range.
            FLOAT => self.tensor.float_val.push(value as f32),
            DOUBLE => self.tensor.double_val.push(value),
            _ => return None,
        }
        Some(())
    }

    fn put_whole(&mut self, value: i64) -> Option<()> {
        match self.dtype {
            FLOAT | DOUBLE => return self.put_real(value as f64),
            INT64 => self.tensor.int64_val.push(value),
            // TensorFlow Serving reads all of these as int32; values beyond them wrap around.
            INT32 | INT16 | INT8 | UINT8 => self.tensor.int_val.push(value.try_into().ok()?),
            _ => return None,
        }
        Some(())
    }

    fn put_bool(&mut self, value: bool) -> Option<()> {
        (self.dtype == BOOL).then(|| self.tensor.bool_val.push(value))
    }
}

/// A value, or a list of them, inside so many lists.
pub struct Item<'a> {
    pub lists: &'a mut Lists,
    pub level: usize,
}

impl Item<'_> {
    fn put<E: Error>(self, put: impl FnOnce(&mut Lists) -> Option<()>) -> Result<(), E> {
        let lists = self.lists;
        lists
            .come(self.level)
            .and_then(|()| put(lists))
            .ok_or_else(for_python)
    }
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter) -> fmt::Result {
        text.write_str("a number or a list")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<(), S::Error> {
        let Item { lists, level } = self;
        lists.open(level).ok_or_else(for_python)?;
        let mut size = 0;
        loop {
            let (lists, level) = (&mut *lists, level + 1);
            if items.next_element_seed(Item { lists, level })?.is_none() {
                break;
            }
            size += 1;
        }
        lists.close(level, size).ok_or_else(for_python)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.put(|lists| lists.put_real(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.put(|lists| lists.put_whole(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.put(|lists| match i64::try_from(value) {
            Ok(value) => lists.put_whole(value),
            Err(_) => lists.put_real(value as f64),
        })
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.put(|lists| lists.put_bool(value))
    }
}
