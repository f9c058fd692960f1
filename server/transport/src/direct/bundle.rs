//! Requests that gather until a thread of Python takes some of them, which are one batch then.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::direct::batch::{done, Done};
use crate::direct::rows::Rows;
use crate::direct::signature::{Batching, Direct};
use crate::queue::{Queue, Work};

/// Shapes of rows for which requests of one signature gather at a time.
const MOST_SHAPES: usize = 8;

/// Requests for one signature whose rows have the same shapes, in the order in which they came.
struct Gathering {
    shapes: Vec<Vec<i64>>,
    most_rows: usize,
    waiting: Mutex<Waiting>,
}

struct Waiting {
    requests: VecDeque<Rows>,
    rows: usize,
    /// Whether another one found no place.
    is_full: bool,
    is_closed: bool,
    /// From so many rows on somebody wants to know.
    tell_at: usize,
}

/// What became of a request that was to be added.
enum Added {
    Yes,
    /// And somebody wants to know.
    Reached,
    /// There is no place; whether those before wait still.
    Not(Rows, bool),
}

impl Gathering {
    fn of(first: Rows, most_rows: usize) -> Self {
        Gathering {
            shapes: first.shapes.clone(),
            most_rows,
            waiting: Mutex::new(Waiting {
                rows: first.number,
                is_full: first.number >= most_rows,
                requests: VecDeque::from([first]),
                is_closed: false,
                tell_at: usize::MAX,
            }),
        }
    }

    fn add(&self, another: Rows) -> Added {
        let mut waiting = self.waiting.lock().unwrap();
        if waiting.is_closed || waiting.rows + another.number > self.most_rows {
            waiting.is_full = true;
            return Added::Not(another, !waiting.is_closed);
        }
        waiting.rows += another.number;
        waiting.is_full = waiting.rows >= self.most_rows;
        waiting.requests.push_back(another);
        if waiting.rows < waiting.tell_at {
            return Added::Yes;
        }
        waiting.tell_at = usize::MAX;
        Added::Reached
    }

    fn rows(&self) -> usize {
        self.waiting.lock().unwrap().rows
    }

    fn take(&self, most_rows: usize) -> (Vec<Rows>, bool) {
        let mut waiting = self.waiting.lock().unwrap();
        let mut taken: Vec<Rows> = Vec::new();
        let mut rows = 0;
        while let Some(next) = waiting.requests.pop_front() {
            if rows > 0 && rows + next.number > most_rows {
                waiting.requests.push_front(next);
                break;
            }
            waiting.rows -= next.number;
            if !next.asker.client().is_gone() {
                rows += next.number;
                taken.push(next);
            }
        }
        waiting.is_full = false;
        waiting.is_closed = waiting.requests.is_empty();
        (taken, waiting.is_closed)
    }
}

/// The requests of one signature that gather.
#[derive(Default)]
pub struct Gatherings(Mutex<Vec<Arc<Gathering>>>);

impl Gatherings {
    /// How many rows of these shapes wait, beside bundles that others found no place in.
    pub fn waiting(&self, shapes: &[Vec<i64>]) -> usize {
        let all = self.0.lock().unwrap();
        let like = all.iter().find(|each| each.shapes == shapes);
        like.map_or(0, |each| each.rows())
    }

    /// Has a request wait with those like it; False where too many wait.
    pub fn add(&self, request: Rows, batching: &Batching, queue: &Arc<Queue>) -> bool {
        let mut all = self.0.lock().unwrap();
        let like = all.iter().position(|each| each.shapes == request.shapes);
        let added = match like {
            Some(at) => all[at].add(request),
            None => Added::Not(request, false),
        };
        let (request, others_wait) = match added {
            Added::Yes => return true,
            Added::Reached => {
                batching.bell.0.ring();
                return true;
            }
            Added::Not(request, others_wait) => (request, others_wait),
        };
        let direct = request.direct.clone();
        let gathering = Arc::new(Gathering::of(request, batching.most_rows));
        let bundle = Bundle {
            gathering: gathering.clone(),
            direct,
        };
        if !batching.bell.0.bring(bundle) {
            return false;
        }
        // It may be one too many, of which clients are told even while all that run batches are busy.
        if others_wait {
            queue.push(Work::Bell(batching.bell.clone()));
        }
        if let Some(at) = like {
            all.remove(at);
        }
        all.push(gathering);
        if all.len() > MOST_SHAPES {
            all.remove(0);
        }
        true
    }
}

