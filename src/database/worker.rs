//! A thread with a connection.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use libpq::{Connection, ConnectionError};
use pinset::database::{connection_options, is_read_only, is_unprepared, make_ready};

use super::job::Job;
use super::pool::Pool;
use super::reader::Reader;
use super::DatabaseError;

/// Pauses between two tries to connect: they double.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Serves queries, until there have been none for a while or the pool is stopped.
pub(super) fn run(pool: &Pool) {
    /// Runs when the thread ends, also by a panic.
    struct Ended<'a>(&'a Pool);
    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            self.0.ended();
        }
    }
    let _ended = Ended(pool);
    let mut pause = FIRST_PAUSE;
    loop {
        match connect(pool) {
            Ok(connection) => {
                pause = FIRST_PAUSE;
                if !serve(pool, connection) || pool.is_over() {
                    return;
                }
            }
            Err(why) => {
                if !pool.unreachable(why) || !pool.pause(pause) {
                    return;
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Connects, prepares the statements and checks the schema. The error says what to do.
fn connect(pool: &Pool) -> Result<Connection, String> {
    let options = connection_options(c"app_authenticate_rs");
    let mut connection =
        Connection::open(&pool.libpq, &pool.string, &options).map_err(|error| error.to_string())?;
    connection.pipeline();
    if pool.is_unnamed() {
        connection.send_unnamed();
    }
    make_ready(&mut connection, &pool.keys, Some(pool.stop_signal()))?;
    if connection.is_unnamed() {
        pool.use_unnamed();
    }
    Ok(connection)
}

/// Serves queries with a connection. Returns false if the thread is to end.
fn serve(pool: &Pool, mut connection: Connection) -> bool {
    // Since PostgreSQL 14.
    let role = match connection.status(c"in_hot_standby").as_str() {
        "on" => "standby",
        "off" => "primary",
        _ => "",
    };
    pool.connected(connection.server(), role);
    let goes_on = loop {
        let batch = pool.take(connection.max_queries());
        if batch.jobs.is_empty() {
            break false;
        }
        // A server that was restarted has ended the connection meanwhile.
        if !connection.is_usable() {
            pool.put_back(batch.jobs);
            break true;
        }
        if !Flight::new(pool, &mut connection, batch.reader).answer(batch.jobs) {
            break true;
        }
    };
    pool.disconnected();
    goes_on
}

/// Queries that were sent, in order.
struct Flight<'a> {
    pool: &'a Pool,
    connection: &'a mut Connection,
    reader: Option<Reader<'a>>,
    in_flight: VecDeque<Job>,
    is_usable: bool,
}

impl<'a> Flight<'a> {
    fn new(pool: &'a Pool, connection: &'a mut Connection, reader: Option<Reader<'a>>) -> Self {
        Self {
            pool,
            connection,
            reader,
            in_flight: VecDeque::new(),
            is_usable: true,
        }
    }

    /// Answers queries, and those that the reader takes meanwhile. Returns false if the
    /// connection can't be used any more.
    fn answer(mut self, jobs: Vec<Job>) -> bool {
        match self.serve(jobs) {
            Ok(()) => self.is_usable,
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    fn serve(&mut self, mut jobs: Vec<Job>) -> Result<(), ConnectionError> {
        loop {
            self.send(jobs)?;
            let deadlines = self.in_flight.iter().map(|job| job.deadline);
            let Some(deadline) = deadlines.min() else {
                return Ok(());
            };
            let wake = self
                .reader
                .is_some()
                .then(|| self.pool.wake_signal().as_fd());
            let stop = Some(self.pool.stop_signal());
            self.connection.wait_for_answer(deadline, stop, wake)?;
            let before = self.in_flight.len();
            self.receive()?;
            let has_answered = self.in_flight.len() < before;
            if !self.is_usable {
                self.reader = None;
            }
            let reader = self.reader.as_ref();
            jobs = reader.map_or_else(Vec::new, |reader| {
                reader.take(&self.in_flight, has_answered)
            });
        }
    }

    /// Sends those that are still wanted.
    fn send(&mut self, jobs: Vec<Job>) -> Result<(), ConnectionError> {
        if self.pool.is_unnamed() {
            self.connection.send_unnamed();
        }
        let now = Instant::now();
        let mut sent = Ok(());
        for job in jobs.into_iter().filter(Job::is_wanted) {
            if job.deadline <= now {
                job.answer(Err(DatabaseError::Timeout(job.timeout)));
                continue;
            }
            if sent.is_ok() {
                sent = self.connection.send(&job.query());
            }
            self.in_flight.push_back(job);
        }
        sent
    }

    /// Passes on the answers that have arrived.
    fn receive(&mut self) -> Result<(), ConnectionError> {
        let mut again = Vec::new();
        while !self.in_flight.is_empty() {
            let Some(reply) = self.connection.answer()? else {
                break;
            };
            let Some(mut job) = self.in_flight.pop_front() else {
                break;
            };
            // It was not run.
            if is_unprepared(&reply) && !job.is_again {
                self.pool.use_unnamed();
                job.is_again = true;
                again.push(job);
                continue;
            }
            // A primary that has become a standby.
            self.is_usable &= !is_read_only(&reply);
            job.answer(reply.map_err(DatabaseError::Query));
        }
        self.send(again)
    }

    /// None of those in flight has an answer.
    fn fail(&mut self, error: &ConnectionError) {
        let now = Instant::now();
        let jobs = self.in_flight.drain(..);
        if !matches!(error, ConnectionError::Timeout) {
            for job in jobs {
                job.answer(Err(DatabaseError::Lost(error.to_string())));
            }
            return;
        }
        // Several only read, and may be run again.
        let (late, others): (Vec<Job>, Vec<Job>) = jobs.partition(|job| job.deadline <= now);
        self.pool.put_back(others);
        for job in late {
            job.answer(Err(DatabaseError::Timeout(job.timeout)));
        }
    }
}
