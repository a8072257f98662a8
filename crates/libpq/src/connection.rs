//! A connection to a server.

use std::ffi::{c_char, c_int, CStr, CString};
use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::ffi::{self, Functions, PGconn, CONNECTION_OK, PGRES_PIPELINE_SYNC};
use crate::reply::{QueryError, Reply};
use crate::{ConnectionString, Library, OneLine};

/// A statement, which is prepared once for each connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statement {
    /// Its name on the server.
    pub name: &'static CStr,
    /// Its text, with `$1` for the first parameter.
    pub sql: &'static CStr,
}

/// The text of a parameter; `None` stands for NULL. It is wiped when dropped.
pub type Parameter = Option<Zeroizing<CString>>;

/// A statement with its parameters.
pub struct Query<'a> {
    /// The statement.
    pub statement: &'a Statement,
    /// Its parameters, in order.
    pub parameters: &'a [Parameter],
}

/// Why a connection can't be used any more, or was not made.
#[derive(Debug, Error)]
pub enum ConnectionError {
    /// The server or the network has ended it; the text is libpq's.
    #[error("{0}")]
    Lost(String),
    /// It has not answered by the deadline.
    #[error("no answer in time")]
    Timeout,
    /// The caller wants to wait no longer.
    #[error("stopped")]
    Stopped,
    /// The file descriptors can't be waited for.
    #[error("poll: {0}")]
    Poll(io::Error),
}

/// A connection. It is closed when dropped, without waiting for the server.
pub struct Connection {
    pub(crate) functions: Arc<Functions>,
    pub(crate) raw: NonNull<PGconn>,
    pipelined: bool,
    /// Whether statements are prepared under their names.
    named: bool,
    /// What has arrived of an answer: its latest result, and, in a pipeline, whether only
    /// its end is missing.
    latest: Option<Reply>,
    has_ended: bool,
}

// SAFETY: libpq lets any thread use a connection, one at a time, which is what `Send`
// without `Sync` says.
unsafe impl Send for Connection {}

impl Connection {
    /// Connects. `defaults` are options that count unless the connection string, its
    /// service file or the environment has them. Blocks: for `connect_timeout` for each
    /// host, and for as long as the name service takes before that.
    ///
    /// # Errors
    ///
    /// No server accepts the connection, or no memory is left. The message is libpq's,
    /// which names hosts and users, never passwords.
    pub fn open(
        library: &Library,
        string: &ConnectionString,
        defaults: &[(&CStr, &CStr)],
    ) -> Result<Self, ConnectionError> {
        // Of two with one keyword the later counts, so what is in the string does.
        let names = defaults.iter().map(|(name, _)| name.as_ptr());
        let values = defaults.iter().map(|(_, value)| value.as_ptr());
        let end = [c"dbname".as_ptr(), ptr::null()];
        let names: Vec<*const c_char> = names.chain(end).collect();
        let end = [string.as_c_str().as_ptr(), ptr::null()];
        let values: Vec<*const c_char> = values.chain(end).collect();
        let functions = Arc::clone(&library.0);
        // SAFETY: both lists end with a null and live until the call returns. libpq
        // expands the connection string in place of the name of the database.
        let raw = unsafe { (functions.PQconnectdbParams)(names.as_ptr(), values.as_ptr(), 1) };
        let raw = NonNull::new(raw).ok_or_else(|| ConnectionError::Lost("no memory".to_owned()))?;
        let connection = Self {
            functions,
            raw,
            pipelined: false,
            named: true,
            latest: None,
            has_ended: false,
        };
        if !connection.is_alive() {
            return Err(connection.lost());
        }
        // SAFETY: our connection.
        let nonblocking = unsafe { (connection.functions.PQsetnonblocking)(raw.as_ptr(), 1) };
        if nonblocking != 0 {
            return Err(connection.lost());
        }
        Ok(connection)
    }

