//! One signature of one servable: a message in, a message out, and what is counted of it.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::direct::messages::{NamedTensor, PredictRequest, PredictResponse, TensorProto};
use crate::direct::pace::Pace;
use crate::direct::samples::{Samples, Taken};
use crate::direct::session::{Opened, Session};
use crate::direct::tensorflow::{Failure, Output, Tensor};
use crate::direct::tensors;
use crate::framing::PREFIX;

/// A message that is larger cannot be read by protobuf.
const LARGEST: usize = (1 << 31) - 1;

/// An input or output.
pub struct Named {
    name: String,
    pub dtype: u8,
    at: Output,
}

/// How requests are batched: so many rows at most, which this function of Python takes.
struct Batching {
    most_rows: usize,
    take: Py<PyAny>,
}

struct Measured {
    at_once: u64,
    requests: Samples,
    runs: Samples,
    graph_runs: Samples,
}

/// The name of an input or output, TensorFlow's operation and which output of it, the type.
type Place<'py> = (String, Bound<'py, PyAny>, i32, u8);

/// What comes of a request: an answer, framed, or the failure of a run.
pub enum Outcome {
    Answered(Bytes),
    Failed(Failure),
}

/// What a signature makes of messages.
#[pyclass(frozen)]
pub struct Signature(pub Arc<Direct>);

pub struct Direct {
    pub session: Arc<Opened>,
    pub inputs: Vec<Named>,
    pub feeds: Vec<Output>,
    pub fetches: Vec<Output>,
    model: String,
    names: Vec<String>,
    batching: Option<Batching>,
    model_spec: Bytes,
    as_content: bool,
    pace: Pace,
    measured: Mutex<Measured>,
}

#[pymethods]
impl Signature {
    /// `inputs` and `outputs` in the order of the signature's; `model_spec`, serialized, is what
    /// answers say of who gave them. Runs are quick below `quick` seconds. `bounds` are those of
    /// requests' and runs' latencies and of the graph's, in microseconds. With `batching`, `Bundle`s
    /// of so many rows at most are given to a function. Raises TypeError for a tensor whose type is
    /// not for here.
    #[new]
    #[pyo3(signature = (session, model, inputs, outputs, *, model_spec, as_content, quick, bounds, batching=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        session: &Session,
        model: String,
        inputs: Vec<Place>,
        outputs: Vec<Place>,
        model_spec: Vec<u8>,
        as_content: bool,
        quick: f64,
        bounds: (Vec<f64>, Vec<f64>),
        batching: Option<(usize, Py<PyAny>)>,
    ) -> PyResult<Self> {
        let is_read = |dtype| tensors::value_size(dtype).is_some();
        let is_written = |dtype| match as_content {
            true => is_read(dtype),
            false => tensors::has_values(dtype),
        };
        let inputs = found(session, inputs, is_read)?;
        let outputs = found(session, outputs, is_written)?;
        let measured = Measured {
            at_once: 0,
            requests: Samples::new(bounds.0.clone()),
            runs: Samples::new(bounds.0),
            graph_runs: Samples::new(bounds.1),
        };
        Ok(Signature(Arc::new(Direct {
            session: session.opened.clone(),
            model,
            feeds: inputs.iter().map(|input| input.at).collect(),
            inputs,
            fetches: outputs.iter().map(|output| output.at).collect(),
            names: outputs.into_iter().map(|output| output.name).collect(),
            batching: batching.map(|(most_rows, take)| Batching { most_rows, take }),
            model_spec: model_spec.into(),
            as_content,
            pace: Pace::new(Duration::from_secs_f64(quick)),
            measured: Mutex::new(measured),
        })))
    }

    /// The name of the model.
    #[getter]
    fn model(&self) -> &str {
        &self.0.model
    }

    /// Whether its session is closed, so that it answers no more.
    #[getter]
    fn is_closed(&self) -> bool {
        self.0.session.is_closed()
    }

    /// What was answered since this was asked last: how many requests by threads that serve
    /// connections; the latencies of all, of runs, and of runs of the graph, each by buckets and in
    /// all.
    fn take_measured(&self) -> (u64, Taken, Taken, Taken) {
        let mut measured = self.0.measured.lock().unwrap();
        (
            std::mem::take(&mut measured.at_once),
            measured.requests.take(),
            measured.runs.take(),
            measured.graph_runs.take(),
        )
    }
}

