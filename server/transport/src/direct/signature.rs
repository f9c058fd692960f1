//! One signature of one servable: a request in, an answer out, and what is counted of it.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;

use crate::api::Api;
use crate::direct::bell::Bell;
use crate::direct::bundle::Gatherings;
use crate::direct::forms::{Form, Named, Sent};
use crate::direct::json::answer::{self, Column};
use crate::direct::json::{lists, request};
use crate::direct::pace::Pace;
use crate::direct::predict_message::{self, Telling};
use crate::direct::rows::Rows;
use crate::direct::samples::{Samples, Taken};
use crate::direct::session::{Opened, Session};
use crate::direct::tensorflow::{Failure, Output, Tensor};
use crate::direct::tensors;
use crate::queue::Queue;

pyo3::create_exception!(
    modelfleet_transport,
    RunError,
    PyException,
    "A run that failed: its code and its message."
);

/// Bytes of a request of gRPC and of REST that threads that serve connections read: that takes 0.1 to
/// 0.5 ms, in which others wait.
const LARGEST_AT_ONCE: [usize; 2] = [1 << 20, 1 << 16];

/// How requests are batched: so many rows at most, in bundles which this function of Python takes when
/// the bell was heard.
pub struct Batching {
    pub most_rows: usize,
    pub take: Py<PyAny>,
    pub bell: Bell,
}

struct Measured {
    /// Of each API: how many requests threads that serve connections answered, and what all took.
    requests: [(u64, Samples); 2],
    runs: Samples,
    graph_runs: Samples,
}

/// The name of an input or output, TensorFlow's operation and which output of it, the type.
type Place<'py> = (String, Bound<'py, PyAny>, i32, u8);

/// What comes of a request: an answer as its API has it, or the failure of a run.
pub enum Outcome {
    Answered(Bytes),
    Failed(Failure),
}

/// What a signature makes of requests.
#[pyclass(frozen)]
pub struct Signature(pub Arc<Direct>);

pub struct Direct {
    pub session: Arc<Opened>,
    pub inputs: Vec<Named>,
    pub feeds: Vec<Output>,
    pub fetches: Vec<Output>,
    model: String,
    name: String,
    outputs: Vec<Named>,
    /// The outputs in the order of their names, if REST is answered here.
    in_json: Option<Vec<usize>>,
    pub batching: Option<Batching>,
    pub gatherings: Gatherings,
    /// Requests of each API that gather or run in batches.
    pub at_hand: [AtomicUsize; 2],
    telling: Telling,
    pace: Pace,
    measured: Mutex<Measured>,
}

