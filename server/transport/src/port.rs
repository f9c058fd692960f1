//! Listening sockets, their connections, and the drain; all of it in one thread of its own.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{watch, OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::call::Call;
use crate::grpc::{answer, Limits};
use crate::queue::{Event, Queue};
use crate::tls::Certificates;

/// A connection that does not begin to speak, or a handshake that does not end, is closed.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// A client whose machine is gone frees what its calls hold.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

struct Settings {
    limits: Arc<Limits>,
    queue: Arc<Queue>,
    streams: u32,
    header: u32,
    connections: usize,
    certificates: Option<Arc<Certificates>>,
}

/// How far the end is: serving, draining (no new calls), or over (connections are cut).
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Stage {
    Serving,
    Draining,
    Over,
}

/// gRPC on some sockets.
#[pyclass(frozen)]
pub struct Port {
    settings: Arc<Settings>,
    sockets: Mutex<Vec<(RawFd, bool)>>,
    stage: watch::Sender<Stage>,
    thread: Mutex<Option<JoinHandle<()>>>,
    more: Py<PyAny>,
    refused: Py<PyAny>,
}

#[pymethods]
impl Port {
    /// Limits of what clients can take: `in_flight` calls and `at_hand` bytes of their messages,
    /// `message` bytes of one, `connections` of each socket, `streams` of each connection,
    /// `header` bytes; `waiting` calls that nobody took; `threads` of Python that take them. `more` starts one such thread,
    /// `refused` is told of each call above `in_flight`; `tls` returns the certificates of now.
    #[new]
    #[pyo3(signature = (*, in_flight, at_hand, message, connections, streams, header, threads, more, refused, tls=None, waiting=16_384))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        in_flight: Option<usize>,
        at_hand: usize,
        message: usize,
        connections: usize,
        streams: u32,
        header: u32,
        threads: usize,
        more: Py<PyAny>,
        refused: Py<PyAny>,
        tls: Option<Py<PyAny>>,
        waiting: usize,
    ) -> PyResult<Self> {
        let certificates = tls
            .map(|now| Certificates::new(py, now))
            .transpose()?
            .map(Arc::new);
        let limits = Limits {
            in_flight: in_flight.unwrap_or(usize::MAX),
            at_hand,
            message,
            calls: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            receiving: Mutex::default(),
        };
        let settings = Settings {
            limits: Arc::new(limits),
            queue: Arc::new(Queue::new(waiting, threads)),
            streams,
            header,
            connections,
            certificates,
        };
        Ok(Port {
            settings: Arc::new(settings),
            sockets: Mutex::new(Vec::new()),
            stage: watch::Sender::new(Stage::Serving),
            thread: Mutex::new(None),
            more,
            refused,
        })
    }

    /// Takes over a listening socket by its descriptor, before the start.
    fn listen(&self, descriptor: RawFd, is_unix: bool) {
        self.sockets.lock().unwrap().push((descriptor, is_unix));
    }

    /// Begins to serve. Raises RuntimeError where the sockets cannot be used.
    fn start(&self) -> PyResult<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let sockets = std::mem::take(&mut *self.sockets.lock().unwrap());
        let listeners = {
            let _within = runtime.enter();
            let opened: std::io::Result<Vec<Listener>> = sockets
                .into_iter()
                .map(|(socket, is_unix)| Listener::of(socket, is_unix))
                .collect();
            opened.map_err(|error| PyRuntimeError::new_err(error.to_string()))?
        };
        let (settings, stage) = (self.settings.clone(), self.stage.subscribe());
        let serving = move || runtime.block_on(serve(listeners, settings, stage));
        let thread = std::thread::Builder::new()
            .name("grpc-io".into())
            .spawn(serving)?;
        *self.thread.lock().unwrap() = Some(thread);
        Ok(())
    }

    /// A thread of Python begins to call `take`.
    fn enter(&self) {
        self.settings.queue.enter();
    }

    /// The next call, waited for; None at the end.
    fn take(&self, py: Python<'_>) -> Option<Call> {
        let queue = &self.settings.queue;
        let call = queue.next().or_else(|| py.detach(|| queue.wait()));
        call.map(|call| Call(call, queue.clone()))
    }

    /// What has to be done now, waited for: something to call; None at the end.
    fn watch(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        match py.detach(|| self.settings.queue.watch()) {
            Event::StartThread => Some(self.more.clone_ref(py)),
            Event::Refused => Some(self.refused.clone_ref(py)),
            Event::Gone(callback) => Some(callback),
            Event::End => None,
        }
    }

    /// Takes no new connections and calls, and tells clients so; calls at hand go on.
    fn drain(&self) {
        self.stage.send_replace(Stage::Draining);
    }

    /// Drains, waits for the calls at hand at most `grace` seconds, and closes.
    fn stop(&self, py: Python<'_>, grace: f64) -> PyResult<()> {
        let grace = Duration::try_from_secs_f64(grace)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        self.drain();
        let thread = self.thread.lock().unwrap().take();
        py.detach(|| {
            if let Some(thread) = thread {
                let until = std::time::Instant::now() + grace;
                while !thread.is_finished() && std::time::Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(5));
                }
                self.stage.send_replace(Stage::Over);
                let _ = thread.join();
            }
            self.settings.queue.end();
        });
        Ok(())
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn of(socket: RawFd, is_unix: bool) -> std::io::Result<Self> {
        // Python gave it away.
        let owned = unsafe { OwnedFd::from_raw_fd(socket) };
        if is_unix {
            let listener = std::os::unix::net::UnixListener::from(owned);
            listener.set_nonblocking(true)?;
            return Ok(Listener::Unix(UnixListener::from_std(listener)?));
        }
        let listener = std::net::TcpListener::from(owned);
        listener.set_nonblocking(true)?;
        Ok(Listener::Tcp(TcpListener::from_std(listener)?))
    }
}

