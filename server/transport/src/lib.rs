//! gRPC and REST for modelfleet's model server. Sockets, TLS, HTTP and framing are served by a
//! thread without Python's lock; whole messages wait in a queue for Python's own threads.
//!
//! One file per concern: `port` (what Python makes), `connections` (sockets and places), `loops`
//! (the threads that serve them), `speaking` (one connection), `wire` (its bytes), `authority` (of
//! UNIX sockets), `tls`, `limits` (what is at hand), `grpc` and `rest` (one call and one request on
//! the wire), `api` (which of both), `framing` (gRPC's messages and statuses), `queue` (what waits,
//! and the threads that take it), `call` and `request` (what Python sees), `asker` (either of them),
//! `client` (who waits), `direct` (Predict without Python), `lines` (calls to other servers).

mod api;
mod asker;
mod authority;
mod call;
mod client;
mod connections;
mod direct;
mod framing;
mod grpc;
mod limits;
mod lines;
mod loops;
mod port;
mod queue;
mod request;
mod rest;
mod speaking;
mod tls;
mod wire;

use pyo3::prelude::*;

#[pymodule]
fn modelfleet_transport(module: &Bound<PyModule>) -> PyResult<()> {
    module.add_class::<port::Port>()?;
    module.add_class::<call::Call>()?;
    module.add_class::<request::Request>()?;
    module.add_class::<asker::First>()?;
    module.add_class::<direct::session::Session>()?;
    module.add_class::<direct::signature::Signature>()?;
    module.add_class::<direct::bell::Bell>()?;
    module.add_class::<direct::bundle::Bundle>()?;
    module.add_class::<direct::bundle::Taken>()?;
    module.add(
        "RunError",
        module.py().get_type::<direct::signature::RunError>(),
    )?;
    module.add_function(wrap_pyfunction!(lines::ask, module)?)
}
