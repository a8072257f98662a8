//! PIN sets in PostgreSQL: the schema, the statements of the module, and rows of their
//! replies: `docs/cluster.md`; and in tables of Asterisk's Realtime. Nothing here makes a
//! connection.
//!
//! Each statement is a transaction of its own, so a PBX that fails holds no lock. No
//! parameter is a PIN: rows are looked up by digests under a key of the pepper file.

mod budget;
mod digests;
mod error;
pub mod realtime;
mod request;
mod rows;
mod startup;
mod uses;

use std::ffi::CStr;

use libpq::Statement;

pub use budget::EntryBudget;
pub use digests::{digests, fingerprints};
pub use error::DatabaseError;
pub(crate) use request::{of_text, text};
pub use request::{Request, UnreadableReply};
pub use rows::{LookupClock, StoredRows, StoredRowsError};
pub use startup::{connection_options, is_read_only, is_unprepared, make_ready};
pub use uses::{list_uses, reset_accounts, reset_uses, used_rows, UsedRow};

/// The version of the schema that this release makes and serves.
pub const SCHEMA_VERSION: u32 = 2;

/// The steps of the schema: the first makes version 1, each further one the next.
pub const SCHEMA_STEPS: [&str; SCHEMA_VERSION as usize] =
    [include_str!("sql/0001.sql"), include_str!("sql/0002.sql")];

/// Returns whether this release serves a schema of this version: its own, or the next,
/// which has all that this one has.
pub fn is_served(version: u32) -> bool {
    version == SCHEMA_VERSION || version == SCHEMA_VERSION + 1
}

/// Returns the version of the schema.
pub const VERSION: Statement = Statement {
    name: c"pinset_version",
    sql: c"SELECT max(version) FROM pinset_schema",
};

