//! What wakes the threads of Python that run batches: bundles that came, or somebody who rings.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::direct::bundle::Bundle;

/// Bundles that came and that nobody has looked at.
const MOST: usize = 4096;

#[derive(Default)]
struct Heard {
    bundles: VecDeque<Bundle>,
    is_rung: bool,
}

#[derive(Default)]
pub struct Ringing {
    heard: Mutex<Heard>,
    woken: Condvar,
}

impl Ringing {
    /// Wakes one thread.
    pub fn ring(&self) {
        self.heard.lock().unwrap().is_rung = true;
        self.woken.notify_one();
    }

    /// Wakes one thread for a bundle; False where too many are there already.
    pub fn bring(&self, bundle: Bundle) -> bool {
        let mut heard = self.heard.lock().unwrap();
        if heard.bundles.len() >= MOST {
            return false;
        }
        heard.bundles.push_back(bundle);
        drop(heard);
        self.woken.notify_one();
        true
    }

    fn sleep(&self, most: Option<Duration>) {
        let heard = self.heard.lock().unwrap();
        let is_quiet = |heard: &mut Heard| heard.bundles.is_empty() && !heard.is_rung;
        match most {
            Some(most) => drop(self.woken.wait_timeout_while(heard, most, is_quiet)),
            None => drop(self.woken.wait_while(heard, is_quiet)),
        }
    }
}

impl Heard {
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
        Heard::taken(self.0.heard.lock().unwrap())
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
