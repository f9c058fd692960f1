//! Calls that wait for a Python thread, and the thread that takes them.
//!
//! One thread that answers one call after the other is the quickest, because threads of Python wait
//! for each other. So one thread is the taker. But a call may take long, or wait for others, and
//! must not hold up those behind it: then its thread steps aside, and a spare one is the taker from
//! then on. A thread steps aside by itself where it knows that it will wait or that such calls are
//! slow (`step_aside`), and is relieved after `STALL` where nobody knew (`look`). When it has
//! answered it is a spare one, unless there is no taker.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use pyo3::prelude::*;
use tokio::sync::Notify;

use crate::api::Api;
use crate::asker::Asker;
use crate::direct::bell::Bell;
use crate::direct::rows::Rows;
use crate::direct::signature::Direct;

/// How long calls may wait for a taker that is inside one call.
const STALL: Duration = Duration::from_millis(1);

thread_local! {
    /// The role that this thread had last.
    static ROLE: Cell<u64> = const { Cell::new(0) };
}

/// A thread without a call. Whoever gives it a role takes it off the list of those that sleep.
struct Sleeper {
    woken: Condvar,
    role: Mutex<u64>,
}

/// What a thread of Python is to do.
pub enum Work {
    /// To answer.
    Asked(Asker),
    /// To look at what a bell is rung for.
    Bell(Bell),
}

impl Work {
    /// As Python sees it.
    pub fn into_python(self, py: Python<'_>, queue: &Arc<Queue>) -> PyResult<Py<PyAny>> {
        match self {
            Work::Asked(asker) => asker.into_python(py, queue),
            Work::Bell(bell) => Ok(Py::new(py, bell)?.into_any()),
        }
    }
}

#[derive(Default)]
struct State {
    calls: VecDeque<Work>,
    sleeping: Vec<Arc<Sleeper>>,
    /// The role of the taker; each time it goes to a thread it gets a number of its own.
    taker: Option<u64>,
    roles: u64,
    taken: u64,
    /// What was taken when somebody looked last; None while nobody has to look.
    seen: Option<u64>,
    threads: usize,
    most_calls: usize,
    most_threads: usize,
    is_starting: bool,
    must_start: bool,
    /// What Python is to be told.
    gone: VecDeque<Py<PyAny>>,
    refused: VecDeque<Api>,
    is_ended: bool,
}

impl State {
    /// Makes the thread that asks the taker.
    fn take_role(&mut self) {
        self.roles += 1;
        self.taker = Some(self.roles);
        ROLE.set(self.roles);
    }

    fn has_role(&self) -> bool {
        self.taker == Some(ROLE.get())
    }

    fn pop(&mut self) -> Option<Work> {
        let work = self.calls.pop_front()?;
        self.taken += 1;
        Some(work)
    }
}

/// What the watching thread of Python has to do.
pub enum Event {
    StartThread,
    Refused(Api),
    Gone(Py<PyAny>),
    End,
}

pub struct Queue {
    state: Mutex<State>,
    watcher: Condvar,
    busy: Notify,
}

impl Default for Queue {
    fn default() -> Self {
        Queue {
            state: Mutex::default(),
            watcher: Condvar::new(),
            busy: Notify::new(),
        }
    }
}

impl Queue {
    /// So many calls more may wait, and so many threads more may take them.
    pub fn allow(&self, waiting: usize, threads: usize) {
        let mut state = self.state.lock().unwrap();
        state.most_calls += waiting;
        state.most_threads += threads;
    }

    /// Has it answered, with others like it if it can be; False where too many wait already.
    pub fn ask(self: &Arc<Self>, asker: Asker) -> bool {
        match Rows::of(&asker, self) {
            Some(rows) => Direct::gather(rows, self),
            None => self.push(Work::Asked(asker)),
        }
    }

    /// False where too many wait already.
    pub fn push(&self, call: Work) -> bool {
        let mut state = self.state.lock().unwrap();
        if state.calls.len() >= state.most_calls {
            return false;
        }
        state.calls.push_back(call);
        if state.taker.is_none() {
            self.appoint(&mut state);
        } else if state.seen.is_none() {
            state.seen = Some(state.taken);
            self.busy.notify_one();
        }
        true
    }

