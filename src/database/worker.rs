//! A thread with a connection.

use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

use libpq::{Connection, ConnectionError, Parameter, Query, QueryError, Reply, Statement};
use pinset::database::{is_served, PEPPER, SCHEMA_VERSION, STATEMENTS, VERSION};
use zeroize::Zeroizing;

use super::pool::{Job, Pool};
use super::DatabaseError;

/// Options of a connection, unless the connection string has others. libpq has no
/// shorter time to connect than 2 s.
const DEFAULTS: [(&CStr, &CStr); 3] = [
    (c"connect_timeout", c"2"),
    (c"tcp_user_timeout", c"3000"),
    (c"fallback_application_name", c"app_authenticate_rs"),
];

/// How long a new connection may take to prepare the statements.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(2);

/// Pauses between two tries to connect: they double.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// SQLSTATEs.
const UNKNOWN_STATEMENT: &str = "26000";
const DUPLICATE_STATEMENT: &str = "42P05";
const READ_ONLY: &str = "25006";

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
    let mut connection = Connection::open(&pool.libpq, &pool.string, &DEFAULTS)
        .map_err(|error| error.to_string())?;
    connection.pipeline();
    let deadline = Instant::now() + PREPARE_TIMEOUT;
    // First the version, so that a statement of another one is not the error.
    let (version, others) = STATEMENTS.split_at(1);
    prepare(pool, &mut connection, version, deadline)?;
    check_version(pool, &mut connection, deadline)?;
    prepare(pool, &mut connection, others, deadline)?;
    check_pepper(pool, &mut connection, deadline)?;
    Ok(connection)
}

/// Prepares statements, unless they are sent with each query.
fn prepare(
    pool: &Pool,
    connection: &mut Connection,
    statements: &[Statement],
    deadline: Instant,
) -> Result<(), String> {
    for statement in statements {
        if pool.is_unnamed() {
            break;
        }
        match connection.prepare(statement, deadline, Some(pool.stop_signal())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.sqlstate() == DUPLICATE_STATEMENT => pool.use_unnamed(),
            Ok(Err(error)) => return Err(of_schema(&error)),
            Err(error) => return Err(error.to_string()),
        }
    }
    if pool.is_unnamed() {
        connection.send_unnamed();
    }
    Ok(())
}

/// Checks that the schema is one that this module serves.
fn check_version(
    pool: &Pool,
    connection: &mut Connection,
    deadline: Instant,
) -> Result<(), String> {
    let version = ask(pool, connection, &VERSION, &[], deadline)?.unwrap_or_default();
    if !version.parse().is_ok_and(is_served) {
        return Err(format!(
            "its schema has version '{version}', and this module needs {SCHEMA_VERSION}: run \
             'pinset database upgrade'"
        ));
    }
    Ok(())
}

/// Checks that the pepper's keys are those of other PBXs: with another key, right PINs
/// would be wrong, and lock callers out.
fn check_pepper(pool: &Pool, connection: &mut Connection, deadline: Instant) -> Result<(), String> {
    let (ids, fingerprints) = &pool.keys;
    let text = |text: &String| CString::new(text.as_str()).ok().map(Zeroizing::new);
    let parameters = [text(ids), text(fingerprints)];
    match ask(pool, connection, &PEPPER, &parameters, deadline)? {
        None => Ok(()),
        Some(id) => Err(format!(
            "key '{id}' of the pepper file is another than the one that was first used with \
             this database: copy the pepper file of another PBX, or, if that is wrong, delete \
             the key's row in pinset_pepper"
        )),
    }
}

/// Runs a statement that returns a value, and returns it unless it is NULL.
fn ask(
    pool: &Pool,
    connection: &mut Connection,
    statement: &Statement,
    parameters: &[Parameter],
    deadline: Instant,
) -> Result<Option<String>, String> {
    let query = Query {
        statement,
        parameters,
    };
    let replies = connection.run(&[query], deadline, Some(pool.stop_signal()));
    match replies.map_err(|error| error.to_string())?.pop() {
        Some(Ok(reply)) => Ok(reply.text(0, 0).map(str::to_owned)),
        Some(Err(error)) => Err(of_schema(&error)),
        None => Ok(None),
    }
}

