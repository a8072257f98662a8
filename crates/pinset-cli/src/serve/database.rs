//! Connections to the PostgreSQL of PIN sets, which entries share.
//!
//! An entry's thread waits for a connection and for the reply, until `source_timeout` is
//! over. One thread at a time makes a connection; while none can be made, entries are
//! refused at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libpq::{
    Connection, ConnectionError, ConnectionString, Library, Parameter, Query, Reply, Statement,
};
use parking_lot::{Condvar, Mutex};
use pinset::database::{
    connection_options, fingerprints, is_read_only, is_unprepared, make_ready, DatabaseError,
};
use pinset::Pepper;

/// Time after a connection could not be made in which entries are refused at once.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// How often old lockouts are deleted.
const PURGE_INTERVAL: Duration = Duration::from_secs(600);

/// A database, and its connections.
pub(super) struct DatabasePool {
    libpq: Library,
    string: ConnectionString,
    max_connections: usize,
    /// The pepper's ids and [`fingerprints`].
    keys: (String, String),
    /// Whether a pooler keeps no prepared statements.
    unnamed: AtomicBool,
    /// When old lockouts are to be deleted.
    purge_at: Mutex<Instant>,
    state: Mutex<PoolState>,
    freed: Condvar,
}

#[derive(Default)]
struct PoolState {
    idle: Vec<Connection>,
    /// Number of connections, those in use included.
    open: usize,
    /// Whether a thread is connecting.
    is_connecting: bool,
    /// Why no connection could be made, and when.
    outage: Option<(String, Instant)>,
}

/// The next step of an entry that needs a connection.
enum Permit {
    Use(Connection),
    Connect,
}

impl DatabasePool {
    /// Returns a pool without connections.
    ///
    /// # Errors
    ///
    /// Fails if libpq can't be loaded, or the text is no connection string.
    pub(super) fn new(
        text: &[u8],
        max_connections: usize,
        pepper: &Pepper,
    ) -> Result<Self, String> {
        let libpq = Library::load().map_err(|error| error.to_string())?;
        let string = ConnectionString::parse(&libpq, text).map_err(|error| error.to_string())?;
        Ok(Self {
            libpq,
            string,
            max_connections,
            keys: fingerprints(pepper),
            unnamed: AtomicBool::new(false),
            purge_at: Mutex::new(Instant::now() + PURGE_INTERVAL),
            state: Mutex::default(),
            freed: Condvar::new(),
        })
    }

    /// Returns whether old lockouts are to be deleted, once for each interval.
    pub(super) fn is_purge_due(&self) -> bool {
        let (now, mut due) = (Instant::now(), self.purge_at.lock());
        let is_due = *due <= now;
        if is_due {
            *due = now + PURGE_INTERVAL;
        }
        is_due
    }

    /// Runs a statement within `timeout`.
    ///
    /// # Errors
    ///
    /// There is no reply, or the database has refused the statement.
    pub(super) fn query(
        &self,
        statement: &'static Statement,
        parameters: &[Parameter],
        timeout: Duration,
    ) -> Result<Reply, DatabaseError> {
        let deadline = Instant::now() + timeout;
        let mut connection = match self.permit(deadline, timeout)? {
            Permit::Use(connection) => connection,
            Permit::Connect => {
                let connection = self.connect()?;
                // The next entry has it, if it took too long for this one.
                if Instant::now() >= deadline {
                    self.put_back(Some(connection));
                    return Err(DatabaseError::Timeout(timeout));
                }
                connection
            }
        };
        let query = Query {
            statement,
            parameters,
        };
        let mut answer = connection.run(&query, deadline, None);
        if answer.as_ref().is_ok_and(is_unprepared) {
            self.unnamed.store(true, Ordering::Relaxed);
            connection.send_unnamed();
            answer = connection.run(&query, deadline, None);
        }
        let is_usable = answer.as_ref().is_ok_and(|reply| !is_read_only(reply));
        self.put_back(is_usable.then_some(connection));
        match answer {
            Ok(reply) => Ok(reply?),
            Err(ConnectionError::Timeout) => Err(DatabaseError::Timeout(timeout)),
            Err(error) => Err(DatabaseError::Lost(error.to_string())),
        }
    }

    /// Waits for a connection, or for the permission to make one.
    fn permit(&self, deadline: Instant, timeout: Duration) -> Result<Permit, DatabaseError> {
        let mut state = self.state.lock();
        loop {
            while let Some(mut connection) = state.idle.pop() {
                // A server that was restarted has ended it meanwhile.
                if connection.is_usable() {
                    return Ok(Permit::Use(connection));
                }
                state.open -= 1;
            }
            if let Some((why, at)) = &state.outage {
                if state.is_connecting || at.elapsed() < RETRY_DELAY {
                    return Err(DatabaseError::Unreachable(why.clone()));
                }
            }
            if state.open < self.max_connections && !state.is_connecting {
                state.open += 1;
                state.is_connecting = true;
                return Ok(Permit::Connect);
            }
            if self.freed.wait_until(&mut state, deadline).timed_out() {
                return Err(DatabaseError::Timeout(timeout));
            }
        }
    }

    /// Makes a connection. Blocks for `connect_timeout` for each host, and for as long as
    /// the name service takes; the entry's request does not wait for that.
    fn connect(&self) -> Result<Connection, DatabaseError> {
        /// Ends the permission, even during a panic.
        struct Connecting<'a>(&'a DatabasePool, Option<String>);
        impl Drop for Connecting<'_> {
            fn drop(&mut self) {
                let mut state = self.0.state.lock();
                state.is_connecting = false;
                state.outage = self.1.take().map(|why| (why, Instant::now()));
                if state.outage.is_some() {
                    state.open -= 1;
                }
                drop(state);
                self.0.freed.notify_all();
            }
        }
        let mut connecting = Connecting(self, Some("connecting has failed".to_owned()));
        match self.try_connect() {
            Ok(connection) => {
                connecting.1 = None;
                Ok(connection)
            }
            Err(why) => {
                connecting.1 = Some(why.clone());
                Err(DatabaseError::Unreachable(why))
            }
        }
    }

    fn try_connect(&self) -> Result<Connection, String> {
        let options = connection_options(c"pinset serve");
        let connection = Connection::open(&self.libpq, &self.string, &options);
        let mut connection = connection.map_err(|error| error.to_string())?;
        if self.unnamed.load(Ordering::Relaxed) {
            connection.send_unnamed();
        }
        make_ready(&mut connection, &self.keys, None)?;
        self.unnamed
            .fetch_or(connection.is_unnamed(), Ordering::Relaxed);
        Ok(connection)
    }

    /// Takes a connection back; `None` if it can't be used any more.
    fn put_back(&self, connection: Option<Connection>) {
        let mut state = self.state.lock();
        match connection {
            Some(connection) => state.idle.push(connection),
            None => state.open -= 1,
        }
        drop(state);
        self.freed.notify_one();
    }
}