    /// Makes a spare thread the taker, and has another one started where that was the last.
    fn appoint(&self, state: &mut MutexGuard<State>) {
        if let Some(sleeper) = state.sleeping.pop() {
            state.roles += 1;
            state.taker = Some(state.roles);
            *sleeper.role.lock().unwrap() = state.roles;
            sleeper.woken.notify_one();
        }
        self.keep_spare(state);
    }

    fn keep_spare(&self, state: &mut MutexGuard<State>) {
        if state.sleeping.is_empty() && !state.is_starting && state.threads < state.most_threads {
            state.is_starting = true;
            state.must_start = true;
            self.watcher.notify_one();
        }
    }

    pub fn refused(&self, api: Api) {
        self.state.lock().unwrap().refused.push_back(api);
        self.watcher.notify_one();
    }

    pub fn gone(&self, callback: Py<PyAny>) {
        self.state.lock().unwrap().gone.push_back(callback);
        self.watcher.notify_one();
    }

    pub fn end(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_ended = true;
        for sleeper in state.sleeping.drain(..) {
            sleeper.woken.notify_one();
        }
        self.watcher.notify_one();
    }

    /// A new thread of Python begins to take.
    pub fn enter(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_starting = false;
        state.threads += 1;
    }

    /// The system had no thread; who finds none the next time asks for one again.
    pub fn not_started(&self) {
        self.state.lock().unwrap().is_starting = false;
    }

    /// A call if one waits and this thread is the taker, without ever waiting itself.
    pub fn next(&self) -> Option<Work> {
        let mut state = self.state.lock().unwrap();
        if state.has_role() {
            return state.pop();
        }
        if state.taker.is_some() || state.calls.is_empty() {
            return None;
        }
        state.take_role();
        self.keep_spare(&mut state);
        state.pop()
    }

    /// Sleeps until there is a call and this thread is the taker; None at the end.
    pub fn wait(&self) -> Option<Work> {
        let mut state = self.state.lock().unwrap();
        loop {
            let may_take = state.has_role() || state.taker.is_none() || state.is_ended;
            if may_take && !state.calls.is_empty() {
                if !state.has_role() {
                    state.take_role();
                    self.keep_spare(&mut state);
                }
                return state.pop();
            }
            if state.has_role() {
                state.taker = None;
            }
            if state.is_ended {
                return None;
            }
            let me = Arc::new(Sleeper {
                woken: Condvar::new(),
                role: Mutex::new(0),
            });
            state.sleeping.push(me.clone());
            let mut role = 0;
            while role == 0 && !state.is_ended {
                state = me.woken.wait(state).unwrap();
                role = *me.role.lock().unwrap();
            }
            ROLE.set(role);
        }
    }

    /// The thread that asks takes no more calls until it has answered its own.
    pub fn step_aside(&self) {
        let mut state = self.state.lock().unwrap();
        if state.has_role() {
            state.taker = None;
            if !state.calls.is_empty() {
                self.appoint(&mut state);
            }
        }
    }

    /// Relieves takers that are inside one call while others wait, for as long as it is polled.
    pub async fn look_after(&self) {
        loop {
            self.busy.notified().await;
            loop {
                tokio::time::sleep(STALL).await;
                if !self.look() {
                    break;
                }
            }
        }
    }

    /// Whether to look again.
    fn look(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        if state.calls.is_empty() {
            state.seen = None;
            return false;
        }
        if state.taker.is_none() || state.seen == Some(state.taken) {
            state.taker = None;
            self.appoint(&mut state);
        }
        state.seen = Some(state.taken);
        true
    }

    /// Sleeps until Python has to be told something.
    pub fn watch(&self) -> Event {
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(callback) = state.gone.pop_front() {
                return Event::Gone(callback);
            }
            if let Some(api) = state.refused.pop_front() {
                return Event::Refused(api);
            }
            if state.is_ended {
                return Event::End;
            }
            if std::mem::take(&mut state.must_start) {
                return Event::StartThread;
            }
            state = self.watcher.wait(state).unwrap();
        }
    }
}
