//! Predict without Python: what Python decided for one request is done for those like it.
//!
//! `tensorflow` (TensorFlow's C API), `session` (a session of Python's, run from here), `tensors` (its
//! tensors as messages); `messages` and `predict_message` (gRPC's requests and answers), `json`
//! (REST's), `forms` (what both have); `signature` (one signature: a request in, an answer out, and
//! what is counted of it), `pace` (whether it is quick), `shortcuts` (which requests go this way),
//! `batch` (requests that run together).

pub mod batch;
mod forms;
mod json;
mod messages;
mod pace;
mod predict_message;
mod samples;
pub mod session;
pub mod shortcuts;
pub mod signature;
pub mod tensorflow;
mod tensors;
