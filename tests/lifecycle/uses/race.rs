//! Callers with the same PIN at the same time.

use anyhow::{ensure, Result};
use harness::{Call, Outcome, Pbx, Report};

use super::{customers, passes, row, try_pin, write_list};
use crate::one_time::{journal, press};
use crate::support::{on, side_by_side};

const PAIRS: usize = 100;
const CONCURRENT_CALLS: usize = 10;

#[test]
fn concurrent_pairs_get_the_last_use_once() {
    on(customers(""), |pbx| {
        let rows: Vec<_> = (0..PAIRS)
            .map(|number| (format!("account{number}"), format!("{}", 1000 + number)))
            .collect();
        let list: Vec<_> = rows
            .iter()
            .map(|(account, pin)| (account.as_str(), pin.as_str(), "3"))
            .collect();
        write_list(pbx, &list)?;
        side_by_side(PAIRS, CONCURRENT_CALLS, |number| {
            let (account, pin) = &rows[number];
            for _ in 0..2 {
                passes(&try_pin(pbx, pin)?)?;
            }
            pair(pbx, pin)?;
            let uses = row(pbx, account)?.1;
            ensure!(uses == 3, "{account}: {uses}");
            Ok(())
        })
    });
}

/// The fourth key they key ends the entry. Both hear the prompt, and so wait
/// for it; then the keys of both are sent back to back.
fn pair(pbx: &Pbx, pin: &str) -> Result<()> {
    // The loser hears that the PIN is wrong, and hangs up.
    let call = Call::new("pinset:customers,qc,4").keys("<silence> <hangup>");
    let mut calls = [pbx.place(&call)?, pbx.place(&call)?];
    for call in &mut calls {
        call.until_sound("agent-pass")?;
    }
    for key in pin.chars() {
        for call in &calls {
            press(pbx, call, &key.to_string())?;
        }
    }
    let [one, other] = calls;
    let reports = [one.finish()?, other.finish()?];
    let passed = |report: &&Report| report.outcome == Outcome::Passed;
    ensure!(
        reports.iter().filter(passed).count() == 1,
        "{pin}: {reports:#?}"
    );
    for report in &reports {
        let (status, sounds): (_, &[&str]) = match report.outcome {
            Outcome::Passed => ("SUCCESS", &["agent-pass"]),
            _ => ("HANGUP", &["agent-pass", "auth-incorrect"]),
        };
        ensure!(report.status() == status, "{report:#?}");
        ensure!(report.sounds == sounds, "{report:#?}");
    }
    Ok(())
}

/// Nothing of a row that is used all the time can be retired meanwhile.
#[test]
fn steadily_used_row_is_counted_exactly_with_a_short_journal() {
    const CALLS: usize = 300;
    /// What may stand there of one key, `SPARE_LINES` in `src/state/use_ledger/journal.rs`
    /// and a few.
    const LINES: usize = 105;
    on(customers(""), |pbx| {
        write_list(pbx, &[("alice", "1234", "100000")])?;
        side_by_side(CALLS, CONCURRENT_CALLS, |_| {
            passes(&try_pin(pbx, "1234")?)?;
            let lines = journal(pbx)?.lines().count();
            ensure!(lines <= LINES, "{lines}");
            Ok(())
        })?;
        pbx.restart()?;
        let uses = row(pbx, "alice")?.1;
        ensure!(uses == u64::try_from(CALLS)?, "{uses}");
        Ok(())
    });
}
