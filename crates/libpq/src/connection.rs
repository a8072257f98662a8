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
        let raw = self.raw.as_ptr();
        // A message comes before the end, and each takes a reading of its own.
        loop {
            match self.wait(false, Instant::now(), None) {
                Err(ConnectionError::Timeout) => return self.is_alive(),
                Err(_) => return false,
                // SAFETY: our connection, which is readable.
                Ok(()) if unsafe { (self.functions.PQconsumeInput)(raw) } == 0 => return false,
                // SAFETY: as above. It takes the messages out of the buffer.
                Ok(()) => unsafe {
                    (self.functions.PQisBusy)(raw);
                },
            }
        }
    }

    /// Sends statements without their names from now on: for a pooler that keeps none.
    pub fn send_unnamed(&mut self) {
        self.named = false;
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

    /// Runs queries, each a transaction of its own, by `deadline`. Ready for reading,
    /// `stop` ends the wait. There is an answer for each query, in order.
    ///
    /// # Errors
    ///
    /// The connection can't be used any more. Whether the server has run a query is
    /// unknown then.
    pub fn run(
        &mut self,
        queries: &[Query<'_>],
        deadline: Instant,
        stop: Option<BorrowedFd<'_>>,
    ) -> Result<Vec<Result<Reply, QueryError>>, ConnectionError> {
        let mut replies = Vec::with_capacity(queries.len());
        for some in queries.chunks(self.max_queries()) {
            for query in some {
                self.send(query)?;
            }
            for _ in some {
                replies.push(self.receive(deadline, stop)?);
            }
        }
        Ok(replies)
    }

    fn send(&mut self, query: &Query<'_>) -> Result<(), ConnectionError> {
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

    /// The answer to the earliest query that has none.
    pub(crate) fn receive(
        &mut self,
        deadline: Instant,
        stop: Option<BorrowedFd<'_>>,
    ) -> Result<Result<Reply, QueryError>, ConnectionError> {
        let mut last = None;
        while let Some(reply) = self.next_result(deadline, stop)? {
            last = Some(reply);
        }
        if self.pipelined {
            let sync = self.next_result(deadline, stop)?;
            let is_sync = sync.is_some_and(|reply| reply.status() == PGRES_PIPELINE_SYNC);
            if !is_sync {
                return Err(self.lost());
            }
        }
        let reply = last.ok_or_else(|| self.lost())?;
        let judged = reply.judge();
        // A connection that ends while a query runs gives an error without a code.
        match judged {
            Err(_) if !self.is_alive() => Err(self.lost()),
            judged => Ok(judged),
        }
    }

    pub(crate) fn next_result(
        &mut self,
        deadline: Instant,
        stop: Option<BorrowedFd<'_>>,
    ) -> Result<Option<Reply>, ConnectionError> {
        let raw = self.raw.as_ptr();
        loop {
            // SAFETY: our connection, which does not block.
            let unsent = match unsafe { (self.functions.PQflush)(raw) } {
                0 => false,
                1 => true,
                _ => return Err(self.lost()),
            };
            // SAFETY: as above.
            if unsafe { (self.functions.PQisBusy)(raw) } == 0 {
                // SAFETY: as above. It does not wait, for libpq is not busy.
                let result = NonNull::new(unsafe { (self.functions.PQgetResult)(raw) });
                // SAFETY: nobody else has this result.
                return Ok(result.map(|result| unsafe { Reply::of(&self.functions, result) }));
            }
            self.wait(unsent, deadline, stop)?;
            // SAFETY: as above.
            if unsafe { (self.functions.PQconsumeInput)(raw) } == 0 {
                return Err(self.lost());
            }
        }
    }

    /// Waits until there is something to read, or the rest can be sent.
    pub(crate) fn wait(
        &self,
        unsent: bool,
        deadline: Instant,
        stop: Option<BorrowedFd<'_>>,
    ) -> Result<(), ConnectionError> {
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
            let mut fds = vec![PollFd::from_borrowed_fd(socket, events)];
            fds.extend(stop.map(|stop| PollFd::from_borrowed_fd(stop, PollFlags::IN)));
            match poll(&mut fds, Some(&timespec(left))) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(ConnectionError::Poll(error.into())),
                Ok(_) => {}
            }
            let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
            if ready(1) {
                return Err(ConnectionError::Stopped);
            }
            if ready(0) {
                return Ok(());
            }
            if left.is_zero() {
                return Err(ConnectionError::Timeout);
            }
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
