//! One request of REST: what the wire side and Python share of it, and what Python sees.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use tokio::sync::oneshot;

use crate::asker::{Asker, First};
use crate::client::Client;
use crate::direct::shortcuts::Untold;
use crate::limits::Held;
use crate::queue::Queue;

/// An answer of fewer bytes is copied, which is cheaper than to share it with Python.
const SHARED: usize = 1 << 15;

pub const JSON: &str = "application/json";

pub struct Answer {
    pub status: u16,
    pub content_type: Cow<'static, str>,
    pub body: Bytes,
    pub headers: Vec<(String, String)>,
}

impl Answer {
    /// What was asked for, in JSON.
    pub fn good(body: Bytes) -> Self {
        Answer {
            status: 200,
            content_type: JSON.into(),
            body,
            headers: Vec::new(),
        }
    }
}

pub struct Pending {
    pub method: Method,
    pub target: String,
    pub headers: HeaderMap,
    pub is_stranger: bool,
    /// With the body.
    pub first: Untold,
    pub held: Mutex<Option<Held>>,
    pub answer: Mutex<Option<oneshot::Sender<Answer>>>,
    pub client: Client,
}

impl Pending {
    pub fn finish(&self, answer: Answer) {
        if let Some(sender) = self.answer.lock().unwrap().take() {
            let _ = sender.send(answer);
        }
    }
}

/// A request whose body has come.
#[pyclass(frozen)]
pub struct Request(pub Arc<Pending>, pub Arc<Queue>);

#[pymethods]
impl Request {
    #[getter]
    fn method(&self) -> &str {
        self.0.method.as_str()
    }

    /// The path with its query, as they were sent.
    #[getter]
    fn target(&self) -> &str {
        &self.0.target
    }

    /// Whether it was to show a certificate and did not.
    #[getter]
    fn is_stranger(&self) -> bool {
        self.0.is_stranger
    }

    /// Whether nobody waits any more.
    #[getter]
    fn is_gone(&self) -> bool {
        self.0.client.is_gone()
    }

    /// What was sent under a name, in small letters; several are joined by commas.
    fn header(&self, name: &str) -> Option<String> {
        let mut found = self.0.headers.get_all(name).iter();
        let mut joined = String::from_utf8_lossy(found.next()?.as_bytes()).into_owned();
        for another in found {
            joined.push(',');
            joined.push_str(&String::from_utf8_lossy(another.as_bytes()));
        }
        Some(joined)
    }

    /// The body, as far as it can be answered without Python.
    #[getter]
    fn first(&self) -> First {
        First(Asker::Request(self.0.clone()))
    }

    /// The body, once: it is not kept.
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let body = self.0.first.sent.lock().unwrap().take().unwrap_or_default();
        PyBytes::new(py, &body)
    }

    /// Counts bytes that came out of its body; where there is no room for them, says how many
    /// others are at hand.
    fn hold(&self, size: usize) -> Option<usize> {
        let held = self.0.held.lock().unwrap();
        held.as_ref()?.more(size).err()
    }

    /// Calls this in the watching thread when nobody waits any more; False if that is so already.
    fn when_gone(&self, callback: Py<PyAny>) -> bool {
        self.0.client.when_gone(callback)
    }

    /// The thread that answers will wait, or be slow: another one takes what comes.
    fn step_aside(&self) {
        self.1.step_aside();
    }

    fn answer(
        &self,
        status: u16,
        content_type: &str,
        body: PyBackedBytes,
        headers: Vec<(String, String)>,
    ) {
        self.0.client.forget();
        let body = match body.len() {
            ..SHARED => Bytes::copy_from_slice(&body),
            _ => Bytes::from_owner(body),
        };
        self.0.finish(Answer {
            status,
            content_type: content_type.to_owned().into(),
            body,
            headers,
        });
    }
}
