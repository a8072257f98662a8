//! `kill -9` at the moment when a use has admitted a caller.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{ensure, Result};
use harness::{Call, Pbx};

use super::{customers, row, write_list};
use crate::one_time::press;
use crate::support::{on, side_by_side};

/// Rows, each with a PIN of one digit, so that it is used the moment it is
/// entered.
const ROWS: usize = 5;

fn account(number: usize) -> String {
    format!("account{number}")
}

/// Lets a caller in and kills Asterisk at the first sign of it; starts it
/// again. Asterisk commits the first write after a quiet time at once and then
/// rests for a second: the use falls into that second.
fn use_and_kill(pbx: &Pbx, pin: &str) -> Result<()> {
    let mut call = pbx.place(&Call::new("pinset:customers,,1"))?;
    call.until_sound("agent-pass")?;
    pbx.db_put("other", pin, "1")?;
    press(pbx, &call, pin)?;
    call.until("success", |frame| {
        frame.has("Message", "auth-thankyou")
            || frame.has("Variable", "AUTHENTICATESTATUS") && frame.has("Value", "SUCCESS")
    })?;
    pbx.kill9()?;
    pbx.start_again()
}

/// How often a use had to be counted again.
fn kill_after_each_use(options: &str, max_uses: &str, uses: u64) -> Result<usize> {
    let mut lost = 0;
    on(customers(options), |pbx| {
        let rows: Vec<_> = (0..ROWS)
            .map(|number| (account(number), number.to_string()))
            .collect();
        let rows: Vec<_> = rows
            .iter()
            .map(|(account, pin)| (account.as_str(), pin.as_str(), max_uses))
            .collect();
        write_list(pbx, &rows)?;
        for (account, pin, _) in rows {
            for number in 1..=uses {
                use_and_kill(pbx, pin)?;
                let counted = row(pbx, account)?.1;
                ensure!(counted == number, "{account}: {counted}, not {number}");
            }
            let call = Call::new("pinset:customers,,1,&").keys(&format!("<now>{pin} <hangup>"));
            super::is_refused(&pbx.call(&call)?)?;
            ensure!(row(pbx, account)?.1 == uses);
        }
        lost = pbx.log()?.matches("were lost in a crash").count();
        Ok(())
    });
    Ok(lost)
}

#[test]
fn crash_restores_no_use() {
    let lost = AtomicUsize::new(0);
    let one_asterisk = |number| {
        let again = match number {
            0 => kill_after_each_use("", "3", 3)?,
            _ => kill_after_each_use("one_time = yes", "", 1)?,
        };
        lost.fetch_add(again, Ordering::Relaxed);
        Ok(())
    };
    if let Err(error) = side_by_side(2, 2, one_asterisk) {
        panic!("{error:#}");
    }
    // Else the kills came too late to show anything.
    assert_ne!(lost.into_inner(), 0);
}
