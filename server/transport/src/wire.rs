//! The bytes of a connection: which HTTP they begin, clients that read too slowly, a slow goodbye.

use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::authority::Mending;
use crate::connections::Connection;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes a second that a client must read of an answer.
const SLOWEST: f64 = 65_536.0;
/// How long a client may take to read why its request was refused, before the kernel takes that
/// back because of what the client still sends.
const GOODBYE: Duration = Duration::from_secs(2);

/// Whether a client begins HTTP/2, and what was read to know it.
pub async fn begins_http2<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(bool, Bytes)> {
    let mut begun = BytesMut::with_capacity(256);
    loop {
        let read = stream.read_buf(&mut begun).await?;
        let known = usize::min(begun.len(), PREFACE.len());
        if read == 0 || begun[..known] != PREFACE[..known] {
            return Ok((false, begun.freeze()));
        }
        if known == PREFACE.len() {
            return Ok((true, begun.freeze()));
        }
    }
}

pub struct Wire<S> {
    stream: S,
    begun: Bytes,
    mending: Option<Mending>,
    connection: Arc<Connection>,
    patience: Duration,
    /// Runs while the client has to read before more can be sent; with what it has read since.
    waiting: Option<Pin<Box<Sleep>>>,
    read: usize,
    leaving: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub fn new(stream: S, begun: Bytes, connection: Arc<Connection>, patience: Duration) -> Self {
        Wire {
            stream,
            begun,
            mending: None,
            connection,
            patience,
            waiting: None,
            read: 0,
            leaving: None,
        }
    }

    /// Mends what a client of a UNIX socket sends over HTTP/2.
    pub fn mended(mut self) -> Self {
        let mut mending = Mending::new(PREFACE.len());
        let mut begun = BytesMut::from(self.begun);
        mending.mend(&mut begun);
        self.begun = begun.freeze();
        self.mending = Some(mending);
        self
    }

    /// After a try to send: an error once the client was too slow for too long.
    fn watched<T>(&mut self, sent: Poll<Result<T>>, context: &mut Context<'_>) -> Poll<Result<T>> {
        if sent.is_ready() {
            return sent;
        }
        if self.waiting.is_none() {
            self.connection.set_blocked(true);
            self.read = 0;
            self.waiting = Some(Box::pin(tokio::time::sleep(self.patience)));
        }
        while let Some(waiting) = &mut self.waiting {
            if waiting.as_mut().poll(context).is_pending() {
                break;
            }
            // An answer that nobody reads would hold its memory and the connection for ever.
            if (self.read as f64) < self.patience.as_secs_f64() * SLOWEST {
                return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
            }
            self.read = 0;
            waiting
                .as_mut()
                .reset(tokio::time::Instant::now() + self.patience);
        }
        Poll::Pending
    }

    fn counted(&mut self, sent: Poll<Result<usize>>, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        if let Poll::Ready(Ok(size)) = &sent {
            self.read += size;
        }
        self.watched(sent, cx)
    }

    /// Reads what nobody needs until the client has closed, too, or was given its time.
    fn part(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut unneeded = [0; 4096];
            let mut buffer = ReadBuf::new(&mut unneeded);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => self.connection.linger(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if !self.connection.lingers() => return Poll::Ready(()),
                Poll::Pending => {}
            }
            let leaving = self
                .leaving
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(GOODBYE)));
            if leaving.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            if buffer.filled().is_empty() {
                return Poll::Pending;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        if self.begun.is_empty() {
            let before = buffer.filled().len();
            let read = Pin::new(&mut self.stream).poll_read(context, buffer);
            if let Some(mending) = &mut self.mending {
                mending.mend(&mut buffer.filled_mut()[before..]);
            }
            return read;
        }
        let size = usize::min(self.begun.len(), buffer.remaining());
        buffer.put_slice(&self.begun[..size]);
        self.begun.advance(size);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, data);
        self.counted(sent, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.counted(sent, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let sent = Pin::new(&mut self.stream).poll_flush(context);
        if sent.is_ready() && self.waiting.take().is_some() {
            self.connection.set_blocked(false);
        }
        self.watched(sent, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.leaving.is_none() {
            std::task::ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        self.part(context).map(Ok)
    }
}
