//! Sums of calls by quarter of an hour and day, PIN set, identity and disposition.

use std::collections::HashMap;

use rusqlite::Connection;

use super::tables::{slot, DAY_SECS, MAX_SUMMED_SECS, QUARTER_SECS};

/// What a call is counted under. The members are numbers of names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct SumKey {
    pub pin_set: i64,
    pub identity: i64,
    pub disposition: i64,
}

/// Number of calls, their duration and billed time.
type Counts = [i64; 3];

/// Changes of the sums.
#[derive(Default)]
pub(super) struct SumChanges {
    quarters: HashMap<(i64, SumKey), Counts>,
}

impl SumChanges {
    /// Counts a call once more, or once less.
    pub(super) fn count(&mut self, began: i64, key: SumKey, seconds: [i64; 2], is_less: bool) {
        let counts = self.quarters.entry((slot(began, QUARTER_SECS), key));
        let [duration, billed] = seconds.map(|seconds| seconds.min(MAX_SUMMED_SECS));
        let sign = if is_less { -1 } else { 1 };
        for (count, more) in counts.or_default().iter_mut().zip([1, duration, billed]) {
            *count += sign * more;
        }
    }

    /// Writes the changes.
    pub(super) fn store(self, database: &Connection) -> rusqlite::Result<()> {
        let mut days: HashMap<(i64, SumKey), Counts> = HashMap::new();
        let mut sets: HashMap<(i64, i64, i64), Counts> = HashMap::new();
        for ((quarter, key), counts) in &self.quarters {
            add(
                days.entry((slot(*quarter, DAY_SECS), *key)).or_default(),
                counts,
            );
            let set = (*quarter, key.pin_set, key.disposition);
            add(sets.entry(set).or_default(), counts);
        }
        for (table, sums) in [("quarter", self.quarters), ("day", days)] {
            let columns = ["slot", "pin_set", "identity", "disposition"];
            let rows = sums.iter().map(|((slot, key), counts)| {
                ([*slot, key.pin_set, key.identity, key.disposition], counts)
            });
            upsert(database, table, columns, rows)?;
        }
        let rows = sets.iter().map(|((slot, pin_set, disposition), counts)| {
            ([*slot, *pin_set, *disposition], counts)
        });
        upsert(
            database,
            "set_quarter",
            ["slot", "pin_set", "disposition"],
            rows,
        )
    }
}

fn add(sum: &mut Counts, more: &Counts) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum += more;
    }
}

/// Adds to the sums of a table, and removes those of no calls.
fn upsert<'a, const N: usize>(
    database: &Connection,
    table: &str,
    columns: [&str; N],
    rows: impl Iterator<Item = ([i64; N], &'a Counts)>,
) -> rusqlite::Result<()> {
    let places = "?, ".repeat(N);
    let mut upsert = database.prepare_cached(&format!(
        "INSERT INTO {table} VALUES ({places}?, ?, ?) ON CONFLICT DO UPDATE SET calls = calls + \
         excluded.calls, duration = duration + excluded.duration, billed = billed + \
         excluded.billed"
    ))?;
    let is_row = columns.map(|column| format!("{column} = ?")).join(" AND ");
    let mut delete =
        database.prepare_cached(&format!("DELETE FROM {table} WHERE {is_row} AND calls = 0"))?;
    for (key, counts) in rows.filter(|(_, counts)| counts.iter().any(|count| *count != 0)) {
        upsert.execute(rusqlite::params_from_iter(key.iter().chain(counts)))?;
        if counts.first().is_some_and(|calls| *calls < 0) {
            delete.execute(rusqlite::params_from_iter(key))?;
        }
    }
    Ok(())
}
