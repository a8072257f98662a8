//! The queries of other products, on the same data in SQLite alone: without their page,
//! their PHP and their database server, so that they are faster here than in use.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{params, Connection};

use crate::files::{identity, number, time, CALLS, MILLION_ROWS};
use crate::must;

/// Returns how long the statement of FreePBX's call graph takes: totals of a period by
/// account code (`page.cdr.php` of its module `cdr`, with the index on the time).
pub(crate) fn totals(path: &Path) -> Duration {
    let mut database = must(Connection::open(path));
    let table = "CREATE TABLE cdr (calldate TEXT, accountcode TEXT, duration INTEGER, \
                 billsec INTEGER); CREATE INDEX of_date ON cdr (calldate);";
    must(database.execute_batch(table));
    let transaction = must(database.transaction());
    let mut insert = must(transaction.prepare("INSERT INTO cdr VALUES (?, ?, 95, 90)"));
    for call in 0..CALLS {
        must(insert.execute([time(call), identity(call)]));
    }
    drop(insert);
    must(transaction.commit());
    let group = "SELECT accountcode, count(*), sum(billsec) FROM cdr WHERE calldate BETWEEN \
                 '2026-11-01 00:00:00' AND '2026-11-30 23:59:59' GROUP BY accountcode \
                 ORDER BY accountcode";
    let started = Instant::now();
    let mut select = must(database.prepare(group));
    let calls = must(select.query_map([], |row| row.get::<_, u64>(1)));
    assert_eq!(calls.map(must).sum::<u64>(), CALLS);
    started.elapsed()
}

/// Returns how long FusionPBX's list of PINs takes: the number of rows that have a text,
/// and a page of them (`pin_numbers.php` of its app `pin_numbers`).
pub(crate) fn search(path: &Path) -> Duration {
    let mut database = must(Connection::open(path));
    let table = "CREATE TABLE v_pin_numbers (pin_number TEXT, accountcode TEXT, \
                 description TEXT);";
    must(database.execute_batch(table));
    let transaction = must(database.transaction());
    let insert = "INSERT INTO v_pin_numbers VALUES (?, ?, ?)";
    let mut insert = must(transaction.prepare(insert));
    for row in 0..MILLION_ROWS {
        let account = format!("customer-{row:07}");
        let name = format!("Customer {}", row * 7_919 % MILLION_ROWS);
        must(insert.execute(params![number(row), account, name]));
    }
    drop(insert);
    must(transaction.commit());
    let fits = "lower(pin_number) LIKE '%er 77%' OR lower(accountcode) LIKE '%er 77%' OR \
                lower(description) LIKE '%er 77%'";
    let started = Instant::now();
    let count = format!("SELECT count(*) FROM v_pin_numbers WHERE {fits}");
    let found: u64 = must(database.query_row(&count, [], |row| row.get(0)));
    let page =
        format!("SELECT accountcode FROM v_pin_numbers WHERE {fits} ORDER BY pin_number LIMIT 50");
    let mut select = must(database.prepare(&page));
    let rows = must(select.query_map([], |row| row.get::<_, String>(0))).count();
    assert!(found > 50 && rows == 50);
    started.elapsed()
}