/// What gathers, as Python sees it.
#[pyclass(frozen)]
pub struct Bundle {
    gathering: Arc<Gathering>,
    direct: Arc<Direct>,
}

#[pymethods]
impl Bundle {
    /// Gives it to whom the signature's requests are for.
    fn __call__(slf: &Bound<Self>) -> PyResult<()> {
        if let Some(batching) = &slf.get().direct.batching {
            batching.take.call1(slf.py(), (slf,))?;
        }
        Ok(())
    }

    /// How many rows wait now.
    #[getter]
    fn rows(&self) -> usize {
        self.gathering.rows()
    }

    /// What is equal for those that can be of one batch: the shapes of their rows.
    #[getter]
    fn kind<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, format!("{:?}", self.gathering.shapes).as_bytes())
    }

    /// Whether so many rows wait, or no more can; if not, the bell is rung when they do.
    fn has(&self, rows: usize) -> bool {
        let mut waiting = self.gathering.waiting.lock().unwrap();
        let has = waiting.is_full || waiting.rows >= rows;
        waiting.tell_at = if has { usize::MAX } else { rows };
        has
    }

    /// The first requests, of so many rows at most if that is more than one request. If those were all,
    /// no others come.
    fn take(&self, most_rows: usize) -> Taken {
        let (requests, is_last) = self.gathering.take(most_rows);
        Taken {
            rows: requests.iter().map(|request| request.number).collect(),
            is_last,
            direct: self.direct.clone(),
            requests: Mutex::new(requests),
            waiting: AtomicUsize::new(0),
        }
    }
}

/// Requests that run together.
#[pyclass(frozen)]
pub struct Taken {
    direct: Arc<Direct>,
    requests: Mutex<Vec<Rows>>,
    rows: Vec<usize>,
    is_last: bool,
    waiting: AtomicUsize,
}

/// A request that failed, with the code and the message.
type Failed = (Py<PyAny>, u8, String);
/// The rows of each run by itself, what failed, and what is for Python.
type Ran = (Vec<usize>, Vec<Failed>, Vec<Py<PyAny>>);

#[pymethods]
impl Taken {
    /// Of each request.
    #[getter]
    fn rows(&self) -> Vec<usize> {
        self.rows.clone()
    }

    /// Whether these were the last ones of their bundle.
    #[getter]
    fn is_last(&self) -> bool {
        self.is_last
    }

    /// How many rows like these waited when these were about to be answered; 0 before.
    #[getter]
    fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// For how many seconds each request has been here.
    fn waited(&self) -> Vec<f64> {
        let requests = self.requests.lock().unwrap();
        let waited = |request: &Rows| request.began.elapsed().as_secs_f64();
        requests.iter().map(waited).collect()
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
            waiting,
        } = py.detach(|| done(&self.direct, requests, size));
        self.waiting.store(waiting, Ordering::Relaxed);
        let failed = failed.into_iter().map(|(request, failure)| {
            let asked = request.into_python(py)?;
            Ok((asked, failure.code, failure.message))
        });
        let failed = failed.collect::<PyResult<_>>()?;
        Ok((alone, failed, into_python(py, not_run)?))
    }

    /// Its calls and requests, which are not its own any more.
    fn take_all(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        let requests = std::mem::take(&mut *self.requests.lock().unwrap());
        into_python(py, requests)
    }
}

fn into_python(py: Python<'_>, requests: Vec<Rows>) -> PyResult<Vec<Py<PyAny>>> {
    let requests = requests.into_iter();
    requests.map(|request| request.into_python(py)).collect()
}
