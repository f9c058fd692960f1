//! A port as Python sees it: what it serves, on which sockets, with which threads, until when.

use std::os::fd::RawFd;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use tokio::sync::{mpsc, watch};

use crate::api::Api;
use crate::connections::{serve, Stage, Terms};
use crate::direct::shortcuts::Addressee;
use crate::direct::signature::Signature;
use crate::limits::AtHand;
use crate::loops::Loops;
use crate::queue::Event;
use crate::speaking::Service;
use crate::tls::Certificates;
use crate::{grpc, rest};

/// gRPC, REST or both on some sockets, served by a thread of its own.
#[pyclass(frozen)]
pub struct Port {
    service: Arc<Service>,
    sockets: mpsc::UnboundedSender<(RawFd, Terms)>,
    waiting: Mutex<Option<mpsc::UnboundedReceiver<(RawFd, Terms)>>>,
    stage: watch::Sender<Stage>,
    thread: Mutex<Option<JoinHandle<()>>>,
    further: usize,
    more: Py<PyAny>,
    refused: [std::sync::OnceLock<Py<PyAny>>; 2],
}

#[pymethods]
impl Port {
    /// `more` starts a thread of Python that takes what comes; connections are served by `loops`
    /// threads without Python.
    #[new]
    fn new(more: Py<PyAny>, loops: usize) -> Self {
        let (sockets, waiting) = mpsc::unbounded_channel();
        Port {
            service: Arc::default(),
            sockets,
            waiting: Mutex::new(Some(waiting)),
            stage: watch::Sender::new(Stage::Serving),
            thread: Mutex::new(None),
            further: loops.saturating_sub(1),
            more,
            refused: Default::default(),
        }
    }

    /// Serves gRPC. Limits of what clients can take: `in_flight` calls and `at_hand` bytes of
    /// their messages, `message` bytes of one, `waiting` calls that nobody took; `threads` of
    /// Python that may take them. `refused` is told of each call above a limit of calls.
    #[pyo3(signature = (*, in_flight, at_hand, message, waiting, threads, refused))]
    #[allow(clippy::too_many_arguments)]
    fn serve_grpc(
        &self,
        in_flight: Option<usize>,
        at_hand: usize,
        message: usize,
        waiting: usize,
        threads: usize,
        refused: Py<PyAny>,
    ) {
        let limits = grpc::Limits {
            at_hand: AtHand::new(in_flight, at_hand),
            message,
            receiving: Mutex::default(),
        };
        let _ = self.service.grpc.set(Arc::new(limits));
        self.serve_api(Api::Grpc, waiting, threads, refused);
    }

    /// Serves REST. Limits as of gRPC; `body` bytes, `patience` seconds for one and a second more
    /// for each `slowest` bytes of it; `timeout` seconds for its answer.
    #[pyo3(signature = (*, in_flight, at_hand, body, patience, slowest, timeout, cors, waiting, threads, refused))]
    #[allow(clippy::too_many_arguments)]
    fn serve_rest(
        &self,
        in_flight: Option<usize>,
        at_hand: usize,
        body: usize,
        patience: f64,
        slowest: f64,
        timeout: Option<f64>,
        cors: bool,
        waiting: usize,
        threads: usize,
        refused: Py<PyAny>,
    ) -> PyResult<()> {
        let limits = rest::Limits {
            at_hand: AtHand::new(in_flight, at_hand),
            body,
            patience: seconds(patience)?,
            slowest,
            timeout: timeout.map(seconds).transpose()?,
            has_cors: cors,
        };
        let _ = self.service.rest.set(Arc::new(limits));
        self.serve_api(Api::Rest, waiting, threads, refused);
        Ok(())
    }

