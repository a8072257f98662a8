//! Uses of rows, for administrators: the statements that list them and set them back, and
//! their replies.

use std::num::NonZeroU32;

use libpq::{Reply, Statement};

use super::request::{of_text, text, Request, UnreadableReply};

/// Returns the uses of rows of a PIN set that have any: those after an id, some at a time,
/// with the number of all. There is a row of NULLs if there is none.
pub(super) const USES: Statement = Statement {
    name: c"pinset_uses",
    sql: c"SELECT total, id, account, uses, max_uses FROM \
           (SELECT count(*) AS total FROM pinset_pins WHERE pinset = $1 AND uses > 0) AS counted \
           LEFT JOIN (SELECT id, account, uses, max_uses FROM pinset_pins \
           WHERE pinset = $1 AND uses > 0 AND id > $2::bigint ORDER BY id LIMIT $3::integer) \
           AS used ON true ORDER BY id",
};

/// Sets uses of rows of a PIN set back to zero, by account or id, and returns the accounts.
/// The token of the latest use stays, because a PBX may still ask whether it was its own.
pub(super) const RESET_USES: Statement = Statement {
    name: c"pinset_reset_uses",
    sql: c"UPDATE pinset_pins SET uses = 0 WHERE pinset = $1 AND uses > 0 \
           AND ($2::text IS NULL OR account = $2) AND ($3::bigint IS NULL OR id = $3) \
           RETURNING account",
};

/// The uses of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsedRow {
    /// Its id.
    pub id: u64,
    /// Its account.
    pub account: String,
    /// How often it was used.
    pub uses: u64,
    /// How often it may be used, or `None` for any number.
    pub max_uses: Option<NonZeroU32>,
}

/// Returns what asks for the uses of rows with a higher id, at most `limit`.
pub fn list_uses(pin_set: &str, after: u64, limit: usize) -> Request {
    Request {
        statement: &USES,
        parameters: vec![
            of_text(pin_set),
            of_text(&after.to_string()),
            of_text(&limit.to_string()),
        ],
    }
}

/// Reads the reply to [`list_uses`]: the rows, and the number of all that have uses.
///
/// # Errors
///
/// It is no such reply.
pub fn used_rows(reply: &Reply) -> Result<(Vec<UsedRow>, u64), UnreadableReply> {
    let total = number(reply, 0, 0)?;
    let rows = (0..reply.len()).filter(|row| reply.get(*row, 1).is_some());
    let rows = rows.map(|row| used_row(reply, row));
    Ok((rows.collect::<Result<_, _>>()?, total))
}

fn used_row(reply: &Reply, row: usize) -> Result<UsedRow, UnreadableReply> {
    let max_uses = match reply.get(row, 4) {
        Some(_) => Some(number(reply, row, 4)?),
        None => None,
    };
    let max_uses = max_uses.map(|most| u32::try_from(most).ok().and_then(NonZeroU32::new));
    Ok(UsedRow {
        id: number(reply, row, 1)?,
        account: text(reply, row, 2)?.to_owned(),
        uses: number(reply, row, 3)?,
        max_uses: max_uses
            .map(|most| most.ok_or(UnreadableReply))
            .transpose()?,
    })
}

fn number(reply: &Reply, row: usize, column: usize) -> Result<u64, UnreadableReply> {
    text(reply, row, column)?
        .parse()
        .map_err(|_| UnreadableReply)
}

/// Returns what sets uses back to zero, of an account, of a row, or of both.
pub fn reset_uses(pin_set: &str, account: Option<&str>, id: Option<u64>) -> Request {
    Request {
        statement: &RESET_USES,
        parameters: vec![
            of_text(pin_set),
            account.and_then(of_text),
            id.and_then(|id| of_text(&id.to_string())),
        ],
    }
}

/// Reads the reply to [`reset_uses`]: the accounts of the rows, which may be repeated.
///
/// # Errors
///
/// It is no such reply.
pub fn reset_accounts(reply: &Reply) -> Result<Vec<String>, UnreadableReply> {
    let account = |row| text(reply, row, 0).map(str::to_owned);
    (0..reply.len()).map(account).collect()
}
