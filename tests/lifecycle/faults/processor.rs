//! A tenth of a processor.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{ensure, Result};

use super::{is_admitted, with_counted_pins, Faults, COUNTED};
use crate::support::{side_by_side, Program};

/// Half of them with the same PIN as another call.
const CALLS: usize = 24;
const AT_ONCE: usize = 8;

/// Lets Asterisk run for a tenth of the time, until the end of its input.
const THROTTLE: &str = "
import os, select, signal, sys
def until_end(seconds):
    return select.select([sys.stdin], [], [], seconds)[0]
print('up', flush=True)
while not until_end(0.01):
    os.kill(PID, signal.SIGSTOP)
    until_end(0.09)
    os.kill(PID, signal.SIGCONT)
";

/// Of two callers with a PIN that admits once, one is admitted, and the other is refused.
#[test]
fn calls_with_a_tenth_of_a_processor_have_their_outcome() -> Result<()> {
    let faults = Faults::new()?;
    let pbx = with_counted_pins(&faults, CALLS)?;
    let admitted: Vec<AtomicUsize> = (0..CALLS / 2).map(|_| AtomicUsize::new(0)).collect();
    let throttle = Program::start(&pbx, &THROTTLE.replace("PID", &pbx.pid()?.to_string()))?;
    side_by_side(CALLS, AT_ONCE, |number| {
        let pair = number / 2;
        let call = COUNTED[pair % 2].call(&(1000 + pair).to_string());
        let is_admitted = is_admitted(&pbx.call(&call)?)?;
        admitted[pair].fetch_add(usize::from(is_admitted), Ordering::Relaxed);
        Ok(())
    })?;
    drop(throttle);
    let admitted: Vec<usize> = admitted.into_iter().map(AtomicUsize::into_inner).collect();
    ensure!(admitted == [1; CALLS / 2], "{admitted:?}");
    Ok(())
}