    /// Takes over a listening socket by its descriptor. Its clients have limits, see `Terms`; `tls`
    /// returns the certificates of now, and where it asks for some, `strangers` may have none.
    /// Raises ValueError for certificates that cannot be used.
    #[pyo3(signature = (descriptor, *, unix, connections, idle_give_way, streams, header, first, patience, tls, strangers))]
    #[allow(clippy::too_many_arguments)]
    fn listen(
        &self,
        py: Python<'_>,
        descriptor: RawFd,
        unix: bool,
        connections: usize,
        idle_give_way: bool,
        streams: u32,
        header: u32,
        first: f64,
        patience: f64,
        tls: Option<Py<PyAny>>,
        strangers: bool,
    ) -> PyResult<()> {
        let speaks_http1 = self.service.rest.get().is_some();
        let certificates = tls
            .map(|now| Certificates::new(py, now, strangers, speaks_http1))
            .transpose()?
            .map(Arc::new);
        let terms = Terms {
            is_unix: unix,
            connections,
            idle_give_way,
            streams,
            header,
            first: seconds(first)?,
            patience: seconds(patience)?,
            certificates,
        };
        let _ = self.sockets.send((descriptor, terms));
        Ok(())
    }

    /// Begins to serve. Raises RuntimeError where the system has no thread for it.
    fn start(&self) -> PyResult<()> {
        let Some(sockets) = self.waiting.lock().unwrap().take() else {
            return Ok(());
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (service, stage) = (self.service.clone(), self.stage.subscribe());
        let (loops, further) = Loops::new(&runtime, self.further)
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        let serving = move || {
            runtime.block_on(serve(sockets, service, stage, Arc::new(loops)));
            drop(runtime);
            further.end();
        };
        let thread = std::thread::Builder::new()
            .name("native-io".into())
            .spawn(serving)
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        *self.thread.lock().unwrap() = Some(thread);
        Ok(())
    }

    /// A thread of Python begins to call `take`.
    fn enter(&self) {
        self.service.queue.enter();
    }

    /// The thread of Python that `more` was to start could not be.
    fn not_started(&self) {
        self.service.queue.not_started();
    }

    /// The next call or request, waited for; None at the end.
    fn take(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let queue = &self.service.queue;
        let work = queue.next().or_else(|| py.detach(|| queue.wait()));
        work.map(|work| work.into_python(py, queue)).transpose()
    }

    /// How often `forget` was called.
    fn generation(&self) -> u64 {
        self.service.shortcuts.generation()
    }

    /// From now on requests that are for the same are for this signature, or for Python alone; unless
    /// `generation` is past.
    fn remember(&self, generation: u64, whom: Addressee, signature: Option<Py<Signature>>) {
        let signature = signature.as_ref().map(Py::get);
        self.service.shortcuts.remember(generation, whom, signature);
    }

    /// Nothing is known of any request from now on.
    fn forget(&self) {
        self.service.shortcuts.forget();
    }

    /// What has to be done now, waited for: something to call; None at the end.
    fn watch(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        match py.detach(|| self.service.queue.watch()) {
            Event::StartThread => Some(self.more.clone_ref(py)),
            Event::Refused(api) => {
                let refused = self.refused[api as usize].get();
                Some(refused.expect("it is served").clone_ref(py))
            }
            Event::Gone(callback) => Some(callback),
            Event::End => None,
        }
    }

    /// Takes no new connections and requests, and tells clients so; those at hand go on.
    fn drain(&self) {
        self.stage.send_if_modified(|stage| {
            let is_serving = *stage == Stage::Serving;
            if is_serving {
                *stage = Stage::Draining;
            }
            is_serving
        });
    }

    /// Drains, waits for what is at hand at most `grace` seconds, and closes.
    fn stop(&self, py: Python<'_>, grace: f64) -> PyResult<()> {
        let grace = seconds(grace)?;
        self.drain();
        let thread = self.thread.lock().unwrap().take();
        py.detach(|| {
            if let Some(thread) = thread {
                let until = Instant::now() + grace;
                while !thread.is_finished() && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(5));
                }
                self.stage.send_replace(Stage::Over);
                let _ = thread.join();
                self.service.queue.end();
            }
        });
        Ok(())
    }
}

impl Port {
    fn serve_api(&self, api: Api, waiting: usize, threads: usize, refused: Py<PyAny>) {
        self.service.queue.allow(waiting, threads);
        let _ = self.refused[api as usize].set(refused);
    }
}

fn seconds(number: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(number).map_err(|error| PyValueError::new_err(error.to_string()))
}
