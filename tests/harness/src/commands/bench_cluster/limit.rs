//! The server's own benchmark program: what the statements take without Asterisk.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::driver::Figures;
use super::setup::Database;

/// What is measured, and the script.
pub(super) const SCRIPTS: [(&str, &str); 2] =
    [("look-up, pgbench", LOOK_UP), ("entry, pgbench", ENTRY)];

/// A row by its digest.
const LOOK_UP: &str = r"
\set n random(1, 10000)
SELECT id, account, secret, level, enabled, valid_from, valid_until, max_uses, context
  FROM pinset_pins WHERE digest = ANY (ARRAY[sha256(:n::text::bytea)]) AND pinset = 'open';
";

/// What a right entry takes: a charge, a look-up, a result.
const ENTRY: &str = r"
\set n random(1, 10000)
\set c random(1, 1000000000)
SELECT caller_receipt, set_receipt FROM pinset_charge('limited', :c::text, NULL,
  substr(sha256(:c::text::bytea), 1, 16), '{5,900000,1800000}', substr(sha256('p'), 1, 16),
  '{1000,3600000,3600000}', substr(sha256('t'), 1, 16), 0, false) \gset
SELECT id, account, secret, level, enabled, valid_from, valid_until, max_uses, context
  FROM pinset_pins WHERE digest = ANY (ARRAY[sha256(:n::text::bytea)]) AND pinset = 'open';
SELECT by_kind FROM pinset_settle('limited', '{c,p}',
  ARRAY[substr(sha256(:c::text::bytea), 1, 16), substr(sha256('p'), 1, 16)],
  ARRAY[:caller_receipt, :set_receipt]::timestamptz[], '{f,f}', '{f,f}', '{5,1000}',
  '{900000,3600000}', '{1800000,3600000}', 'r', NULL,
  ARRAY[substr(sha256(('t' || :c)::bytea), 1, 16)]);
";

/// The time of an empty statement, in milliseconds.
pub(super) fn round_trip(database: &Database, host: &str) -> Result<f64> {
    let figures = measure(database, host, "SELECT;", 1, Duration::from_secs(1))?;
    Ok(figures.p50.as_secs_f64() * 1000.0)
}

/// Runs a script with this many clients for this long.
pub(super) fn measure(
    database: &Database,
    host: &str,
    script: &str,
    clients: usize,
    time: Duration,
) -> Result<Figures> {
    let folder = database.server.folder();
    fs::write(folder.join("script"), script)?;
    let logs = || -> Result<Vec<_>> {
        let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        let is_log = |path: &std::path::PathBuf| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("bench."))
        };
        let paths = paths.collect::<Result<Vec<_>>>()?;
        Ok(paths.into_iter().filter(is_log).collect())
    };
    for log in logs()? {
        fs::remove_file(log)?;
    }
    let (clients, seconds) = (clients.to_string(), time.as_secs().to_string());
    let arguments = [
        "--no-vacuum",
        "--protocol=prepared",
        "--log",
        "--log-prefix=/database/bench",
        "--file=/database/script",
        "--jobs=2",
        "--client",
        &clients,
        "--time",
        &seconds,
        "--host",
        host,
        "--username=postgres",
        "postgres",
    ];
    database.server.program("pgbench", &arguments)?;
    let mut times = Vec::new();
    for log in logs()? {
        for line in fs::read_to_string(log)?.lines() {
            let time = line.split(' ').nth(2).context("a line of pgbench's log")?;
            times.push(Duration::from_micros(time.parse()?));
        }
    }
    Figures::of(times, time)
}
