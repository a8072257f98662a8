//! `COPY … FROM STDIN`: many rows in one statement.

use std::ffi::{c_int, CStr};
use std::ptr;
use std::time::{Duration, Instant};

use crate::connection::{Connection, ConnectionError};
use crate::ffi::PGRES_COPY_IN;
use crate::reply::{QueryError, Reply};

impl Connection {
    /// Runs a `COPY … FROM STDIN` with these parts of its data, in the format that the
    /// statement names. Each part, and what the server does at the end, may take
    /// `timeout`. Gives the number of rows by [`Reply::affected`].
    ///
    /// # Errors
    ///
    /// The connection can't be used any more, or was made for [`Self::pipeline`]; or,
    /// within, the server has refused the statement or a row, so that no row was copied.
    pub fn copy_in<T: AsRef<[u8]>>(
        &mut self,
        sql: &CStr,
        parts: impl IntoIterator<Item = T>,
        timeout: Duration,
    ) -> Result<Result<Reply, QueryError>, ConnectionError> {
        // SAFETY: our connection; the text lives until the call returns.
        let sent = unsafe { (self.functions.PQsendQuery)(self.raw.as_ptr(), sql.as_ptr()) };
        self.sent(sent)?;
        let deadline = Instant::now() + timeout;
        match self.next_result(deadline)? {
            Some(reply) if reply.status() == PGRES_COPY_IN => {}
            Some(reply) => {
                let refused = reply.judge();
                while self.next_result(deadline)?.is_some() {}
                // A statement that copies nothing can't be given data.
                return match refused {
                    Err(error) => Ok(Err(error)),
                    Ok(_) => Err(ConnectionError::Lost("not a COPY FROM STDIN".to_owned())),
                };
            }
            None => return Err(self.lost()),
        }
        for part in parts {
            self.put(part.as_ref(), Instant::now() + timeout)?;
        }
        let deadline = Instant::now() + timeout;
        loop {
            // SAFETY: our connection, into which data is copied; null ends it without an
            // error.
            let end = unsafe { (self.functions.PQputCopyEnd)(self.raw.as_ptr(), ptr::null()) };
            match end {
                1 => return self.receive(deadline, None),
                0 => self.drain(deadline)?,
                _ => return Err(self.lost()),
            }
        }
    }

    /// Sends a part of the data. The server reads all of it even if it has refused a row.
    fn put(&mut self, part: &[u8], deadline: Instant) -> Result<(), ConnectionError> {
        /// Little enough that libpq's buffer stays small.
        const MAX_CHUNK_BYTES: usize = 64 << 10;
        for chunk in part.chunks(MAX_CHUNK_BYTES) {
            let length = c_int::try_from(chunk.len()).unwrap_or_default();
            loop {
                // SAFETY: our connection, into which data is copied. `length` is the
                // chunk's, which lives until the call returns, which copies it.
                let put = unsafe {
                    let data = chunk.as_ptr().cast();
                    (self.functions.PQputCopyData)(self.raw.as_ptr(), data, length)
                };
                match put {
                    1 => break,
                    0 => self.drain(deadline)?,
                    _ => return Err(self.lost()),
                }
            }
            self.drain(deadline)?;
        }
        Ok(())
    }

    /// Sends everything that libpq has in its buffer, and reads meanwhile what the server
    /// sends, for it may wait until that is read.
    fn drain(&mut self, deadline: Instant) -> Result<(), ConnectionError> {
        while self.flush()? {
            if self.wait(true, deadline, None, None)? {
                self.consume()?;
            }
        }
        Ok(())
    }
}
