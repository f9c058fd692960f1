//! What signatures are asked with: their inputs and outputs, and how requests list values.

use crate::direct::messages::TensorProto;
use crate::direct::tensorflow::Output;

/// An input or output.
pub struct Named {
    pub name: String,
    pub dtype: u8,
    pub at: Output,
}

/// How a request lists its values, as its answer shall: in a message of gRPC, or in the JSON of REST.
#[derive(Clone, Copy)]
pub enum Form {
    Message,
    Rows,
    Columns,
}

/// What a request has for each input.
pub struct Sent {
    pub form: Form,
    pub tensors: Vec<TensorProto>,
}