fn found(
    session: &Session,
    places: Vec<Place>,
    is_known: impl Fn(u8) -> bool,
) -> PyResult<Vec<Named>> {
    let mut found = Vec::with_capacity(places.len());
    for (name, operation, index, dtype) in places {
        if !is_known(dtype) {
            return Err(PyTypeError::new_err(format!("tensors of type {dtype}")));
        }
        let at = session.output(&operation, index)?;
        found.push(Named { name, dtype, at });
    }
    Ok(found)
}

impl Direct {
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What comes of a request, serialized, in a thread that serves connections; None where another
    /// thread, or Python, has to look.
    pub fn answer_at_once(&self, request: &Bytes) -> Option<Outcome> {
        if self.batching.is_some() || !self.pace.is_quick() {
            return None;
        }
        let outcome = self.answer(request)?;
        if let Outcome::Answered(_) = outcome {
            self.measured.lock().unwrap().at_once += 1;
        }
        Some(outcome)
    }

    /// What comes of a request, serialized; None where Python has to look.
    pub fn answer(&self, request: &Bytes) -> Option<Outcome> {
        let began = Instant::now();
        let values = self.values(request)?;
        let run = Instant::now();
        let found = self.session.run(&self.feeds, &values, &self.fetches)?;
        let took = run.elapsed();
        self.pace.ran(took);
        let encoded = |output: &Tensor| tensors::encoded(output, self.as_content);
        Some(
            match found.and_then(|outputs| self.framed(&outputs, encoded)) {
                Err(failure) => Outcome::Failed(failure),
                Ok(frame) => {
                    self.measure(began, took);
                    Outcome::Answered(frame)
                }
            },
        )
    }

    /// The rows of a batch at most, and who takes it; None where nothing is batched.
    pub fn batching(&self) -> Option<(usize, &Py<PyAny>)> {
        let Batching { most_rows, take } = self.batching.as_ref()?;
        Some((*most_rows, take))
    }

    /// What a request has for each input, if that is all it has.
    pub fn sent(&self, request: &Bytes) -> Option<Vec<TensorProto>> {
        let mut request = PredictRequest::decode(request.clone()).ok()?;
        if !request.output_filter.is_empty() || request.inputs.len() != self.inputs.len() {
            return None;
        }
        let mut tensor = |input: &Named| {
            let mut sent = request.inputs.iter_mut();
            sent.find(|sent| sent.name == input.name)?.tensor.take()
        };
        self.inputs.iter().map(&mut tensor).collect()
    }

    /// A value for each input.
    fn values(&self, request: &Bytes) -> Option<Vec<Tensor>> {
        let sent = self.sent(request)?;
        let each = self.inputs.iter().zip(&sent);
        each.map(|(input, proto)| tensors::decoded(self.session.api, proto, input.dtype))
            .collect()
    }

    /// So many rows of the outputs from a first one on, as a response that gRPC frames.
    pub fn framed_rows(&self, outputs: &[Tensor], rows: Range<usize>) -> Result<Bytes, Failure> {
        let encoded =
            |output: &Tensor| tensors::encoded_rows(output, rows.clone(), self.as_content);
        self.framed(outputs, encoded)
    }

    /// The response, as gRPC frames it.
    fn framed(
        &self,
        outputs: &[Tensor],
        encoded: impl Fn(&Tensor) -> Option<TensorProto>,
    ) -> Result<Bytes, Failure> {
        let mut named = Vec::with_capacity(outputs.len());
        for (name, output) in self.names.iter().zip(outputs) {
            let Some(tensor) = encoded(output) else {
                return Err(Failure {
                    code: 13,
                    message: format!("output {name} is not of the type that its signature says"),
                });
            };
            named.push(NamedTensor {
                name: name.clone(),
                tensor: Some(tensor),
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

    /// Counts a request that was answered.
    pub fn measure(&self, began: Instant, ran: Duration) {
        let ran = ran.as_secs_f64() * 1e6;
        let mut measured = self.measured.lock().unwrap();
        measured.runs.put(ran);
        measured.graph_runs.put(ran);
        measured.requests.put(began.elapsed().as_secs_f64() * 1e6);
    }
}
