//! Requests that run together: a batch of them is one run of TensorFlow, without Python.

use bytes::Bytes;

use crate::direct::rows::Rows;
use crate::direct::signature::{Direct, Outcome};
use crate::direct::tensorflow::{Failure, Tensor};
use crate::direct::tensors::{described, write};

/// What was run otherwise than together.
#[derive(Default)]
pub struct Done {
    /// The rows of those that ran by themselves.
    pub alone: Vec<usize>,
    pub failed: Vec<(Rows, Failure)>,
    pub not_run: Vec<Rows>,
    /// How many rows like these waited when the run was over: nobody who is answered has asked again.
    pub waiting: usize,
}

/// Runs requests in one batch, filled up to a size, and answers those that can be.
pub fn done(direct: &Direct, requests: Vec<Rows>, size: usize) -> Done {
    let mut done = Done::default();
    if requests.len() == 1 && requests[0].number == size {
        // Nothing is added to it, so its outputs need not be rows.
        for request in requests {
            done.run_as_sent(direct, request);
        }
        return done;
    }
    match run_together(direct, &requests, size) {
        Together::NotRun => done.not_run = requests,
        Together::Answered(answers) => {
            done.waiting = direct.gatherings.waiting(&requests[0].shapes);
            for (request, answer) in requests.iter().zip(answers) {
                let took = request.began.elapsed();
                direct.measure(request.asker.api(), took, took);
                request.asker.finish(answer);
            }
        }
        // A request that cannot be answered is no reason to refuse others.
        Together::Failed => {
            for request in requests {
                done.alone.push(request.number);
                done.run_as_sent(direct, request);
            }
        }
    }
    done
}

impl Done {
    fn run_as_sent(&mut self, direct: &Direct, request: Rows) {
        let sent = request.asker.sent();
        match sent.and_then(|sent| direct.answer(request.asker.api(), &sent)) {
            None => self.not_run.push(request),
            Some(Outcome::Failed(failure)) => self.failed.push((request, failure)),
            Some(Outcome::Answered(answer)) => {
                self.waiting = direct.gatherings.waiting(&request.shapes);
                request.asker.finish(answer);
            }
        }
    }
}

/// What comes of requests that run together.
enum Together {
    /// An answer for each.
    Answered(Vec<Bytes>),
    Failed,
    /// The session is closed, or there is no memory.
    NotRun,
}

fn run_together(direct: &Direct, requests: &[Rows], size: usize) -> Together {
    let inputs = 0..direct.inputs.len();
    let values: Option<Vec<Tensor>> = inputs
        .map(|input| merged(direct, requests, input, size))
        .collect();
    let run = |values: Vec<Tensor>| direct.session.run(&direct.feeds, &values, &direct.fetches);
    let outputs = match values.and_then(run) {
        None => return Together::NotRun,
        Some(Ok(outputs)) if outputs.iter().all(|output| is_of_rows(output, size)) => outputs,
        Some(_) => return Together::Failed,
    };
    let mut first = 0;
    let answers = requests.iter().map(|request| {
        let rows = first..first + request.number;
        first = rows.end;
        match direct.told(request.sent.form, &outputs, Some(&rows)) {
            Some(Outcome::Answered(answer)) => Some(answer),
            Some(Outcome::Failed(_)) | None => None,
        }
    });
    answers
        .collect::<Option<_>>()
        .map_or(Together::Failed, Together::Answered)
}

fn is_of_rows(output: &Tensor, size: usize) -> bool {
    output.shape().first() == i64::try_from(size).ok().as_ref()
}

/// The rows of all requests in their order, then copies of the last one's first row up to a size.
fn merged(direct: &Direct, requests: &[Rows], input: usize, size: usize) -> Option<Tensor> {
    let dtype = direct.inputs[input].dtype;
    let (first, last) = (requests.first()?, requests.last()?);
    let mut shape = vec![i64::try_from(size).ok()?];
    shape.extend(&first.shapes[input]);
    let row = described(&first.sent.tensors[input], dtype)?.size / first.number;
    let api = direct.session.api;
    api.tensor(dtype, &shape, row.checked_mul(size)?, |bytes| {
        let mut left = bytes;
        let mut last_row = Vec::new();
        for request in requests {
            let (own, rest) = left.split_at_mut(row * request.number);
            write(&request.sent.tensors[input], dtype, own);
            if std::ptr::eq(request, last) && !rest.is_empty() {
                last_row = own[..row].to_vec();
            }
            left = rest;
        }
        for place in left.chunks_exact_mut(row) {
            place.copy_from_slice(&last_row);
        }
    })
}
