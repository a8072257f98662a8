//! The functions of libpq that are used, looked up in the system's library.
//!
//! Their types are those of `libpq-fe.h`, which has not changed any of them since
//! PostgreSQL 9.0; pipeline mode came with version 14.

use std::ffi::{c_char, c_int, c_uint};
use std::ptr;

use libloading::Library;

/// A connection.
#[repr(C)]
pub(crate) struct PGconn {
    _opaque: [u8; 0],
}

/// A result.
#[repr(C)]
pub(crate) struct PGresult {
    _opaque: [u8; 0],
}

/// An option of a connection string.
#[repr(C)]
pub(crate) struct PQconninfoOption {
    pub(crate) keyword: *const c_char,
    pub(crate) envvar: *const c_char,
    pub(crate) compiled: *const c_char,
    pub(crate) val: *mut c_char,
    pub(crate) label: *const c_char,
    pub(crate) dispchar: *const c_char,
    pub(crate) dispsize: c_int,
}

pub(crate) const CONNECTION_OK: c_int = 0;

/// `ExecStatusType`.
pub(crate) const PGRES_COMMAND_OK: c_int = 1;
pub(crate) const PGRES_TUPLES_OK: c_int = 2;
pub(crate) const PGRES_COPY_IN: c_int = 4;
pub(crate) const PGRES_PIPELINE_SYNC: c_int = 10;

/// Fields of an error (`postgres_ext.h`).
pub(crate) const PG_DIAG_SQLSTATE: c_int = b'C' as c_int;
pub(crate) const PG_DIAG_MESSAGE_PRIMARY: c_int = b'M' as c_int;
pub(crate) const PG_DIAG_CONSTRAINT_NAME: c_int = b'n' as c_int;

macro_rules! functions {
    ($($name:ident: fn($($of:ty),*) $(-> $returns:ty)?;)*) => {
        /// The functions that every libpq has.
        #[allow(non_snake_case)]
        pub(crate) struct Functions {
            $(pub(crate) $name: unsafe extern "C" fn($($of),*) $(-> $returns)?,)*
            /// `None` before version 14.
            pub(crate) pipeline: Option<Pipeline>,
            /// Last: unmapped after everything above.
            _library: Library,
        }

        impl Functions {
            /// Loads the library of this name and looks its functions up.
            pub(crate) fn load(name: &str) -> Result<Self, libloading::Error> {
                // SAFETY: libpq and what it is linked with have no initializers that
                // depend on the thread or the environment.
                let library = unsafe { Library::new(name)? };
                Ok(Self {
                    $(
                        // SAFETY: the type is that of libpq-fe.h.
                        $name: unsafe { *library.get(concat!(stringify!($name), "\0").as_bytes())? },
                    )*
                    pipeline: Pipeline::of(&library),
                    _library: library,
                })
            }
        }
    };
}

functions! {
    PQconninfoParse: fn(*const c_char, *mut *mut c_char) -> *mut PQconninfoOption;
    PQconninfoFree: fn(*mut PQconninfoOption);
    PQfreemem: fn(*mut std::ffi::c_void);
    PQconnectdbParams: fn(*const *const c_char, *const *const c_char, c_int) -> *mut PGconn;
    PQfinish: fn(*mut PGconn);
    PQstatus: fn(*const PGconn) -> c_int;
    PQerrorMessage: fn(*const PGconn) -> *const c_char;
    PQparameterStatus: fn(*const PGconn, *const c_char) -> *const c_char;
    PQhost: fn(*const PGconn) -> *const c_char;
    PQport: fn(*const PGconn) -> *const c_char;
    PQsocket: fn(*const PGconn) -> c_int;
    PQsetnonblocking: fn(*mut PGconn, c_int) -> c_int;
    PQsendPrepare: fn(*mut PGconn, *const c_char, *const c_char, c_int, *const c_uint) -> c_int;
    PQsendQueryPrepared: fn(*mut PGconn, *const c_char, c_int, *const *const c_char, *const c_int, *const c_int, c_int) -> c_int;
    PQsendQueryParams: fn(*mut PGconn, *const c_char, c_int, *const c_uint, *const *const c_char, *const c_int, *const c_int, c_int) -> c_int;
    PQsendQuery: fn(*mut PGconn, *const c_char) -> c_int;
    PQputCopyData: fn(*mut PGconn, *const c_char, c_int) -> c_int;
    PQputCopyEnd: fn(*mut PGconn, *const c_char) -> c_int;
    PQflush: fn(*mut PGconn) -> c_int;
    PQconsumeInput: fn(*mut PGconn) -> c_int;
    PQisBusy: fn(*mut PGconn) -> c_int;
    PQgetResult: fn(*mut PGconn) -> *mut PGresult;
    PQresultStatus: fn(*const PGresult) -> c_int;
    PQresultErrorField: fn(*const PGresult, c_int) -> *const c_char;
    PQntuples: fn(*const PGresult) -> c_int;
    PQnfields: fn(*const PGresult) -> c_int;
    PQgetvalue: fn(*const PGresult, c_int, c_int) -> *const c_char;
    PQgetlength: fn(*const PGresult, c_int, c_int) -> c_int;
    PQgetisnull: fn(*const PGresult, c_int, c_int) -> c_int;
    PQcmdTuples: fn(*mut PGresult) -> *const c_char;
    PQclear: fn(*mut PGresult);
}

/// The functions of pipeline mode.
pub(crate) struct Pipeline {
    pub(crate) enter: unsafe extern "C" fn(*mut PGconn) -> c_int,
    /// Ends a query. Since version 17, sends nothing yet, so that several go together.
    pub(crate) sync: unsafe extern "C" fn(*mut PGconn) -> c_int,
}

impl Pipeline {
    fn of(library: &Library) -> Option<Self> {
        // SAFETY: the types are those of libpq-fe.h.
        let enter = unsafe { library.get(b"PQenterPipelineMode\0") };
        // SAFETY: as above.
        let unflushed = unsafe { library.get(b"PQsendPipelineSync\0") };
        // SAFETY: as above.
        let sync = unflushed.or_else(|_| unsafe { library.get(b"PQpipelineSync\0") });
        Some(Self {
            enter: *enter.ok()?,
            sync: *sync.ok()?,
        })
    }
}

/// Returns the bytes of a string of libpq, without its end; none if there is no string.
///
/// # Safety
///
/// `text` is null, or a string that ends with a NUL and lives for `'a`.
pub(crate) unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    if ptr::eq(text, ptr::null()) {
        return b"";
    }
    // SAFETY: the caller's.
    unsafe { std::ffi::CStr::from_ptr(text) }.to_bytes()
}
