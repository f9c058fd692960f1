//! What wakes the threads of Python that run batches: bundles that came, or somebody who rings.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::direct::bundle::Bundle;

/// Bundles that came and that nobody has looked at.
const MOST: usize = 4096;

#[derive(Default)]
struct Heard {
    bundles: VecDeque<Bundle>,
    is_rung: bool,
    /// What wakes each thread that waits; the last one fell asleep last.
    asleep: Vec<Arc<Condvar>>,
}

#[derive(Default)]
pub struct Ringing(Mutex<Heard>);

impl Ringing {
    /// Wakes one thread.
    pub fn ring(&self) {
        let mut heard = self.0.lock().unwrap();
        heard.is_rung = true;
        heard.wake();
    }

    /// Wakes one thread for a bundle; False where too many are there already.
    pub fn bring(&self, bundle: Bundle) -> bool {
        let mut heard = self.0.lock().unwrap();
        if heard.bundles.len() >= MOST {
            return false;
        }
        heard.bundles.push_back(bundle);
        heard.wake();
        true
    }

    fn sleep(&self, most: Option<Duration>) {
        let until = most.and_then(|most| Instant::now().checked_add(most));
        let own = Arc::new(Condvar::new());
        let mut heard = self.0.lock().unwrap();
        while heard.is_quiet() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            heard.asleep.push(own.clone());
            heard = match left {
                Some(left) => own.wait_timeout(heard, left).unwrap().0,
                None => own.wait(heard).unwrap(),
            };
            heard.asleep.retain(|each| !Arc::ptr_eq(each, &own));
        }
    }
}

impl Heard {
    fn is_quiet(&self) -> bool {
        self.bundles.is_empty() && !self.is_rung
    }

    /// Wakes the thread that fell asleep last: what it needs is still near its processor, and so are the
    /// threads that share its runs.
    fn wake(&mut self) {
        if let Some(last) = self.asleep.pop() {
            last.notify_one();
        }
    }

    fn taken(mut heard: MutexGuard<Heard>) -> Vec<Bundle> {
        heard.is_rung = false;
        heard.bundles.drain(..).collect()
    }
}

/// Where threads of Python that run batches wait.
#[pyclass(frozen)]
#[derive(Clone, Default)]
pub struct Bell(pub Arc<Ringing>);

#[pymethods]
impl Bell {
    #[new]
    fn new() -> Self {
        Bell::default()
    }

    /// Wakes one thread that waits, or the next that would.
    fn ring(&self) {
        self.0.ring();
    }

    /// The bundles that came since somebody asked last, each to be called.
    fn heard(&self) -> Vec<Bundle> {
        Heard::taken(self.0 .0.lock().unwrap())
    }

    /// The same, after waiting until there are some, somebody rings, or so many seconds are over.
    #[pyo3(signature = (seconds=None))]
    fn wait(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<Vec<Bundle>> {
        let most = seconds.map(Duration::try_from_secs_f64).transpose();
        let most = most.map_err(|error| PyValueError::new_err(error.to_string()))?;
        py.detach(|| self.0.sleep(most));
        Ok(self.heard())
    }
}
