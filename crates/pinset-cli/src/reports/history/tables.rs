//! Tables of the history.

use crate::reports::record_table;

/// Returns the statements that create the tables if they are missing.
///
/// - `file`: how far each followed file is read.
/// - `record`: the records, from which calls are assembled again when another record or an
///   outcome of the call comes.
/// - `channel`, `link`: the outcome that counts for the call of a channel, see
///   `OutcomeKey`.
/// - `numbering`: the options by which `number` of the other tables was made of `caller`.
/// - `attempt`: all outcomes, to look them up by caller or account.
/// - `call`: the calls. `first` is the place of the first record, so that the order is
///   that of the CDR.
/// - `quarter`, `day`, `set_quarter`: sums by a quarter of an hour or a day in UTC. All
///   days of all time zones begin with a quarter.
pub(super) fn create() -> String {
    let record = record_table::COLUMNS;
    format!(
        "
        CREATE TABLE IF NOT EXISTS file (
            source TEXT PRIMARY KEY, device INTEGER NOT NULL, inode INTEGER NOT NULL,
            offset INTEGER NOT NULL, mark INTEGER NOT NULL, digest BLOB NOT NULL,
            read INTEGER NOT NULL, skipped INTEGER NOT NULL, has_ids INTEGER NOT NULL,
            gap INTEGER
        ) STRICT;
        CREATE TABLE IF NOT EXISTS name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)
            STRICT;
        CREATE TABLE IF NOT EXISTS record ({record}) STRICT;
        CREATE INDEX IF NOT EXISTS record_call ON record (call) WHERE call <> x'';
        CREATE INDEX IF NOT EXISTS record_channel ON record (unique_id);
        CREATE INDEX IF NOT EXISTS record_link ON record (linked_id)
            WHERE linked_id IS NOT NULL;
        CREATE TABLE IF NOT EXISTS channel (
            id BLOB PRIMARY KEY, admitted INTEGER NOT NULL, identity TEXT NOT NULL,
            pin_set TEXT NOT NULL, time INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS link (
            id BLOB PRIMARY KEY, admitted INTEGER NOT NULL, channel BLOB NOT NULL,
            time INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS numbering (options TEXT NOT NULL) STRICT;
        CREATE TABLE IF NOT EXISTS attempt (
            id INTEGER PRIMARY KEY, time INTEGER NOT NULL, outcome TEXT NOT NULL,
            pin_set TEXT NOT NULL, identity TEXT NOT NULL, caller TEXT NOT NULL,
            number TEXT NOT NULL, unique_id TEXT NOT NULL
        ) STRICT;
        CREATE INDEX IF NOT EXISTS attempt_number ON attempt (number);
        CREATE INDEX IF NOT EXISTS attempt_identity ON attempt (identity);
        CREATE TABLE IF NOT EXISTS call (
            first INTEGER PRIMARY KEY, began INTEGER NOT NULL, identity INTEGER NOT NULL,
            pin_set INTEGER NOT NULL, disposition INTEGER NOT NULL, number TEXT NOT NULL,
            duration INTEGER NOT NULL, billed INTEGER NOT NULL, caller TEXT NOT NULL,
            called TEXT NOT NULL, start TEXT NOT NULL, answer TEXT NOT NULL,
            end TEXT NOT NULL, unique_id TEXT NOT NULL
        ) STRICT;
        CREATE INDEX IF NOT EXISTS call_began ON call (began);
        CREATE INDEX IF NOT EXISTS call_identity ON call (identity, began);
        CREATE INDEX IF NOT EXISTS call_pin_set ON call (pin_set, began);
        CREATE INDEX IF NOT EXISTS call_disposition ON call (disposition, began);
        CREATE INDEX IF NOT EXISTS call_number ON call (number, began);
        CREATE INDEX IF NOT EXISTS call_called ON call (called, began);
        CREATE INDEX IF NOT EXISTS call_answer ON call (answer, began);
        CREATE INDEX IF NOT EXISTS call_duration ON call (duration, began);
        CREATE INDEX IF NOT EXISTS call_billed ON call (billed, began);
        CREATE TABLE IF NOT EXISTS quarter (
            slot INTEGER, pin_set INTEGER, identity INTEGER, disposition INTEGER,
            calls INTEGER NOT NULL, duration INTEGER NOT NULL, billed INTEGER NOT NULL,
            PRIMARY KEY (slot, pin_set, identity, disposition)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS quarter_identity ON quarter (identity, slot);
        CREATE TABLE IF NOT EXISTS day (
            slot INTEGER, pin_set INTEGER, identity INTEGER, disposition INTEGER,
            calls INTEGER NOT NULL, duration INTEGER NOT NULL, billed INTEGER NOT NULL,
            PRIMARY KEY (slot, pin_set, identity, disposition)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS set_quarter (
            slot INTEGER, pin_set INTEGER, disposition INTEGER,
            calls INTEGER NOT NULL, duration INTEGER NOT NULL, billed INTEGER NOT NULL,
            PRIMARY KEY (slot, pin_set, disposition)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS set_quarter_pin_set ON set_quarter (pin_set, slot);
        "
    )
}

/// Seconds of a quarter of an hour, and of a day.
pub(super) const QUARTER_SECS: i64 = 15 * 60;
pub(super) const DAY_SECS: i64 = 24 * 60 * 60;

/// Longest duration of a call in a sum. No sum can overflow.
pub(super) const MAX_SUMMED_SECS: i64 = 1 << 40;

/// Returns the start of the quarter or day that a time is in.
pub(super) fn slot(time: i64, seconds: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(seconds))
}
