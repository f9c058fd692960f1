//! One gRPC call on the wire: its message read within limits, its answer written.

use std::collections::VecDeque;
use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{mpsc, oneshot};

use crate::api::Api;
use crate::asker::Asker;
use crate::call::{Answer, Asked, Exchange, AHEAD};
use crate::connections::{Asking, AtWork};
use crate::direct::shortcuts::{Tried, Untold};
use crate::framing::{check_size, prefix, timeout, Status, Unpacking, PREFIX};
use crate::limits::{AtHand, Held};
use crate::queue::Queue;
use crate::speaking::Service;

/// Calls whose message is on its way, and how long it may be so.
const ROOM: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(600);

/// What clients can take, and what they have taken.
pub struct Limits {
    pub at_hand: Arc<AtHand>,
    pub message: usize,
    pub receiving: Mutex<Receiving>,
}

fn no_place(_taken: usize) -> Status {
    Status::new(Status::RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!")
}

fn no_room(taken: usize) -> Status {
    let problem = format!("The server has {taken} bytes of messages at hand; try again");
    Status::new(Status::RESOURCE_EXHAUSTED, problem)
}

/// Tells Python when the call is over or its client is gone, whichever comes first.
struct Waiting {
    exchange: Arc<Exchange>,
    queue: Arc<Queue>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.exchange.client.gone(&self.queue);
    }
}

/// Whether it is a call; what is none may be a request of REST.
pub fn is_call(request: &Request<Incoming>) -> bool {
    let is_grpc = request
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    is_grpc && request.method() == Method::POST && request.version() == Version::HTTP_2
}

pub async fn answer(
    request: Request<Incoming>,
    asking: &Asking,
    at_work: &mut AtWork,
    limits: Arc<Limits>,
    service: &Service,
) -> Response<Sent> {
    if asking.is_stranger {
        let problem = "This server answers clients that show a certificate only";
        return failed(&Status::new(Status::UNAUTHENTICATED, problem));
    }
    match answered(request, asking.peer.clone(), at_work, limits, service).await {
        Ok(response) => response,
        Err(status) => failed(&status),
    }
}

async fn answered(
    request: Request<Incoming>,
    peer: String,
    at_work: &mut AtWork,
    limits: Arc<Limits>,
    service: &Service,
) -> Result<Response<Sent>, Status> {
    let (head, body) = request.into_parts();
    let deadline = timeout(&head.headers)?.map(|left| Instant::now() + left);
    let asked = Asked {
        path: head.uri.path().to_owned(),
        headers: head.headers,
        peer,
        deadline,
    };
    let mut held = Held::new(limits.at_hand.clone());
    let encoding = asked
        .headers
        .get("grpc-encoding")
        .and_then(|text| text.to_str().ok());
    let mut reader = Reader {
        body,
        limits: limits.clone(),
        buffer: BytesMut::new(),
        encoding: encoding.unwrap_or("").to_owned(),
    };
    let Some(message) = received(&mut reader, &held, deadline).await? else {
        let problem = "The method requires exactly one request message.";
        return Err(Status::new(Status::UNIMPLEMENTED, problem));
    };
    held.count()
        .inspect_err(|_| service.queue.refused(Api::Grpc))
        .map_err(no_place)?;
    let way = service.shortcuts.of_message(&asked.path, &message);
    let first = match way.tried(Api::Grpc, message) {
        Tried::Answered(frame) => return Ok(whole(frame, held, at_work)),
        Tried::Untold(first) => first,
    };
    let asking = asked_python(asked, first, reader, at_work, held, &service.queue);
    // Not within this one, which each call moves about.
    in_time(deadline, Box::pin(asking)).await
}

/// What comes of work, unless the deadline passes.
async fn in_time<T>(
    deadline: Option<Instant>,
    work: Pin<Box<impl Future<Output = Result<T, Status>>>>,
) -> Result<T, Status> {
    let Some(deadline) = deadline else {
        return work.await;
    };
    tokio::time::timeout_at(deadline.into(), work)
        .await
        .unwrap_or_else(|_| Err(Status::new(Status::DEADLINE_EXCEEDED, "Deadline Exceeded")))
}

async fn asked_python(
    asked: Asked,
    first: Untold,
    reader: Reader,
    at_work: &mut AtWork,
    held: Held,
    queue: &Arc<Queue>,
) -> Result<Response<Sent>, Status> {
    let (sender, mut receiver) = oneshot::channel();
    let (more_sender, more) = mpsc::channel(AHEAD);
    let exchange = Arc::new(Exchange::new(asked, first, more, sender));
    let waiting = Waiting {
        exchange: exchange.clone(),
        queue: queue.clone(),
    };
    if !queue.ask(Asker::Call(exchange)) {
        queue.refused(Api::Grpc);
        let problem = "Too many calls wait for a thread already; try again";
        return Err(Status::new(Status::RESOURCE_EXHAUSTED, problem));
    }
    // A stream's further messages; most calls have none, and this ends at once.
    let mut reading = Box::pin(pass_on(reader, more_sender));
    let (answer, is_read) = tokio::select! {
        biased;
        answer = &mut receiver => (answer, false),
        () = &mut reading => (receiver.await, true),
    };
    match answer {
        Ok(Answer::Whole(frame)) => Ok(whole(frame, held, at_work)),
        Ok(Answer::Failed(status)) => Err(status),
        Ok(Answer::Stream(messages)) => {
            at_work.held = Some(held);
            let reading = (!is_read).then(|| tokio::spawn(reading));
            Ok(begun(Sent::Stream(Stream {
                messages,
                is_over: false,
                reading,
                _waiting: waiting,
            })))
        }
        Err(_) => Err(Status::new(Status::UNKNOWN, "The call was not answered")),
    }
}

