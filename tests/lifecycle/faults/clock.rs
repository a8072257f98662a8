//! A clock that is set forward and back while Asterisk runs.

use anyhow::{ensure, Context, Result};
use harness::Pbx;

use super::{is_admitted, with_counted_pins, Faults, COUNTED};
use crate::one_time::journal;
use crate::support::eventually;

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

/// A lock of half an hour after two wrong PINs within ten minutes.
const LOCKED: &str = "
[locked]
source = file:/pins/plain
attempts = 1
lockout_caller = 2/10m/30m
";

fn verify(pbx: &Pbx, pin_set: &str, pin: &str) -> Result<String> {
    let headers = [
        ("PinSet", pin_set),
        ("Secret", pin),
        ("Caller", "+905060508169"),
    ];
    let answer = pbx.manager()?.action("AuthenticateVerify", &headers)?;
    Ok(answer.get("Status").unwrap_or_default().to_owned())
}

fn is(pbx: &Pbx, pin_set: &str, pin: &str, status: &str, when: &str) -> Result<()> {
    let found = verify(pbx, pin_set, pin)?;
    ensure!(found == status, "{when}: {pin} is {found}, not {status}");
    Ok(())
}

/// A point in time as PIN files have it.
fn date(pbx: &Pbx, when: &str) -> Result<String> {
    Ok(pbx
        .exec(&["date", "-u", "-d", when, "+%F %TZ"])?
        .trim()
        .to_owned())
}

#[test]
fn validity_follows_the_clock() -> Result<()> {
    let faults = Faults::new()?;
    let conf = "[dated]\nsource = file:/pins/dated.csv\n[general]\nlockout_pinset = no\nlockout_caller = no\n";
    let pbx = faults.builder().file("authenticate.conf", conf).start()?;
    let tomorrow = date(&pbx, "1 day")?;
    let rows = format!(
        "account,secret,valid_from,valid_until\nada,plain:1234,,{tomorrow}\nbob,plain:5678,{tomorrow},\n"
    );
    pbx.pin_file("dated.csv", rows)?;
    for ahead in [0, 2 * DAY, 0, -2 * DAY, 2 * DAY] {
        faults.set_clock(ahead)?;
        let (until, from) = match ahead {
            1.. => ("EXPIRED", "SUCCESS"),
            _ => ("SUCCESS", "EXPIRED"),
        };
        let when = format!("{ahead} s ahead");
        is(&pbx, "dated", "1234", until, &when)?;
        is(&pbx, "dated", "5678", from, &when)?;
    }
    Ok(())
}

/// What is left of a lock when the clock is set back is left; a clock that is set forward
/// counts as time that is over.
#[test]
fn lock_survives_a_clock_that_is_set_back() -> Result<()> {
    let faults = Faults::new()?;
    let pbx = faults
        .builder()
        .file("authenticate.conf", LOCKED)
        .pin_file("plain", "4711\n")
        .start()?;
    is(&pbx, "locked", "0000", "FAILURE", "the first")?;
    faults.set_clock(-DAY)?;
    is(
        &pbx,
        "locked",
        "0000",
        "LOCKED",
        "the second, a day earlier",
    )?;
    is(&pbx, "locked", "4711", "LOCKED", "locked")?;
    faults.set_clock(-2 * DAY)?;
    is(&pbx, "locked", "4711", "LOCKED", "another day earlier")?;
    faults.set_clock(-2 * DAY + 29 * MINUTE)?;
    is(&pbx, "locked", "4711", "LOCKED", "29 minutes later")?;
    faults.set_clock(-2 * DAY + 31 * MINUTE)?;
    is(&pbx, "locked", "4711", "SUCCESS", "31 minutes later")?;
    // Again, and restarted with a clock that is set back.
    for status in ["FAILURE", "LOCKED"] {
        is(&pbx, "locked", "0000", status, "again")?;
    }
    pbx.stop()?;
    faults.set_clock(-3 * DAY)?;
    pbx.start_again()?;
    is(&pbx, "locked", "4711", "LOCKED", "restarted a day earlier")?;
    faults.set_clock(0)?;
    is(&pbx, "locked", "4711", "SUCCESS", "the right time")
}

/// Also with a crash at each time, and the journal is emptied whichever way the clock goes.
#[test]
fn use_is_counted_once_whatever_the_clock_shows() -> Result<()> {
    const TIMES: [i64; 4] = [DAY, -DAY, 400 * DAY, 0];
    let faults = Faults::new()?;
    let pbx = with_counted_pins(&faults, TIMES.len())?;
    let mut pins = Vec::new();
    for ahead in TIMES {
        faults.set_clock(ahead)?;
        let pin = (1000 + pins.len()).to_string();
        for counted in COUNTED {
            let admitted = is_admitted(&pbx.call(&counted.call(&pin))?)?;
            ensure!(admitted, "{ahead} s ahead: {counted:?} {pin}");
        }
        pins.push(pin);
        for restarted in [false, true] {
            if restarted {
                pbx.restart()?;
            }
            for pin in &pins {
                for counted in COUNTED {
                    let again = is_admitted(&pbx.call(&counted.call(pin))?)?;
                    ensure!(
                        !again,
                        "{ahead} s ahead: {counted:?} {pin}, restarted: {restarted}"
                    );
                }
            }
        }
        eventually("an empty journal", || Ok(journal(&pbx)?.is_empty()))
            .with_context(|| format!("{ahead} s ahead"))?;
    }
    Ok(())
}
