//! What a new connection of a PBX or of `pinset serve` is checked for.

use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;
use std::time::Instant;

use libpq::{Connection, Parameter, Query, QueryError, Statement};
use zeroize::Zeroizing;

use super::{is_served, PEPPER, SCHEMA_VERSION, VERSION};

/// SQLSTATE of a statement that a standby can't run: a primary has become one.
pub const READ_ONLY: &str = "25006";

/// Returns the options of a connection, unless the connection string has others. libpq has
/// no shorter time to connect than 2 s.
pub const fn connection_options(program: &'static CStr) -> [(&'static CStr, &'static CStr); 3] {
    [
        (c"connect_timeout", c"2"),
        (c"tcp_user_timeout", c"3000"),
        (c"fallback_application_name", program),
    ]
}

/// Checks by `deadline` that the schema is one that this release serves. Ready for reading,
/// `stop` ends the wait.
///
/// # Errors
///
/// It is not, or the server gives no answer; the text says what to do.
pub fn check_version(
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

/// Checks that the pepper's keys, their ids and [`fingerprints`](super::fingerprints), are
/// those of other PBXs: with another key, right PINs would be wrong, and lock callers out.
///
/// # Errors
///
/// As [`check_version`].
pub fn check_pepper(
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
    let answer = connection.run(&query, deadline, stop);
    match answer.map_err(|error| error.to_string())? {
        Ok(reply) => Ok(reply.text(0, 0).map(str::to_owned)),
        Err(error) => Err(refused(&error)),
    }
}

/// Why the server has refused a statement of ours, with the remedy.
pub fn refused(error: &QueryError) -> String {
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
