//! The selection of calls, as conditions of queries.

use pinset::timestamp::Moment;
use pinset::Numbering;
use rusqlite::Connection;

use super::names;
use super::numbers::number;
use super::tables::{slot, DAY_SECS, MAX_SUMMED_SECS, QUARTER_SECS};
use crate::reports::row::ANSWERED;
use crate::reports::selection::CallSelection;

/// The selected calls. A missing value selects all.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct CallFilter {
    /// The calls began at this time or later.
    pub from: Option<Moment>,
    /// The calls began before this time.
    pub to: Option<Moment>,
    pub identity: Option<String>,
    pub pin_set: Option<String>,
    /// The caller's number, in any spelling.
    pub caller: Option<String>,
    pub disposition: Option<String>,
}

impl CallFilter {
    /// Returns the same selection of calls for a report.
    pub(super) fn selection(&self, numbering: &Numbering) -> CallSelection {
        let list = |value: &Option<String>| value.iter().cloned().collect();
        CallSelection {
            from: self.from,
            to: self.to,
            numbering: numbering.clone(),
            identities: list(&self.identity),
            pin_sets: list(&self.pin_set),
            callers: list(&self.caller),
            dispositions: list(&self.disposition),
            ..CallSelection::default()
        }
    }
}

/// Conditions of a filter. All numbers are ours; texts are parameters.
pub(super) struct Conditions {
    /// By name of the column, without the time.
    names: String,
    has_identity: bool,
    /// The index of calls by the first column that selects few of them.
    pub index: &'static str,
    /// The number of the caller.
    pub number: Option<String>,
    pub from: i64,
    pub to: i64,
    /// The number of the disposition of answered calls, or none.
    pub answered: i64,
}

const NO_ID: i64 = -1;

impl Conditions {
    /// Looks up the names of a filter, and the time that the calls are in.
    pub(super) fn new(
        database: &Connection,
        numbering: &Numbering,
        filter: &CallFilter,
    ) -> rusqlite::Result<Self> {
        // Both in one SELECT would read the whole index.
        let range = "SELECT coalesce((SELECT min(began) FROM call), 0), \
                     coalesce((SELECT max(began) FROM call), 0)";
        let (first, last): (i64, i64) =
            database.query_row(range, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut found = Self {
            names: "1".to_owned(),
            has_identity: filter.identity.is_some(),
            index: "call_began",
            number: None,
            from: filter.from.map_or(first, |from| from.seconds().max(first)),
            to: filter.to.map_or(last + 1, |to| to.seconds().min(last + 1)),
            answered: names::find(database, ANSWERED)?.unwrap_or(NO_ID),
        };
        if let Some(disposition) = &filter.disposition {
            // ASCII letters are the same in both cases, as in a report.
            let select = "SELECT id FROM name WHERE text = ? COLLATE NOCASE";
            let mut select = database.prepare_cached(select)?;
            let ids = select.query_map([disposition], |row| row.get::<_, i64>(0))?;
            let ids: Vec<_> = ids.collect::<Result<_, _>>()?;
            let ids = ids
                .iter()
                .map(i64::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            found.names += &format!(" AND disposition IN ({ids})");
            found.index = "call_disposition";
        }
        for (column, index, name) in [
            ("pin_set", "call_pin_set", &filter.pin_set),
            ("identity", "call_identity", &filter.identity),
        ] {
            if let Some(name) = name {
                let id = names::find(database, name)?.unwrap_or(NO_ID);
                found.names += &format!(" AND {column} = {id}");
                found.index = index;
            }
        }
        if let Some(caller) = &filter.caller {
            found.number = Some(number(numbering, caller));
            found.index = "call_number";
        }
        Ok(found)
    }

    /// Returns the condition of calls in a part of the time.
    pub(super) fn of_calls(&self, from: i64, to: i64) -> String {
        let number = self.number.as_ref().map_or("", |_| " AND number = ?1");
        format!(
            "began >= {from} AND began < {to} AND {}{number}",
            self.names
        )
    }

    /// Returns the queries of single calls and of sums whose rows make up the selected
    /// calls, by `identity` or `slot`. Sums by day are used if there is a table of them.
    pub(super) fn parts(&self, by: &str, days: Option<&str>) -> String {
        let (from, to) = (self.from, self.to.max(self.from));
        let up = |time: i64, seconds| slot(time.saturating_add(seconds - 1), seconds);
        // Within the time, from one quarter and day to another.
        let quarters = (up(from, QUARTER_SECS).min(to), slot(to, QUARTER_SECS));
        let quarters = match self.number {
            None if quarters.0 < quarters.1 => quarters,
            _ => (to, to),
        };
        let days_from = up(quarters.0, DAY_SECS).min(quarters.1);
        let days_to = slot(quarters.1, DAY_SECS);
        let day_range = match days {
            Some(_) if days_from < days_to => (days_from, days_to),
            _ => (quarters.1, quarters.1),
        };
        let table = match by {
            "identity" => "quarter",
            _ if self.has_identity => "quarter",
            _ => "set_quarter",
        };
        let mut parts = vec![
            self.calls(by, from, quarters.0),
            self.calls(by, quarters.1, to),
            self.sums(by, table, quarters.0, day_range.0),
            self.sums(by, table, day_range.1, quarters.1),
        ];
        parts.extend(days.map(|table| self.sums(by, table, day_range.0, day_range.1)));
        parts.join(" UNION ALL ")
    }

    fn calls(&self, by: &str, from: i64, to: i64) -> String {
        let by = match by {
            "slot" => format!("began - began % {QUARTER_SECS} AS slot"),
            by => by.to_owned(),
        };
        format!(
            "SELECT {by}, disposition, 1 AS calls, min(duration, {MAX_SUMMED_SECS}) AS duration, \
             min(billed, {MAX_SUMMED_SECS}) AS billed FROM call INDEXED BY {} WHERE {}",
            self.index,
            self.of_calls(from, to)
        )
    }

    fn sums(&self, by: &str, table: &str, from: i64, to: i64) -> String {
        let index = match self.has_identity {
            true => "INDEXED BY quarter_identity",
            false => "",
        };
        format!(
            "SELECT {by}, disposition, calls, duration, billed FROM {table} {index} WHERE slot >= \
             {from} AND slot < {to} AND {}",
            self.names
        )
    }
}