    /// Sends queries before earlier ones are answered from now on, if libpq can do
    /// that.
    pub fn pipeline(&mut self) {
        if let Some(pipeline) = &self.functions.pipeline {
            // SAFETY: our connection, which waits for no answer.
            self.pipelined = unsafe { (pipeline.enter)(self.raw.as_ptr()) } == 1;
        }
    }

    /// Whether the server has not ended it, as far as is known without reading.
    fn is_alive(&self) -> bool {
        // SAFETY: our connection.
        unsafe { (self.functions.PQstatus)(self.raw.as_ptr()) == CONNECTION_OK }
    }

    /// Reads what has arrived while nothing was asked, and returns whether the
    /// connection can be used: a server that is stopped ends it with a message.
    pub fn is_usable(&mut self) -> bool {
        // A message comes before the end, and each takes a reading of its own.
        loop {
            match self.wait(false, Instant::now(), None, None) {
                Err(ConnectionError::Timeout) => return self.is_alive(),
                Err(_) => return false,
                Ok(_) if self.consume().is_err() => return false,
                // SAFETY: our connection. It takes the messages out of the buffer.
                Ok(_) => unsafe {
                    (self.functions.PQisBusy)(self.raw.as_ptr());
                },
            }
        }
    }

    /// Sends statements without their names from now on: for a pooler that keeps none.
    pub fn send_unnamed(&mut self) {
        self.named = false;
    }

    /// Whether statements are sent without their names.
    pub fn is_unnamed(&self) -> bool {
        !self.named
    }

    /// How many queries may be sent at once.
    pub fn max_queries(&self) -> usize {
        /// Few enough that what is sent fits into the buffers of the kernel.
        const MAX_PIPELINED: usize = 32;
        if self.pipelined {
            MAX_PIPELINED
        } else {
            1
        }
    }

    /// The host and port of the server, for people: `db1:5432`, or the folder of a
    /// local socket.
    pub fn server(&self) -> String {
        // SAFETY: our connection; both texts live as long as it does.
        let (host, port) = unsafe {
            (
                ffi::bytes((self.functions.PQhost)(self.raw.as_ptr())),
                ffi::bytes((self.functions.PQport)(self.raw.as_ptr())),
            )
        };
        format!("{}:{}", OneLine(host), OneLine(port))
    }

    /// A parameter that the server reports, such as `server_version`; empty if it does
    /// not.
    pub fn status(&self, parameter: &CStr) -> String {
        // SAFETY: our connection; the text lives until the next call, and is copied.
        let text = unsafe {
            ffi::bytes((self.functions.PQparameterStatus)(
                self.raw.as_ptr(),
                parameter.as_ptr(),
            ))
        };
        OneLine(text).to_string()
    }

    /// Prepares a statement under its name, by `deadline`.
    ///
    /// # Errors
    ///
    /// The connection can't be used any more; or, within, the server has refused the
    /// statement.
    pub fn prepare(
        &mut self,
        statement: &Statement,
        deadline: Instant,
        stop: Option<BorrowedFd<'_>>,
    ) -> Result<Result<(), QueryError>, ConnectionError> {
        let (name, sql) = (statement.name.as_ptr(), statement.sql.as_ptr());
        // SAFETY: our connection; both texts are static.
        let sent =
            unsafe { (self.functions.PQsendPrepare)(self.raw.as_ptr(), name, sql, 0, ptr::null()) };
        self.sent(sent)?;
        Ok(self.receive(deadline, stop)?.map(drop))
    }

    /// Runs a script of several statements by `deadline`: one transaction, unless it has
    /// `BEGIN` and `COMMIT` itself. Gives the answer to the last one, or the first error.
    ///
    /// # Errors
    ///
    /// As [`Self::prepare`]; or it is a connection with [`Self::pipeline`].
    pub fn script(
        &mut self,
        sql: &CStr,
        deadline: Instant,
    ) -> Result<Result<Reply, QueryError>, ConnectionError> {
        // SAFETY: our connection; the text lives until the call returns.
        let sent = unsafe { (self.functions.PQsendQuery)(self.raw.as_ptr(), sql.as_ptr()) };
        self.sent(sent)?;
        self.receive(deadline, None)
    }

