//! Answers of the server.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::ffi::{
    self, Functions, PGresult, PGRES_COMMAND_OK, PGRES_TUPLES_OK, PG_DIAG_CONSTRAINT_NAME,
    PG_DIAG_MESSAGE_PRIMARY, PG_DIAG_SQLSTATE,
};
use crate::OneLine;

/// The rows that a query has found or changed.
pub struct Reply {
    functions: Arc<Functions>,
    result: NonNull<PGresult>,
}

// SAFETY: a result is memory of its own, which any thread may read, and one may free.
unsafe impl Send for Reply {}
// SAFETY: as above; nothing is changed through a shared reference.
unsafe impl Sync for Reply {}

impl Reply {
    /// # Safety
    ///
    /// `result` is a result of these functions that nobody else has.
    pub(crate) unsafe fn of(functions: &Arc<Functions>, result: NonNull<PGresult>) -> Self {
        Self {
            functions: Arc::clone(functions),
            result,
        }
    }

    fn raw(&self) -> *const PGresult {
        self.result.as_ptr()
    }

    pub(crate) fn status(&self) -> i32 {
        // SAFETY: our result.
        unsafe { (self.functions.PQresultStatus)(self.raw()) }
    }

    /// The reply, or the server's error.
    pub(crate) fn judge(self) -> Result<Self, QueryError> {
        match self.status() {
            PGRES_COMMAND_OK | PGRES_TUPLES_OK => Ok(self),
            _ => Err(QueryError {
                sqlstate: self.field(PG_DIAG_SQLSTATE),
                constraint: self.field(PG_DIAG_CONSTRAINT_NAME),
                message: self.field(PG_DIAG_MESSAGE_PRIMARY),
            }),
        }
    }

    fn field(&self, field: i32) -> String {
        // SAFETY: our result; the text lives as long as it does.
        let text = unsafe { ffi::bytes((self.functions.PQresultErrorField)(self.raw(), field)) };
        OneLine(text).to_string()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        // SAFETY: our result.
        let rows = unsafe { (self.functions.PQntuples)(self.raw()) };
        usize::try_from(rows).unwrap_or_default()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of rows that a command has inserted, changed or deleted.
    pub fn affected(&self) -> u64 {
        // SAFETY: our result, which the function does not change; the text lives as
        // long as it does.
        let text = unsafe { ffi::bytes((self.functions.PQcmdTuples)(self.result.as_ptr())) };
        let text = std::str::from_utf8(text).unwrap_or_default();
        text.parse().unwrap_or_default()
    }

    /// The text of a value; `None` if it is NULL, or there is no such row or column.
    pub fn get(&self, row: usize, column: usize) -> Option<&[u8]> {
        let row = i32::try_from(row).ok()?;
        let column = i32::try_from(column).ok()?;
        let functions = &self.functions;
        // SAFETY: our result. Of rows and columns that are not there, libpq says that
        // they are NULL.
        unsafe {
            let there = row < (functions.PQntuples)(self.raw())
                && column < (functions.PQnfields)(self.raw())
                && (functions.PQgetisnull)(self.raw(), row, column) == 0;
            if !there {
                return None;
            }
            let length = (functions.PQgetlength)(self.raw(), row, column);
            let value = (functions.PQgetvalue)(self.raw(), row, column);
            Some(std::slice::from_raw_parts(
                value.cast(),
                usize::try_from(length).ok()?,
            ))
        }
    }

    /// The text of a value as UTF-8, as [`Self::get`] gives it.
    pub fn text(&self, row: usize, column: usize) -> Option<&str> {
        std::str::from_utf8(self.get(row, column)?).ok()
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // SAFETY: our result, which is used no more.
        unsafe { (self.functions.PQclear)(self.result.as_ptr()) };
    }
}

/// The server has refused a query. The text names the SQLSTATE and the constraint;
/// [`Self::message`] may quote values of the query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueryError {
    sqlstate: String,
    constraint: String,
    message: String,
}

impl QueryError {
    /// The code of the error, five characters of PostgreSQL's appendix A.
    pub fn sqlstate(&self) -> &str {
        &self.sqlstate
    }

    /// The server's own words, which may quote values: for queries without secrets.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl std::error::Error for QueryError {}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SQLSTATE {}", self.sqlstate)?;
        match self.constraint.as_str() {
            "" => Ok(()),
            constraint => write!(f, " (constraint {constraint})"),
        }
    }
}