#[pymethods]
impl Signature {
    /// `name` is the signature's, `inputs` and `outputs` in its order; `model_spec`, serialized, is what
    /// answers say of who gave them. Requests are quick below `quick` seconds. `bounds` are those of
    /// requests' and runs' latencies and of the graph's, in microseconds. With `batching`, a bell
    /// is rung for `Bundle`s of so many rows at most, which are given to a function when they are
    /// called. Raises TypeError for a tensor whose type is not for here.
    #[new]
    #[pyo3(signature = (session, model, name, inputs, outputs, *, model_spec, as_content, quick, bounds, batching=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        session: &Session,
        model: String,
        name: String,
        inputs: Vec<Place>,
        outputs: Vec<Place>,
        model_spec: Vec<u8>,
        as_content: bool,
        quick: f64,
        bounds: (Vec<f64>, Vec<f64>),
        batching: Option<(usize, Py<PyAny>, Bell)>,
    ) -> PyResult<Self> {
        let is_read = |dtype| tensors::value_size(dtype).is_some();
        let is_written = |dtype| match as_content {
            true => is_read(dtype),
            false => tensors::has_values(dtype),
        };
        let inputs = found(session, inputs, is_read)?;
        let outputs = found(session, outputs, is_written)?;
        let requests = || (0, Samples::new(bounds.0.clone()));
        let measured = Measured {
            requests: [requests(), requests()],
            runs: Samples::new(bounds.0),
            graph_runs: Samples::new(bounds.1),
        };
        Ok(Signature(Arc::new(Direct {
            session: session.opened.clone(),
            model,
            name,
            feeds: inputs.iter().map(|input| input.at).collect(),
            fetches: outputs.iter().map(|output| output.at).collect(),
            in_json: in_json(&inputs, &outputs),
            inputs,
            outputs,
            batching: batching.map(|(most_rows, take, bell)| Batching {
                most_rows,
                take,
                bell,
            }),
            gatherings: Gatherings::default(),
            at_hand: Default::default(),
            telling: Telling {
                model_spec: model_spec.into(),
                as_content,
            },
            pace: Pace::new(Duration::from_secs_f64(quick)),
            measured: Mutex::new(measured),
        })))
    }

    /// The name of the model.
    #[getter]
    fn model(&self) -> &str {
        &self.0.model
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether its session is closed, so that it answers no more.
    #[getter]
    fn is_closed(&self) -> bool {
        self.0.session.is_closed()
    }

    /// Whether it answers REST.
    #[getter]
    fn knows_rest(&self) -> bool {
        self.0.in_json.is_some()
    }

    /// How many requests of gRPC and of REST gather or run in batches.
    #[getter]
    fn at_hand(&self) -> Vec<usize> {
        let numbers = self.0.at_hand.iter();
        numbers
            .map(|number| number.load(Ordering::Relaxed))
            .collect()
    }

    /// What was answered since this was asked last. Of gRPC and of REST: how many requests threads
    /// that serve connections answered, and the latencies of all; those of runs, and of runs of the
    /// graph, each by buckets and in all.
    fn take_measured(&self) -> (Vec<(u64, Taken)>, Taken, Taken) {
        let mut measured = self.0.measured.lock().unwrap();
        let requests = measured.requests.iter_mut();
        let requests = requests.map(|(at_once, all)| (std::mem::take(at_once), all.take()));
        (
            requests.collect(),
            measured.runs.take(),
            measured.graph_runs.take(),
        )
    }
}

