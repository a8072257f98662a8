//! Asterisk's database while a foreign program has locked it.

use std::thread;
use std::time::Duration;

use anyhow::{ensure, Result};
use harness::{Call, Pbx, Report};

use super::{customers, is_refused, is_refused_as_wrong, passes, row, shown, try_pin, write_list};
use crate::astdb_lock::{while_held, READER, WRITER};
use crate::one_time::journal;
use crate::support::{eventually, on};

#[test]
fn locked_database_refuses_and_counts_nothing() {
    on(customers(""), |pbx| {
        write_list(pbx, &[("alice", "7531", "1")])?;
        // Committed: Asterisk itself lets go of the lock.
        pbx.stop()?;
        pbx.start_again()?;
        while_held(pbx, WRITER, || is_refused_as_wrong(pbx, "7531"))?;
        ensure!(journal(pbx)?.is_empty(), "{}", journal(pbx)?);
        ensure!(shown(pbx)?.is_empty());
        passes(&try_pin(pbx, "7531")?)?;
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))
    });
}

/// A count that can't be read is not one of zero.
#[test]
fn unreadable_database_refuses() {
    on(customers(""), |pbx| {
        write_list(pbx, &[("alice", "7531", "2")])?;
        passes(&try_pin(pbx, "7531")?)?;
        pbx.stop()?;
        pbx.start_again()?;
        let exclusive = WRITER.replace("IMMEDIATE", "EXCLUSIVE");
        while_held(pbx, &exclusive, || is_refused_as_wrong(pbx, "7531"))?;
        ensure!(row(pbx, "alice")?.1 == 1);
        passes(&try_pin(pbx, "7531")?)?;
        is_refused(&try_pin(pbx, "7531")?)?;
        Ok(())
    });
}

/// A caller with a PIN of one digit, so that nothing can change while it is
/// entered.
fn try_key(pbx: &Pbx, pin: &str) -> Result<Report> {
    pbx.call(&Call::new("pinset:customers,q,1,&").keys(&format!("<now>{pin} <hangup>")))
}

/// Waits until a failed commit has been rolled back: then Asterisk knows of
/// the one use that was on disk before.
fn until_undone(pbx: &Pbx) -> Result<()> {
    eventually("a failed commit", || {
        Ok(shown(pbx)?.len() == 1 && row(pbx, "bob")?.1 == 1)
    })
}

#[test]
fn failed_commit_restores_no_use() {
    on(customers(""), |pbx| {
        write_list(pbx, &[("alice", "7", "2"), ("bob", "8", "2")])?;
        // One that is on disk before the trouble begins.
        passes(&try_key(pbx, "8")?)?;
        pbx.stop()?;
        pbx.start_again()?;
        while_held(pbx, READER, || {
            // Asterisk tries to commit, rests for a second, and tries again;
            // ours looks a second after a use. Half a second between the two,
            // so that a use stays undone for as long.
            thread::sleep(Duration::from_millis(1500));
            pbx.db_put("other", "key", "1")?;
            thread::sleep(Duration::from_millis(500));
            passes(&try_key(pbx, "7")?)?;
            passes(&try_key(pbx, "8")?)?;
            until_undone(pbx)?;
            passes(&try_key(pbx, "7")?)?;
            for _ in 0..5 {
                for pin in ["7", "8"] {
                    until_undone(pbx)?;
                    is_refused(&try_key(pbx, pin)?)?;
                }
            }
            let printed = pbx.log()?;
            let notice = "Asterisk could not write its database: uses in family";
            ensure!(printed.contains(notice));
            Ok(())
        })?;
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))?;
        pbx.stop()?;
        pbx.start_again()?;
        for (account, pin) in [("alice", "7"), ("bob", "8")] {
            ensure!(row(pbx, account)?.1 == 2, "{:#?}", shown(pbx)?);
            is_refused(&try_key(pbx, pin)?)?;
        }
        Ok(())
    });
}
