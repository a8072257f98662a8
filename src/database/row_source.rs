//! Look-ups and uses of rows for a call.

use std::num::NonZeroU32;
use std::time::Duration;

use libpq::{Parameter, Reply, Statement};
use pinset::database::{EntryBudget, LookupClock, StoredRows};
use pinset::verify::{consume_stored, look_up_stored, DatabaseQueries, RowQuery, ServiceChannel};
use pinset::{Pepper, Pin};

use super::entry::run;
use super::DatabaseError;
use crate::asterisk::log::log;
use crate::asterisk::process;

/// Queries of an entry, while its caller is served.
struct EntryQueries<'a, H>(&'a mut H, &'a EntryBudget);

impl<H: ServiceChannel> DatabaseQueries for EntryQueries<'_, H> {
    fn run(
        &mut self,
        statement: &'static Statement,
        parameters: Vec<Parameter>,
        timeout: Duration,
    ) -> Option<Result<Reply, DatabaseError>> {
        run(self.0, statement, parameters, timeout, self.1)
    }
}

/// Looks up the rows of a PIN set that may be the caller's, see [`look_up_stored`].
///
/// # Errors
///
/// The database has not answered in time, or what it has found can't be used.
pub(crate) fn look_up<H: ServiceChannel>(
    host: &mut H,
    pin_set: &str,
    query: &RowQuery<'_>,
    pin: &Pin,
    pepper: &Pepper,
    budget: &EntryBudget,
) -> Option<Result<StoredRows, DatabaseError>> {
    let mut queries = EntryQueries(host, budget);
    look_up_stored(&mut queries, pin_set, query, pin, pepper, budget.left())
}

/// Takes a use of a row, see [`consume_stored`].
///
/// # Errors
///
/// The database has not answered in time: whether the use is taken is unknown, and nobody
/// is admitted by it.
pub(crate) fn consume<H: ServiceChannel>(
    host: &mut H,
    row: (&str, &str),
    limit: NonZeroU32,
    clock: &LookupClock,
    budget: &EntryBudget,
) -> Option<Result<bool, DatabaseError>> {
    let token = process::uuid();
    let id = row.0;
    let mut queries = EntryQueries(host, budget);
    // Accounts may have been charged since.
    let clock = LookupClock {
        left: clock.left.min(budget.left()),
        ..clock.clone()
    };
    consume_stored(&mut queries, row, limit, &clock, &token, |error| {
        log!(
            Warning,
            "a use of pinset_pins, id {id}, may be taken without a call: {error}"
        );
    })
}
