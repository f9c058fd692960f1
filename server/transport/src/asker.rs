//! Who asked: a call of gRPC or a request of REST, for what is done with both; and what Python sees of
//! both.

use std::sync::Arc;

use bytes::Bytes;
use pyo3::prelude::*;

use crate::api::Api;
use crate::call::{self, Call, Exchange};
use crate::client::Client;
use crate::direct::shortcuts::{Addressee, Untold};
use crate::direct::signature::Signature;
use crate::queue::Queue;
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

/// What was sent first, and how it is answered without Python.
#[pyclass(frozen)]
pub struct First(pub Asker);

#[pymethods]
impl First {
    /// What answers those like it, if Python decided so.
    #[getter]
    fn signature(&self) -> Option<Signature> {
        self.0.first().signature()
    }

    /// Whom it is for, if Python has decided nothing for those like it.
    #[getter]
    fn unknown(&self) -> Option<Addressee> {
        self.0.first().unknown()
    }

    /// Code and message of the run by a signature that failed before Python saw it.
    #[getter]
    fn failure(&self) -> Option<(u8, &str)> {
        self.0.first().failure()
    }

    /// Answers by a signature, without Python's lock; False where it is for Python. Raises RunError
    /// with code and message.
    fn answer_by(&self, py: Python<'_>, signature: &Signature) -> PyResult<bool> {
        let answer = signature.answered(py, self.0.api(), &self.0.first().sent)?;
        let is_answered = answer.is_some();
        if let Some(answer) = answer {
            self.0.finish(answer);
        }
        Ok(is_answered)
    }
}
