//! A request to predict of gRPC as tensors, and tensors as its answer.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::direct::forms::Named;
use crate::direct::messages::{NamedTensor, PredictRequest, PredictResponse, TensorProto};
use crate::direct::tensorflow::{Failure, Tensor};
use crate::direct::tensors;
use crate::framing::PREFIX;

/// A message that is larger cannot be read by protobuf.
const LARGEST: usize = (1 << 31) - 1;

/// What a request has for each input, if that is all it has.
pub fn read(request: &Bytes, inputs: &[Named]) -> Option<Vec<TensorProto>> {
    let mut request = PredictRequest::decode(request.clone()).ok()?;
    if !request.output_filter.is_empty() || request.inputs.len() != inputs.len() {
        return None;
    }
    let mut tensor = |input: &Named| {
        let mut sent = request.inputs.iter_mut();
        sent.find(|sent| sent.name == input.name)?.tensor.take()
    };
    inputs.iter().map(&mut tensor).collect()
}

/// How answers are told: by whom, and whether a tensor's values are told as its content.
pub struct Telling {
    pub model_spec: Bytes,
    pub as_content: bool,
}

impl Telling {
    /// These rows of the outputs, or all, as gRPC frames them.
    pub fn framed(
        &self,
        outputs: &[Named],
        tensors: &[Tensor],
        rows: Option<&Range<usize>>,
    ) -> Result<Bytes, Failure> {
        let mut named = Vec::with_capacity(outputs.len());
        for (output, tensor) in outputs.iter().zip(tensors) {
            let encoded = match rows {
                None => tensors::encoded(tensor, self.as_content),
                Some(rows) => tensors::encoded_rows(tensor, rows.clone(), self.as_content),
            };
            let name = output.name.clone();
            if encoded.is_none() {
                return Err(Failure {
                    code: 13,
                    message: format!("output {name} is not of the type that its signature says"),
                });
            }
            named.push(NamedTensor {
                name,
                tensor: encoded,
            });
        }
        let response = PredictResponse {
            outputs: named,
            model_spec: self.model_spec.clone(),
        };
        let size = response.encoded_len();
        if size > LARGEST {
            return Err(Failure {
                code: 8,
                message: "The answer is larger than the 2 GiB that a message can hold".into(),
            });
        }
        let mut frame = BytesMut::with_capacity(PREFIX + size);
        frame.put_u8(0);
        frame.put_u32(size as u32);
        response.encode(&mut frame).expect("there is room for it");
        Ok(frame.freeze())
    }
}
