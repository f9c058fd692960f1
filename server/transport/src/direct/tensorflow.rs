//! TensorFlow's C API, as far as a session is run by it; from the libraries that Python has loaded.
//! Source: tensorflow/c/c_api.h, tf_tensor.h, tf_status.h.

use std::ffi::{c_char, c_int, c_void, CStr};
use std::ptr::{null, null_mut};
use std::slice;
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_NOW};

/// What is loaded already, and else nothing.
const RTLD_NOLOAD: c_int = 4;

/// A tensor's place in a graph.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Output {
    pub operation: *mut c_void,
    pub index: c_int,
}

// Operations belong to their graph, which Python keeps, and are only read.
unsafe impl Send for Output {}
unsafe impl Sync for Output {}

type Run = unsafe extern "C" fn(
    session: *mut c_void,
    run_options: *const c_void,
    inputs: *const Output,
    input_values: *const *mut c_void,
    ninputs: c_int,
    outputs: *const Output,
    output_values: *mut *mut c_void,
    noutputs: c_int,
    targets: *const *const c_void,
    ntargets: c_int,
    run_metadata: *mut c_void,
    status: *mut c_void,
);

pub struct Api {
    session_run: Run,
    allocate_tensor: unsafe extern "C" fn(c_int, *const i64, c_int, usize) -> *mut c_void,
    delete_tensor: unsafe extern "C" fn(*mut c_void),
    tensor_data: unsafe extern "C" fn(*const c_void) -> *mut c_void,
    tensor_byte_size: unsafe extern "C" fn(*const c_void) -> usize,
    tensor_type: unsafe extern "C" fn(*const c_void) -> c_int,
    num_dims: unsafe extern "C" fn(*const c_void) -> c_int,
    dim: unsafe extern "C" fn(*const c_void, c_int) -> i64,
    new_status: unsafe extern "C" fn() -> *mut c_void,
    delete_status: unsafe extern "C" fn(*mut c_void),
    get_code: unsafe extern "C" fn(*const c_void) -> c_int,
    message: unsafe extern "C" fn(*const c_void) -> *const c_char,
}

/// Why a run failed: a canonical code and TensorFlow's message.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub message: String,
}

impl Api {
    /// The API of the libraries at these paths; the first that is asked for stays.
    pub fn of(libraries: &[String]) -> Result<&'static Api, String> {
        static API: OnceLock<Result<Api, String>> = OnceLock::new();
        API.get_or_init(|| Api::found(libraries))
            .as_ref()
            .map_err(Clone::clone)
    }

    fn found(paths: &[String]) -> Result<Api, String> {
        let mut libraries = Vec::new();
        for path in paths {
            // Safety: nothing new is loaded, so nothing runs.
            let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_NOLOAD) };
            libraries.push(library.map_err(|error| error.to_string())?);
        }
        macro_rules! symbol {
            ($name:literal) => {{
                // Safety: these are the types that the headers declare.
                let found = libraries
                    .iter()
                    .find_map(|library| unsafe { library.get($name).ok() });
                *found.ok_or_else(|| format!("{} is missing", String::from_utf8_lossy($name)))?
            }};
        }
        Ok(Api {
            session_run: symbol!(b"TF_SessionRun"),
            allocate_tensor: symbol!(b"TF_AllocateTensor"),
            delete_tensor: symbol!(b"TF_DeleteTensor"),
            tensor_data: symbol!(b"TF_TensorData"),
            tensor_byte_size: symbol!(b"TF_TensorByteSize"),
            tensor_type: symbol!(b"TF_TensorType"),
            num_dims: symbol!(b"TF_NumDims"),
            dim: symbol!(b"TF_Dim"),
            new_status: symbol!(b"TF_NewStatus"),
            delete_status: symbol!(b"TF_DeleteStatus"),
            get_code: symbol!(b"TF_GetCode"),
            message: symbol!(b"TF_Message"),
        })
    }

    /// A tensor whose content is written by `fill`; None where there is no memory for it.
    pub fn tensor(
        &'static self,
        dtype: u8,
        shape: &[i64],
        size: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Option<Tensor> {
        let rank = c_int::try_from(shape.len()).ok()?;
        // Safety: the shape has so many dimensions.
        let raw = unsafe { (self.allocate_tensor)(c_int::from(dtype), shape.as_ptr(), rank, size) };
        let mut tensor = Tensor::owned(self, raw)?;
        if tensor.content().len() != size {
            return None;
        }
        fill(tensor.content_mut());
        Some(tensor)
    }

    /// Runs a session of the C API, which stays open meanwhile: a value for each of `fetches`.
    pub fn run(
        &'static self,
        session: *mut c_void,
        feeds: &[Output],
        values: &[Tensor],
        fetches: &[Output],
    ) -> Result<Vec<Tensor>, Failure> {
        let fed: Vec<_> = values.iter().map(|tensor| tensor.raw).collect();
        let mut found = vec![null_mut(); fetches.len()];
        let status = Status::new(self);
        // Safety: there is a value for each feed and a place for each output.
        unsafe {
            (self.session_run)(
                session,
                null(),
                feeds.as_ptr(),
                fed.as_ptr(),
                feeds.len() as c_int,
                fetches.as_ptr(),
                found.as_mut_ptr(),
                fetches.len() as c_int,
                null(),
                0,
                null_mut(),
                status.raw,
            );
        }
        let tensors = found.iter().map(|&raw| Tensor::owned(self, raw));
        let tensors: Vec<Option<Tensor>> = tensors.collect();
        status.into_result()?;
        let missing = || Failure {
            code: 13,
            message: "TensorFlow gave no tensor".into(),
        };
        tensors
            .into_iter()
            .collect::<Option<_>>()
            .ok_or_else(missing)
    }
}

