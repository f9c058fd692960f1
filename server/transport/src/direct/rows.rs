//! A request for a signature whose requests are batched: what it has for each input, in rows.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

use pyo3::prelude::*;

use crate::asker::Asker;
use crate::direct::forms::Sent;
use crate::direct::shortcuts::Way;
use crate::direct::signature::{is_short, Direct};
use crate::direct::tensors::{described, Described};
use crate::queue::Queue;

pub struct Rows {
    pub asker: Asker,
    pub direct: Arc<Direct>,
    pub sent: Sent,
    /// Of one row of each input.
    pub shapes: Vec<Vec<i64>>,
    pub number: usize,
    pub began: Instant,
    queue: Arc<Queue>,
}

impl Rows {
    /// The rows of what was asked; None where it is for Python, as are those with too many or none,
    /// and what takes long to read.
    pub fn of(asker: &Asker, queue: &Arc<Queue>) -> Option<Rows> {
        let began = Instant::now();
        let Way::Direct(direct) = &asker.first().way else {
            return None;
        };
        let most_rows = direct.batching.as_ref()?.most_rows;
        let sent = asker.sent().filter(|sent| is_short(asker.api(), sent))?;
        let sent = direct.sent(asker.api(), &sent)?;
        let mut shapes = Vec::with_capacity(sent.tensors.len());
        let mut rows = None;
        for (proto, input) in sent.tensors.iter().zip(&direct.inputs) {
            let Described { shape, .. } = described(proto, input.dtype)?;
            let (&first, row) = shape.split_first()?;
            if *rows.get_or_insert(first) != first {
                return None;
            }
            shapes.push(row.to_vec());
        }
        let number = usize::try_from(rows?).ok()?;
        if number == 0 || number > most_rows {
            return None;
        }
        direct.at_hand[asker.api() as usize].fetch_add(1, Ordering::Relaxed);
        Some(Rows {
            asker: asker.clone(),
            direct: direct.clone(),
            sent,
            shapes,
            number,
            began,
            queue: queue.clone(),
        })
    }

    /// What was asked, as Python sees it.
    pub fn into_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.asker.clone().into_python(py, &self.queue)
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.direct.at_hand[self.asker.api() as usize].fetch_sub(1, Ordering::Relaxed);
    }
}
