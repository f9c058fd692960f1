//! Listening sockets and how many connections each of them may have.

use std::collections::HashMap;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, watch, Notify};

use crate::limits::Held;
use crate::loops::Loops;
use crate::speaking::{speak, Service, Stream};
use crate::tls::Certificates;

/// What one socket's clients can take: `connections`, of each `streams` and `header` bytes; a
/// connection has `first` to say something, and for the header of each request, and `patience`
/// for reading an answer, at 64 KiB a second. One connection more is refused, or where
/// `idle_give_way`, takes the place of the one that has been idle for longest.
pub struct Terms {
    pub is_unix: bool,
    pub connections: usize,
    pub idle_give_way: bool,
    pub streams: u32,
    pub header: u32,
    pub first: Duration,
    pub patience: Duration,
    pub certificates: Option<Arc<Certificates>>,
}

/// How far the end is: serving, draining (no new requests), or over (connections are cut).
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub enum Stage {
    Serving,
    Draining,
    Over,
}

/// Whose request it is.
pub struct Asking {
    pub peer: String,
    pub is_stranger: bool,
}

/// What others need to know of a connection, and can have it do.
pub struct Connection {
    /// The requests at hand, and since when their clients are to take more of the answers.
    requests: Mutex<HashMap<u64, Option<Instant>>>,
    begun: AtomicU64,
    is_blocked: AtomicBool,
    lingers: AtomicBool,
    idle_since: Mutex<Instant>,
    ending: Notify,
}

impl Connection {
    fn new() -> Arc<Self> {
        Arc::new(Connection {
            requests: Mutex::default(),
            begun: AtomicU64::new(0),
            is_blocked: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            idle_since: Mutex::new(Instant::now()),
            ending: Notify::new(),
        })
    }

    /// It has a request at hand until this is dropped.
    pub fn work(self: &Arc<Self>) -> AtWork {
        let number = self.begun.fetch_add(1, Ordering::SeqCst);
        self.requests.lock().unwrap().insert(number, None);
        AtWork {
            connection: self.clone(),
            number,
            held: None,
        }
    }

    /// Returns when a client has not taken more of an answer for so long. What it does not take
    /// would else be kept for ever: HTTP/2 lets it be without a word.
    pub async fn stalled(&self, patience: Duration) {
        loop {
            tokio::time::sleep(patience).await;
            let requests = self.requests.lock().unwrap();
            let mut taking = requests.values().flatten();
            if taking.any(|since| since.elapsed() > patience) {
                return;
            }
        }
    }

    /// Whether its client has to read before more can be sent.
    pub fn set_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::SeqCst);
    }

    /// At its end its client is given time to read the last answer.
    pub fn linger(&self) {
        self.lingers.store(true, Ordering::SeqCst);
    }

    pub fn lingers(&self) -> bool {
        self.lingers.load(Ordering::SeqCst)
    }

    /// Is to end once what is at hand is answered.
    pub async fn ending(&self) {
        self.ending.notified().await;
    }

    fn idle_since(&self) -> Option<Instant> {
        let is_idle = self.requests.lock().unwrap().is_empty()
            && !self.is_blocked.load(Ordering::SeqCst)
            && !self.lingers();
        is_idle.then(|| *self.idle_since.lock().unwrap())
    }
}

/// A request until its answer is sent, with what it holds until then.
pub struct AtWork {
    connection: Arc<Connection>,
    number: u64,
    pub held: Option<Held>,
}

impl AtWork {
    /// See Connection.
    pub fn linger(&self) {
        self.connection.linger();
    }

    /// From now on its client is to take more of the answer, or need not.
    pub fn set_sending(&self, is_sending: bool) {
        let since = is_sending.then(Instant::now);
        let mut requests = self.connection.requests.lock().unwrap();
        requests.insert(self.number, since);
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        *self.connection.idle_since.lock().unwrap() = Instant::now();
        self.connection
            .requests
            .lock()
            .unwrap()
            .remove(&self.number);
    }
}

/// The connections of a socket.
struct Places {
    most: usize,
    idle_give_way: bool,
    taken: Mutex<HashMap<u64, Arc<Connection>>>,
    left: Arc<Left>,
}

/// How many connections of all sockets are left.
#[derive(Default)]
struct Left {
    count: AtomicUsize,
    closed: Notify,
}

struct Place {
    places: Arc<Places>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.lock().unwrap().remove(&self.number);
        self.places.left.count.fetch_sub(1, Ordering::SeqCst);
        self.places.left.closed.notify_one();
    }
}

