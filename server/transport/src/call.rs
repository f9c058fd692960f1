//! One call: what the wire side and Python share of it, and what Python sees.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::sync::{mpsc, oneshot};

use crate::asker::{Asker, First};
use crate::client::Client;
use crate::direct::shortcuts::Untold;
use crate::framing::{framed, Status};
use crate::queue::Queue;

/// Messages of a stream that are under way to its client.
pub const AHEAD: usize = 16;

/// How an answer begins.
pub enum Answer {
    Whole(Bytes),
    Failed(Status),
    Stream(mpsc::Receiver<Result<Bytes, Status>>),
}

pub struct Exchange {
    pub path: String,
    pub headers: HeaderMap,
    pub peer: String,
    pub deadline: Option<Instant>,
    /// With the first message, which most calls have no other than.
    pub first: Untold,
    pub more: Mutex<mpsc::Receiver<Bytes>>,
    pub answer: Mutex<Option<oneshot::Sender<Answer>>>,
    pub client: Client,
    stream: Mutex<Option<mpsc::Sender<Result<Bytes, Status>>>>,
}

pub struct Asked {
    pub path: String,
    pub headers: HeaderMap,
    pub peer: String,
    pub deadline: Option<Instant>,
}

impl Exchange {
    pub fn new(
        asked: Asked,
        first: Untold,
        more: mpsc::Receiver<Bytes>,
        answer: oneshot::Sender<Answer>,
    ) -> Self {
        Exchange {
            path: asked.path,
            headers: asked.headers,
            peer: asked.peer,
            deadline: asked.deadline,
            first,
            more: Mutex::new(more),
            answer: Mutex::new(Some(answer)),
            client: Client::default(),
            stream: Mutex::new(None),
        }
    }

    pub fn finish(&self, answer: Answer) {
        if let Some(sender) = self.answer.lock().unwrap().take() {
            let _ = sender.send(answer);
        }
    }
}

/// A call whose message has come.
#[pyclass(frozen)]
pub struct Call(pub Arc<Exchange>, pub Arc<Queue>);

#[pymethods]
impl Call {
    /// The full path of the method.
    #[getter]
    fn path(&self) -> &str {
        &self.0.path
    }

    /// The address of the client.
    #[getter]
    fn peer(&self) -> &str {
        &self.0.peer
    }

    /// Seconds until the client's deadline; None without one.
    #[getter]
    fn time_remaining(&self) -> Option<f64> {
        let deadline = self.0.deadline?;
        Some(
            deadline
                .saturating_duration_since(Instant::now())
                .as_secs_f64(),
        )
    }

    /// Whether nobody waits any more.
    #[getter]
    fn is_gone(&self) -> bool {
        self.0.client.is_gone()
    }

    /// The first message, as far as it can be answered without Python.
    #[getter]
    fn first(&self) -> First {
        First(Asker::Call(self.0.clone()))
    }

    /// The message, once: it is not kept.
    fn message<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let message = self.0.first.sent.lock().unwrap().take()?;
        Some(PyBytes::new(py, &message))
    }

    /// The next message of a stream of them; None when the client sends no more.
    fn next<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let message = py.detach(|| self.0.more.lock().unwrap().blocking_recv())?;
        Some(PyBytes::new(py, &message))
    }

    /// What the client sent beside its message: names and texts.
    fn metadata(&self) -> Vec<(String, String)> {
        let hidden = [
            "te",
            "content-type",
            "grpc-timeout",
            "grpc-encoding",
            "grpc-accept-encoding",
        ];
        self.0
            .headers
            .iter()
            .filter(|(name, _)| !hidden.contains(&name.as_str()))
            .map(|(name, text)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(text.as_bytes()).into(),
                )
            })
            .collect()
    }

    /// What the client sent by this name, in lower case; the last text of several.
    fn header(&self, name: &str) -> Option<String> {
        let text = self.0.headers.get_all(name).iter().next_back()?;
        Some(String::from_utf8_lossy(text.as_bytes()).into())
    }

    /// The thread that answers this call is going to wait, or to take long: another one takes the
    /// calls that come.
    fn step_aside(&self) {
        self.1.step_aside();
    }

    /// Calls this in the watching thread when nobody waits any more; False if that is so already.
    fn when_gone(&self, callback: Py<PyAny>) -> bool {
        self.0.client.when_gone(callback)
    }

    /// Answers a unary call.
    fn answer(&self, message: &[u8]) {
        self.0.client.forget();
        self.0.finish(Answer::Whole(framed(message)));
    }

    /// Ends the call with a code that is not OK; `metadata` are names and texts beside it.
    #[pyo3(signature = (code, details, metadata=Vec::new()))]
    fn fail(&self, code: u8, details: &str, metadata: Vec<(String, String)>) {
        let mut status = Status::new(code, details);
        status.metadata = metadata;
        let stream = self.0.stream.lock().unwrap().take();
        match stream {
            Some(stream) => drop(stream.try_send(Err(status))),
            None => self.0.finish(Answer::Failed(status)),
        }
    }

    /// Sends a message of a stream; False where the client takes no more, now or at all.
    ///
    /// With `wait`, waits for the client to take those before.
    fn send(&self, py: Python<'_>, message: &[u8], wait: bool) -> bool {
        let frame = framed(message);
        let stream = self.stream();
        if wait {
            py.detach(|| stream.blocking_send(Ok(frame)).is_ok())
        } else {
            stream.try_send(Ok(frame)).is_ok()
        }
    }

    /// Ends a stream well.
    fn finish(&self) {
        self.stream();
        self.0.stream.lock().unwrap().take();
    }
}

impl Call {
    fn stream(&self) -> mpsc::Sender<Result<Bytes, Status>> {
        let mut stream = self.0.stream.lock().unwrap();
        stream
            .get_or_insert_with(|| {
                let (sender, receiver) = mpsc::channel(AHEAD);
                self.0.finish(Answer::Stream(receiver));
                sender
            })
            .clone()
    }
}
