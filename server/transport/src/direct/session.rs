//! A session that Python made, run from here for as long as Python says it is open.
//!
//! The objects behind those of Python are found by pybind11's conduit, which gives them only if they
//! are of the C++ type that is asked for. Source: pybind11/conduit/README.txt.

use std::ffi::{c_char, c_void, CStr};
use std::ptr::null;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::direct::tensorflow::{Api, Failure, Output, Tensor};

/// Of the objects, as C++ mangles them.
const SESSION: &CStr = c"10TF_Session";
const OPERATION: &CStr = c"12TF_Operation";
const TYPE_INFO: &CStr = c"St9type_info";
const CONDUIT: &str = "_pybind11_conduit_v1_";

/// A session's address, and the object of Python's that frees it when it goes.
struct Place {
    session: *mut c_void,
    _owner: Py<PyAny>,
}

// TensorFlow's sessions may be run by any number of threads.
unsafe impl Send for Place {}
unsafe impl Sync for Place {}

pub struct Opened {
    pub api: &'static Api,
    is_closed: AtomicBool,
    place: RwLock<Option<Place>>,
}

impl Opened {
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// See Api::run; None when it is closed.
    pub fn run(
        &self,
        feeds: &[Output],
        values: &[Tensor],
        fetches: &[Output],
    ) -> Option<Result<Vec<Tensor>, Failure>> {
        if self.is_closed() {
            return None;
        }
        let place = self.place.read().unwrap();
        let session = place.as_ref()?.session;
        Some(self.api.run(session, feeds, values, fetches))
    }
}

/// A session of ``tf.compat.v1.Session``.
#[pyclass(frozen)]
pub struct Session {
    pub opened: Arc<Opened>,
    abi: Vec<u8>,
}

#[pymethods]
impl Session {
    /// `session` is kept until it is closed here, `libraries` are the paths of TensorFlow's shared
    /// libraries, `abis` the names that its build of pybind11 may have. Raises TypeError and
    /// AttributeError where they do not fit.
    #[new]
    fn new(session: &Bound<PyAny>, libraries: Vec<String>, abis: Vec<Vec<u8>>) -> PyResult<Self> {
        let api = Api::of(&libraries).map_err(PyTypeError::new_err)?;
        let own = session.getattr("_session")?;
        for abi in abis {
            if let Some(found) = behind(&own, SESSION, &abi)? {
                let place = RwLock::new(Some(Place {
                    session: found,
                    _owner: session.clone().unbind(),
                }));
                let is_closed = AtomicBool::new(false);
                let opened = Arc::new(Opened {
                    api,
                    is_closed,
                    place,
                });
                return Ok(Session { opened, abi });
            }
        }
        Err(PyTypeError::new_err("not a session that can be run"))
    }

    /// Waits for what runs; from now on nothing does.
    fn close(&self, py: Python<'_>) {
        self.opened.is_closed.store(true, Ordering::SeqCst);
        drop(py.detach(|| self.opened.place.write().unwrap().take()));
    }
}

impl Session {
    /// An output of an operation, which is TensorFlow's own object of this session's graph.
    pub fn output(&self, operation: &Bound<PyAny>, index: i32) -> PyResult<Output> {
        let operation = behind(operation, OPERATION, &self.abi)?
            .ok_or_else(|| PyTypeError::new_err("not an operation"))?;
        Ok(Output { operation, index })
    }
}

/// What C++ calls a type; only its name is looked at.
#[repr(C)]
struct TypeInfo {
    table: *const c_void,
    name: *const c_char,
}

/// The C++ object behind a Python object; None if it is not of this type, or of another build.
fn behind(object: &Bound<PyAny>, name: &'static CStr, abi: &[u8]) -> PyResult<Option<*mut c_void>> {
    let py = object.py();
    // pybind11 may remember where it was, so it stays.
    let info = Box::leak(Box::new(TypeInfo {
        table: null(),
        name: name.as_ptr(),
    }));
    let info: *mut TypeInfo = info;
    // Safety: the capsule is given what it points to for ever, by a name for ever.
    let capsule = unsafe {
        let made = ffi::PyCapsule_New(info.cast(), TYPE_INFO.as_ptr(), None);
        Bound::from_owned_ptr_or_err(py, made)?
    };
    let kind = PyBytes::new(py, b"raw_pointer_ephemeral");
    let found = object.call_method1(CONDUIT, (PyBytes::new(py, abi), capsule, kind))?;
    if found.is_none() {
        return Ok(None);
    }
    // Safety: the name is that of the type, as the conduit promises.
    let pointer = unsafe { ffi::PyCapsule_GetPointer(found.as_ptr(), name.as_ptr()) };
    if pointer.is_null() {
        return Err(PyErr::fetch(py));
    }
    Ok(Some(pointer))
}
