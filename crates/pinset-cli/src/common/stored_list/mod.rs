//! A PIN set in PostgreSQL as a CSV list, so that the code for PIN files edits it.
//!
//! A command reads rows as the text of a list, makes a new text of it, and saves that: the
//! differences become statements. Both are in one transaction with a lock for the PIN set,
//! so commands take turns. Calls do not wait for that lock.

mod copy;

use std::path::Path;

use libpq::{Reply, Statement};
use pinset::config::Source;
use pinset::database::digests;
use pinset::list::format::csv::{Column, Reader};
use pinset::timestamp::Zone;
use pinset::{Numbering, Pepper, Pin, PinSet};
use zeroize::Zeroizing;

use crate::common::csv::push_row;
use crate::common::csv_list::CsvList;
use crate::common::error::CommandError;
use crate::common::postgres::{Database, LOCK_CLASS};

use copy::{stored_values, CopiedRows};

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "DECLARE pinset_rows CURSOR FOR SELECT id, account, secret, caller, name, \
             nullif(level, 0), \
             to_char(to_timestamp(floor(extract(epoch FROM nullif(valid_from, '-infinity')))) \
             AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
             to_char(to_timestamp(ceil(extract(epoch FROM nullif(valid_until, 'infinity')))) \
             AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
             max_uses, context, CASE WHEN NOT enabled THEN 'no' END \
             FROM pinset_pins WHERE pinset = $1",
            $condition,
            " ORDER BY id\0"
        )
    };
}

/// Begins a transaction with the lock of a PIN set. What is read after that includes what
/// the command before has saved.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

const LOCK: Statement = Statement {
    name: c"pinset_lock",
    sql: c"SELECT pg_advisory_xact_lock($1::integer, hashtext($2))",
};

const ALL: Statement = Statement {
    name: c"pinset_all",
    sql: c_str(select!("")),
};

/// Selects what decides about a new or changed row: rows of its accounts (`text[]`), of its
/// caller numbers, with its PIN, and with an id; and one row with Argon2id, one of each key
/// that the pepper lacks, and any one.
const SOME: Statement = Statement {
    name: c"pinset_some",
    sql: c_str(select!(
        " AND id IN (SELECT id FROM pinset_pins WHERE account = ANY ($2::text[]) AND pinset = $1 \
         UNION SELECT id FROM pinset_pins WHERE caller = ANY ($3::text[]) AND pinset = $1 \
         UNION SELECT id FROM pinset_pins WHERE digest = ANY ($4::bytea[]) AND pinset = $1 \
         UNION SELECT id FROM pinset_pins WHERE id = $5::bigint AND pinset = $1 \
         UNION (SELECT id FROM pinset_pins WHERE pinset = $1 AND cost IS NOT NULL LIMIT 1) \
         UNION (SELECT id FROM pinset_pins WHERE pinset = $1 LIMIT 1) \
         UNION SELECT min(id) FROM pinset_pins WHERE pinset = $1 AND digest IS NOT NULL \
         AND split_part(secret, ':', 2) <> ALL ($6::text[]) GROUP BY split_part(secret, ':', 2))"
    )),
};

const FETCH: Statement = Statement {
    name: c"pinset_fetch",
    sql: c"FETCH 10000 FROM pinset_rows",
};

/// Changes the columns that `$4` names. Another secret has no uses yet. The row must be as
/// it was read.
const CHANGE: Statement = Statement {
    name: c"pinset_change",
    sql: c"UPDATE pinset_pins SET \
        account = CASE WHEN 'account' = ANY ($4::text[]) THEN $5 ELSE account END, \
        secret = CASE WHEN 'secret' = ANY ($4) THEN $6 ELSE secret END, \
        uses = CASE WHEN 'secret' = ANY ($4) THEN 0 ELSE uses END, \
        last_use = CASE WHEN 'secret' = ANY ($4) THEN NULL ELSE last_use END, \
        caller = CASE WHEN 'caller' = ANY ($4) THEN $7 ELSE caller END, \
        name = CASE WHEN 'name' = ANY ($4) THEN $8 ELSE name END, \
        level = CASE WHEN 'level' = ANY ($4) THEN $9::smallint ELSE level END, \
        enabled = CASE WHEN 'enabled' = ANY ($4) THEN $10::boolean ELSE enabled END, \
        valid_from = CASE WHEN 'valid_from' = ANY ($4) THEN $11::timestamptz ELSE valid_from END, \
        valid_until = CASE WHEN 'valid_until' = ANY ($4) THEN $12::timestamptz ELSE valid_until END, \
        max_uses = CASE WHEN 'max_uses' = ANY ($4) THEN $13::integer ELSE max_uses END, \
        context = CASE WHEN 'context' = ANY ($4) THEN $14 ELSE context END \
        WHERE id = $1::bigint AND account = $2 AND secret = $3",
};

