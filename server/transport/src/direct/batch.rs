//! Requests that run together: those that wait for a thread of Python become one piece of work for
//! it, and a batch of such pieces is one run of TensorFlow without it.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::asker::Asker;
use crate::direct::forms::Sent;
use crate::direct::shortcuts::Way;
use crate::direct::signature::{is_short, Direct, Outcome};
use crate::direct::tensorflow::{Failure, Tensor};
use crate::direct::tensors::{described, write, Described};
use crate::queue::Queue;

/// A request for a signature whose requests are batched: what it has for each input, in rows.
pub struct Rows {
    asker: Asker,
    direct: Arc<Direct>,
    sent: Sent,
    /// Of one row of each input.
    shapes: Vec<Vec<i64>>,
    rows: usize,
    began: Instant,
}

impl Rows {
    /// The rows of what was asked; None where it is for Python, as are those with too many or none,
    /// and what takes long to read.
    pub fn of(asker: &Asker) -> Option<Rows> {
        let began = Instant::now();
        let Way::Direct(direct) = &asker.first().way else {
            return None;
        };
        let (most_rows, _) = direct.batching()?;
        let sent = asker.sent().filter(|sent| is_short(asker.api(), sent))?;
        let sent = direct.sent(asker.api(), &sent)?;
        let mut shapes = Vec::with_capacity(sent.tensors.len());
        let mut rows = None;
        for (proto, input) in sent.tensors.iter().zip(&direct.inputs) {
            let Described { shape, .. } = described(proto, input.dtype)?;
            let (&first, row) = shape.split_first()?;
            if *rows.get_or_insert(first) != first {
                return None;
            }
            shapes.push(row.to_vec());
        }
        let rows = usize::try_from(rows?).ok()?;
        (rows <= most_rows).then(|| Rows {
            asker: asker.clone(),
            direct: direct.clone(),
            sent,
            shapes,
            rows,
            began,
        })
    }

    fn is_like(&self, other: &Rows) -> bool {
        Arc::ptr_eq(&self.direct, &other.direct) && self.shapes == other.shapes
    }
}

/// Requests whose rows can be of one batch, in the order in which they came.
pub struct Gathered {
    requests: Vec<Rows>,
    rows: usize,
}

impl Gathered {
    pub fn of(first: Rows) -> Self {
        Gathered {
            rows: first.rows,
            requests: vec![first],
        }
    }

    /// Whether a request may be added.
    pub fn takes(&self, other: &Rows) -> bool {
        let first = &self.requests[0];
        let most = first
            .direct
            .batching()
            .map_or(0, |(most_rows, _)| most_rows);
        first.is_like(other) && self.rows + other.rows <= most
    }

    pub fn add(&mut self, other: Rows) {
        self.rows += other.rows;
        self.requests.push(other);
    }
}

/// What is gathered, as Python sees it.
#[pyclass(frozen)]
pub struct Bundle {
    direct: Arc<Direct>,
    requests: Mutex<Vec<Rows>>,
    /// How many requests of each API it has.
    numbers: [usize; 2],
    rows: usize,
    queue: Arc<Queue>,
}

impl Bundle {
    pub fn of(gathered: Gathered, queue: &Arc<Queue>) -> Self {
        let mut numbers = [0; 2];
        for request in &gathered.requests {
            numbers[request.asker.api() as usize] += 1;
        }
        Bundle {
            direct: gathered.requests[0].direct.clone(),
            numbers,
            rows: gathered.rows,
            requests: Mutex::new(gathered.requests),
            queue: queue.clone(),
        }
    }

    fn for_python(
        &self,
        py: Python<'_>,
        requests: impl IntoIterator<Item = Rows>,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let requests = requests.into_iter();
        requests
            .map(|request| request.asker.into_python(py, &self.queue))
            .collect()
    }
}

/// A request that failed, with the code and the message.
type Failed = (Py<PyAny>, u8, String);
/// The rows of each run by itself, what failed, and what is for Python.
type Ran = (Vec<usize>, Vec<Failed>, Vec<Py<PyAny>>);

#[pymethods]
impl Bundle {
    /// Gives it, with something else, to whom the signature's requests are for.
    fn give(slf: &Bound<Self>, other: &Bound<PyAny>) -> PyResult<()> {
        if let Some((_, take)) = slf.get().direct.batching() {
            take.call1(slf.py(), (slf, other))?;
        }
        Ok(())
    }

    /// How many requests of gRPC and of REST it has.
    #[getter]
    fn numbers(&self) -> [usize; 2] {
        self.numbers
    }

    /// How many rows they have.
    #[getter]
    fn rows(&self) -> usize {
        self.rows
    }

    /// The name of the model.
    #[getter]
    fn model(&self) -> &str {
        self.direct.model()
    }

