//! Rows of the replies to look-ups.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::{Duration, Instant};

use libpq::Reply;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::credential::table::{of_stored, Candidate, Rows, StoredRow};
use crate::phone_number::Number;
use crate::timestamp::Moment;

/// The table of the rows.
const TABLE: &str = "pinset_pins";

/// The rows that a look-up has found, in the order of the list.
pub struct StoredRows {
    /// The rows; the line of each is its place among them, from 1.
    pub rows: Rows,
    /// The id of each in the database, and its secret, in the same order.
    ids: Vec<(String, Zeroizing<String>)>,
    /// The id of the first row with a context.
    id_with_context: Option<String>,
    /// When they were looked up.
    pub clock: LookupClock,
}

/// When a look-up was answered, by both clocks, and what is left of the time that its
/// caller may wait for the database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LookupClock {
    /// By the database's clock, as the database writes it; no later than `replied`.
    pub database: String,
    /// When the reply was here.
    pub replied: Instant,
    /// What is left of `source_timeout` since then. Time in which the database is not
    /// waited for, as for a hash, does not count.
    pub left: Duration,
}

/// Why the reply to a look-up can't be used.
#[derive(Debug, Error)]
pub enum StoredRowsError {
    /// A row has a value that no list may have.
    #[error("{table}, id {id}: {error}")]
    Row {
        /// The table.
        table: Cow<'static, str>,
        /// Its id.
        id: String,
        /// What is wrong with it.
        error: String,
    },
    /// The rows together can't be used.
    #[error("{table}: {error}")]
    Rows {
        /// The table.
        table: Cow<'static, str>,
        /// What is wrong with them.
        error: String,
    },
    /// It is not the reply to one of our statements.
    #[error("the reply of the database can't be read")]
    Unreadable,
}

impl StoredRows {
    /// Reads the reply to a look-up; `number` is the one that was looked up, if any, and
    /// `left` what is left of the time that the caller may wait.
    ///
    /// # Errors
    ///
    /// A row has an invalid value: nobody is verified, for it may be the row that
    /// refuses.
    pub fn of(
        reply: &Reply,
        number: Option<&Number>,
        left: Duration,
    ) -> Result<Self, StoredRowsError> {
        let replied = Instant::now();
        // There is a row of NULLs if none is found, for the clock and the cost.
        let count = (0..reply.len()).filter(|row| reply.get(*row, 0).is_some());
        let count = count.count();
        let mut found = Vec::with_capacity(count);
        let mut ids = Vec::with_capacity(count);
        for row in 0..count {
            found.push(stored_row(reply, row).ok_or(StoredRowsError::Unreadable)?);
            let text = |column| reply.text(row, column).unwrap_or_default().to_owned();
            ids.push((text(0), Zeroizing::new(text(2))));
        }
        let now = Moment::at(number_of(reply, 0, 9).ok_or(StoredRowsError::Unreadable)?);
        let dearest = number_of(reply, 0, 11).unwrap_or_default();
        let rows =
            of_stored(&found, number, now, dearest).map_err(|error| invalid(TABLE, &error))?;
        let with_context = found.iter().position(|row| row.context.is_some());
        let clock = LookupClock {
            database: reply.text(0, 10).unwrap_or_default().to_owned(),
            replied,
            left,
        };
        Self::new(TABLE, rows, ids, with_context, clock)
    }

    /// The rows of a table, with the id and the secret of each in their order.
    pub(super) fn new(
        table: impl Into<Cow<'static, str>>,
        rows: Rows,
        ids: Vec<(String, Zeroizing<String>)>,
        with_context: Option<usize>,
        clock: LookupClock,
    ) -> Result<Self, StoredRowsError> {
        if let Some(broken) = rows.broken().first() {
            let at = usize::try_from(broken.line).unwrap_or_default();
            let id = ids.get(at.saturating_sub(1)).map(|(id, _)| id.clone());
            return Err(StoredRowsError::Row {
                table: table.into(),
                id: id.unwrap_or_default(),
                error: match broken.column {
                    Some(column) => format!("{}: {}", column.name(), broken.error),
                    None => broken.error.to_string(),
                },
            });
        }
        let id_with_context = with_context.and_then(|row| Some(ids.get(row)?.0.clone()));
        Ok(Self {
            rows,
            ids,
            id_with_context,
            clock,
        })
    }

    /// The id of the first row with a context: not everything that verifies PINs can carry
    /// it out.
    pub fn id_with_context(&self) -> Option<&str> {
        self.id_with_context.as_deref()
    }

    /// The id and the secret of a row.
    pub(crate) fn id(&self, row: &Candidate) -> Option<(&str, &str)> {
        let at = usize::try_from(row.line).ok()?.checked_sub(1)?;
        let (id, secret) = self.ids.get(at)?;
        Some((id, secret))
    }
}

/// What is wrong with the rows of a table together.
pub(super) fn invalid(
    table: impl Into<Cow<'static, str>>,
    error: &impl ToString,
) -> StoredRowsError {
    StoredRowsError::Rows {
        table: table.into(),
        error: error.to_string(),
    }
}

fn number_of<T: FromStr>(reply: &Reply, row: usize, column: usize) -> Option<T> {
    reply.text(row, column)?.parse().ok()
}

fn stored_row(reply: &Reply, row: usize) -> Option<StoredRow<'_>> {
    let moment = |column| number_of(reply, row, column).map(Moment::at);
    let max_uses = match reply.get(row, 7) {
        Some(_) => Some(NonZeroU32::new(number_of(reply, row, 7)?)?),
        None => None,
    };
    Some(StoredRow {
        account: reply.get(row, 1)?,
        secret: reply.get(row, 2)?,
        level: number_of(reply, row, 3)?,
        enabled: reply.get(row, 4)? == b"t",
        from: moment(5),
        until: moment(6),
        max_uses,
        context: reply.text(row, 8).filter(|context| !context.is_empty()),
    })
}
