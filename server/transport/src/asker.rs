//! Who asked: a call of gRPC or a request of REST, for what is done with both.

use std::sync::Arc;

use bytes::Bytes;
use pyo3::prelude::*;

use crate::call::{self, Call, Exchange};
use crate::client::Client;
use crate::direct::shortcuts::Untold;
use crate::queue::{Api, Queue};
use crate::request::{self, Pending, Request};

#[derive(Clone)]
pub enum Asker {
    Call(Arc<Exchange>),
    Request(Arc<Pending>),
}

impl Asker {
    pub fn api(&self) -> Api {
        match self {
            Asker::Call(_) => Api::Grpc,
            Asker::Request(_) => Api::Rest,
        }
    }

    /// What was sent, and who answers it.
    pub fn first(&self) -> &Untold {
        match self {
            Asker::Call(call) => &call.first,
            Asker::Request(request) => &request.first,
        }
    }

    pub fn client(&self) -> &Client {
        match self {
            Asker::Call(call) => &call.client,
            Asker::Request(request) => &request.client,
        }
    }

    /// What was sent, if Python has not taken it.
    pub fn sent(&self) -> Option<Bytes> {
        self.first().sent.lock().unwrap().clone()
    }

    /// Answers well, in the form of its API.
    pub fn finish(&self, answer: Bytes) {
        self.client().forget();
        match self {
            Asker::Call(call) => call.finish(call::Answer::Whole(answer)),
            Asker::Request(request) => request.finish(request::Answer::good(answer)),
        }
    }

    /// As Python sees it.
    pub fn into_python(self, py: Python<'_>, queue: &Arc<Queue>) -> PyResult<Py<PyAny>> {
        Ok(match self {
            Asker::Call(call) => Py::new(py, Call(call, queue.clone()))?.into_any(),
            Asker::Request(request) => Py::new(py, Request(request, queue.clone()))?.into_any(),
        })
    }
}