const DELETE: Statement = Statement {
    name: c"pinset_delete",
    sql: c"DELETE FROM pinset_pins WHERE id = ANY ($1::bigint[])",
};

const CHANGED_MEANWHILE: &str =
    "a row was changed or removed by another program meanwhile: nothing is changed, run the \
     command again";

const fn c_str(sql: &'static str) -> &'static std::ffi::CStr {
    match std::ffi::CStr::from_bytes_with_nul(sql.as_bytes()) {
        Ok(sql) => sql,
        Err(_) => panic!("a NUL"),
    }
}

/// The rows that a command reads.
#[derive(Default)]
pub(crate) struct RowFilter<'a> {
    /// Accounts, of which all rows are read.
    pub accounts: Vec<&'a str>,
    /// Caller numbers, in any spelling, of which all rows are read.
    pub callers: Vec<&'a str>,
    /// A PIN, of which all rows are read, with the keys that are known.
    pub pin: Option<(&'a Pin, &'a Pepper)>,
    /// A row.
    pub id: Option<u64>,
}

/// A PIN set in a database, locked for other commands.
pub(crate) struct StoredList {
    database: Database,
    pin_set: String,
    numbering: Numbering,
    /// The rows that were read, and their ids in the same order.
    text: Zeroizing<Vec<u8>>,
    ids: Vec<String>,
    /// The lines in which they begin.
    lines: Vec<u64>,
}

impl StoredList {
    /// Connects, and waits until other commands are done with the PIN set.
    pub(crate) fn lock(
        connection: &Path,
        pin_set: &Path,
        numbering: &Numbering,
    ) -> Result<Self, CommandError> {
        let name = pin_set_name(pin_set)?;
        let mut database = Database::open(connection)?;
        database.script(BEGIN)?;
        if let Some(error) = Database::version_error(database.version()?) {
            return Err(CommandError::at(connection, error));
        }
        let class = LOCK_CLASS.to_string();
        database.run(&LOCK, [Some(class.as_str()), Some(&name)])?;
        Ok(Self {
            database,
            pin_set: name,
            numbering: numbering.clone(),
            text: Zeroizing::default(),
            ids: Vec::new(),
            lines: Vec::new(),
        })
    }

