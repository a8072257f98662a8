//! Connections by TLS, with a password.

use anyhow::{ensure, Result};
use harness::{free_port, Builder, Pbx, Postgres};
use pinset::database::SCHEMA_STEPS;

use super::{add, is, CONF, KEY};
use crate::module::{load_by_ami, module_action, unload_wholly, OURS};
use crate::pin_sets::made::hex;
use crate::pin_sets::{is_logged, on, with};
use crate::support::{eventually, Shell};

const PASSWORD: &str = "the password of asterisk";

const ROLE: &str = "
CREATE ROLE asterisk LOGIN PASSWORD 'the password of asterisk';
GRANT SELECT ON pinset_schema, pinset_pins TO asterisk;
GRANT UPDATE (uses, last_use) ON pinset_pins TO asterisk;
GRANT SELECT, INSERT, UPDATE, DELETE ON pinset_lockouts, pinset_trusted TO asterisk;
GRANT SELECT, INSERT ON pinset_pepper TO asterisk;
";

fn server() -> Result<(Postgres, u16)> {
    let port = free_port()?;
    let server = Postgres::start_with_tls(port)?;
    server.sql(&SCHEMA_STEPS.concat())?;
    server.sql(ROLE)?;
    add(&server, "customers", "ada", "1234", "")?;
    Ok((server, port))
}

fn asterisk(server: &Postgres, string: &str) -> Result<Builder> {
    Ok(with(CONF)
        .in_network_of_host(free_port()?)
        .database(server)
        .pin_file_of_mode("database", string, 0o600)
        .pin_file_of_mode("pepper", format!("k1:{}\n", hex(&KEY)), 0o600)
        .pin_file("doors", "7777\n")
        // Asterisk's own drivers have libpq loaded, too.
        .modules("noload = res_config_pgsql.so\nnoload = cdr_pgsql.so\nnoload = cel_pgsql.so"))
}

fn string(port: u16, password: &str, host: &str) -> String {
    format!(
        "host={host} port={port} dbname=postgres user=asterisk password='{password}' \
         sslmode=verify-full sslrootcert=/database/ca.pem"
    )
}

fn reload(pbx: &Pbx, string: &str) -> Result<()> {
    pbx.write_file("/pins/database", string)?;
    pbx.exec(&["chmod", "600", "/pins/database"])?;
    let printed = pbx.cli("module reload app_authenticate_rs.so")?;
    ensure!(printed.contains("reloaded successfully"), "{printed}");
    Ok(())
}

#[test]
fn loads_and_unloads_with_tls_leave_nothing() -> Result<()> {
    const ROUNDS: usize = 10;
    let (server, port) = server()?;
    let builder = asterisk(&server, &string(port, PASSWORD, "localhost"))?;
    on(builder, |pbx| {
        let (ami, mut shell) = (pbx.manager()?, Shell::open(pbx)?);
        load_by_ami(&ami, &mut shell)?;
        for _ in 0..ROUNDS {
            is(pbx, "customers", "1234", "SUCCESS")?;
            let ciphered =
                "SELECT count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                            WHERE ssl AND usename = 'asterisk'";
            ensure!(server.sql(ciphered)? == "t");
            unload_wholly(pbx, &ami, &mut shell)?;
            let maps = format!("grep -c libpq /proc/{}/maps", pbx.pid()?);
            ensure!(shell.number(&maps)? == 0, "libpq is still mapped");
            module_action(&ami, "load", OURS)?;
        }
        is(pbx, "customers", "1234", "SUCCESS")
    });
    Ok(())
}

/// A wrong password, and a certificate for another name; the log has neither the password
/// nor the connection string.
#[test]
fn wrong_password_and_wrong_certificate_are_named() -> Result<()> {
    let (server, port) = server()?;
    let wrong = string(port, "another secret", "localhost");
    on(asterisk(&server, &wrong)?, |pbx| {
        is(pbx, "customers", "1234", "ERROR")?;
        is_logged(
            pbx,
            &["password authentication failed for user \"asterisk\""],
        )?;
        // An address is not in the certificate.
        reload(pbx, &string(port, PASSWORD, "127.0.0.1"))?;
        is(pbx, "customers", "1234", "ERROR")?;
        is_logged(
            pbx,
            &["certificate", "does not match host name \"127.0.0.1\""],
        )?;
        is(pbx, "doors", "7777", "SUCCESS")?;
        reload(pbx, &string(port, PASSWORD, "localhost"))?;
        eventually("admitted", || {
            Ok(super::verify(pbx, "customers", "1234")?.has("Status", "SUCCESS"))
        })?;
        let log = pbx.log()?;
        for secret in ["another secret", PASSWORD, "sslrootcert"] {
            ensure!(!log.contains(secret), "{secret}: {log}");
        }
        Ok(())
    });
    Ok(())
}
