//! Predict without Python: what Python decided for one request is done for those like it.
//!
//! `tensorflow` (TensorFlow's C API), `session` (a session of Python's, run from here), `tensors` (its
//! tensors as messages); `messages` and `predict_message` (gRPC's requests and answers), `json`
//! (REST's), `forms` (what both have); `signature` (one signature: a request in, an answer out, and
//! what is counted of it), `pace` (whether it is quick), `shortcuts` (which requests go this way),
//! `rows` (a request that can be of a batch), `bundle` (those that gather), `bell` (who is told of
//! them), `batch` (those that run together).

mod batch;
pub mod bell;
pub mod bundle;
mod forms;
mod json;
mod messages;
mod pace;
mod predict_message;
pub mod rows;
mod samples;
pub mod session;
pub mod shortcuts;
pub mod signature;
pub mod tensorflow;
mod tensors;
