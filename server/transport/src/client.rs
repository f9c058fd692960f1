//! Whether somebody waits for an answer, and who is told when nobody does any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;

use pyo3::prelude::*;

use crate::queue::Queue;

#[derive(Default)]
pub struct Client {
    is_gone: AtomicBool,
    when_gone: Mutex<Option<Py<PyAny>>>,
}

impl Client {
    pub fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::SeqCst)
    }

    /// Nobody waits for the answer any more, also because it was given.
    pub fn gone(&self, queue: &Queue) {
        self.is_gone.store(true, Ordering::SeqCst);
        if let Some(callback) = self.when_gone.lock().unwrap().take() {
            queue.gone(callback);
        }
    }

    /// Calls this in the watching thread when nobody waits any more; False if that is so already.
    pub fn when_gone(&self, callback: Py<PyAny>) -> bool {
        let mut when_gone = self.when_gone.lock().unwrap();
        if self.is_gone() {
            return false;
        }
        *when_gone = Some(callback);
        true
    }

    /// Tells nobody.
    pub fn forget(&self) {
        let unneeded = self.when_gone.lock().unwrap().take();
        drop(unneeded);
    }
}