impl Signature {
    /// The answer to what was sent, made without Python's lock; None where it is for Python, or runs
    /// in bundles. Raises RunError with code and message.
    pub fn answered(
        &self,
        py: Python<'_>,
        api: Api,
        sent: &Mutex<Option<Bytes>>,
    ) -> PyResult<Option<Bytes>> {
        if self.0.batching.is_some() {
            return Ok(None);
        }
        let outcome = py.detach(|| {
            let sent = sent.lock().unwrap().clone()?;
            self.0.answer(api, &sent)
        });
        match outcome {
            None => Ok(None),
            Some(Outcome::Answered(answer)) => Ok(Some(answer)),
            Some(Outcome::Failed(Failure { code, message })) => {
                Err(RunError::new_err((code, message)))
            }
        }
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

/// The outputs in the order of their names; None where JSON is not read or not written here.
fn in_json(inputs: &[Named], outputs: &[Named]) -> Option<Vec<usize>> {
    let is_written =
        |output: &Named| answer::is_written(output.dtype) && answer::is_plain(&output.name);
    let is_read = |input: &Named| lists::is_read(input.dtype);
    // Python tells of signatures without them.
    let are_there = !inputs.is_empty() && !outputs.is_empty();
    if !are_there || !inputs.iter().all(is_read) || !outputs.iter().all(is_written) {
        return None;
    }
    let mut order: Vec<usize> = (0..outputs.len()).collect();
    order.sort_by_key(|&index| &outputs[index].name);
    Some(order)
}

/// Whether a request may be read by a thread that serves connections.
pub fn is_short(api: Api, request: &Bytes) -> bool {
    request.len() <= LARGEST_AT_ONCE[api as usize]
}

impl Direct {
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What comes of a request, as it was sent, in a thread that serves connections; None where
    /// another thread, or Python, has to look.
    pub fn answer_at_once(&self, api: Api, request: &Bytes) -> Option<Outcome> {
        if self.batching.is_some() || !is_short(api, request) || !self.pace.is_quick() {
            return None;
        }
        let outcome = self.answer(api, request)?;
        if let Outcome::Answered(_) = outcome {
            self.measured.lock().unwrap().requests[api as usize].0 += 1;
        }
        Some(outcome)
    }

    /// What comes of a request, as it was sent; None where Python has to look.
    pub fn answer(&self, api: Api, request: &Bytes) -> Option<Outcome> {
        let began = Instant::now();
        let sent = self.sent(api, request)?;
        let values = self.values(&sent)?;
        let run = Instant::now();
        let found = self.session.run(&self.feeds, &values, &self.fetches)?;
        let took = run.elapsed();
        let outcome = match found {
            Ok(outputs) => self.told(sent.form, &outputs, None),
            Err(failure) => Some(Outcome::Failed(failure)),
        };
        // To read and to write numbers as text may take longer than the run.
        let in_all = began.elapsed();
        self.pace.took(in_all);
        if let Some(Outcome::Answered(_)) = outcome {
            self.measure(api, in_all, took);
        }
        outcome
    }

    /// Has a request wait with those like it; False where too many wait.
    pub fn gather(request: Rows, queue: &Arc<Queue>) -> bool {
        let direct = request.direct.clone();
        match &direct.batching {
            Some(batching) => direct.gatherings.add(request, batching, queue),
            None => false,
        }
    }

    /// What a request has for each input, if that is all it has.
    pub fn sent(&self, api: Api, sent: &Bytes) -> Option<Sent> {
        match api {
            Api::Grpc => Some(Sent {
                form: Form::Message,
                tensors: predict_message::read(sent, &self.inputs)?,
            }),
            Api::Rest => request::read(sent, &self.name, &self.inputs),
        }
    }

    /// A value for each input.
    fn values(&self, sent: &Sent) -> Option<Vec<Tensor>> {
        let each = self.inputs.iter().zip(&sent.tensors);
        each.map(|(input, proto)| tensors::decoded(self.session.api, proto, input.dtype))
            .collect()
    }

    /// The answer with these rows of the outputs, or with all; None where Python has to look.
    pub fn told(
        &self,
        form: Form,
        outputs: &[Tensor],
        rows: Option<&Range<usize>>,
    ) -> Option<Outcome> {
        match form {
            Form::Message => Some(match self.telling.framed(&self.outputs, outputs, rows) {
                Ok(frame) => Outcome::Answered(frame),
                Err(failure) => Outcome::Failed(failure),
            }),
            Form::Rows => {
                let columns = self.columns(outputs, rows)?;
                answer::predictions(&columns).map(Outcome::Answered)
            }
            Form::Columns => {
                let columns = self.columns(outputs, rows)?;
                Some(Outcome::Answered(answer::outputs(&columns)))
            }
        }
    }

    fn columns<'a>(
        &'a self,
        outputs: &'a [Tensor],
        rows: Option<&Range<usize>>,
    ) -> Option<Vec<Column<'a>>> {
        let order = self.in_json.as_ref()?.iter();
        let column = |&index: &usize| {
            let Named { name, dtype, .. } = &self.outputs[index];
            Column::of(name, *dtype, &outputs[index], rows)
        };
        order.map(column).collect()
    }

    /// Counts a request that was answered.
    pub fn measure(&self, api: Api, in_all: Duration, ran: Duration) {
        let ran = ran.as_secs_f64() * 1e6;
        let mut measured = self.measured.lock().unwrap();
        measured.runs.put(ran);
        measured.graph_runs.put(ran);
        let in_all = in_all.as_secs_f64() * 1e6;
        measured.requests[api as usize].1.put(in_all);
    }
}
