//! SQLite files of our own.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::OFlags;

use crate::common::error::{At, CommandError};

/// How long another program may keep the file locked: one that looks at it, or
/// the service that is being replaced.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a file for writing, made if it is not there, with mode 0600 and these
/// tables.
pub fn open(path: &Path, tables: &str) -> Result<Connection, CommandError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // A FIFO would keep the start waiting for a reader.
        .custom_flags(OFlags::NONBLOCK.bits() as i32)
        .open(path)
        .at(path)?;
    if !file.metadata().at(path)?.is_file() {
        return Err(CommandError::at(path, "not a regular file"));
    }
    drop(file);
    let set_up = || {
        let database = Connection::open(path)?;
        database.busy_timeout(PATIENCE)?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        // A crash of the machine may lose the last moments, not the file.
        database.pragma_update(None, "synchronous", "NORMAL")?;
        database.execute_batch(tables)?;
        Ok::<_, rusqlite::Error>(database)
    };
    set_up().at(path)
}

/// Opens a file for looking at it.
pub fn look(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    database.busy_timeout(PATIENCE)?;
    Ok(database)
}
