//! Two callers with the same one-time PIN at the same moment.

use anyhow::{ensure, Result};
use harness::{Call, Module, Outcome, Pbx};

use super::{press, until_keyed};
use crate::support::{on, side_by_side};

const PAIRS: usize = 300;
const AT_ONCE: usize = 10;

#[test]
fn of_each_of_three_hundred_pairs_one_gets_in() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        side_by_side(PAIRS, AT_ONCE, |number| pair(pbx, number))
    });
}

/// Both have keyed all but the last key, which ends the entry; then both last
/// keys are sent back to back.
fn pair(pbx: &Pbx, number: usize) -> Result<()> {
    let family = format!("pairs{}", number / 90);
    let pin = (10 + number % 90).to_string();
    let (first, last) = pin.split_at(1);
    pbx.db_put(&family, &pin, "1")?;
    // The loser hears that the PIN is wrong, and hangs up.
    let call = Call::new(format!("/{family},drqc,2,&")).keys(&format!("<now>{first} <hangup>"));
    let mut calls = [pbx.place(&call)?, pbx.place(&call)?];
    for call in &mut calls {
        until_keyed(call, 1)?;
    }
    for call in &calls {
        press(pbx, call, last)?;
    }
    let [one, other] = calls;
    let reports = [one.finish()?, other.finish()?];
    let passed = |report: &&harness::Report| report.outcome == Outcome::Passed;
    ensure!(
        reports.iter().filter(passed).count() == 1,
        "{family}/{pin}: {reports:#?}"
    );
    for report in &reports {
        let (status, sounds): (_, &[&str]) = match report.outcome {
            Outcome::Passed => ("SUCCESS", &[]),
            _ => ("HANGUP", &["auth-incorrect"]),
        };
        ensure!(report.status() == status, "{report:#?}");
        ensure!(report.sounds == sounds, "{report:#?}");
    }
    ensure!(pbx.db_get(&family, &pin)?.is_none(), "{family}/{pin}");
    Ok(())
}
