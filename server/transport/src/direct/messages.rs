//! Predict on the wire, as far as it is answered here.
//! Source: predict.proto of TensorFlow Serving, tensor.proto and tensor_shape.proto of TensorFlow.

use bytes::Bytes;
use prost::Message;

/// Just whom a request is for: its ModelSpec, serialized. One message may hold several parts of it.
#[derive(Clone, PartialEq, Message)]
pub struct Addressed {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub model_spec: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PredictRequest {
    #[prost(message, repeated, tag = "2")]
    pub inputs: Vec<NamedTensor>,
    #[prost(string, repeated, tag = "3")]
    pub output_filter: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PredictResponse {
    #[prost(message, repeated, tag = "1")]
    pub outputs: Vec<NamedTensor>,
    #[prost(bytes = "bytes", tag = "2")]
    pub model_spec: Bytes,
}

/// An entry of a map of tensors.
#[derive(Clone, PartialEq, Message)]
pub struct NamedTensor {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub tensor: Option<TensorProto>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub tensor_shape: Option<TensorShape>,
    #[prost(bytes = "bytes", tag = "4")]
    pub tensor_content: Bytes,
    #[prost(float, repeated, tag = "5")]
    pub float_val: Vec<f32>,
    #[prost(double, repeated, tag = "6")]
    pub double_val: Vec<f64>,
    #[prost(int32, repeated, tag = "7")]
    pub int_val: Vec<i32>,
    #[prost(int64, repeated, tag = "10")]
    pub int64_val: Vec<i64>,
    #[prost(bool, repeated, tag = "11")]
    pub bool_val: Vec<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TensorShape {
    #[prost(message, repeated, tag = "2")]
    pub dim: Vec<Dim>,
    #[prost(bool, tag = "3")]
    pub unknown_rank: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct Dim {
    #[prost(int64, tag = "1")]
    pub size: i64,
}
