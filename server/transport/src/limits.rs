//! How much of what clients send is at hand, and the place of each request in it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

/// The requests and the bytes that one API has at hand.
pub struct AtHand {
    most_requests: usize,
    most_bytes: usize,
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

impl AtHand {
    pub fn new(most_requests: Option<usize>, most_bytes: usize) -> Arc<Self> {
        Arc::new(AtHand {
            most_requests: most_requests.unwrap_or(usize::MAX),
            most_bytes,
            requests: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        })
    }
}

/// What one request takes of that, until it is dropped: its bytes, and its place once it has one.
pub struct Held {
    at_hand: Arc<AtHand>,
    bytes: AtomicUsize,
    is_counted: bool,
}

impl Held {
    pub fn new(at_hand: Arc<AtHand>) -> Held {
        Held {
            at_hand,
            bytes: AtomicUsize::new(0),
            is_counted: false,
        }
    }

    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    /// Takes a place; where there is none, says how many are taken.
    pub fn count(&mut self) -> Result<(), usize> {
        self.is_counted = true;
        let before = self.at_hand.requests.fetch_add(1, Ordering::SeqCst);
        if before < self.at_hand.most_requests {
            return Ok(());
        }
        Err(before)
    }

    /// Takes the bytes of an answer, for which there must be room.
    pub fn add(&self, size: usize) {
        self.at_hand.bytes.fetch_add(size, Ordering::SeqCst);
        self.bytes.fetch_add(size, Ordering::SeqCst);
    }

    /// Takes more bytes; where there is no room for them, says how many are taken.
    pub fn more(&self, size: usize) -> Result<(), usize> {
        let before = self.at_hand.bytes.fetch_add(size, Ordering::SeqCst);
        let own = self.bytes.fetch_add(size, Ordering::SeqCst);
        // One that is larger than the limit could else never be answered.
        if before > own && before + size > self.at_hand.most_bytes {
            return Err(before);
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_counted {
            self.at_hand.requests.fetch_sub(1, Ordering::SeqCst);
        }
        self.at_hand.bytes.fetch_sub(self.bytes(), Ordering::SeqCst);
    }
}