fn whole(frame: Bytes, held: Held, at_work: &mut AtWork) -> Response<Sent> {
    held.add(frame.len());
    at_work.held = Some(held);
    begun(Sent::Whole(Some(frame)))
}

/// The first message. One that does not come at once waits in a room with limits.
async fn received(
    reader: &mut Reader,
    held: &Held,
    deadline: Option<Instant>,
) -> Result<Option<Bytes>, Status> {
    let limits = reader.limits.clone();
    let mut reading = std::pin::pin!(reader.next(held));
    let at_once = poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await;
    if let Poll::Ready(message) = at_once {
        return message;
    }
    let ended = limits.receiving.lock().unwrap().enter();
    let waiting = async {
        let late = || Status::new(Status::CANCELLED, "The message of the call did not come");
        tokio::select! {
            message = tokio::time::timeout(PATIENCE, reading) => message.unwrap_or(Err(late())),
            _ = ended => Err(late()),
        }
    };
    in_time(deadline, Box::pin(waiting)).await
}

/// The calls whose message is on its way. One too many takes the place of the oldest.
#[derive(Default)]
pub struct Receiving(VecDeque<oneshot::Sender<()>>);

impl Receiving {
    fn enter(&mut self) -> oneshot::Receiver<()> {
        let (sender, ended) = oneshot::channel();
        if self.0.len() >= ROOM {
            self.0.retain(|other| !other.is_closed());
        }
        if self.0.len() >= ROOM {
            self.0.pop_front();
        }
        self.0.push_back(sender);
        ended
    }
}

async fn pass_on(mut reader: Reader, sender: mpsc::Sender<Bytes>) {
    loop {
        let held = Held::new(reader.limits.at_hand.clone());
        let Ok(Some(message)) = reader.next(&held).await else {
            return;
        };
        if sender.send(message).await.is_err() {
            return;
        }
    }
}

struct Reader {
    body: Incoming,
    limits: Arc<Limits>,
    buffer: BytesMut,
    encoding: String,
}

impl Reader {
    /// The next message, None at the end.
    async fn next(&mut self, held: &Held) -> Result<Option<Bytes>, Status> {
        let most = self.limits.message;
        loop {
            if let Some((is_packed, size)) = prefix(&self.buffer) {
                check_size(size, most)?;
                if self.buffer.len() >= PREFIX + size {
                    self.buffer.advance(PREFIX);
                    let message = self.buffer.split_to(size).freeze();
                    // Some clients say that a message of no bytes is packed.
                    if !is_packed || message.is_empty() {
                        return Ok(Some(message));
                    }
                    return unpacked(&message, &self.encoding, most, held)
                        .await
                        .map(Some);
                }
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        let before = self.buffer.len().saturating_sub(PREFIX);
                        self.buffer.extend_from_slice(&data);
                        let more = self.buffer.len().saturating_sub(PREFIX) - before;
                        held.more(more).map_err(no_room)?;
                    }
                }
                Some(Err(_)) => return Err(Status::new(Status::CANCELLED, "The client is gone")),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(Status::new(Status::INTERNAL, "The message is cut off")),
            }
        }
    }
}

async fn unpacked(
    packed: &[u8],
    encoding: &str,
    most: usize,
    held: &Held,
) -> Result<Bytes, Status> {
    let mut unpacking = Unpacking::of(packed, encoding)?;
    let mut plain = Vec::new();
    while unpacking.step(&mut plain)? > 0 {
        check_size(plain.len(), most)?;
        held.more(plain.len().saturating_sub(held.bytes()))
            .map_err(no_room)?;
        tokio::task::yield_now().await;
    }
    Ok(plain.into())
}

fn begun(body: Sent) -> Response<Sent> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert(
        "grpc-accept-encoding",
        HeaderValue::from_static("identity, deflate, gzip"),
    );
    response
}

fn failed(status: &Status) -> Response<Sent> {
    let mut response = begun(Sent::Nothing);
    response.headers_mut().extend(status.trailers());
    response
}

/// What is sent: nothing after the headers, one message and a good end, or a stream of messages.
pub enum Sent {
    Nothing,
    Whole(Option<Bytes>),
    GoodEnd(bool),
    Stream(Stream),
}

pub struct Stream {
    messages: mpsc::Receiver<Result<Bytes, Status>>,
    is_over: bool,
    reading: Option<tokio::task::JoinHandle<()>>,
    _waiting: Waiting,
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(reading) = &self.reading {
            reading.abort();
        }
    }
}

fn good_end() -> HeaderMap {
    Status::new(0, "").trailers()
}

impl Body for Sent {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match &mut *self {
            Sent::Nothing => None,
            Sent::Whole(frame) => {
                let frame = frame.take().map(Frame::data);
                *self = Sent::GoodEnd(false);
                frame
            }
            Sent::GoodEnd(is_sent) => {
                let was_sent = std::mem::replace(is_sent, true);
                (!was_sent).then(|| Frame::trailers(good_end()))
            }
            Sent::Stream(stream) if stream.is_over => None,
            Sent::Stream(stream) => match stream.messages.poll_recv(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(message))) => Some(Frame::data(message)),
                Poll::Ready(Some(Err(status))) => {
                    stream.is_over = true;
                    Some(Frame::trailers(status.trailers()))
                }
                Poll::Ready(None) => {
                    stream.is_over = true;
                    Some(Frame::trailers(good_end()))
                }
            },
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Sent::Nothing)
    }
}
