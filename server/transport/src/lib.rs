//! gRPC for modelfleet's model server. Sockets, TLS, HTTP/2 and framing are served by a thread
//! without Python's lock; whole messages wait in a queue for Python's own threads.
//!
//! One file per concern: `port` (sockets, connections, drain), `tls`, `grpc` (one call on the
//! wire), `framing` (messages and statuses), `queue` (calls and the threads that take them),
//! `call` (what Python sees of one), `lines` (calls to other servers).

mod call;
mod framing;
mod grpc;
mod lines;
mod port;
mod queue;
mod tls;

use pyo3::prelude::*;

#[pymodule]
fn modelfleet_transport(module: &Bound<PyModule>) -> PyResult<()> {
    module.add_class::<port::Port>()?;
    module.add_class::<call::Call>()?;
    module.add_function(wrap_pyfunction!(lines::ask, module)?)
}
