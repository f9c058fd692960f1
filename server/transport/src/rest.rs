//! One request of REST on the wire: its body read within limits of size and of time.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use crate::api::Api;
use crate::asker::Asker;
use crate::client::Client;
use crate::connections::{Asking, AtWork};
use crate::direct::shortcuts::{Tried, Way};
use crate::framing::add;
use crate::limits::{AtHand, Held};
use crate::queue::Queue;
use crate::request::{Answer, Pending, JSON};
use crate::speaking::Service;

/// Python counts the values of a larger body first, of which there may be so many only.
const LARGEST_DIRECT: usize = 1 << 20;
const CORS: [(&str, &str); 3] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "POST, GET"),
    ("access-control-allow-headers", "Content-Type"),
];

/// What clients can take, and what they have taken. `patience` is for a body, which has a second
/// more for each `slowest` bytes of it; `timeout` is for its answer.
pub struct Limits {
    pub at_hand: Arc<AtHand>,
    pub body: usize,
    pub patience: Duration,
    pub slowest: f64,
    pub timeout: Option<Duration>,
    pub has_cors: bool,
}

/// Why a request is not given to Python, or no longer waited for.
struct Refusal {
    status: u16,
    message: String,
    /// Whether some of its body is unread, so that nothing else can come after it.
    is_last: bool,
}

impl Refusal {
    fn new(status: u16, message: String) -> Self {
        Refusal {
            status,
            message,
            is_last: false,
        }
    }

    fn last(status: u16, message: String) -> Self {
        Refusal {
            status,
            message,
            is_last: true,
        }
    }
}

/// Tells Python when the request is over or its client is gone, whichever comes first.
struct Waiting {
    pending: Arc<Pending>,
    queue: Arc<Queue>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pending.held.lock().unwrap().take();
        self.pending.client.gone(&self.queue);
    }
}

pub async fn answer(
    request: Request<Incoming>,
    asking: &Asking,
    at_work: &mut AtWork,
    limits: Arc<Limits>,
    service: &Service,
) -> Response<Full<Bytes>> {
    match answered(request, asking, at_work, &limits, service).await {
        Ok(answer) => response(answer, &limits),
        Err(refusal) => {
            let text = format!("{{\n    \"error\": \"{}\"\n}}", escaped(&refusal.message));
            let answer = Answer {
                status: refusal.status,
                content_type: JSON.into(),
                body: text.into(),
                headers: Vec::new(),
            };
            let mut response = response(answer, &limits);
            if refusal.is_last {
                at_work.linger();
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            response
        }
    }
}

async fn answered(
    request: Request<Incoming>,
    asking: &Asking,
    at_work: &mut AtWork,
    limits: &Limits,
    service: &Service,
) -> Result<Answer, Refusal> {
    let (head, body) = request.into_parts();
    let target = target_of(&head.uri).to_owned();
    let mut held = Held::new(limits.at_hand.clone());
    let is_work = is_api(&target) && !asking.is_stranger && head.method != Method::OPTIONS;
    let mut sent = Bytes::new();
    if is_work {
        held.count()
            .inspect_err(|_| service.queue.refused(Api::Rest))
            .map_err(no_place)?;
        sent = received(body, &head.headers, limits, &held).await?;
    }
    let way = match is_work && may_be_direct(&head, &sent) {
        true => service.shortcuts.of_body(&target, &sent),
        false => Way::Python,
    };
    let first = match way.tried(Api::Rest, sent) {
        Tried::Untold(first) => first,
        Tried::Answered(text) => {
            held.add(text.len());
            at_work.held = Some(held);
            return Ok(Answer::good(text));
        }
    };
    let (sender, receiver) = oneshot::channel();
    let pending = Arc::new(Pending {
        target,
        method: head.method,
        headers: head.headers,
        is_stranger: asking.is_stranger,
        first,
        held: Mutex::new(Some(held)),
        answer: Mutex::new(Some(sender)),
        client: Client::default(),
    });
    let timeout = limits.timeout.filter(|_| is_work);
    asked_python(pending, receiver, timeout, at_work, &service.queue).await
}

fn target_of(uri: &Uri) -> &str {
    uri.path_and_query().map_or("", |target| target.as_str())
}

fn is_api(target: &str) -> bool {
    target
        .get(..4)
        .is_some_and(|path| path.eq_ignore_ascii_case("/v1/"))
}

fn may_be_direct(head: &Parts, sent: &Bytes) -> bool {
    let is_packed = head.headers.contains_key(CONTENT_ENCODING);
    head.method == Method::POST && sent.len() <= LARGEST_DIRECT && !is_packed
}

async fn asked_python(
    pending: Arc<Pending>,
    receiver: oneshot::Receiver<Answer>,
    timeout: Option<Duration>,
    at_work: &mut AtWork,
    queue: &Arc<Queue>,
) -> Result<Answer, Refusal> {
    let waiting = Waiting {
        pending: pending.clone(),
        queue: queue.clone(),
    };
    if !queue.ask(Asker::Request(pending)) {
        queue.refused(Api::Rest);
        let problem = "Too many requests wait for a thread already; try again";
        return Err(Refusal::new(429, problem.into()));
    }
    let answered = match timeout {
        Some(timeout) => tokio::time::timeout(timeout, receiver)
            .await
            .map_err(|_| too_late(timeout))?,
        None => receiver.await,
    };
    at_work.held = waiting.pending.held.lock().unwrap().take();
    let answer =
        answered.map_err(|_| Refusal::new(500, "Internal error; see the server's log".into()))?;
    if let Some(held) = &at_work.held {
        held.add(answer.body.len());
    }
    Ok(answer)
}

async fn received(
    mut body: Incoming,
    headers: &http::HeaderMap,
    limits: &Limits,
    held: &Held,
) -> Result<Bytes, Refusal> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|size| size.to_str().ok());
    check_size(
        announced.and_then(|size| size.parse().ok()).unwrap_or(0),
        limits,
    )?;
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let began = Instant::now();
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    loop {
        let came = first.len() + joined.len();
        let more = Duration::from_secs_f64(came as f64 / limits.slowest);
        let until = began + limits.patience + more;
        let frame = match tokio::time::timeout_at(until.into(), body.frame()).await {
            Err(_) => return Err(too_slow(came, until - began)),
            Ok(None) if joined.is_empty() => return Ok(first),
            Ok(None) => return Ok(joined.freeze()),
            Ok(Some(Err(error))) => return Err(broken(&error)),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        held.more(data.len()).map_err(no_room)?;
        check_size(came + data.len(), limits)?;
        if came == 0 {
            first = data;
            continue;
        }
        if joined.is_empty() {
            joined.reserve(usize::max(body.size_hint().lower() as usize, data.len()) + came);
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&data);
    }
}

