//! Building of an index.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use pinset::timestamp::Moment;
use pinset::Numbering;
use rusqlite::{params, Connection};
use tempfile::NamedTempFile;

use super::super::select::{digits, key, SortColumn};
use super::super::{each, RowState, RowView};
use super::search::{StateBytes, STATE_BYTES};
use super::{FileVersion, IndexError, PartKind, RowIndex, CHUNK_ROWS, ROW_END, TABLES, VALUE};
use crate::common::csv_list::CsvList;

/// Bytes of a page of the database: few pages for each blob.
const PAGE_BYTES: u32 = 64 << 10;

/// The name of an index before it is complete begins with this.
pub(in crate::console) const DRAFT_PREFIX: &str = ".index-";

/// The columns with an order of their own. That by line is the order of the file, that by
/// state depends on the time, and that by uses on the PBX.
const SORTED: [SortColumn; 6] = [
    SortColumn::Account,
    SortColumn::Name,
    SortColumn::Number,
    SortColumn::Level,
    SortColumn::Until,
    SortColumn::Secret,
];

impl RowIndex {
    /// Makes the index of a file, which replaces the one at this path once it is complete.
    ///
    /// # Errors
    ///
    /// Fails if the file is invalid, or the index can't be written.
    pub(in crate::console) fn build(
        path: &Path,
        list: &CsvList,
        version: &FileVersion,
        numbering: &Numbering,
    ) -> Result<(), IndexError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut draft = tempfile::Builder::new();
        let draft = draft.prefix(DRAFT_PREFIX).tempfile_in(folder)?;
        write(&draft, list, version, numbering)?;
        // Otherwise, a crash of the machine may leave an empty file in its place.
        draft.as_file().sync_all()?;
        draft.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

fn write(
    draft: &NamedTempFile,
    list: &CsvList,
    version: &FileVersion,
    numbering: &Numbering,
) -> Result<(), IndexError> {
    let mut database = Connection::open(draft.path())?;
    database.pragma_update(None, "page_size", PAGE_BYTES)?;
    // An index that is not complete is not used.
    database.pragma_update(None, "journal_mode", "OFF")?;
    database.pragma_update(None, "synchronous", "OFF")?;
    database.execute_batch(TABLES)?;
    let transaction = database.transaction()?;
    let mut build = Build::new(&transaction, numbering);
    let mut written = Ok(());
    each(list, numbering, |row| {
        if written.is_ok() {
            written = build.add(&row, list);
        }
    })?;
    written?;
    build.finish(list, version)?;
    transaction.commit()?;
    database.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// What all rows are sorted by, in one column.
#[derive(Default)]
struct Keys {
    text: String,
    ends: Vec<usize>,
}

impl Keys {
    fn push(&mut self, key: &str) {
        self.text.push_str(key);
        self.ends.push(self.text.len());
    }

    fn get(&self, row: usize) -> &str {
        let end = |row: usize| self.ends.get(row).copied().unwrap_or_default();
        let start = row.checked_sub(1).map_or(0, end);
        self.text.get(start..end(row)).unwrap_or_default()
    }

    /// Returns the rows in their order. Equal ones stay in that of the file.
    fn order(&self) -> Vec<u32> {
        let mut rows: Vec<u32> = (0..).take(self.ends.len()).collect();
        rows.sort_by(|one, other| self.get(*one as usize).cmp(self.get(*other as usize)));
        rows
    }
}

/// An index that is being made.
struct Build<'a> {
    database: &'a Connection,
    numbering: &'a Numbering,
    /// The parts that are not full.
    parts: [(PartKind, Vec<u8>); 5],
    rows: usize,
    keys: [(SortColumn, Keys); SORTED.len()],
    accounts: HashSet<String>,
    forms: HashMap<&'static str, i64>,
}

impl<'a> Build<'a> {
    fn new(database: &'a Connection, numbering: &'a Numbering) -> Self {
        Self {
            database,
            numbering,
            parts: [
                PartKind::Places,
                PartKind::Texts,
                PartKind::Digits,
                PartKind::Numbers,
                PartKind::States,
            ]
            .map(|kind| (kind, Vec::new())),
            rows: 0,
            keys: SORTED.map(|column| (column, Keys::default())),
            accounts: HashSet::new(),
            forms: HashMap::new(),
        }
    }

