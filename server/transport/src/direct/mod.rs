//! Predict without Python: what Python decided for one request is done for those like it.
//!
//! `tensorflow` (TensorFlow's C API), `session` (a session of Python's, run from here), `messages`
//! (Predict on the wire), `tensors` (its tensors in memory), `signature` (one signature: a message
//! in, a message out, and what is counted of it), `pace` (whether it is quick), `shortcuts` (which requests go this way),
//! `batch` (requests that run together).

pub mod batch;
mod messages;
mod pace;
mod samples;
pub mod session;
pub mod shortcuts;
pub mod signature;
pub mod tensorflow;
mod tensors;
