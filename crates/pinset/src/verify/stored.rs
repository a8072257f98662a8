//! Look-ups and uses of rows in PostgreSQL, whoever sends the queries.

use std::ffi::CString;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use libpq::{Parameter, Reply, Statement};
use zeroize::Zeroizing;

use super::RowQuery;
use crate::credential::pepper::Pepper;
use crate::database::{
    digests, DatabaseError, LookupClock, StoredRows, BY_ACCOUNT, BY_CALLER, BY_PIN, CONSUME,
    IS_OURS,
};
use crate::pin::Pin;

/// Sends queries to a database.
pub trait DatabaseQueries {
    /// Runs a statement and waits for its reply, for at most `timeout`. Returns `None` if
    /// the caller has hung up.
    ///
    /// # Errors
    ///
    /// There is no reply, or the database has refused the query.
    fn run(
        &mut self,
        statement: &'static Statement,
        parameters: Vec<Parameter>,
        timeout: Duration,
    ) -> Option<Result<Reply, DatabaseError>>;
}

/// Looks up the rows of a PIN set that may be the caller's, as they are now. Returns
/// `None` if the caller has hung up.
///
/// # Errors
///
/// The database has not answered within `timeout`, or what it has found can't be used.
pub fn look_up_stored(
    queries: &mut impl DatabaseQueries,
    pin_set: &str,
    query: &RowQuery<'_>,
    pin: &Pin,
    pepper: &Pepper,
    timeout: Duration,
) -> Option<Result<StoredRows, DatabaseError>> {
    let (statement, key, number): (&'static Statement, _, _) = match query {
        RowQuery::Anybody => (&BY_PIN, digests(pin, pepper).into_bytes(), None),
        RowQuery::Caller(number) => (&BY_CALLER, number.to_string().into_bytes(), Some(*number)),
        RowQuery::Account(account) => (&BY_ACCOUNT, account.to_vec(), None),
    };
    let parameters = match parameters([key, pin_set.as_bytes().to_vec()]) {
        Ok(parameters) => parameters,
        Err(error) => return Some(Err(error)),
    };
    let asked = Instant::now();
    let found = queries.run(statement, parameters, timeout)?;
    let left = timeout.saturating_sub(asked.elapsed());
    Some(found.and_then(|reply| Ok(StoredRows::of(&reply, number, left)?)))
}

/// Takes a use of a row, in the database and for good: a token, a UUID, distinguishes it
/// from those of other PBXs. Returns false if there is none left, and `None` if the caller
/// has hung up: the use may be taken all the same. Calls `lost` if a use may be taken
/// without a call.
///
/// # Errors
///
/// The database has not answered within what the look-up has left of `source_timeout`:
/// whether the use is taken is unknown, and nobody is admitted by it.
pub fn consume_stored(
    queries: &mut impl DatabaseQueries,
    (id, secret): (&str, &str),
    limit: NonZeroU32,
    clock: &LookupClock,
    token: &str,
    lost: impl FnOnce(&DatabaseError),
) -> Option<Result<bool, DatabaseError>> {
    let most = limit.get().to_string();
    // The caller waits until then, which the database reckons from its own clock.
    let waits = format!("{} s", (clock.replied.elapsed() + clock.left).as_secs_f64());
    let until = Instant::now() + clock.left;
    let texts = [id, secret, &most, token, &clock.database, &waits];
    let values = match parameters(texts.map(|text| text.as_bytes().to_vec())) {
        Ok(values) => values,
        Err(error) => return Some(Err(error)),
    };
    let late = DatabaseError::Timeout(clock.left);
    let error = match queries.run(&CONSUME, values, clock.left)? {
        Ok(reply) if reply.get(0, 1) == Some(b"1") => return Some(Ok(true)),
        Ok(reply) if reply.get(0, 0) == Some(b"0") => return Some(Ok(false)),
        Ok(_) => return Some(Err(late)),
        Err(error @ (DatabaseError::Lost(_) | DatabaseError::Timeout(_))) => error,
        Err(error) => return Some(Err(error)),
    };
    let left = until.saturating_duration_since(Instant::now());
    let values = match parameters([id, token].map(|text| text.as_bytes().to_vec())) {
        Ok(values) => values,
        Err(error) => return Some(Err(error)),
    };
    match queries.run(&IS_OURS, values, left)? {
        Ok(reply) if !reply.is_empty() => Some(Ok(true)),
        // Another use may be the latest now.
        _ => {
            lost(&error);
            Some(Err(error))
        }
    }
}

fn parameters<const N: usize>(texts: [Vec<u8>; N]) -> Result<Vec<Parameter>, DatabaseError> {
    let texts = texts.into_iter().map(|text| {
        let text = CString::new(text).map_err(|_| DatabaseError::Value)?;
        Ok(Some(Zeroizing::new(text)))
    });
    texts.collect()
}
