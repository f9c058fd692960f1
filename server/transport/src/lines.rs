//! Calls to other servers, several at the same time, outside Python's lock.
//!
//! Who asks has connections to itself, and drives them while it waits: handing a call to another
//! thread and its answer back would cost more than all the rest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::framing::{framed, percent_decoded, prefix, Status, PREFIX};

const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

type Sender = SendRequest<Full<Bytes>>;
type Senders = Arc<Mutex<HashMap<String, (u64, Sender)>>>;

/// Where a question goes: HOST:PORT, and how often a connection to it has failed anywhere in the
/// process. One that was made before the last failure is not used again: it may lead nowhere.
#[derive(Clone, FromPyObject)]
pub struct Target(String, u64);

/// Connections by address, and what drives them.
struct Lines {
    runtime: Runtime,
    senders: Senders,
}

impl Lines {
    fn new() -> Lines {
        Lines {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("there are descriptors to wait with"),
            senders: Senders::default(),
        }
    }
}

/// Those that nobody uses now, and since when; the last used first, so that few are used at all.
static IDLE: Mutex<Vec<(Lines, Instant)>> = Mutex::new(Vec::new());

/// Idle connections answer nothing, and a server that ends would wait for them.
const IDLE_FOR: Duration = Duration::from_secs(1);

fn taken() -> Lines {
    let mut idle = IDLE.lock().unwrap();
    let found = idle.pop();
    let old = idle.partition_point(|(_, since)| since.elapsed() > IDLE_FOR);
    let ended: Vec<_> = idle.drain(..old).collect();
    drop(idle);
    drop(ended);
    found.map_or_else(Lines::new, |(lines, _)| lines)
}

fn given_back(lines: Lines) {
    IDLE.lock().unwrap().push((lines, Instant::now()));
}

/// Asks servers at the same time: the method `path` of each, with a message. Waits for all, and for
/// none longer than `seconds`. For each in order a canonical code, 0 for success, what is said of
/// it, and the answer. A question may be asked twice where a connection turns out to have ended, so
/// it must change nothing.
#[pyfunction]
pub fn ask(
    py: Python<'_>,
    path: String,
    questions: Vec<(Target, PyBackedBytes)>,
    seconds: f64,
) -> Vec<(u8, String, Py<PyBytes>)> {
    let patience = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    let calls: Vec<_> = questions
        .into_iter()
        .map(|(target, message)| (target, framed(&message)))
        .collect();
    let answers = py.detach(|| {
        let lines = taken();
        let asked = all(lines.senders.clone(), calls, path, patience);
        let answers = lines.runtime.block_on(asked);
        given_back(lines);
        answers
    });
    answers
        .into_iter()
        .map(|answer| match answer {
            Ok(body) => (0, String::new(), PyBytes::new(py, &body[PREFIX..]).unbind()),
            Err(status) => (status.code, status.message, PyBytes::new(py, b"").unbind()),
        })
        .collect()
}

async fn all(
    senders: Senders,
    calls: Vec<(Target, Bytes)>,
    path: String,
    patience: Duration,
) -> Vec<Result<Bytes, Status>> {
    let path: Arc<str> = path.into();
    let waiting: Vec<_> = calls
        .into_iter()
        .map(|(target, message)| {
            let (senders, path) = (senders.clone(), path.clone());
            tokio::spawn(async move {
                let asked = asked(&senders, &target, &path, message, patience);
                let answer = timeout(patience, asked).await;
                answer.unwrap_or_else(|_| {
                    let said = format!("Deadline Exceeded after {} ms", patience.as_millis());
                    Err(Status::new(Status::DEADLINE_EXCEEDED, said))
                })
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(waiting.len());
    for each in waiting {
        let fault = |fault| Err(Status::new(Status::INTERNAL, format!("{fault}")));
        answers.push(each.await.unwrap_or_else(fault));
    }
    answers
}

async fn asked(
    senders: &Senders,
    target: &Target,
    path: &str,
    message: Bytes,
    patience: Duration,
) -> Result<Bytes, Status> {
    let Target(address, failures) = target;
    let known = senders.lock().unwrap().get(address).cloned();
    if let Some((_, sender)) = known.filter(|(when, _)| when == failures) {
        match exchanged(sender, address, path, message.clone(), patience).await {
            // It may have ended long ago: nobody looked.
            Err(status) if status.is_lost => {}
            answer => return answer.map_err(|failure| failure.status),
        }
    }
    let sender = connected(address).await?;
    senders
        .lock()
        .unwrap()
        .insert(address.clone(), (*failures, sender.clone()));
    exchanged(sender, address, path, message, patience)
        .await
        .map_err(|failure| failure.status)
}

/// How a call failed, and whether its connection did.
struct Failure {
    status: Status,
    is_lost: bool,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let is_lost = false;
        Failure { status, is_lost }
    }
}

impl From<hyper::Error> for Failure {
    fn from(problem: hyper::Error) -> Self {
        Failure {
            status: lost(problem),
            is_lost: true,
        }
    }
}

async fn exchanged(
    mut sender: Sender,
    address: &str,
    path: &str,
    message: Bytes,
    patience: Duration,
) -> Result<Bytes, Failure> {
    let request = Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header(
            "grpc-timeout",
            format!("{}m", patience.as_millis().min(99_999_999)),
        )
        .body(Full::new(message))
        .map_err(|problem| Status::new(Status::INTERNAL, problem.to_string()))?;
    sender.ready().await?;
    answer_of(sender.send_request(request).await?).await
}

async fn connected(address: &str) -> Result<Sender, Status> {
    // The name is looked up anew: one that comes back has another address.
    let stream = TcpStream::connect(address).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(lost)?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn answer_of(response: Response<Incoming>) -> Result<Bytes, Failure> {
    let (head, body) = response.into_parts();
    if head.status != http::StatusCode::OK {
        let said = format!("it answered with the HTTP status {}", head.status);
        return Err(Status::new(Status::UNAVAILABLE, said).into());
    }
    // Of an answer without a message they come alone.
    checked(&head.headers)?;
    let collected = body.collect().await?;
    match collected.trailers() {
        Some(trailers) => checked(trailers)?,
        None => return Err(Status::new(Status::INTERNAL, "its answer has no status").into()),
    }
    let body = collected.to_bytes();
    match prefix(&body) {
        Some((false, size)) if size == body.len() - PREFIX => Ok(body),
        _ => Err(Status::new(Status::INTERNAL, "its answer is not one plain message").into()),
    }
}

fn checked(headers: &HeaderMap) -> Result<(), Status> {
    let Some(code) = headers.get("grpc-status") else {
        return Ok(());
    };
    let code = code.to_str().ok().and_then(|text| text.parse().ok());
    let said = headers.get("grpc-message").map(|text| text.as_bytes());
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(Status::new(code, percent_decoded(said.unwrap_or_default()))),
        None => Err(Status::new(Status::UNKNOWN, "its status is no number")),
    }
}

fn unreachable(problem: std::io::Error) -> Status {
    Status::new(Status::UNAVAILABLE, format!("failed to connect: {problem}"))
}

fn lost(problem: hyper::Error) -> Status {
    Status::new(
        Status::UNAVAILABLE,
        format!("the connection was lost: {problem}"),
    )
}