    /// Reads all rows as the text of a CSV file.
    pub(crate) fn read_all(&mut self) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let name = self.pin_set.clone();
        self.read(&ALL, [Some(name.as_str())])
    }

    /// Reads rows as the text of a CSV file.
    pub(crate) fn read_some(
        &mut self,
        filter: &RowFilter<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let name = self.pin_set.clone();
        let accounts = array(filter.accounts.iter().copied());
        let numbers = filter.callers.iter();
        let numbers = numbers.filter_map(|text| self.numbering.normalize(text.as_bytes()));
        let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
        let numbers = array(numbers.iter().map(String::as_str));
        let (digests, keys) = match filter.pin {
            Some((pin, pepper)) => {
                let keys: Vec<String> = pepper.ids().map(|id| id.to_string()).collect();
                let keys = array(keys.iter().map(String::as_str));
                (Zeroizing::new(digests(pin, pepper)), Some(keys))
            }
            None => (Zeroizing::new("{}".to_owned()), None),
        };
        let id = filter.id.map(|id| id.to_string());
        let parameters = [
            Some(name.as_str()),
            Some(&accounts),
            Some(&numbers),
            Some(&digests),
            id.as_deref(),
            keys.as_deref(),
        ];
        self.read(&SOME, parameters)
    }

    fn read<const N: usize>(
        &mut self,
        statement: &Statement,
        parameters: [Option<&str>; N],
    ) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        self.database.run(statement, parameters)?;
        let mut text = CsvList::new(&Column::ALL).into_text();
        self.ids.clear();
        self.lines.clear();
        let mut line = 2;
        loop {
            let reply = self.database.run(&FETCH, [])?;
            if reply.is_empty() {
                break;
            }
            for row in 0..reply.len() {
                self.ids.push(value(&reply, row, 0).to_owned());
                self.lines.push(line);
                let values = (1..=Column::ALL.len()).map(|column| value(&reply, row, column));
                let start = text.len();
                push_row(&mut text, values, "\n");
                let row = text.get(start..).unwrap_or_default();
                line += memchr::memchr_iter(b'\n', row).count() as u64;
            }
        }
        self.database.script("CLOSE pinset_rows")?;
        self.text = text.clone();
        Ok(text)
    }

    /// Returns the id of the row that begins in a line of the text that was read.
    pub(crate) fn id_of(&self, line: u64) -> Option<u64> {
        let at = self.lines.binary_search(&line).ok()?;
        self.ids.get(at)?.parse().ok()
    }

    /// Returns the lines of the text that was read, and the ids of the rows that begin in
    /// them.
    pub(crate) fn ids(&self) -> Vec<(u64, u64)> {
        let ids = self.ids.iter().map(|id| id.parse().unwrap_or_default());
        self.lines.iter().copied().zip(ids).collect()
    }

    /// Saves a new text of the list that was read: with some of its rows changed and others
    /// behind them, or without some of its rows. Calls `progress` with the number of new
    /// rows after each part of them.
    pub(crate) fn save(
        mut self,
        text: Zeroizing<Vec<u8>>,
        progress: impl FnMut(u64),
    ) -> Result<(), CommandError> {
        let old = CsvList::read(std::mem::take(&mut self.text)).map_err(CommandError::new)?;
        let new = CsvList::read(text).map_err(CommandError::new)?;
        if new.rows().len() < old.rows().len() {
            self.delete(&old, &new)?;
        } else {
            self.change(&old, &new)?;
            self.insert(new.text(), old.rows().len(), progress)?;
        }
        self.database.script("COMMIT")
    }

    fn delete(&mut self, old: &CsvList, new: &CsvList) -> Result<(), CommandError> {
        let mut left = 0;
        let mut gone = Vec::new();
        for (row, id) in self.ids.iter().enumerate() {
            if left < new.rows().len() && old.row_text(row) == new.row_text(left) {
                left += 1;
            } else {
                gone.push(id.as_str());
            }
        }
        let removed = self
            .database
            .run(&DELETE, [Some(array(gone.iter().copied()).as_str())])?;
        self.check(removed.affected(), gone.len())
    }

    /// Changes rows that differ, each in the columns that do.
    fn change(&mut self, old: &CsvList, new: &CsvList) -> Result<(), CommandError> {
        let zone = Zone::of_the_machine();
        for row in 0..old.rows().len() {
            if old.row_text(row) == new.row_text(row) {
                continue;
            }
            let is_changed = |column: &Column| old.value(row, *column) != new.value(row, *column);
            let changed: Vec<Column> = Column::ALL.into_iter().filter(is_changed).collect();
            let alone = new.row_alone(row);
            let mut reader = Reader::new(alone.as_slice(), true, &zone);
            let values = reader.next_row().map_err(CommandError::new)?;
            let values = values.ok_or_else(|| CommandError::new("a row is missing"))?;
            let values = values.map_err(|error| CommandError::new(error.error))?;
            let values = stored_values(&values, &self.numbering)?;
            let of = |column| old.value(row, column).unwrap_or_default();
            let (account, secret) = (of(Column::Account), of(Column::Secret));
            let columns = array(changed.iter().map(|column| column.name()));
            let first = [
                self.ids.get(row).map(String::as_str),
                Some(account.as_ref()),
                Some(secret.as_ref()),
                Some(columns.as_str()),
            ];
            let parameters = first.into_iter().chain(
                values
                    .iter()
                    .map(|value| value.as_ref().map(|text| text.as_str())),
            );
            let done = self.database.run(&CHANGE, parameters)?;
            self.check(done.affected(), 1)?;
        }
        Ok(())
    }

    /// Copies the rows of a list from this one on.
    fn insert(
        &mut self,
        text: &[u8],
        from: usize,
        progress: impl FnMut(u64),
    ) -> Result<(), CommandError> {
        let mut rows = CopiedRows::new(text, from, &self.pin_set, &self.numbering, progress)?;
        if !rows.has_more() {
            return Ok(());
        }
        let copied = self.database.copy_in(copy::COPY, &mut rows)?;
        match rows.finish()? {
            count if count == copied => Ok(()),
            count => Err(CommandError::new(format!(
                "{copied} of {count} rows were copied: nothing is changed"
            ))),
        }
    }

    fn check(&self, affected: u64, wanted: usize) -> Result<(), CommandError> {
        if affected == wanted as u64 {
            Ok(())
        } else {
            Err(CommandError::new(CHANGED_MEANWHILE))
        }
    }
}

/// Returns the name of a PIN set as the column `pinset` has it.
fn pin_set_name(name: &Path) -> Result<String, CommandError> {
    let mut set = PinSet::default();
    let source = format!("database:{}", name.display());
    match set.set(b"source", source.as_bytes()) {
        Ok(()) => match set.source {
            Some(Source::Database(Some(name))) => Ok(name),
            _ => Err(CommandError::at(name, "not the name of a PIN set")),
        },
        Err(error) => Err(CommandError::at(name, error)),
    }
}

/// Returns an array of PostgreSQL.
fn array<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let quoted = texts.map(|text| {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{text}\"")
    });
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

/// Returns a value of a reply; NULL is empty.
fn value(reply: &Reply, row: usize, column: usize) -> &str {
    reply.text(row, column).unwrap_or_default()
}
