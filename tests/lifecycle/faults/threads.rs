//! No memory for another thread of the module.

use anyhow::{ensure, Result};
use harness::{Call, Outcome, Pbx, Report};

use super::{rows, with_counted_pins, Faults, PLAIN, ROWS};
use crate::lists::threads;
use crate::support::eventually;

/// What a caller asks for with the right PIN, and whether that needs a thread.
const CALLS: [(&str, &str, bool); 6] = [
    ("4711,q,4", "4711", false),
    ("/pins/plain,q,4", "4711", true),
    ("/once,dq,4", "1000", true),
    ("/once,drq,4", "1001", true),
    ("pinset:plain,q,4", "4711", true),
    ("pinset:counted,q,4", "1000", true),
];

/// What the log says of these calls.
const LOGGED: [&str; 5] = [
    "'/pins/plain' admits nobody: there is no free thread to read it",
    "family 'once' admits nobody: too many wait for Asterisk's database, or there is no free thread",
    "a one-time PIN of family 'once' can't be used up, so it is refused: too many wait for \
     Asterisk's database, or there is no free thread",
    "PIN set 'plain' admits nobody: there is no free thread to read it",
    "PIN set 'counted' admits nobody: there is no free thread to read it",
];

fn call(pbx: &Pbx, arguments: &str, pin: &str) -> Result<Report> {
    pbx.call(&Call::new(arguments).keys(&format!("{pin} {pin} {pin}")))
}

#[test]
fn caller_without_a_thread_is_refused_until_there_are_threads() -> Result<()> {
    let faults = Faults::new()?;
    let pbx = with_counted_pins(&faults, 2)?;
    let ami = pbx.ami()?;
    eventually("no thread", || Ok(threads(&ami)? == 0))?;
    faults.no_threads(true)?;
    // Rows in memory would need no thread.
    pbx.pin_file("plain", PLAIN)?;
    pbx.pin_file(ROWS, rows(2))?;
    for (arguments, pin, needs_a_thread) in CALLS {
        let report = call(&pbx, arguments, pin)?;
        let status = if needs_a_thread { "ERROR" } else { "SUCCESS" };
        ensure!(report.status() == status, "{arguments}: {report:#?}");
    }
    let log = pbx.log()?;
    for line in LOGGED {
        ensure!(log.contains(line), "not logged: {line}");
    }
    faults.no_threads(false)?;
    for (arguments, pin, _) in CALLS {
        let report = call(&pbx, arguments, pin)?;
        ensure!(
            report.outcome == Outcome::Passed,
            "{arguments}: {report:#?}"
        );
    }
    Ok(())
}