fn check_size(size: usize, limits: &Limits) -> Result<(), Refusal> {
    if size <= limits.body {
        return Ok(());
    }
    let problem = format!(
        "The request's body is larger than the {} bytes of --rest_api_max_body_bytes",
        limits.body
    );
    Err(Refusal::last(413, problem))
}

fn no_place(taken: usize) -> Refusal {
    let problem = format!(
        "The server has {taken} requests at hand, which is the limit of --max_in_flight_requests;\
         \u{20}try again"
    );
    Refusal::new(429, problem)
}

fn no_room(taken: usize) -> Refusal {
    let problem = format!("The server has {taken} bytes of bodies at hand; try again");
    Refusal::last(429, problem)
}

fn too_slow(came: usize, waited: Duration) -> Refusal {
    let problem = format!(
        "Only {came} bytes of the request's body came within {} seconds; the connection is closed",
        three_digits(waited.as_secs_f64())
    );
    Refusal::last(408, problem)
}

fn too_late(timeout: Duration) -> Refusal {
    let problem = format!(
        "The request took longer than the {} seconds of --rest_api_timeout_in_ms",
        timeout.as_secs_f64()
    );
    Refusal::new(504, problem)
}

fn broken(error: &hyper::Error) -> Refusal {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let cause = cause.unwrap_or_else(|| error.to_string());
    Refusal::last(400, format!("The request's body is broken: {cause}"))
}

fn three_digits(number: f64) -> String {
    let decimals = (2.0 - number.log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{number:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn response(answer: Answer, limits: &Limits) -> Response<Full<Bytes>> {
    let is_json = answer.content_type == JSON;
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&answer.content_type) {
        headers.insert(CONTENT_TYPE, kind);
    }
    for (name, value) in &answer.headers {
        add(headers, name, value);
    }
    if is_json && limits.has_cors {
        for (name, value) in CORS {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}
