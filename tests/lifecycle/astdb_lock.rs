//! A foreign program that locks Asterisk's database.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{ensure, Context, Result};
use harness::Pbx;

/// Holds the lock of a writer until its input ends.
pub(crate) const WRITER: &str = "import sqlite3, sys\n\
    db = sqlite3.connect('/harness/db/astdb.sqlite3', timeout=20, isolation_level=None)\n\
    db.execute('BEGIN IMMEDIATE')\n\
    print('locked', flush=True)\n\
    sys.stdin.read()\n\
    db.execute('ROLLBACK')";

/// Holds the lock of a reader until its input ends: Asterisk can still delete,
/// but every commit of it fails and is rolled back.
pub(crate) const READER: &str = "import sqlite3, sys\n\
    db = sqlite3.connect('/harness/db/astdb.sqlite3', timeout=20, isolation_level=None)\n\
    db.execute('BEGIN')\n\
    db.execute('SELECT count(*) FROM astdb').fetchall()\n\
    print('locked', flush=True)\n\
    sys.stdin.read()\n\
    db.execute('ROLLBACK')";

/// Does `work` while the program holds its lock.
pub(crate) fn while_held(
    pbx: &Pbx,
    program: &str,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let mut locker = pbx
        .exec_command(&["python3", "-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = locker.stdout.take().context("no output")?;
    let mut printed = String::new();
    BufReader::new(output).read_line(&mut printed)?;
    ensure!(printed.trim() == "locked", "not locked: {printed}");
    let done = work();
    drop(locker.stdin.take());
    let status = locker.wait()?;
    ensure!(status.success(), "the locker: {status}");
    done
}
