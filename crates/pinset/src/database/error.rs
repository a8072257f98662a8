//! Why a database gives no answer.

use std::time::Duration;

use libpq::QueryError;
use thiserror::Error;

use super::StoredRowsError;

/// Why there is no answer of the database. The text holds no value of a query.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// The database could not be used when the configuration was read.
    #[error("the database can't be used as it is configured: the log of the last reload says why")]
    Unusable,
    /// There is no connection, and none can be made.
    #[error("the database can't be reached: {0}")]
    Unreachable(String),
    /// The connection has ended before the answer.
    #[error("the connection to the database was lost: {0}")]
    Lost(String),
    /// It has not answered in time.
    #[error("the database has not answered within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// Too many wait already.
    #[error("too many wait for the database")]
    Full,
    /// No thread can be started.
    #[error("there is no thread for the database")]
    NoThread,
    /// It has refused the query.
    #[error("the database has refused a query: {0}")]
    Query(#[from] QueryError),
    /// What it has found can't be used.
    #[error("{0}")]
    Rows(#[from] StoredRowsError),
    /// A reply is none to its statement.
    #[error("the reply of the database can't be read")]
    Unreadable,
    /// A value can't be sent.
    #[error("a value has a NUL byte")]
    Value,
}
