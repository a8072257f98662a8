//! Two callers with the same one-time PIN at the same time.

use anyhow::{ensure, Result};
use harness::{Call, Module, Outcome, Pbx, Report};

use super::press;
use crate::support::{on, side_by_side};

const PAIRS: usize = 300;
const CONCURRENT_CALLS: usize = 10;

#[test]
fn concurrent_pairs_with_one_pin_admit_one_caller() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        side_by_side(PAIRS, CONCURRENT_CALLS, |number| pair(pbx, number))
    });
}

/// The one key they key ends the entry. Both hear the prompt, and so wait for
/// it; then both keys are sent back to back.
fn pair(pbx: &Pbx, number: usize) -> Result<()> {
    let (family, pin) = (format!("pairs{}", number / 10), (number % 10).to_string());
    pbx.db_put(&family, &pin, "1")?;
    // The loser hears that the PIN is wrong, and hangs up.
    let call = Call::new(format!("/{family},drqc,1")).keys("<silence> <hangup>");
    let mut calls = [pbx.place(&call)?, pbx.place(&call)?];
    for call in &mut calls {
        call.until_sound("agent-pass")?;
    }
    for call in &calls {
        press(pbx, call, &pin)?;
    }
    let [one, other] = calls;
    let reports = [one.finish()?, other.finish()?];
    let passed = |report: &&Report| report.outcome == Outcome::Passed;
    ensure!(
        reports.iter().filter(passed).count() == 1,
        "{family}/{pin}: {reports:#?}"
    );
    for report in &reports {
        let (status, sounds): (_, &[&str]) = match report.outcome {
            Outcome::Passed => ("SUCCESS", &["agent-pass"]),
            _ => ("HANGUP", &["agent-pass", "auth-incorrect"]),
        };
        ensure!(report.status() == status, "{report:#?}");
        ensure!(report.sounds == sounds, "{report:#?}");
    }
    ensure!(pbx.db_get(&family, &pin)?.is_none(), "{family}/{pin}");
    Ok(())
}