    /// Runs a query, a transaction of its own, by `deadline`. Ready for reading, `stop`
    /// ends the wait.
    ///
    /// # Errors
    ///
    /// As [`Self::prepare`]. Whether the server has run the query is unknown if the
    /// connection can't be used any more.
    pub fn run(
        &mut self,
        query: &Query<'_>,
        deadline: Instant,
        stop: Option<BorrowedFd<'_>>,
    ) -> Result<Result<Reply, QueryError>, ConnectionError> {
        self.send(query)?;
        self.receive(deadline, stop)
    }

    /// Sends a query, a transaction of its own, and waits for nothing. At most
    /// [`Self::max_queries`] may have no answer yet.
    ///
    /// # Errors
    ///
    /// The connection can't be used any more.
    pub fn send(&mut self, query: &Query<'_>) -> Result<(), ConnectionError> {
        let Query {
            statement,
            parameters,
        } = query;
        let count = c_int::try_from(parameters.len()).unwrap_or_default();
        let text = |parameter: &Parameter| parameter.as_ref().map_or(ptr::null(), |p| p.as_ptr());
        let values: Vec<*const c_char> = parameters.iter().map(text).collect();
        let (raw, functions) = (self.raw.as_ptr(), &self.functions);
        // SAFETY: our connection. There are `count` values, texts that end with a NUL or
        // null, and they live until the call returns, which copies them.
        let sent = unsafe {
            if self.named {
                (functions.PQsendQueryPrepared)(
                    raw,
                    statement.name.as_ptr(),
                    count,
                    values.as_ptr(),
                    ptr::null(),
                    ptr::null(),
                    0,
                )
            } else {
                (functions.PQsendQueryParams)(
                    raw,
                    statement.sql.as_ptr(),
                    count,
                    ptr::null(),
                    values.as_ptr(),
                    ptr::null(),
                    ptr::null(),
                    0,
                )
            }
        };
        self.sent(sent)
    }

    /// Ends what was queued, so that its errors are its own.
    pub(crate) fn sent(&mut self, sent: c_int) -> Result<(), ConnectionError> {
        let synced = match &self.functions.pipeline {
            // SAFETY: our connection, in pipeline mode.
            Some(pipeline) if self.pipelined => unsafe { (pipeline.sync)(self.raw.as_ptr()) },
            _ => 1,
        };
        if sent == 1 && synced == 1 {
            Ok(())
        } else {
            Err(self.lost())
        }
    }

    /// The answer to the earliest query that has none, once it has arrived. There must be
    /// such a query.
    ///
    /// # Errors
    ///
    /// The connection can't be used any more; or, within, the server has refused the query.
    pub fn answer(&mut self) -> Result<Option<Result<Reply, QueryError>>, ConnectionError> {
        loop {
            let Some(result) = self.result() else {
                return Ok(None);
            };
            match (self.has_ended, result) {
                (false, Some(reply)) => self.latest = Some(reply),
                (false, None) if self.pipelined => self.has_ended = true,
                (false, None) => break,
                (true, Some(end)) if end.status() == PGRES_PIPELINE_SYNC => break,
                (true, _) => return Err(self.lost()),
            }
        }
        self.has_ended = false;
        let reply = self.latest.take().ok_or_else(|| self.lost())?;
        match reply.judge() {
            // A connection that ends while a query runs gives an error without a code.
            Err(_) if !self.is_alive() => Err(self.lost()),
            judged => Ok(Some(judged)),
        }
    }

    /// Waits until more of an answer has arrived, or `wake` is ready for reading.
    ///
    /// # Errors
    ///
    /// The connection can't be used any more. It can after a timeout.
    pub fn wait_for_answer(
        &mut self,
        deadline: Instant,
        stop: Option<BorrowedFd<'_>>,
        wake: Option<BorrowedFd<'_>>,
    ) -> Result<(), ConnectionError> {
        let unsent = self.flush()?;
        if self.wait(unsent, deadline, stop, wake)? {
            self.consume()?;
        }
        Ok(())
    }