/// An error of the schema, with its remedy.
fn of_schema(error: &QueryError) -> String {
    match error.sqlstate() {
        "42P01" | "42703" | "42883" => format!(
            "it has not the tables of PIN sets ({error}): run 'pinset database init', or check \
             search_path"
        ),
        "42501" => {
            format!("its role may not read the tables of PIN sets ({error}): docs/cluster.md")
        }
        _ => error.to_string(),
    }
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
        let jobs = pool.take(connection.max_queries());
        if jobs.is_empty() {
            break false;
        }
        // A server that was restarted has ended the connection meanwhile.
        if !connection.is_usable() {
            pool.put_back(jobs);
            break true;
        }
        if !answer(pool, &mut connection, jobs) {
            break true;
        }
    };
    pool.disconnected();
    goes_on
}

/// Answers queries. Returns false if the connection can't be used any more.
fn answer(pool: &Pool, connection: &mut Connection, jobs: Vec<Job>) -> bool {
    let now = Instant::now();
    let (jobs, late): (Vec<Job>, Vec<Job>) = jobs
        .into_iter()
        .filter(Job::is_wanted)
        .partition(|job| job.deadline > now);
    for job in late {
        job.answer(Err(DatabaseError::Timeout(job.timeout)));
    }
    let Some(deadline) = jobs.iter().map(|job| job.deadline).min() else {
        return true;
    };
    if pool.is_unnamed() {
        connection.send_unnamed();
    }
    let mut replies = run_all(pool, connection, &jobs, deadline);
    let is_unknown = |reply: &Result<Reply, QueryError>| has_state(reply, UNKNOWN_STATEMENT);
    if replies.as_ref().is_ok_and(|all| all.iter().any(is_unknown)) {
        // None of these was run.
        pool.use_unnamed();
        connection.send_unnamed();
        replies = replies.and_then(|all| {
            let mut again = Vec::with_capacity(all.len());
            for (reply, job) in all.into_iter().zip(&jobs) {
                if is_unknown(&reply) {
                    again.extend(run_all(
                        pool,
                        connection,
                        std::slice::from_ref(job),
                        deadline,
                    )?);
                } else {
                    again.push(reply);
                }
            }
            Ok(again)
        });
    }
    match replies {
        Ok(replies) => {
            // A primary that has become a standby.
            let usable = !replies.iter().any(|reply| has_state(reply, READ_ONLY));
            for (job, reply) in jobs.iter().zip(replies) {
                job.answer(reply.map_err(DatabaseError::Query));
            }
            usable
        }
        Err(ConnectionError::Timeout) => {
            let now = Instant::now();
            // Several only read, and may be run again.
            let (late, others): (Vec<Job>, Vec<Job>) =
                jobs.into_iter().partition(|job| job.deadline <= now);
            pool.put_back(others);
            for job in late {
                job.answer(Err(DatabaseError::Timeout(job.timeout)));
            }
            false
        }
        Err(error) => {
            for job in &jobs {
                job.answer(Err(DatabaseError::Lost(error.to_string())));
            }
            false
        }
    }
}

fn run_all(
    pool: &Pool,
    connection: &mut Connection,
    jobs: &[Job],
    deadline: Instant,
) -> Result<Vec<Result<Reply, QueryError>>, ConnectionError> {
    let queries: Vec<Query<'_>> = jobs
        .iter()
        .map(|job| Query {
            statement: job.statement,
            parameters: &job.parameters,
        })
        .collect();
    connection.run(&queries, deadline, Some(pool.stop_signal()))
}

fn has_state(reply: &Result<Reply, QueryError>, sqlstate: &str) -> bool {
    reply
        .as_ref()
        .is_err_and(|error| error.sqlstate() == sqlstate)
}
