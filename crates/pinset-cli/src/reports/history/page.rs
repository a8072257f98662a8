//! Pages of calls, in the order of a column.

use rusqlite::types::Value;
use rusqlite::{params_from_iter, OptionalExtension};

use super::filter::{CallFilter, Conditions};
use super::reader::{stored_row, HistoryReader, StoredRow, COLUMNS, ROWS};

/// Number of calls that are sorted for a page. More are read in the order of an index until
/// the page is full.
const MAX_SORTED_CALLS: u64 = 20_000;

/// What calls are sorted by. Calls with the same value are sorted by their start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum CallColumn {
    #[default]
    Start,
    Identity,
    PinSet,
    Number,
    Called,
    Answer,
    Duration,
    Billed,
    Disposition,
}

impl CallColumn {
    /// Returns the expression of its value.
    fn expression(self) -> &'static str {
        match self {
            Self::Start => "call.began",
            Self::Identity => "i.text",
            Self::PinSet => "s.text",
            Self::Number => "call.number",
            Self::Called => "call.called",
            Self::Answer => "call.answer",
            Self::Duration => "call.duration",
            Self::Billed => "call.billed",
            Self::Disposition => "d.text",
        }
    }

    /// Returns the tables in the order of the column: by an index of calls, or by the names.
    fn tables(self) -> String {
        let of_calls = |index: &str| format!("call INDEXED BY {index} {ROWS}");
        let (table, column, index) = match self {
            Self::Start => return of_calls("call_began"),
            Self::Number => return of_calls("call_number"),
            Self::Called => return of_calls("call_called"),
            Self::Answer => return of_calls("call_answer"),
            Self::Duration => return of_calls("call_duration"),
            Self::Billed => return of_calls("call_billed"),
            Self::Identity => ("i", "identity", "call_identity"),
            Self::PinSet => ("s", "pin_set", "call_pin_set"),
            Self::Disposition => ("d", "disposition", "call_disposition"),
        };
        let first = format!("CROSS JOIN name AS {table} ON {table}.id = call.{column}");
        format!(
            "name AS {table} CROSS JOIN call INDEXED BY {index} ON call.{column} = {table}.id {}",
            ROWS.replace(&first, "")
        )
    }
}

/// The order of calls on pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PageOrder {
    pub column: CallColumn,
    pub is_descending: bool,
}

/// The place of a call in all orders: its start, and its place in the CDR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CallKey {
    pub began: i64,
    pub first: i64,
}

/// A page of calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CallPart {
    First,
    /// The calls that come after this one in the order.
    After(CallKey),
    /// The calls that come before this one in the order.
    Before(CallKey),
}

impl CallPart {
    fn key(self) -> Option<CallKey> {
        match self {
            Self::First => None,
            Self::After(key) | Self::Before(key) => Some(key),
        }
    }
}

impl HistoryReader {
    /// Returns up to `most` calls of a page, in its order, of `selected` ones. If the call of
    /// the key is no longer there, it is the first page.
    pub(crate) fn page(
        &self,
        filter: &CallFilter,
        order: PageOrder,
        part: CallPart,
        most: usize,
        selected: u64,
    ) -> rusqlite::Result<Vec<StoredRow>> {
        let (select, values) = self.query(filter, order, part, selected)?;
        let mut select = self.database.prepare(&format!("{select} LIMIT {most}"))?;
        let rows = select.query_map(params_from_iter(values), stored_row)?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        if matches!(part, CallPart::Before(_)) {
            rows.reverse();
        }
        Ok(rows)
    }

    /// Returns the query of a page, and its parameters. The calls before another one come in
    /// the opposite order.
    fn query(
        &self,
        filter: &CallFilter,
        order: PageOrder,
        part: CallPart,
        selected: u64,
    ) -> rusqlite::Result<(String, Vec<Value>)> {
        let conditions = Conditions::new(&self.database, &self.numbering, filter)?;
        let is_back = matches!(part, CallPart::Before(_));
        let (than, direction) = match order.is_descending != is_back {
            true => ("<", "DESC"),
            false => (">", "ASC"),
        };
        let value = order.column.expression();
        let mut values: Vec<Value> = conditions.number.iter().cloned().map(Value::from).collect();
        let mut beyond = String::new();
        let (mut from, mut to) = (conditions.from, conditions.to);
        if let Some((key, anchor)) = self.anchor(order.column, part)? {
            values.push(anchor);
            let (began, first, anchor) = (key.began, key.first, values.len());
            // The first condition alone leads to the place in an index.
            beyond = format!(
                " AND {value} {than}= ?{anchor} AND ({value}, began, first) {than} (?{anchor}, \
                 {began}, {first})"
            );
            // Of two limits on one side, an index is read from either, so they are one.
            match (order.column, than) {
                (CallColumn::Start, "<") => to = to.min(began.saturating_add(1)),
                (CallColumn::Start, _) => from = from.max(began),
                _ => {}
            }
        }
        // The start twice would be no order of an index.
        let by_value = match order.column {
            CallColumn::Start => String::new(),
            _ => format!("{value} {direction}, "),
        };
        // All indices have the start as their second column.
        let is_selected_first = selected <= MAX_SORTED_CALLS || order.column == CallColumn::Start;
        let tables = match is_selected_first {
            true => format!("call INDEXED BY {} {ROWS}", conditions.index),
            false => order.column.tables(),
        };
        let select = format!(
            "SELECT {COLUMNS} FROM {tables} WHERE {}{beyond} ORDER BY {by_value}began \
             {direction}, first {direction}",
            conditions.of_calls(from, to),
        );
        Ok((select, values))
    }

    /// Returns how SQLite finds a page of many calls.
    #[cfg(test)]
    pub(super) fn plan(&self, filter: &CallFilter, order: PageOrder) -> rusqlite::Result<String> {
        let (select, values) = self.query(filter, order, CallPart::First, u64::MAX)?;
        let mut select = self
            .database
            .prepare(&format!("EXPLAIN QUERY PLAN {select}"))?;
        let steps = select.query_map(params_from_iter(values), |row| row.get::<_, String>(3))?;
        Ok(steps.collect::<rusqlite::Result<Vec<_>>>()?.join("; "))
    }

    /// Returns how many steps SQLite's machine takes for a page of many calls.
    #[cfg(test)]
    pub(super) fn steps(&self, order: PageOrder, part: CallPart) -> rusqlite::Result<i32> {
        let (select, values) = self.query(&CallFilter::default(), order, part, u64::MAX)?;
        let mut select = self.database.prepare(&format!("{select} LIMIT 50"))?;
        let mut rows = select.query(params_from_iter(values))?;
        while rows.next()?.is_some() {}
        drop(rows);
        Ok(select.get_status(rusqlite::StatementStatus::VmStep))
    }

    /// Returns the key of a part, and what its call is sorted by.
    fn anchor(
        &self,
        column: CallColumn,
        part: CallPart,
    ) -> rusqlite::Result<Option<(CallKey, Value)>> {
        let Some(key) = part.key() else {
            return Ok(None);
        };
        let value = column.expression();
        let select = format!("SELECT {value} FROM call NOT INDEXED {ROWS} WHERE first = ?");
        let found = self
            .database
            .query_row(&select, [key.first], |row| row.get(0));
        Ok(found.optional()?.map(|value| (key, value)))
    }
}
