//! TensorProtos to TensorFlow's tensors and back, those of numbers that say all there is.
//!
//! What is said by halves (values that fill a shape, fields of another type) or wrongly is left to
//! Python, which knows every form and every complaint.

use std::ops::Range;

use bytes::Bytes;

use crate::direct::messages::{Dim, TensorProto, TensorShape};
use crate::direct::tensorflow::{Api, Tensor};

pub const FLOAT: u8 = 1;
pub const DOUBLE: u8 = 2;
pub const INT32: u8 = 3;
pub const UINT8: u8 = 4;
pub const INT16: u8 = 5;
pub const INT8: u8 = 6;
pub const INT64: u8 = 9;
pub const BOOL: u8 = 10;
const BFLOAT16: u8 = 14;
const UINT16: u8 = 17;
const HALF: u8 = 19;
pub const UINT32: u8 = 22;
pub const UINT64: u8 = 23;

/// numpy, and so Python, knows no more.
const LARGEST_RANK: usize = 64;

/// Bytes of one value; None for types whose tensors are not made here.
pub fn value_size(dtype: u8) -> Option<usize> {
    match dtype {
        UINT8 | INT8 | BOOL => Some(1),
        INT16 | UINT16 | HALF | BFLOAT16 => Some(2),
        FLOAT | INT32 | UINT32 => Some(4),
        DOUBLE | INT64 | UINT64 => Some(8),
        _ => None,
    }
}

/// Whether tensors of this type can be written with a field for each value.
pub fn has_values(dtype: u8) -> bool {
    matches!(
        dtype,
        FLOAT | DOUBLE | INT32 | UINT8 | INT16 | INT8 | UINT16 | INT64 | BOOL
    )
}

/// The shape of a tensor and the bytes of its values.
pub struct Described {
    pub shape: Vec<i64>,
    pub size: usize,
}

/// What a message describes, if it is a tensor of this type; None where Python has to look.
pub fn described(proto: &TensorProto, dtype: u8) -> Option<Described> {
    if proto.dtype != i32::from(dtype) {
        return None;
    }
    let shape = shape_of(proto)?;
    let count = shape.iter().try_fold(1_usize, |count, &size| {
        count.checked_mul(usize::try_from(size).ok()?)
    })?;
    let size = count.checked_mul(value_size(dtype)?)?;
    let is_whole = match proto.tensor_content.len() {
        0 => values(proto, dtype) == Some(count),
        bytes => bytes == size,
    };
    (is_whole && size > 0).then_some(Described { shape, size })
}

/// How many values a message has in the field for this type.
fn values(proto: &TensorProto, dtype: u8) -> Option<usize> {
    Some(match dtype {
        FLOAT => proto.float_val.len(),
        DOUBLE => proto.double_val.len(),
        INT64 => proto.int64_val.len(),
        BOOL => proto.bool_val.len(),
        INT32 | UINT8 | INT8 | INT16 | UINT16 => proto.int_val.len(),
        _ => return None,
    })
}

/// Writes the values of a message that was described into as many bytes.
pub fn write(proto: &TensorProto, dtype: u8, bytes: &mut [u8]) {
    if !proto.tensor_content.is_empty() {
        return bytes.copy_from_slice(&proto.tensor_content);
    }
    let ints = &proto.int_val;
    match dtype {
        FLOAT => put(bytes, &proto.float_val, f32::to_le_bytes),
        DOUBLE => put(bytes, &proto.double_val, f64::to_le_bytes),
        INT64 => put(bytes, &proto.int64_val, i64::to_le_bytes),
        BOOL => put(bytes, &proto.bool_val, |value| [u8::from(value)]),
        INT32 => put(bytes, ints, i32::to_le_bytes),
        // TensorFlow casts, so values beyond the type wrap around.
        UINT8 | INT8 => put(bytes, ints, |value| [value as u8]),
        _ => put(bytes, ints, |value| (value as u16).to_le_bytes()),
    }
}

/// The tensor of this type that a message describes; None where Python has to look.
pub fn decoded(api: &'static Api, proto: &TensorProto, dtype: u8) -> Option<Tensor> {
    let Described { shape, size } = described(proto, dtype)?;
    api.tensor(dtype, &shape, size, |bytes| write(proto, dtype, bytes))
}

fn shape_of(proto: &TensorProto) -> Option<Vec<i64>> {
    let Some(shape) = &proto.tensor_shape else {
        return Some(Vec::new());
    };
    let is_known = !shape.unknown_rank && shape.dim.len() <= LARGEST_RANK;
    is_known.then(|| shape.dim.iter().map(|dim| dim.size).collect())
}

fn put<T: Copy, const N: usize>(bytes: &mut [u8], values: &[T], as_bytes: fn(T) -> [u8; N]) {
    for (place, &value) in bytes.chunks_exact_mut(N).zip(values) {
        place.copy_from_slice(&as_bytes(value));
    }
}

fn got<T, const N: usize>(bytes: &[u8], of_bytes: fn([u8; N]) -> T) -> Vec<T> {
    bytes
        .chunks_exact(N)
        .map(|place| of_bytes(place.try_into().expect("chunks are of this size")))
        .collect()
}

/// A tensor as a message; None for a type that is not written here.
pub fn encoded(tensor: &Tensor, as_content: bool) -> Option<TensorProto> {
    encoded_as(tensor, &tensor.shape(), tensor.content(), as_content)
}

/// So many rows of a tensor from a first one on, as a message. None for a type that is not written
/// here, and beyond its rows.
pub fn encoded_rows(tensor: &Tensor, rows: Range<usize>, as_content: bool) -> Option<TensorProto> {
    let mut shape = tensor.shape();
    let all = usize::try_from(*shape.first()?).ok()?;
    let row = tensor.content().len().checked_div(all)?;
    shape[0] = i64::try_from(rows.len()).ok()?;
    let bytes = tensor.content().get(rows.start * row..rows.end * row)?;
    encoded_as(tensor, &shape, bytes, as_content)
}

fn encoded_as(
    tensor: &Tensor,
    shape: &[i64],
    bytes: &[u8],
    as_content: bool,
) -> Option<TensorProto> {
    let dtype = u8::try_from(tensor.dtype()).ok()?;
    value_size(dtype)?;
    let dim = shape.iter().map(|&size| Dim { size }).collect();
    let mut proto = TensorProto {
        dtype: i32::from(dtype),
        tensor_shape: Some(TensorShape {
            dim,
            unknown_rank: false,
        }),
        ..TensorProto::default()
    };
    if as_content {
        proto.tensor_content = Bytes::copy_from_slice(bytes);
        return Some(proto);
    }
    match dtype {
        FLOAT => proto.float_val = got(bytes, f32::from_le_bytes),
        DOUBLE => proto.double_val = got(bytes, f64::from_le_bytes),
        INT64 => proto.int64_val = got(bytes, i64::from_le_bytes),
        BOOL => proto.bool_val = got(bytes, |[byte]| byte != 0),
        INT32 => proto.int_val = got(bytes, i32::from_le_bytes),
        UINT8 => proto.int_val = got(bytes, |[byte]| i32::from(byte)),
        INT8 => proto.int_val = got(bytes, |[byte]| i32::from(byte as i8)),
        INT16 => proto.int_val = got(bytes, |pair| i32::from(i16::from_le_bytes(pair))),
        UINT16 => proto.int_val = got(bytes, |pair| i32::from(u16::from_le_bytes(pair))),
        _ => return None,
    }
    Some(proto)
}
