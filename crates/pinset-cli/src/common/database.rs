//! SQLite database files.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::OFlags;

use crate::common::error::{At, CommandError};

/// Longest wait for a lock of another program: one that reads the file, or the service
/// that is being replaced.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens a database for writing. Creates the file with mode 0600, and these tables, if
/// they are missing.
pub(crate) fn open(path: &Path, tables: &str) -> Result<Connection, CommandError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // A FIFO would block until it has a reader.
        .custom_flags(OFlags::NONBLOCK.bits() as i32)
        .open(path)
        .at(path)?;
    if !file.metadata().at(path)?.is_file() {
        return Err(CommandError::at(path, "not a regular file"));
    }
    drop(file);
    let set_up = || {
        let database = Connection::open(path)?;
        database.busy_timeout(BUSY_TIMEOUT)?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        // A crash of the machine may lose the last changes, but not the file.
        database.pragma_update(None, "synchronous", "NORMAL")?;
        database.execute_batch(tables)?;
        Ok::<_, rusqlite::Error>(database)
    };
    set_up().at(path)
}

/// Opens a database for reading.
pub(crate) fn open_read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    database.busy_timeout(BUSY_TIMEOUT)?;
    Ok(database)
}

/// Interval of checks whether a query has timed out, in steps of SQLite.
const PROGRESS_STEPS: i32 = 10_000;

/// Ends queries that take longer than this, from now on.
pub(crate) fn limit_time(database: &Connection, longest: Duration) {
    let until = SystemTime::now() + longest;
    database.progress_handler(PROGRESS_STEPS, Some(move || SystemTime::now() > until));
}
