//! Keys of Asterisk's database: versions before 18.22, 20.7, 21.2 and 22.0
//! have no `ast_db_exists`, and until 18.26, 20.11, 21.6 and 22.1 it answers
//! −1 for a key that is too long.

use std::time::Duration;

use anyhow::{ensure, Result};
use harness::{Builder, Call, Outcome, Pbx};

use crate::support::on;
use crate::variants::{Variant, ASTERISK_22_0, TEST_BUILD};

/// Hides digits, so that hundreds of them need not be entered 100 ms apart.
const CONF: &str = "
[general]
stock_hide_digits = yes

[many]
source = astdb:pin

[once]
source = astdb:pin
one_time = yes
";

const PIN: &str = "7351937519";

/// The applications that look a PIN up in the family `pin`.
const LOOK_UPS: [&str; 4] = ["/pin,dq", "/pin,drq", "pinset:many,q", "pinset:once,q"];

fn builder(variant: &Variant) -> Builder {
    let built = match variant.get() {
        Ok(built) => built,
        Err(error) => panic!("{error:#}"),
    };
    Pbx::builder().module_file(built.module)
}

/// Whether a caller who enters these digits, and hangs up after a refusal, is
/// admitted.
fn admits(pbx: &Pbx, args: &str, digits: &str) -> Result<bool> {
    let call = Call::new(format!("{args},{},&", digits.len()))
        .keys(&format!("<now>{digits} <hangup>"))
        .key_gap(Duration::from_millis(10))
        .hidden_digits(true);
    let report = pbx.call(&call)?;
    let admitted = report.outcome == Outcome::Passed;
    // The digits were verified, whatever the outcome.
    let judged = if admitted { "SUCCESS" } else { "HANGUP" };
    ensure!(report.status() == judged, "{report:#?}");
    ensure!(admitted || report.not_entered.is_empty(), "{report:#?}");
    Ok(admitted)
}

/// Digits that make a key too long are refused and not logged; a PIN that is
/// in the family is admitted.
fn refuses_long_digits(variant: &Variant) {
    let builder = builder(variant).file("authenticate.conf", CONF).debug(1);
    on(builder, |pbx| {
        let long = "7".repeat(254);
        for args in LOOK_UPS {
            pbx.db_put("pin", PIN, "1")?;
            ensure!(!admits(pbx, args, &long)?, "{args} admits 254 digits");
            ensure!(!admits(pbx, args, "7351937518")?, "{args} admits another");
            ensure!(admits(pbx, args, PIN)?, "{args} refuses the PIN");
        }
        let log = pbx.log()?;
        let logged = log.lines().find(|line| line.contains("7777777777"));
        ensure!(logged.is_none(), "{logged:?}");
        Ok(())
    });
}

#[test]
fn long_digits_where_key_lookup_fails_are_refused() {
    refuses_long_digits(&ASTERISK_22_0);
}

#[test]
fn long_digits_without_key_lookup_are_refused_and_not_logged() {
    refuses_long_digits(&TEST_BUILD);
}

fn gets_in(pbx: &Pbx, args: &str, pin: &str) -> Result<bool> {
    let call = Call::new(format!("{args},{},&", pin.len())).keys(&format!("<now>{pin} <hangup>"));
    Ok(pbx.call(&call)?.outcome == Outcome::Passed)
}

#[test]
fn keys_are_found_exactly_and_none_is_logged() {
    on(builder(&TEST_BUILD).debug(1), |pbx| {
        for key in ["123", "12345", "7", "45*6"] {
            pbx.db_put("pin/set", key, "1")?;
        }
        pbx.db_put("pinXset", "999", "1")?;
        for pin in ["123", "12345", "7", "45*6"] {
            ensure!(gets_in(pbx, "/pin/set,dq", pin)?, "{pin} is refused");
        }
        for pin in ["12", "1234", "8", "77", "45", "9", "999"] {
            ensure!(!gets_in(pbx, "/pin/set,dq", pin)?, "{pin} is admitted");
        }
        ensure!(gets_in(pbx, "/pin/set,drq", "12345")?);
        ensure!(!gets_in(pbx, "/pin/set,drq", "12345")?, "admitted twice");
        let log = pbx.log()?;
        let reported = log
            .lines()
            .find(|line| line.contains(" db.c:") && !line.contains("authenticate-rs"));
        ensure!(reported.is_none(), "{reported:?}");
        Ok(())
    });
}