    /// What is equal for those that can be of one batch: the shapes of their rows.
    #[getter]
    fn kind<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let requests = self.requests.lock().unwrap();
        let shapes = requests
            .first()
            .map(|request| format!("{:?}", request.shapes));
        drop(requests);
        PyBytes::new(py, shapes.unwrap_or_default().as_bytes())
    }

    /// Its calls and requests, which are not its own any more.
    fn take_all(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        let requests = std::mem::take(&mut *self.requests.lock().unwrap());
        self.for_python(py, requests)
    }

    /// Takes over the requests of others of its kind, after its own, and leaves out those whose
    /// clients are gone; the rows of each request.
    fn join(&self, others: Vec<Py<Bundle>>) -> Vec<usize> {
        let mut requests = std::mem::take(&mut *self.requests.lock().unwrap());
        for other in &others {
            requests.append(&mut other.get().requests.lock().unwrap());
        }
        requests.retain(|request| !request.asker.client().is_gone());
        let counts = requests.iter().map(|request| request.rows).collect();
        *self.requests.lock().unwrap() = requests;
        counts
    }

    /// Runs it in one batch, filled up to a size, and answers. If that fails, each request runs by
    /// itself.
    ///
    /// Returns the rows of each such run, those that failed, and those that are for Python.
    fn run(&self, py: Python<'_>, size: usize) -> PyResult<Ran> {
        let requests = std::mem::take(&mut *self.requests.lock().unwrap());
        let Done {
            alone,
            failed,
            not_run,
        } = py.detach(|| done(&self.direct, requests, size));
        let failed = failed.into_iter().map(|(request, failure)| {
            let asked = request.asker.into_python(py, &self.queue)?;
            Ok((asked, failure.code, failure.message))
        });
        let failed = failed.collect::<PyResult<_>>()?;
        Ok((alone, failed, self.for_python(py, not_run)?))
    }
}

#[derive(Default)]
struct Done {
    /// The rows of those that ran by themselves.
    alone: Vec<usize>,
    failed: Vec<(Rows, Failure)>,
    not_run: Vec<Rows>,
}

fn done(direct: &Direct, requests: Vec<Rows>, size: usize) -> Done {
    let mut done = Done::default();
    if requests.len() == 1 && requests[0].rows == size {
        // Nothing is added to it, so its outputs need not be rows.
        for request in requests {
            done.run_as_sent(direct, request);
        }
        return done;
    }
    match run_together(direct, &requests, size) {
        Together::NotRun => done.not_run = requests,
        Together::Answered(answers) => {
            for (request, answer) in requests.iter().zip(answers) {
                let took = request.began.elapsed();
                direct.measure(request.asker.api(), took, took);
                request.asker.finish(answer);
            }
        }
        // A request that cannot be answered is no reason to refuse others.
        Together::Failed => {
            for request in requests {
                done.alone.push(request.rows);
                done.run_as_sent(direct, request);
            }
        }
    }
    done
}

impl Done {
    fn run_as_sent(&mut self, direct: &Direct, request: Rows) {
        let sent = request.asker.sent();
        match sent.and_then(|sent| direct.answer(request.asker.api(), &sent)) {
            None => self.not_run.push(request),
            Some(Outcome::Failed(failure)) => self.failed.push((request, failure)),
            Some(Outcome::Answered(answer)) => request.asker.finish(answer),
        }
    }
}

/// What comes of requests that run together.
enum Together {
    /// An answer for each.
    Answered(Vec<Bytes>),
    Failed,
    /// The session is closed, or there is no memory.
    NotRun,
}

fn run_together(direct: &Direct, requests: &[Rows], size: usize) -> Together {
    let inputs = 0..direct.inputs.len();
    let values: Option<Vec<Tensor>> = inputs
        .map(|input| merged(direct, requests, input, size))
        .collect();
    let run = |values: Vec<Tensor>| direct.session.run(&direct.feeds, &values, &direct.fetches);
    let outputs = match values.and_then(run) {
        None => return Together::NotRun,
        Some(Ok(outputs)) if outputs.iter().all(|output| is_of_rows(output, size)) => outputs,
        Some(_) => return Together::Failed,
    };
    let mut first = 0;
    let answers = requests.iter().map(|request| {
        let rows = first..first + request.rows;
        first = rows.end;
        match direct.told(request.sent.form, &outputs, Some(&rows)) {
            Some(Outcome::Answered(answer)) => Some(answer),
            Some(Outcome::Failed(_)) | None => None,
        }
    });
    answers
        .collect::<Option<_>>()
        .map_or(Together::Failed, Together::Answered)
}

fn is_of_rows(output: &Tensor, size: usize) -> bool {
    output.shape().first() == i64::try_from(size).ok().as_ref()
}

/// The rows of all requests in their order, then copies of the last one's first row up to a size.
fn merged(direct: &Direct, requests: &[Rows], input: usize, size: usize) -> Option<Tensor> {
    let dtype = direct.inputs[input].dtype;
    let (first, last) = (requests.first()?, requests.last()?);
    let mut shape = vec![i64::try_from(size).ok()?];
    shape.extend(&first.shapes[input]);
    let row = described(&first.sent.tensors[input], dtype)?.size / first.rows;
    let api = direct.session.api;
    api.tensor(dtype, &shape, row.checked_mul(size)?, |bytes| {
        let mut left = bytes;
        let mut last_row = Vec::new();
        for request in requests {
            let (own, rest) = left.split_at_mut(row * request.rows);
            write(&request.sent.tensors[input], dtype, own);
            if std::ptr::eq(request, last) && !rest.is_empty() {
                last_row = own[..row].to_vec();
            }
            left = rest;
        }
        for place in left.chunks_exact_mut(row) {
            place.copy_from_slice(&last_row);
        }
    })
}