macro_rules! look_up {
    ($name:literal, $condition:literal) => {
        Statement {
            name: match CStr::from_bytes_with_nul(concat!($name, "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => panic!("a NUL"),
            },
            sql: match CStr::from_bytes_with_nul(
                concat!(
                    "SELECT id, account, secret, level, enabled, \
                     floor(extract(epoch FROM nullif(valid_from, '-infinity')))::bigint, \
                     ceil(extract(epoch FROM nullif(valid_until, 'infinity')))::bigint, \
                     max_uses, context, \
                     floor(extract(epoch FROM clock_timestamp()))::bigint, \
                     clock_timestamp(), \
                     (SELECT max(cost) FROM pinset_pins WHERE pinset = $2 AND cost IS NOT NULL) \
                     FROM (SELECT true) AS one LEFT JOIN \
                     (SELECT * FROM pinset_pins WHERE ",
                    $condition,
                    " AND pinset = $2 ORDER BY id LIMIT 501) AS p ON true ORDER BY id\0"
                )
                .as_bytes(),
            ) {
                Ok(sql) => sql,
                Err(_) => panic!("a NUL"),
            },
        }
    };
}

/// Finds the rows of a PIN: its digests under the keys of the pepper (`bytea[]`), and the
/// PIN set.
///
/// A server that sees how many digests there are expects fewer rows than without that, and
/// makes a plan for each look-up, which takes it five times as long as the look-up. So they
/// are the result of a query.
pub const BY_PIN: Statement = look_up!(
    "pinset_by_pin",
    "digest = ANY (ARRAY(SELECT unnest($1::bytea[])))"
);

/// Finds the rows of a normalized number in a PIN set.
pub const BY_CALLER: Statement = look_up!("pinset_by_caller", "caller = $1");

/// Finds the rows of an account in a PIN set.
pub const BY_ACCOUNT: Statement = look_up!("pinset_by_account", "account = $1");

/// Takes a use of a row: its id, its secret as it was looked up, the most uses, a token
/// of this use, the database's clock at the look-up, and how long after it the caller
/// waits (`interval`). Returns the number of rows that can admit, 0 if all uses are taken
/// or the row has changed or is over since; and the number of uses taken, 0 if it was too
/// late.
///
/// The time is checked by the statement itself: a server that was stopped for a while
/// runs what lies in its socket long after the caller was refused. It is checked once the
/// row is locked: an update that has waited for a lock checks its conditions again only
/// if the row has changed.
pub const CONSUME: Statement = Statement {
    name: c"pinset_consume",
    sql: c"WITH held AS MATERIALIZED (SELECT id FROM pinset_pins \
           WHERE id = $1::bigint AND secret = $2 AND uses < $3::integer AND enabled \
           AND coalesce(valid_from <= clock_timestamp(), true) \
           AND coalesce(valid_until > clock_timestamp(), true) FOR UPDATE), \
           due AS MATERIALIZED (SELECT id FROM held \
           WHERE clock_timestamp() < $5::timestamptz + $6::interval), \
           taken AS (UPDATE pinset_pins AS p SET uses = uses + 1, last_use = $4::uuid \
           FROM due WHERE p.id = due.id RETURNING p.id) \
           SELECT (SELECT count(*) FROM held), (SELECT count(*) FROM taken)",
};

/// Whether the latest use of a row is the one with this token: after a [`CONSUME`] whose
/// reply was lost. The row's id and the token.
pub const IS_OURS: Statement = Statement {
    name: c"pinset_is_ours",
    sql: c"SELECT 1 FROM pinset_pins WHERE id = $1::bigint AND last_use = $2::uuid",
};

/// Charges an entry to a caller and a PIN set:
/// [`lockout::stored`](crate::lockout::stored).
pub const CHARGE: Statement = Statement {
    name: c"pinset_charge",
    sql: c"SELECT standing, by_kind, left_ms, caller_receipt, set_receipt \
           FROM pinset_charge($1::text, $2::text, $3::text, $4::bytea, $5::bigint[], \
           $6::bytea, $7::bigint[], $8::bytea, $9::integer, false)",
};

/// Returns the standing of a caller in a PIN set: the parameters and columns of
/// [`CHARGE`].
pub const LOOK: Statement = Statement {
    name: c"pinset_look",
    sql: c"SELECT standing, by_kind, left_ms, caller_receipt, set_receipt \
           FROM pinset_charge($1::text, $2::text, $3::text, $4::bytea, $5::bigint[], \
           $6::bytea, $7::bigint[], $8::bytea, $9::integer, true)",
};

/// Charges an entry to accounts.
pub const CHARGE_ACCOUNTS: Statement = Statement {
    name: c"pinset_charge_accounts",
    sql: c"SELECT standing, left_ms, receipt, trusted, on_reserve \
           FROM pinset_charge_accounts($1::text, $2::bytea[], $3::text[], $4::bytea[], \
           $5::bigint[], $6::integer)",
};

/// Records the result of an entry where it was charged.
pub const SETTLE: Statement = Statement {
    name: c"pinset_settle",
    sql: c"SELECT by_kind, left_ms FROM pinset_settle($1::text, $2::\"char\"[], $3::bytea[], \
           $4::timestamptz[], $5::boolean[], $6::boolean[], $7::bigint[], $8::bigint[], \
           $9::bigint[], $10::\"char\", $11::bytea, $12::bytea[])",
};

/// Returns locks in force, in one PIN set or in all: those after a kind and key, some at a
/// time.
pub const LOCKS: Statement = Statement {
    name: c"pinset_locks",
    sql: c"SELECT kind, key, pinset, name, endpoint, pinset_left_ms(locked_until, t), locks, \
           CASE WHEN locked_until < 'infinity' \
           THEN pinset_count(failures) + pinset_count(trusted_failures) \
           ELSE consecutive + trusted_consecutive END \
           FROM pinset_lockouts, (SELECT pinset_now() AS t) AS clock WHERE locked_until > t \
           AND ($1::text IS NULL OR pinset = $1) AND (kind, key) > ($2::\"char\", $3::bytea) \
           ORDER BY kind, key LIMIT $4::integer",
};

/// Returns the number of locks in force, by PIN set and kind.
pub const LOCK_COUNTS: Statement = Statement {
    name: c"pinset_lock_counts",
    sql: c"SELECT pinset, kind, count(*) FROM pinset_lockouts \
           WHERE locked_until > (SELECT pinset_now()) GROUP BY pinset, kind",
};

/// Ends locks, and what was counted there.
pub const UNLOCK: Statement = Statement {
    name: c"pinset_unlock",
    sql: c"SELECT unlocked, is_named FROM pinset_unlock($1::\"char\", $2::text, $3::text, \
           $4::bytea[], $5::text)",
};

/// Deletes what counts for nothing any more: of each table at most this number of rows.
pub const PURGE: Statement = Statement {
    name: c"pinset_purge",
    sql: c"SELECT pinset_purge($1::integer)",
};

/// Notes the keys of a pepper file, and returns the id of one that is another than the one
/// with this id in other pepper files; NULL if there is none: their ids and
/// [`fingerprints`].
pub const PEPPER: Statement = Statement {
    name: c"pinset_pepper",
    sql: c"SELECT pinset_pepper_differs($1::text[], $2::bytea[])",
};

/// Returns whether a statement changes nothing, so that it waits for no row that another
/// one has locked, and may be run again.
pub fn only_reads(statement: &Statement) -> bool {
    [
        BY_PIN,
        BY_CALLER,
        BY_ACCOUNT,
        IS_OURS,
        LOOK,
        LOCKS,
        LOCK_COUNTS,
        uses::USES,
        VERSION,
    ]
    .contains(statement)
}

/// All statements, which a connection prepares.
pub const STATEMENTS: [Statement; 17] = [
    VERSION,
    PEPPER,
    BY_PIN,
    BY_CALLER,
    BY_ACCOUNT,
    CONSUME,
    IS_OURS,
    CHARGE,
    LOOK,
    CHARGE_ACCOUNTS,
    SETTLE,
    LOCKS,
    LOCK_COUNTS,
    uses::USES,
    uses::RESET_USES,
    UNLOCK,
    PURGE,
];

#[cfg(test)]
mod tests;