impl Places {
    /// None where there is none.
    fn take(self: &Arc<Self>, number: u64, connection: Arc<Connection>) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap();
        if taken.len() >= self.most {
            if !self.idle_give_way {
                return None;
            }
            let idle = taken
                .iter()
                .filter_map(|(number, other)| Some((other.idle_since()?, *number)));
            let (_, longest) = idle.min()?;
            taken.remove(&longest)?.ending.notify_one();
        }
        taken.insert(number, connection);
        self.left.count.fetch_add(1, Ordering::SeqCst);
        Some(Place {
            places: self.clone(),
            number,
        })
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

/// Serves the sockets that come until the stage says that it is over, or all connections are.
pub async fn serve(
    mut sockets: mpsc::UnboundedReceiver<(RawFd, Terms)>,
    service: Arc<Service>,
    mut stage: watch::Receiver<Stage>,
    loops: Arc<Loops>,
) {
    let queue = service.queue.clone();
    tokio::spawn(async move { queue.look_after().await });
    let mut accepting = tokio::task::JoinSet::new();
    let left = Arc::new(Left::default());
    loop {
        let (socket, terms) = tokio::select! {
            Some(socket) = sockets.recv() => socket,
            _ = stage.wait_for(|stage| *stage >= Stage::Draining) => break,
        };
        // Only a socket that is none cannot be used.
        let Ok(listener) = Listener::of(socket, terms.is_unix) else {
            continue;
        };
        let socket = Socket {
            places: Arc::new(Places {
                most: terms.connections,
                idle_give_way: terms.idle_give_way,
                taken: Mutex::default(),
                left: left.clone(),
            }),
            terms: Arc::new(terms),
            service: service.clone(),
            stage: stage.clone(),
            loops: loops.clone(),
        };
        accepting.spawn(socket.accept(listener));
    }
    accepting.shutdown().await;
    loop {
        let closed = left.closed.notified();
        if left.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        tokio::select! {
            () = closed => {}
            _ = stage.wait_for(|stage| *stage == Stage::Over) => return,
        }
    }
}

struct Socket {
    terms: Arc<Terms>,
    service: Arc<Service>,
    stage: watch::Receiver<Stage>,
    places: Arc<Places>,
    loops: Arc<Loops>,
}

impl Socket {
    async fn accept(self, listener: Listener) {
        for number in 0.. {
            let accepted = match &listener {
                Listener::Tcp(listener) => listener.accept().await.map(|(stream, peer)| {
                    let _ = stream.set_nodelay(true);
                    let version = if peer.is_ipv4() { 4 } else { 6 };
                    self.spawn(number, stream, format!("ipv{version}:{peer}"))
                }),
                Listener::Unix(listener) => listener
                    .accept()
                    .await
                    .map(|(stream, _)| self.spawn(number, stream, "unix:".into())),
            };
            if accepted.is_err() {
                // No file descriptors: the next try must not come at once.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    fn spawn<S: Stream>(&self, number: u64, stream: S, peer: String) {
        let connection = Connection::new();
        let (service, terms) = (self.service.clone(), self.terms.clone());
        let Some(place) = self.places.take(number, connection.clone()) else {
            tokio::spawn(refuse(stream, service, terms));
            return;
        };
        let (stage, moving) = (self.stage.clone(), stream.leave());
        self.loops.spawn(async move {
            if let Ok(stream) = moving.and_then(S::join) {
                speak(stream, peer, connection, service, terms, stage).await;
            }
            drop(place);
        });
    }
}

/// Where all are at work, a client of REST is told to come again; what fits in its socket at once.
async fn refuse<S: Stream>(mut stream: S, service: Arc<Service>, terms: Arc<Terms>) {
    if service.rest.get().is_none() || terms.certificates.is_some() {
        return;
    }
    let body =
        "{\n    \"error\": \"The server has as many connections at work as it may; try again\"\n}";
    let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
        Retry-After: 1\r\nConnection: close\r\nContent-Length:";
    let answer = format!("{head} {}\r\n\r\n{body}", body.len());
    let telling = async {
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut unneeded = [0; 1024];
        while matches!(
            tokio::io::AsyncReadExt::read(&mut stream, &mut unneeded).await,
            Ok(1..)
        ) {}
    };
    let _ = tokio::time::timeout(Duration::from_millis(500), telling).await;
}

impl Stream for TcpStream {
    type Moving = std::net::TcpStream;

    fn leave(self) -> std::io::Result<Self::Moving> {
        self.into_std()
    }

    fn join(moving: Self::Moving) -> std::io::Result<Self> {
        TcpStream::from_std(moving)
    }

    async fn readable(&self) {
        let _ = self.ready(Interest::READABLE).await;
    }
}

impl Stream for UnixStream {
    type Moving = std::os::unix::net::UnixStream;

    fn leave(self) -> std::io::Result<Self::Moving> {
        self.into_std()
    }

    fn join(moving: Self::Moving) -> std::io::Result<Self> {
        UnixStream::from_std(moving)
    }

    async fn readable(&self) {
        let _ = self.ready(Interest::READABLE).await;
    }
}
