//! Calls that wait for a Python thread, and how many threads take them.
//!
//! One thread that answers one call after the other is the quickest, because threads of Python wait
//! for each other. But a call may take long, or wait for others. So as a rule one thread runs; a
//! call that nobody takes for `STALL` wakes a second one, and so on; and each call that took a
//! shorter time than that lets one thread less run from then on.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::call::Exchange;

const STALL: Duration = Duration::from_micros(300);
const CALM: Duration = Duration::from_millis(20);

thread_local! {
    /// When this thread took the call that it answers.
    static TOOK: Cell<Option<Instant>> = const { Cell::new(None) };
}

#[derive(Default)]
struct State {
    calls: VecDeque<Arc<Exchange>>,
    sleeping: Vec<Arc<Condvar>>,
    /// Threads that answer calls, and how many of them are woken without waiting for a stall.
    running: usize,
    at_once: usize,
    taken: u64,
    threads: usize,
    is_starting: bool,
    /// Else it looks at the calls again by itself.
    is_watcher_asleep: bool,
    /// What Python is to be told.
    gone: VecDeque<Py<PyAny>>,
    refused: usize,
    is_ended: bool,
}

/// What the watching thread of Python has to do.
pub enum Event {
    StartThread,
    Refused,
    Gone(Py<PyAny>),
    End,
}

pub struct Queue {
    state: Mutex<State>,
    watcher: Condvar,
    most_threads: usize,
}

impl Queue {
    pub fn new(most_threads: usize) -> Self {
        let state = State {
            at_once: 1,
            ..State::default()
        };
        Queue {
            state: Mutex::new(state),
            watcher: Condvar::new(),
            most_threads,
        }
    }

    pub fn push(&self, call: Arc<Exchange>) {
        let mut state = self.state.lock().unwrap();
        state.calls.push_back(call);
        if state.running < state.at_once {
            if let Some(thread) = state.sleeping.pop() {
                state.running += 1;
                thread.notify_one();
                if state.calls.len() == 1 {
                    return;
                }
            }
        }
        if state.is_watcher_asleep {
            state.is_watcher_asleep = false;
            self.watcher.notify_one();
        }
    }

    pub fn refused(&self) {
        self.state.lock().unwrap().refused += 1;
        self.watcher.notify_one();
    }

    pub fn gone(&self, callback: Py<PyAny>) {
        self.state.lock().unwrap().gone.push_back(callback);
        self.watcher.notify_one();
    }

    pub fn end(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_ended = true;
        for thread in state.sleeping.drain(..) {
            thread.notify_one();
        }
        self.watcher.notify_one();
    }

    /// A new thread of Python begins to take.
    pub fn enter(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_starting = false;
        state.threads += 1;
        state.running += 1;
    }

    /// A call if one waits and this thread is needed for it, without ever waiting itself.
    pub fn next(&self) -> Option<Arc<Exchange>> {
        let now = Instant::now();
        let was_short = TOOK
            .replace(Some(now))
            .is_some_and(|took| now - took < STALL);
        let mut state = self.state.lock().unwrap();
        state.taken += 1;
        if was_short && state.at_once > 1 {
            state.at_once -= 1;
        }
        if state.running > state.at_once && was_short {
            return None;
        }
        state.calls.pop_front()
    }

    /// Sleeps until there is a call that this thread is needed for; None at the end.
    pub fn wait(&self) -> Option<Arc<Exchange>> {
        let mut state = self.state.lock().unwrap();
        loop {
            if state.running <= state.at_once || state.is_ended {
                if let Some(call) = state.calls.pop_front() {
                    state.taken += 1;
                    TOOK.set(Some(Instant::now()));
                    return Some(call);
                }
            }
            state.running -= 1;
            if state.is_ended {
                return None;
            }
            let me = Arc::new(Condvar::new());
            state.sleeping.push(me.clone());
            // Whoever wakes a thread counts it as running, and takes it off the list.
            while !state.is_ended && state.sleeping.iter().any(|other| Arc::ptr_eq(other, &me)) {
                state = me.wait(state).unwrap();
            }
            if state.is_ended {
                state.running += 1;
            }
        }
    }

    /// Sleeps until Python has to be told something.
    pub fn watch(&self) -> Event {
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(callback) = state.gone.pop_front() {
                return Event::Gone(callback);
            }
            if state.refused > 0 {
                state.refused -= 1;
                return Event::Refused;
            }
            if state.is_ended {
                return Event::End;
            }
            if state.calls.is_empty() && state.at_once <= 1 {
                state.is_watcher_asleep = true;
                state = self.watcher.wait(state).unwrap();
                state.is_watcher_asleep = false;
                continue;
            }
            let before = state.taken;
            let patience = if state.calls.is_empty() { CALM } else { STALL };
            state = self.watcher.wait_timeout(state, patience).unwrap().0;
            if state.taken != before || state.calls.is_empty() {
                if patience == CALM && state.calls.is_empty() {
                    state.at_once -= 1;
                }
                continue;
            }
            if let Some(thread) = state.sleeping.pop() {
                state.running += 1;
                state.at_once = state.running;
                thread.notify_one();
            } else if !state.is_starting && state.threads < self.most_threads {
                state.is_starting = true;
                state.at_once = state.running + 1;
                return Event::StartThread;
            }
        }
    }
}