async fn serve(
    listeners: Vec<Listener>,
    settings: Arc<Settings>,
    mut stage: watch::Receiver<Stage>,
) {
    let queue = settings.queue.clone();
    tokio::spawn(async move { queue.look_after().await });
    let mut accepting = tokio::task::JoinSet::new();
    let open = Arc::new(tokio::sync::Notify::new());
    let left = Arc::new(AtomicUsize::new(0));
    for listener in listeners {
        let connections = Connections {
            settings: settings.clone(),
            stage: stage.clone(),
            places: Arc::new(Semaphore::new(settings.connections)),
            left: left.clone(),
            closed: open.clone(),
        };
        accepting.spawn(connections.accept(listener));
    }
    let _ = stage.wait_for(|stage| *stage >= Stage::Draining).await;
    accepting.shutdown().await;
    loop {
        let closed = open.notified();
        if left.load(Ordering::SeqCst) == 0 {
            return;
        }
        tokio::select! {
            () = closed => {}
            _ = stage.wait_for(|stage| *stage == Stage::Over) => return,
        }
    }
}

struct Connections {
    settings: Arc<Settings>,
    stage: watch::Receiver<Stage>,
    places: Arc<Semaphore>,
    left: Arc<AtomicUsize>,
    closed: Arc<tokio::sync::Notify>,
}

/// A place among the connections.
struct Place {
    left: Arc<AtomicUsize>,
    closed: Arc<tokio::sync::Notify>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.left.fetch_sub(1, Ordering::SeqCst);
        self.closed.notify_one();
    }
}

impl Connections {
    async fn accept(self, listener: Listener) {
        loop {
            let accepted = match &listener {
                Listener::Tcp(listener) => listener.accept().await.map(|(stream, peer)| {
                    let _ = stream.set_nodelay(true);
                    self.spawn(stream, format!("ipv4:{peer}"))
                }),
                Listener::Unix(listener) => listener
                    .accept()
                    .await
                    .map(|(stream, _)| self.spawn(stream, "unix:".into())),
            };
            if accepted.is_err() {
                // No file descriptors: the next try must not come at once.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    fn spawn<S: Stream>(&self, stream: S, peer: String) {
        let Ok(permit) = self.places.clone().try_acquire_owned() else {
            return;
        };
        self.left.fetch_add(1, Ordering::SeqCst);
        let (left, closed) = (self.left.clone(), self.closed.clone());
        let place = Place {
            left,
            closed,
            _permit: permit,
        };
        let (settings, stage) = (self.settings.clone(), self.stage.clone());
        tokio::spawn(async move {
            connection(stream, peer, settings, stage).await;
            drop(place);
        });
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    fn readable(&self) -> impl std::future::Future<Output = ()> + Send;
}

impl Stream for TcpStream {
    async fn readable(&self) {
        let _ = self.ready(Interest::READABLE).await;
    }
}

impl Stream for UnixStream {
    async fn readable(&self) {
        let _ = self.ready(Interest::READABLE).await;
    }
}

async fn connection<S: Stream>(
    stream: S,
    peer: String,
    settings: Arc<Settings>,
    mut stage: watch::Receiver<Stage>,
) {
    let begun = tokio::select! {
        begun = tokio::time::timeout(HANDSHAKE, stream.readable()) => begun.is_ok(),
        _ = stage.wait_for(|stage| *stage >= Stage::Draining) => false,
    };
    if !begun {
        return;
    }
    let Some(certificates) = settings.certificates.clone() else {
        return http2(stream, peer, settings, stage).await;
    };
    let Ok(config) = tokio::task::spawn_blocking(move || certificates.config()).await else {
        return;
    };
    let handshake = TlsAcceptor::from(config).accept(stream);
    if let Ok(Ok(encrypted)) = tokio::time::timeout(HANDSHAKE, handshake).await {
        http2(encrypted, peer, settings, stage).await;
    }
}

async fn http2<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    peer: String,
    settings: Arc<Settings>,
    mut stage: watch::Receiver<Stage>,
) {
    let service = {
        let settings = settings.clone();
        service_fn(move |request: http::Request<Incoming>| {
            let (limits, queue) = (settings.limits.clone(), settings.queue.clone());
            let peer = peer.clone();
            async move { Ok::<_, std::convert::Infallible>(answer(request, peer, limits, queue).await) }
        })
    };
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(HANDSHAKE)
        .max_concurrent_streams(settings.streams)
        .max_header_list_size(settings.header)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let draining = {
        let mut stage = stage.clone();
        async move {
            let _ = stage.wait_for(|stage| *stage >= Stage::Draining).await;
        }
    };
    tokio::select! {
        _ = connection.as_mut() => return,
        () = draining => connection.as_mut().graceful_shutdown(),
    }
    // Told GOAWAY, the client begins no more calls; what it began is answered.
    tokio::select! {
        _ = connection => {}
        _ = stage.wait_for(|stage| *stage == Stage::Over) => {}
    }
}
