//! Filter of the request log.

use std::time::Duration;

use pinset::timestamp::{Moment, Zone};
use rusqlite::types::Value;
use rusqlite::{params_from_iter, Connection};
use serde::{Deserialize, Serialize};

use crate::common::database::limit_time;

/// Number of rows on a page.
pub(super) const PAGE_ROWS: usize = 50;
/// Longest time of a search.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Selects the row that reports the end of a row's call to the same service: reports
/// to other services don't count.
const HANGUP_OF_CALL: &str = "SELECT max(id) FROM log AS hangup \
    WHERE hangup.outcome = 'hangup' AND log.uuid <> '' AND hangup.uuid = log.uuid \
    AND hangup.service = log.service";

/// The fields of the filter form. Empty fields filter nothing.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    /// A day or a time, as `2026-11-01` or `2026-11-01T08:00`; a day in `to` is
    /// included.
    pub from: String,
    pub to: String,
    /// A part of the caller number.
    pub caller: String,
    pub outcome: String,
    pub status: String,
    pub path: String,
    /// The `uuid` of the call.
    pub uuid: String,
    /// A part of the request or the response.
    pub text: String,
    /// The id that rows must be older than.
    pub before: String,
    /// If not empty, the page shows the form.
    pub edit: String,
}

/// A row of the log.
#[derive(Debug, Serialize)]
pub(crate) struct LogRow {
    pub id: i64,
    /// In milliseconds since the Unix epoch.
    pub time: i64,
    pub method: String,
    pub path: String,
    pub client: String,
    pub caller: String,
    pub outcome: String,
    pub account: String,
    pub status: i64,
    /// In microseconds.
    pub duration: i64,
    pub request: String,
    pub response: String,
    pub uuid: String,
    /// The end of the call, as reported by a `call_hangup` with the same `uuid`.
    pub call_outcome: Option<String>,
    pub call_destination: Option<String>,
    /// In seconds.
    pub call_duration: Option<u64>,
}

impl Filter {
    /// Returns the name of a field with an invalid value.
    pub(crate) fn invalid_field(&self) -> Option<&'static str> {
        let zone = Zone::of_the_machine();
        let number = |text: &str| text.is_empty() || text.parse::<i64>().is_ok();
        let checks = [
            (
                "from",
                self.from.is_empty() || since(&self.from, &zone).is_some(),
            ),
            ("to", self.to.is_empty() || until(&self.to, &zone).is_some()),
            ("status", number(&self.status)),
            ("before", number(&self.before)),
        ];
        let mut wrong = checks.into_iter().filter(|(_, right)| !right);
        wrong.next().map(|(name, _)| name)
    }

    /// Returns the matching rows, newest first: a page, and one row more if there are
    /// more.
    pub(crate) fn find(&self, database: &Connection) -> rusqlite::Result<Vec<LogRow>> {
        let zone = Zone::of_the_machine();
        let mut wheres = vec!["1"];
        let mut values: Vec<Value> = Vec::new();
        let mut add = |test: &'static str, value: Option<Value>| {
            if let Some(value) = value {
                wheres.push(test);
                values.push(value);
            }
        };
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let number = |text: &str| text.parse::<i64>().ok().map(Value::from);
        add("time >= ?", since(&self.from, &zone).map(Value::from));
        add("time < ?", until(&self.to, &zone).map(Value::from));
        add("id < ?", number(&self.before));
        add("status = ?", number(&self.status));
        add("instr(caller, ?)", text(&self.caller).map(Value::from));
        add("outcome = ?", text(&self.outcome).map(Value::from));
        add("path = ?", text(&self.path).map(Value::from));
        add("uuid = ?", text(&self.uuid).map(Value::from));
        let wanted = text(&self.text).map(Value::from);
        add("instr(request || char(10) || response, ?)", wanted);
        limit_time(database, SEARCH_TIMEOUT);
        let mut rows = database.prepare(&format!(
            "SELECT log.id, log.time, log.method, log.path, log.client, log.caller, log.outcome, \
             log.account, log.status, log.duration, log.request, log.response, log.uuid, \
             ended.call_outcome, ended.call_destination, ended.call_duration \
             FROM (SELECT * FROM log WHERE {} ORDER BY id DESC LIMIT {}) AS log \
             LEFT JOIN log AS ended ON ended.id = ({HANGUP_OF_CALL}) ORDER BY log.id DESC",
            wheres.join(" AND "),
            PAGE_ROWS + 1
        ))?;
        let rows = rows.query_map(params_from_iter(values), |row| {
            Ok(LogRow {
                id: row.get(0)?,
                time: row.get(1)?,
                method: row.get(2)?,
                path: row.get(3)?,
                client: row.get(4)?,
                caller: row.get(5)?,
                outcome: row.get(6)?,
                account: row.get(7)?,
                status: row.get(8)?,
                duration: row.get(9)?,
                request: row.get(10)?,
                response: row.get(11)?,
                uuid: row.get(12)?,
                call_outcome: row.get(13)?,
                call_destination: row.get(14)?,
                call_duration: row.get(15)?,
            })
        })?;
        rows.collect()
    }
}

/// In milliseconds since the Unix epoch.
fn since(text: &str, zone: &Zone) -> Option<i64> {
    Moment::from_which(text.trim(), zone).map(milliseconds)
}

fn until(text: &str, zone: &Zone) -> Option<i64> {
    Moment::until_which(text.trim(), zone).map(milliseconds)
}

fn milliseconds(moment: Moment) -> i64 {
    moment.seconds().saturating_mul(1000)
}
