//! The threads that serve connections, each with a loop of its own.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

struct Loop {
    handle: Handle,
    connections: Arc<AtomicUsize>,
}

/// The loops that there are; connections go where there are fewest.
pub struct Loops(Vec<Loop>);

/// The threads of further loops: their ends, and what ends them.
pub struct Further(Vec<(JoinHandle<()>, oneshot::Sender<()>)>);

impl Loops {
    /// One in this thread, and further ones. Fails where the system has no threads for them.
    pub fn new(first: &Runtime, further: usize) -> io::Result<(Loops, Further)> {
        let mut loops = vec![Loop::of(first.handle())];
        let mut threads = Vec::new();
        for number in 1..=further {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            loops.push(Loop::of(runtime.handle()));
            let (end, ended) = oneshot::channel();
            let thread = std::thread::Builder::new()
                .name(format!("native-io-{number}"))
                .spawn(move || drop(runtime.block_on(ended)))?;
            threads.push((thread, end));
        }
        Ok((Loops(loops), Further(threads)))
    }

    /// Has a connection served by the loop that has fewest.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, connection: F) {
        let connections = |each: &&Loop| each.connections.load(Ordering::Relaxed);
        let Some(found) = self.0.iter().min_by_key(connections) else {
            return;
        };
        let served = Served::new(&found.connections);
        found.handle.spawn(async move {
            let _served = served;
            connection.await;
        });
    }
}

impl Further {
    /// Ends them, with what they serve.
    pub fn end(self) {
        for (thread, end) in self.0 {
            drop(end);
            let _ = thread.join();
        }
    }
}

impl Loop {
    fn of(handle: &Handle) -> Self {
        Loop {
            handle: handle.clone(),
            connections: Arc::default(),
        }
    }
}

/// One more connection, until it is dropped.
struct Served(Arc<AtomicUsize>);

impl Served {
    fn new(connections: &Arc<AtomicUsize>) -> Self {
        connections.fetch_add(1, Ordering::Relaxed);
        Served(connections.clone())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
