//! The APIs.

/// By which a request is asked and answered.
#[derive(Clone, Copy)]
pub enum Api {
    Grpc,
    Rest,
}
