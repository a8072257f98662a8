//! What makes a new connection of a PBX or of `pinset serve` ready, and what it is checked
//! for.

use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use libpq::{Connection, Parameter, Query, QueryError, Reply, Statement};
use zeroize::Zeroizing;

use super::{is_served, PEPPER, SCHEMA_VERSION, STATEMENTS, VERSION};

/// SQLSTATE of a statement that a standby can't run.
const READ_ONLY: &str = "25006";

/// SQLSTATEs of a prepared statement that is not there, and of one that is there already: a
/// pooler gives each transaction another connection of its own.
const UNKNOWN_STATEMENT: &str = "26000";
const DUPLICATE_STATEMENT: &str = "42P05";

/// How long a new connection may take until it is ready.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the options of a connection, unless the connection string has others. libpq has
/// no shorter time to connect than 2 s.
pub const fn connection_options(program: &'static CStr) -> [(&'static CStr, &'static CStr); 3] {
    [
        (c"connect_timeout", c"2"),
        (c"tcp_user_timeout", c"3000"),
        (c"fallback_application_name", program),
    ]
}

/// Returns whether a query was not run because a pooler keeps no prepared statements: it is
/// to be sent again, without a name.
pub fn is_unprepared(reply: &Result<Reply, QueryError>) -> bool {
    has_state(reply, UNKNOWN_STATEMENT)
}

/// Returns whether a query was not run because the server is a standby: a primary has become
/// one.
pub fn is_read_only(reply: &Result<Reply, QueryError>) -> bool {
    has_state(reply, READ_ONLY)
}

fn has_state(reply: &Result<Reply, QueryError>, sqlstate: &str) -> bool {
    let error = reply.as_ref().err();
    error.is_some_and(|error| error.sqlstate() == sqlstate)
}

/// Prepares all statements, unless they are sent without their names, and checks that the
/// schema is one that this release serves, and that the pepper's keys, their ids and
/// [`fingerprints`](super::fingerprints), are those of other PBXs: with another key, right
/// PINs would be wrong, and lock callers out. Ready for reading, `stop` ends the wait.
/// Behind a pooler that keeps no prepared statements, the connection sends them without
/// their names from now on.
///
/// # Errors
///
/// The connection is not to be used; the text says why, and what to do.
pub fn make_ready(
    connection: &mut Connection,
    keys: &(String, String),
    stop: Option<BorrowedFd<'_>>,
) -> Result<(), String> {
    let deadline = Instant::now() + TIMEOUT;
    // First the version, so that a statement of another one is not the error.
    let (version, others) = STATEMENTS.split_at(1);
    prepare(connection, version, deadline, stop)?;
    check_version(connection, deadline, stop)?;
    prepare(connection, others, deadline, stop)?;
    check_pepper(connection, keys, deadline, stop)
}

/// Prepares statements, unless they are sent without their names.
fn prepare(
    connection: &mut Connection,
    statements: &[Statement],
    deadline: Instant,
    stop: Option<BorrowedFd<'_>>,
) -> Result<(), String> {
    for statement in statements {
        if connection.is_unnamed() {
            break;
        }
        match connection.prepare(statement, deadline, stop) {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.sqlstate() == DUPLICATE_STATEMENT => connection.send_unnamed(),
            Ok(Err(error)) => return Err(refused(&error)),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

fn check_version(
    connection: &mut Connection,
    deadline: Instant,
    stop: Option<BorrowedFd<'_>>,
) -> Result<(), String> {
    let version = ask(connection, &VERSION, &[], deadline, stop)?.unwrap_or_default();
    if !version.parse().is_ok_and(is_served) {
        return Err(format!(
            "its schema has version '{version}', and this release needs {SCHEMA_VERSION}: run \
             'pinset database upgrade'"
        ));
    }
    Ok(())
}

fn check_pepper(
    connection: &mut Connection,
    keys: &(String, String),
    deadline: Instant,
    stop: Option<BorrowedFd<'_>>,
) -> Result<(), String> {
    let (ids, fingerprints) = keys;
    let text = |text: &String| CString::new(text.as_str()).ok().map(Zeroizing::new);
    let parameters = [text(ids), text(fingerprints)];
    match ask(connection, &PEPPER, &parameters, deadline, stop)? {
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
    connection: &mut Connection,
    statement: &Statement,
    parameters: &[Parameter],
    deadline: Instant,
    stop: Option<BorrowedFd<'_>>,
) -> Result<Option<String>, String> {
    let query = Query {
        statement,
        parameters,
    };
    let mut answer = connection.run(&query, deadline, stop);
    if answer.as_ref().is_ok_and(is_unprepared) {
        connection.send_unnamed();
        answer = connection.run(&query, deadline, stop);
    }
    match answer.map_err(|error| error.to_string())? {
        Ok(reply) => Ok(reply.text(0, 0).map(str::to_owned)),
        Err(error) => Err(refused(&error)),
    }
}

/// Why the server has refused a statement of ours, with the remedy.
fn refused(error: &QueryError) -> String {
    match error.sqlstate() {
        "42P01" | "42703" | "42883" => format!(
            "it has not the tables of PIN sets ({error}): run 'pinset database init', or check \
             search_path"
        ),
        "42501" => {
            format!("its role may not use the tables of PIN sets ({error}): docs/cluster.md")
        }
        _ => error.to_string(),
    }
}
