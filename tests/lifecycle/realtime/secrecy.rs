//! No PIN reaches a driver, which would log it.

use anyhow::{ensure, Result};

use super::{on_pgsql, row, server};
use crate::database::is;
use crate::pin_sets::made::md5;
use crate::pin_sets::{call, on};
use crate::support::has_no_pin;

#[test]
fn no_pin_is_sent_or_logged() -> Result<()> {
    const PINS: [&str; 2] = ["48151623", "90817263"];
    let server = server()?;
    server.sql("ALTER SYSTEM SET log_statement = 'all'; SELECT pg_reload_conf()")?;
    server.sql(&row(1, "customers", "ada", PINS[0], "max_uses=9")?)?;
    on(on_pgsql(&server).debug(1), |pbx| {
        for pin in PINS {
            pbx.call(&call("customers", &format!("{pin}# {pin}# {pin}#")))?;
        }
        // An error whose text has the statement.
        server.sql("ALTER TABLE pins ADD CHECK (uses < 1) NOT VALID")?;
        pbx.call(&call("customers", &format!("{}#", PINS[0])))?;
        server.sql("ALTER TABLE pins RENAME TO gone")?;
        is(pbx, "doors", "7777", "SUCCESS")?;
        pbx.call(&call("customers", &format!("{}#", PINS[1])))?;
        let log = pbx.log()?;
        ensure!(log.contains("WHERE account = '.' OR digest = '"), "{log}");
        ensure!(log.contains("Query Failed: UPDATE pins"), "{log}");
        let of_server = server.log()?;
        ensure!(of_server.contains("UPDATE pins"), "{of_server}");
        for pin in PINS {
            has_no_pin(&log, pin)?;
            let digest = md5(pin);
            for text in [pin, digest.trim_start_matches("md5:")] {
                ensure!(!of_server.contains(text), "PostgreSQL's log has {text}");
            }
            ensure!(!log.contains(digest.trim_start_matches("md5:")));
        }
        Ok(())
    });
    Ok(())
}
