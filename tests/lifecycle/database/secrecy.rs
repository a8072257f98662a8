//! No PIN reaches the database, its log or Asterisk's.

use anyhow::{ensure, Result};

use super::{add, asterisk, is, server};
use crate::pin_sets::made::md5;
use crate::pin_sets::on;

#[test]
fn no_pin_is_sent_or_logged() -> Result<()> {
    const PINS: [&str; 2] = ["48151623", "90817263"];
    let server = server()?;
    server.sql(
        "ALTER SYSTEM SET log_statement = 'all'; \
         ALTER SYSTEM SET log_parameter_max_length_on_error = -1; \
         SELECT pg_reload_conf()",
    )?;
    add(&server, "customers", "ada", PINS[0], "max_uses=9")?;
    on(asterisk(&server).debug(9), |pbx| {
        is(pbx, "customers", PINS[0], "SUCCESS")?;
        is(pbx, "customers", PINS[1], "FAILURE")?;
        // An error whose text would have the parameters.
        server.sql("ALTER TABLE pinset_pins ADD CHECK (uses < 1) NOT VALID")?;
        is(pbx, "customers", PINS[0], "FAILURE")?;
        let log = pbx.log()?;
        ensure!(
            log.contains("SQLSTATE 23514 (constraint pinset_pins_"),
            "{log}"
        );
        let of_server = server.log()?;
        ensure!(of_server.contains("UPDATE pinset_pins"), "{of_server}");
        // What the harness itself has sent and what the table has is no PIN either.
        let table = server.sql("SELECT * FROM pinset_pins")?;
        for pin in PINS {
            let digest = md5(pin);
            for text in [pin, digest.trim_start_matches("md5:")] {
                ensure!(!of_server.contains(text), "PostgreSQL's log has {text}");
                ensure!(!table.contains(text), "the table has {text}");
            }
        }
        let ours = log
            .lines()
            .filter(|line| line.contains("pinset_pins") || line.contains("libpq"));
        for line in ours {
            ensure!(!PINS.iter().any(|pin| line.contains(pin)), "{line}");
        }
        Ok(())
    });
    Ok(())
}
