//! gRPC's messages and statuses on HTTP/2.
//! Source: gRPC over HTTP2 (PROTOCOL-HTTP2.md) and gRPC compression (compression.md).

use std::fmt::Write;
use std::io::Read;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use flate2::bufread::{GzDecoder, ZlibDecoder};
use http::{HeaderMap, HeaderName, HeaderValue};

pub const PREFIX: usize = 5;
/// Bytes that are unpacked before others have their turn.
const STEP: u64 = 1 << 18;

/// A canonical code with its message: how a call failed.
#[derive(Debug)]
pub struct Status {
    pub code: u8,
    pub message: String,
    pub metadata: Vec<(String, String)>,
}

impl Status {
    pub const CANCELLED: u8 = 1;
    pub const UNKNOWN: u8 = 2;
    pub const DEADLINE_EXCEEDED: u8 = 4;
    pub const RESOURCE_EXHAUSTED: u8 = 8;
    pub const UNIMPLEMENTED: u8 = 12;
    pub const INTERNAL: u8 = 13;
    pub const UNAVAILABLE: u8 = 14;
    pub const UNAUTHENTICATED: u8 = 16;

    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Status {
            code,
            message: message.into(),
            metadata: Vec::new(),
        }
    }

    /// As headers of an answer without a message, or as trailers after one.
    pub fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::with_capacity(2);
        trailers.insert("grpc-status", HeaderValue::from(u16::from(self.code)));
        if !self.message.is_empty() {
            if let Ok(text) = HeaderValue::from_str(&percent_encoded(&self.message)) {
                trailers.insert("grpc-message", text);
            }
        }
        for (name, value) in &self.metadata {
            add(&mut trailers, name, value);
        }
        trailers
    }
}

/// Adds a header; one that HTTP cannot carry is left out.
pub fn add(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.append(name, value);
    }
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            encoded.push(byte as char);
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The text of a header grpc-message.
pub fn percent_decoded(encoded: &[u8]) -> String {
    let mut plain = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, more @ ..] = rest {
        let hex = more.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                plain.push(byte);
                rest = &more[2..];
            }
            _ => {
                plain.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// How many bytes a message has, and whether it is packed, by the prefix before it.
pub fn prefix(buffer: &[u8]) -> Option<(bool, usize)> {
    let size = buffer.get(1..PREFIX)?;
    let size = u32::from_be_bytes(size.try_into().expect("four bytes")) as usize;
    Some((buffer[0] & 1 == 1, size))
}

/// A message with its prefix.
pub fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(PREFIX + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    frame.freeze()
}

/// Unpacks a message step by step, so that it can be stopped where it becomes too large.
pub enum Unpacking<'a> {
    Gzip(GzDecoder<&'a [u8]>),
    Deflate(ZlibDecoder<&'a [u8]>),
}

impl<'a> Unpacking<'a> {
    /// By what the header grpc-encoding says.
    pub fn of(packed: &'a [u8], encoding: &str) -> Result<Self, Status> {
        match encoding {
            "gzip" => Ok(Unpacking::Gzip(GzDecoder::new(packed))),
            "deflate" => Ok(Unpacking::Deflate(ZlibDecoder::new(packed))),
            "" | "identity" => {
                let problem = "Compression bit set but no encoding configured";
                Err(Status::new(Status::INTERNAL, problem))
            }
            _ => {
                let problem = format!("No messages packed by \"{encoding}\" can be read here");
                Err(Status::new(Status::UNIMPLEMENTED, problem))
            }
        }
    }

    /// Adds some more bytes to `plain`, and says how many; 0 at the end, where nothing may follow.
    pub fn step(&mut self, plain: &mut Vec<u8>) -> Result<usize, Status> {
        let (read, left) = match self {
            Unpacking::Gzip(decoder) => (decoder.take(STEP).read_to_end(plain), decoder.get_ref()),
            Unpacking::Deflate(decoder) => {
                (decoder.take(STEP).read_to_end(plain), decoder.get_ref())
            }
        };
        match read {
            Ok(0) if !left.is_empty() => Err(()),
            other => other.map_err(|_| ()),
        }
        .map_err(|()| Status::new(Status::INTERNAL, "The message cannot be unpacked"))
    }
}

pub fn check_size(size: usize, most: usize) -> Result<(), Status> {
    if size <= most {
        return Ok(());
    }
    let problem = format!("Received message larger than max ({size} vs. {most})");
    Err(Status::new(Status::RESOURCE_EXHAUSTED, problem))
}

/// The header grpc-timeout, if there is one. Fails for one that cannot be read: whoever sent it
/// meant an end, and would wait for ever.
pub fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(sent) = headers.get("grpc-timeout") else {
        return Ok(None);
    };
    match sent.to_str().ok().and_then(duration) {
        Some(left) => Ok(Some(left)),
        None => Err(Status::new(Status::INTERNAL, "Malformed grpc-timeout")),
    }
}

fn duration(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}