/// A tensor of TensorFlow's.
pub struct Tensor {
    raw: *mut c_void,
    api: &'static Api,
}

impl Tensor {
    fn owned(api: &'static Api, raw: *mut c_void) -> Option<Tensor> {
        (!raw.is_null()).then_some(Tensor { raw, api })
    }

    pub fn dtype(&self) -> c_int {
        // Safety: the tensor lives.
        unsafe { (self.api.tensor_type)(self.raw) }
    }

    pub fn shape(&self) -> Vec<i64> {
        // Safety: the tensor lives, and has so many dimensions.
        unsafe {
            let rank = (self.api.num_dims)(self.raw);
            (0..rank)
                .map(|axis| (self.api.dim)(self.raw, axis))
                .collect()
        }
    }

    fn place(&self) -> (*mut u8, usize) {
        // Safety: the tensor lives.
        unsafe {
            let data = (self.api.tensor_data)(self.raw);
            let size = (self.api.tensor_byte_size)(self.raw);
            (data.cast(), if data.is_null() { 0 } else { size })
        }
    }

    pub fn content(&self) -> &[u8] {
        match self.place() {
            (_, 0) => &[],
            // Safety: so many bytes are the tensor's, for as long as it lives.
            (data, size) => unsafe { slice::from_raw_parts(data, size) },
        }
    }

    fn content_mut(&mut self) -> &mut [u8] {
        match self.place() {
            (_, 0) => &mut [],
            // Safety: so many bytes are the tensor's, and nobody else has it yet.
            (data, size) => unsafe { slice::from_raw_parts_mut(data, size) },
        }
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        // Safety: it is owned here, and used no more.
        unsafe { (self.api.delete_tensor)(self.raw) }
    }
}

struct Status {
    raw: *mut c_void,
    api: &'static Api,
}

impl Status {
    fn new(api: &'static Api) -> Self {
        // Safety: it has no conditions.
        let raw = unsafe { (api.new_status)() };
        Status { raw, api }
    }

    fn into_result(self) -> Result<(), Failure> {
        // Safety: the status lives, and its message as long.
        let (code, message) = unsafe {
            let code = (self.api.get_code)(self.raw);
            (code, CStr::from_ptr((self.api.message)(self.raw)))
        };
        if code == 0 {
            return Ok(());
        }
        Err(Failure {
            code: u8::try_from(code).unwrap_or(2),
            message: message.to_string_lossy().into_owned(),
        })
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        // Safety: it is owned here, and used no more.
        unsafe { (self.api.delete_status)(self.raw) }
    }
}