    /// Waits for the answer to the earliest query that has none.
    pub(crate) fn receive(
        &mut self,
        deadline: Instant,
        stop: Option<BorrowedFd<'_>>,
    ) -> Result<Result<Reply, QueryError>, ConnectionError> {
        loop {
            if let Some(answer) = self.answer()? {
                return Ok(answer);
            }
            self.wait_for_answer(deadline, stop, None)?;
        }
    }

    /// Waits for the next result of an answer; `None` is its end.
    pub(crate) fn next_result(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<Reply>, ConnectionError> {
        loop {
            if let Some(result) = self.result() {
                return Ok(result);
            }
            self.wait_for_answer(deadline, None, None)?;
        }
    }

    /// The next result of an answer, if it has arrived; within, `None` is the answer's end.
    fn result(&mut self) -> Option<Option<Reply>> {
        let raw = self.raw.as_ptr();
        // SAFETY: our connection, which does not block.
        if unsafe { (self.functions.PQisBusy)(raw) } != 0 {
            return None;
        }
        // SAFETY: as above. It does not wait, for libpq is not busy.
        let result = NonNull::new(unsafe { (self.functions.PQgetResult)(raw) });
        // SAFETY: nobody else has this result.
        Some(result.map(|result| unsafe { Reply::of(&self.functions, result) }))
    }

    /// Sends what it can. Returns whether there is a rest.
    pub(crate) fn flush(&mut self) -> Result<bool, ConnectionError> {
        // SAFETY: our connection, which does not block.
        match unsafe { (self.functions.PQflush)(self.raw.as_ptr()) } {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.lost()),
        }
    }

    /// Reads what has arrived.
    pub(crate) fn consume(&mut self) -> Result<(), ConnectionError> {
        // SAFETY: our connection, which does not block.
        match unsafe { (self.functions.PQconsumeInput)(self.raw.as_ptr()) } {
            0 => Err(self.lost()),
            _ => Ok(()),
        }
    }

    /// Waits until there is something to read or the rest can be sent, which is true, or
    /// until `wake` is ready for reading.
    pub(crate) fn wait(
        &self,
        unsent: bool,
        deadline: Instant,
        stop: Option<BorrowedFd<'_>>,
        wake: Option<BorrowedFd<'_>>,
    ) -> Result<bool, ConnectionError> {
        // SAFETY: our connection.
        let socket = unsafe { (self.functions.PQsocket)(self.raw.as_ptr()) };
        if socket < 0 {
            return Err(self.lost());
        }
        // SAFETY: libpq closes it in no call but its own, and none runs meanwhile.
        let socket = unsafe { BorrowedFd::borrow_raw(socket) };
        let mut events = PollFlags::IN;
        events.set(PollFlags::OUT, unsent);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let others = [stop, wake].into_iter().flatten();
            let mut fds = vec![PollFd::from_borrowed_fd(socket, events)];
            fds.extend(others.map(|other| PollFd::from_borrowed_fd(other, PollFlags::IN)));
            match poll(&mut fds, Some(&timespec(left))) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(ConnectionError::Poll(error.into())),
                Ok(0) if left.is_zero() => return Err(ConnectionError::Timeout),
                Ok(0) => continue,
                Ok(_) => {}
            }
            let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
            if stop.is_some() && ready(1) {
                return Err(ConnectionError::Stopped);
            }
            return Ok(ready(0));
        }
    }

    /// The error that libpq has noted.
    pub(crate) fn lost(&self) -> ConnectionError {
        // SAFETY: our connection; the text lives until the next call, and is copied.
        let message = unsafe { ffi::bytes((self.functions.PQerrorMessage)(self.raw.as_ptr())) };
        let message = OneLine(message).to_string();
        ConnectionError::Lost(match message.as_str() {
            "" => "the connection has ended".to_owned(),
            _ => message,
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: our connection, which is used no more.
        unsafe { (self.functions.PQfinish)(self.raw.as_ptr()) };
    }
}

fn timespec(left: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    }
}