    fn add(&mut self, row: &RowView, list: &CsvList) -> Result<(), IndexError> {
        let start = list.start(row.row);
        if self.rows > 0 && self.rows % CHUNK_ROWS == 0 {
            self.put_parts(start, row.line)?;
        }
        let number = self.numbering.normalize(row.caller.as_bytes());
        let number = number.map(|number| number.to_string()).unwrap_or_default();
        for (kind, part) in &mut self.parts {
            let values: &[&str] = match kind {
                PartKind::Places => {
                    push_place(part, start, row.line);
                    continue;
                }
                PartKind::States => {
                    part.extend(state(row));
                    continue;
                }
                PartKind::Texts => &[
                    &row.account.to_lowercase(),
                    &row.name.to_lowercase(),
                    &row.caller.to_lowercase(),
                ],
                PartKind::Digits => &[&digits(&row.caller)],
                PartKind::Numbers | PartKind::Order(_) => &[&number],
            };
            for value in values {
                part.push(VALUE);
                part.extend_from_slice(value.as_bytes());
            }
            part.push(ROW_END);
        }
        for (column, keys) in &mut self.keys {
            keys.push(&key(row, *column).0);
        }
        if !self.accounts.contains(&row.account) {
            self.accounts.insert(row.account.clone());
        }
        *self.forms.entry(row.form).or_default() += 1;
        self.rows += 1;
        Ok(())
    }

    /// Writes the parts of the rows so far. The next row begins here.
    fn put_parts(&mut self, next: u64, line: u64) -> Result<(), IndexError> {
        let chunk = self.rows.saturating_sub(1) / CHUNK_ROWS;
        for (kind, part) in &mut self.parts {
            if *kind == PartKind::Places {
                push_place(part, next, line);
            }
            put(self.database, *kind, chunk, part)?;
            part.clear();
        }
        Ok(())
    }

    fn finish(mut self, list: &CsvList, version: &FileVersion) -> Result<(), IndexError> {
        self.put_parts(list.text().len() as u64, 0)?;
        for (column, keys) in &self.keys {
            for (chunk, rows) in keys.order().chunks(CHUNK_ROWS).enumerate() {
                let rows: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
                put(self.database, PartKind::Order(*column), chunk, &rows)?;
            }
        }
        for (form, count) in &self.forms {
            let insert = "INSERT INTO form VALUES (?, ?)";
            self.database.execute(insert, params![form, count])?;
        }
        let header = list.header();
        self.database.execute(
            "INSERT INTO file VALUES (?, ?, ?, ?, ?)",
            params![
                version.as_str(),
                header.start as i64,
                header.end as i64,
                self.rows as i64,
                self.accounts.len() as i64
            ],
        )?;
        Ok(())
    }
}

fn put(database: &Connection, kind: PartKind, chunk: usize, data: &[u8]) -> Result<(), IndexError> {
    let insert = "INSERT INTO part VALUES (?, ?, ?)";
    let mut insert = database.prepare_cached(insert)?;
    insert.execute(params![kind.word(), chunk as i64, data])?;
    Ok(())
}

fn push_place(part: &mut Vec<u8>, start: u64, line: u64) {
    part.extend(start.to_le_bytes());
    part.extend(line.to_le_bytes());
}

fn state(row: &RowView) -> [u8; STATE_BYTES] {
    let seconds = |time: Option<Moment>| time.map(Moment::seconds);
    StateBytes {
        form: row.form,
        is_invalid: matches!(row.state, RowState::Invalid(_)),
        is_disabled: row.state == RowState::Disabled,
        from: seconds(row.from).unwrap_or(i64::MIN),
        until: seconds(row.until).unwrap_or(i64::MAX),
    }
    .to_bytes()
}
