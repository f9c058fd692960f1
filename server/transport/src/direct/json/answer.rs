//! Tensors of numbers as the answer of a request of REST, by rows (`predictions`) or by columns
//! (`outputs`), with the whitespace of TensorFlow Serving.
//! Source: TensorFlow Serving's REST API, "Predict API"; RapidJSON's PrettyWriter.

use std::fmt::Write;
use std::ops::Range;

use bytes::Bytes;

use crate::direct::json::decimals::{put_double, put_float};
use crate::direct::tensorflow::Tensor;
use crate::direct::tensors::{
    value_size, BOOL, DOUBLE, FLOAT, INT16, INT32, INT64, INT8, UINT32, UINT64, UINT8,
};

const INDENT: &str = "    ";

/// Whether values of this type are written here.
pub fn is_written(dtype: u8) -> bool {
    put_of(dtype).is_some()
}

/// Whether a name stands in JSON as it is.
pub fn is_plain(name: &str) -> bool {
    !name
        .bytes()
        .any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'))
}

/// An output, or rows of it.
pub struct Column<'a> {
    name: &'a str,
    shape: Vec<usize>,
    content: &'a [u8],
    put_value: fn(&mut String, &[u8]),
}

impl<'a> Column<'a> {
    /// All of a tensor, or these rows of it. None if it has no values, is not of this type, or has
    /// no such rows.
    pub fn of(
        name: &'a str,
        dtype: u8,
        tensor: &'a Tensor,
        rows: Option<&Range<usize>>,
    ) -> Option<Column<'a>> {
        let sizes = tensor.shape().into_iter().map(usize::try_from);
        let mut shape: Vec<usize> = sizes.collect::<Result<_, _>>().ok()?;
        let mut content = tensor.content();
        if let (Some(rows), Some(all)) = (rows, shape.first_mut()) {
            let row = content.len().checked_div(*all)?;
            content = content.get(rows.start * row..rows.end * row)?;
            *all = rows.len();
        }
        let values: usize = shape.iter().product();
        let is_whole = values > 0 && content.len() == values * value_size(dtype)?;
        (is_whole && tensor.dtype() == i32::from(dtype)).then_some(Column {
            name,
            shape,
            content,
            put_value: put_of(dtype)?,
        })
    }

    fn row(&self, row: usize) -> &[u8] {
        let size = self.content.len() / self.shape[0];
        &self.content[row * size..][..size]
    }

    /// Lists of this shape, in one line.
    fn put_line(&self, text: &mut String, shape: &[usize], bytes: &[u8]) {
        let Some((&count, inner)) = shape.split_first() else {
            return (self.put_value)(text, bytes);
        };
        let mut before = "[";
        for part in bytes.chunks_exact(bytes.len() / count) {
            text.push_str(before);
            self.put_line(text, inner, part);
            before = ", ";
        }
        text.push(']');
    }

    /// Lists of this shape at this depth, with a line for each element.
    fn put_lines(&self, text: &mut String, shape: &[usize], bytes: &[u8], depth: usize) {
        let Some((&count, inner)) = shape.split_first() else {
            return (self.put_value)(text, bytes);
        };
        let mut before = "[";
        for part in bytes.chunks_exact(bytes.len() / count) {
            text.push_str(before);
            put_line_end(text, depth + 1);
            self.put_lines(text, inner, part, depth + 1);
            before = ",";
        }
        put_line_end(text, depth);
        text.push(']');
    }
}

fn put_line_end(text: &mut String, depth: usize) {
    text.push('\n');
    for _ in 0..depth {
        text.push_str(INDENT);
    }
}

/// By rows; the columns are in the order of their names. None where they have no rows, or not as
/// many.
pub fn predictions(columns: &[Column]) -> Option<Bytes> {
    let rows = *columns.first()?.shape.first()?;
    if columns
        .iter()
        .any(|column| column.shape.first() != Some(&rows))
    {
        return None;
    }
    let mut text = String::with_capacity(64 + 4 * columns[0].content.len());
    text.push_str("{\n    \"predictions\": [");
    for row in 0..rows {
        text.push_str(if row == 0 { "" } else { "," });
        match columns {
            [column] => {
                text.push_str(if row == 0 { "" } else { " " });
                column.put_line(&mut text, &column.shape[1..], column.row(row));
            }
            columns => put_object(&mut text, columns, row),
        }
    }
    text.push_str("\n    ]\n}");
    Some(text.into())
}

fn put_object(text: &mut String, columns: &[Column], row: usize) {
    put_line_end(text, 2);
    text.push('{');
    for (number, column) in columns.iter().enumerate() {
        text.push_str(if number == 0 { "" } else { "," });
        put_line_end(text, 3);
        let _ = write!(text, "\"{}\": ", column.name);
        column.put_line(text, &column.shape[1..], column.row(row));
    }
    put_line_end(text, 2);
    text.push('}');
}

/// By columns, which are in the order of their names.
pub fn outputs(columns: &[Column]) -> Bytes {
    let mut text = String::from("{\n    \"outputs\": ");
    if let [column] = columns {
        column.put_lines(&mut text, &column.shape, column.content, 1);
    } else {
        let mut before = "{";
        for column in columns {
            text.push_str(before);
            put_line_end(&mut text, 2);
            let _ = write!(text, "\"{}\": ", column.name);
            column.put_lines(&mut text, &column.shape, column.content, 2);
            before = ",";
        }
        put_line_end(&mut text, 1);
        text.push('}');
    }
    text.push_str("\n}");
    text.into()
}

macro_rules! whole {
    ($kind:ty) => {
        |text, bytes| {
            let _ = write!(text, "{}", <$kind>::from_le_bytes(array(bytes)));
        }
    };
}

/// What writes a value of this type.
fn put_of(dtype: u8) -> Option<fn(&mut String, &[u8])> {
    Some(match dtype {
        FLOAT => |text, bytes| put_float(text, f32::from_le_bytes(array(bytes))),
        DOUBLE => |text, bytes| put_double(text, f64::from_le_bytes(array(bytes))),
        BOOL => |text, bytes| text.push_str(if bytes[0] == 0 { "false" } else { "true" }),
        INT8 => whole!(i8),
        INT16 => whole!(i16),
        INT32 => whole!(i32),
        INT64 => whole!(i64),
        UINT8 => whole!(u8),
        UINT32 => whole!(u32),
        UINT64 => whole!(u64),
        _ => return None,
    })
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("a value has so many bytes")
}
