//! One connection: its handshake, the version of HTTP it speaks, its requests, and its end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::connections::{Asking, AtWork, Connection, Stage, Terms};
use crate::direct::shortcuts::Shortcuts;
use crate::queue::Queue;
use crate::wire::{begins_http2, Wire};
use crate::{grpc, rest};

/// A handshake that does not end in this time ends the connection.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// A client whose machine is gone frees what its calls hold.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// A large answer is sent in pieces: a client has to take each in its time.
const PIECE: usize = 1 << 20;
/// hyper reads a header into a buffer that cannot be smaller.
const LEAST_HEADER: usize = 8192;

/// What a port serves: one API or both, on each of its sockets.
#[derive(Default)]
pub struct Service {
    pub queue: Arc<Queue>,
    pub shortcuts: Shortcuts,
    pub grpc: OnceLock<Arc<grpc::Limits>>,
    pub rest: OnceLock<Arc<rest::Limits>>,
}

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// On its way from one loop to another.
    type Moving: Send;

    fn leave(self) -> io::Result<Self::Moving>;
    fn join(moving: Self::Moving) -> io::Result<Self>
    where
        Self: Sized;

    fn readable(&self) -> impl Future<Output = ()> + Send;
}

struct Speaking {
    asking: Asking,
    connection: Arc<Connection>,
    service: Arc<Service>,
    terms: Arc<Terms>,
    stage: watch::Receiver<Stage>,
}

/// Answers the requests of a connection until it ends.
pub async fn speak<S: Stream>(
    stream: S,
    peer: String,
    connection: Arc<Connection>,
    service: Arc<Service>,
    terms: Arc<Terms>,
    stage: watch::Receiver<Stage>,
) {
    let asking = Asking {
        peer,
        is_stranger: false,
    };
    let mut speaking = Speaking {
        asking,
        connection,
        service,
        terms,
        stage,
    };
    let first = speaking.terms.first;
    if speaking.before(first, stream.readable()).await.is_none() {
        return;
    }
    let Some(certificates) = speaking.terms.certificates.clone() else {
        return speaking.http(stream).await;
    };
    let Ok(shown) = tokio::task::spawn_blocking(move || certificates.now()).await else {
        return;
    };
    let handshake = TlsAcceptor::from(shown.config).accept(stream);
    if let Some(Ok(encrypted)) = speaking.before(HANDSHAKE, handshake).await {
        let has_certificate = encrypted.get_ref().1.peer_certificates().is_some();
        speaking.asking.is_stranger = shown.asks && !has_certificate;
        speaking.http(encrypted).await;
    }
}

impl Speaking {
    /// What comes of it; None if that takes too long, or the connection is to end.
    async fn before<T>(
        &mut self,
        patience: Duration,
        coming: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            came = tokio::time::timeout(patience, coming) => came.ok(),
            () = self.connection.ending() => None,
            _ = self.stage.wait_for(|stage| *stage >= Stage::Draining) => None,
        }
    }

    async fn http<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(mut self, mut stream: S) {
        let first = self.terms.first;
        let Some(Ok((is_http2, begun))) = self.before(first, begins_http2(&mut stream)).await
        else {
            return;
        };
        if begun.is_empty() || (!is_http2 && self.service.rest.get().is_none()) {
            return;
        }
        let (terms, stage, connection) = (
            self.terms.clone(),
            self.stage.clone(),
            self.connection.clone(),
        );
        let wire = Wire::new(stream, begun, connection.clone(), terms.patience);
        let wire = match is_http2 && terms.is_unix {
            true => TokioIo::new(wire.mended()),
            false => TokioIo::new(wire),
        };
        let speaking = Arc::new(self);
        let answering = service_fn(move |request| {
            let speaking = speaking.clone();
            async move { Ok::<_, Infallible>(speaking.answer(request).await) }
        });
        if is_http2 {
            let serving = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(KEEP_ALIVE)
                .keep_alive_timeout(HANDSHAKE)
                .max_concurrent_streams(terms.streams)
                .max_header_list_size(terms.header)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .serve_connection(wire, answering);
            until_end(
                serving,
                |it| it.graceful_shutdown(),
                &connection,
                terms.patience,
                stage,
            )
            .await;
        } else {
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(terms.first)
                // As TensorFlow Serving writes their names; some clients look for just that.
                .title_case_headers(true)
                .max_buf_size(usize::max(terms.header as usize, LEAST_HEADER))
                .serve_connection(wire, answering);
            until_end(
                serving,
                |it| it.graceful_shutdown(),
                &connection,
                terms.patience,
                stage,
            )
            .await;
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Answering> {
        let mut at_work = self.connection.work();
        let answer = self.answer_of_api(request, &mut at_work).await;
        at_work.set_sending(true);
        answer.map(|body| Answering {
            body,
            more: Bytes::new(),
            at_work,
        })
    }

    async fn answer_of_api(
        &self,
        request: Request<Incoming>,
        at_work: &mut AtWork,
    ) -> Response<Sent> {
        if let Some(limits) = self.service.grpc.get() {
            if grpc::is_call(&request) {
                let answer = grpc::answer(
                    request,
                    &self.asking,
                    at_work,
                    limits.clone(),
                    &self.service,
                )
                .await;
                return answer.map(Either::Left);
            }
        }
        if let Some(limits) = self.service.rest.get() {
            let limits = limits.clone();
            // Apart, because calls of gRPC move what they may need about.
            let answer = Box::pin(rest::answer(
                request,
                &self.asking,
                at_work,
                limits,
                &self.service,
            ));
            return answer.await.map(Either::Right);
        }
        let mut refusal = Response::new(Either::Right(Full::default()));
        *refusal.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        refusal
    }
}

type Sent = Either<grpc::Sent, Full<Bytes>>;

/// The body of an answer; until it is sent, its connection is at work.
struct Answering {
    body: Sent,
    /// What is left of a frame of it.
    more: Bytes,
    at_work: AtWork,
}

impl Body for Answering {
    type Data = Bytes;
    type Error = <Sent as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let mut frame = Bytes::new();
        std::mem::swap(&mut frame, &mut this.more);
        if frame.is_empty() {
            let polled = Pin::new(&mut this.body).poll_frame(context);
            // As it is asked for more, its client has taken what was there.
            this.at_work.set_sending(polled.is_ready());
            match std::task::ready!(polled).map(|frame| frame.map(Frame::into_data)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Ok(Ok(data))) => frame = data,
            }
        } else {
            this.at_work.set_sending(true);
        }
        if frame.len() > PIECE {
            this.more = frame.split_off(PIECE);
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.more.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Told GOAWAY or that the connection closes, a client begins no more; what it began is answered.
async fn until_end<C: Future>(
    serving: C,
    shut_down: impl FnOnce(Pin<&mut C>),
    connection: &Connection,
    patience: Duration,
    mut stage: watch::Receiver<Stage>,
) {
    let mut until_over = stage.clone();
    let finishing = async {
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            _ = serving.as_mut() => return,
            () = connection.ending() => {}
            _ = stage.wait_for(|stage| *stage >= Stage::Draining) => {}
        }
        shut_down(serving.as_mut());
        serving.await;
    };
    tokio::select! {
        () = finishing => {}
        () = connection.stalled(patience) => {}
        _ = until_over.wait_for(|stage| *stage == Stage::Over) => {}
    }
}
