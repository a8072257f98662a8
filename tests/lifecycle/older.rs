//! Asterisks before 22 have no `ast_db_exists`; there a key is found another
//! way, which the test build takes here.

use anyhow::{ensure, Result};
use harness::{Call, Outcome, Pbx};

use crate::support::on;
use crate::variants::TEST_BUILD;

fn gets_in(pbx: &Pbx, args: &str, pin: &str) -> Result<bool> {
    let call = Call::new(format!("{args},{},&", pin.len())).keys(&format!("<now>{pin} <hangup>"));
    Ok(pbx.call(&call)?.outcome == Outcome::Passed)
}

#[test]
fn keys_are_found_exactly_and_none_is_logged() {
    let built = match TEST_BUILD.get() {
        Ok(built) => built,
        Err(error) => panic!("{error:#}"),
    };
    on(Pbx::builder().module_file(built.module).debug(1), |pbx| {
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
        let told = log
            .lines()
            .find(|line| line.contains(" db.c:") && !line.contains("authenticate-rs"));
        ensure!(told.is_none(), "{told:?}");
        Ok(())
    });
}
