//! `database_file` and what it needs.

use anyhow::{anyhow, ensure, Result};
use harness::Pbx;

use super::edits::prints;
use super::{add, asterisk, asterisk_with, is, server, CONF};
use crate::pin_sets::{is_logged, on, reconfigure, reload};
use crate::support::eventually;
use crate::unprivileged::install_pinset;

/// Writes the file that nobody else may read.
fn write(pbx: &Pbx, text: &str) -> Result<()> {
    pbx.write_file("/pins/database", text)?;
    pbx.exec(&["chmod", "600", "/pins/database"]).map(drop)
}

#[test]
fn unusable_database_file_is_named_without_its_contents() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    on(asterisk(&server), |pbx| {
        is(pbx, "customers", "1234", "SUCCESS")?;
        for (text, error) in [
            (
                "host=/database passw0rd",
                "no connection string of PostgreSQL",
            ),
            ("", "no connection string of PostgreSQL"),
            ("host=/database\npassword=passw0rd", "on one line"),
        ] {
            write(pbx, text)?;
            reload(pbx, false)?;
            let source = "[customers] source: '/pins/database': ";
            is_logged(pbx, &["authenticate.conf:", source, error])?;
            // The old configuration stays in force.
            is(pbx, "customers", "1234", "SUCCESS")?;
        }
        ensure!(!pbx.log()?.contains("passw0rd"));
        pbx.exec(&["chmod", "644", "/pins/database"])?;
        reload(pbx, false)?;
        is_logged(pbx, &["[general] database_file: '/pins/database': "])?;
        let without = CONF.replace("database_file", ";database_file");
        reconfigure(pbx, &without, false)?;
        is_logged(pbx, &["[customers] source: database needs database_file"])?;
        let without = CONF.replace("pepper_file", ";pepper_file");
        reconfigure(pbx, &without, false)?;
        is_logged(pbx, &["[customers] source: ", "a key of pepper_file"])
    });
    Ok(())
}

/// Errors of the database's options leave other PIN sets in force.
#[test]
fn invalid_options_of_the_database_concern_its_pin_sets_only() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    let conf = CONF.replace("[customers]", "database_connections = 0\n[customers]");
    on(asterisk_with(&server, &conf), |pbx| {
        is_logged(pbx, &["[general] database_connections: "])?;
        is(pbx, "doors", "7777", "SUCCESS")?;
        is(pbx, "customers", "1234", "SUCCESS")
    });
    Ok(())
}

/// A to Z are as a to z everywhere; about other capital letters a database does not agree.
#[test]
fn names_have_no_capital_letters_but_a_to_z() -> Result<()> {
    let server = server()?;
    add(&server, "ärzte-ost", "ada", "1234", "")?;
    let conf = format!("{CONF}[ärzte-OST]\nsource = database\n[Ärzte]\nsource = database\n");
    let broken = format!("{CONF}[other]\nsource = database:Ärzte\n");
    on(asterisk_with(&server, &conf), |pbx| {
        install_pinset(pbx)?;
        let section = "[Ärzte] source: the name of the section has a capital letter";
        is_logged(pbx, &[section])?;
        is(pbx, "Ärzte", "1234", "ERROR")?;
        is(pbx, "ärzte-ost", "1234", "SUCCESS")?;
        let add = "add Ärzte-Ost --database /pins/database --account bob --argon2id";
        let why = "without capital letters other than A to Z";
        prints(pbx, ("660042", add), 3, &[why])?;
        let remove = "remove ärzte-OST --database /pins/database --account ada";
        prints(pbx, ("", remove), 0, &[])?;
        is(pbx, "ärzte-ost", "1234", "FAILURE")?;
        reconfigure(pbx, &broken, false)?;
        is_logged(pbx, &["[other] source: behind database: ", why])
    });
    Ok(())
}

#[test]
fn module_works_without_libpq() -> Result<()> {
    let server = server()?;
    let pbx = asterisk(&server)
        .modules("noload = res_config_pgsql.so\nnoload = cdr_pgsql.so\nnoload = cel_pgsql.so");
    on(pbx, |pbx| {
        pbx.exec(&["bash", "-c", "rm /usr/lib/*/libpq.so.5*"])?;
        pbx.restart()?;
        is(pbx, "doors", "7777", "SUCCESS")?;
        is(pbx, "customers", "1234", "ERROR")?;
        is_logged(
            pbx,
            &[
                "[customers] source: ",
                "libpq.so.5 can't be loaded",
                "libpq5",
            ],
        )
    });
    Ok(())
}

/// A query that runs during a reload is answered by the database that it was sent to.
#[test]
fn reload_to_another_database_ends_no_query() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    server.sql("CREATE DATABASE other")?;
    on(asterisk(&server), |pbx| {
        is(pbx, "customers", "0000", "FAILURE")?;
        std::thread::scope(|scope| {
            let held = scope
                .spawn(|| server.sql("BEGIN; LOCK TABLE pinset_pins; SELECT pg_sleep(5); COMMIT"));
            let waits = |event: &str| {
                let waits =
                    format!("SELECT count(*) FROM pg_stat_activity WHERE wait_event = '{event}'");
                eventually(event, || Ok(server.sql(&waits)? == "1"))
            };
            waits("PgSleep")?;
            let tried = scope.spawn(|| is(pbx, "customers", "1234", "SUCCESS"));
            waits("relation")?;
            write(pbx, "host=/database user=postgres dbname=other")?;
            reload(pbx, true)?;
            ensure!(
                !held.is_finished(),
                "the lock was not held during the reload"
            );
            held.join().map_err(|_| anyhow!("psql has panicked"))??;
            tried.join().map_err(|_| anyhow!("the try has panicked"))?
        })?;
        is(pbx, "customers", "1234", "ERROR")
    });
    Ok(())
}

/// A reload with another connection string uses it from the next entry on.
#[test]
fn reload_changes_the_database() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    server.sql("CREATE DATABASE other")?;
    on(asterisk_with(&server, CONF), |pbx| {
        is(pbx, "customers", "1234", "SUCCESS")?;
        let other = "host=/database user=postgres dbname=other";
        write(pbx, other)?;
        reload(pbx, true)?;
        is(pbx, "customers", "1234", "ERROR")?;
        is_logged(pbx, &["run 'pinset database init'"])
    });
    Ok(())
}
