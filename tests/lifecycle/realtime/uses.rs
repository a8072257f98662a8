//! A use admits one call, on whichever PBX.

use anyhow::{ensure, Result};
use harness::{Builder, Postgres};

use super::{
    make_sqlite3, on_documented_sqlite3, on_odbc, on_pgsql, on_pgsql_with, row, server, sqlite3,
    CONF,
};
use crate::database::exactly_once::{admitted, at_once};
use crate::database::is;
use crate::pin_sets::{is_logged, on};

/// Time for all tries to follow each other: a family serves one at a time.
const PATIENT: &str = "source_timeout = 30";

fn patient() -> String {
    CONF.replace("source_timeout = 2", PATIENT)
}

#[test]
fn each_use_admits_once_on_two_pbxs() -> Result<()> {
    uses_admit_once(&|server| on_pgsql_with(server, &patient()))
}

#[test]
fn each_use_admits_once_by_odbc() -> Result<()> {
    uses_admit_once(&|server| on_odbc(server, &patient()))
}

fn uses_admit_once(pbx: &dyn Fn(&Postgres) -> Builder) -> Result<()> {
    let server = server()?;
    server.sql(&row(1, "customers", "ada", "1234", "max_uses=5")?)?;
    let start = || pbx(&server).start();
    let (one, other) = (start()?, start()?);
    let statuses = at_once(&[&one, &other], 8, "1234")?;
    ensure!(admitted(&statuses) == 5, "{statuses:?}");
    let expired = statuses.iter().filter(|status| *status == "EXPIRED");
    ensure!(expired.count() == 11, "{statuses:?}");
    let uses = "SELECT uses FROM pins WHERE id = 1";
    ensure!(server.sql(uses)? == "5");
    server.sql("UPDATE pins SET uses = 0, max_uses = 1 WHERE id = 1")?;
    let statuses = at_once(&[&one, &other], 1, "1234")?;
    ensure!(admitted(&statuses) == 1, "{statuses:?}");
    ensure!(server.sql(uses)? == "1");
    Ok(())
}

#[test]
fn uses_in_sqlite_are_on_disk_at_once() -> Result<()> {
    on(on_documented_sqlite3()?, |pbx| {
        make_sqlite3(pbx)?;
        sqlite3(pbx, &row(1, "customers", "ada", "1234", "max_uses=3")?)?;
        let statuses = at_once(&[pbx], 8, "1234")?;
        ensure!(admitted(&statuses) == 3, "{statuses:?}");
        sqlite3(pbx, "UPDATE pins SET max_uses = 4 WHERE id = 1")?;
        is(pbx, "customers", "1234", "SUCCESS")?;
        pbx.kill9()?;
        pbx.start_again()?;
        is(pbx, "customers", "1234", "EXPIRED")?;
        ensure!(sqlite3(pbx, "SELECT uses FROM pins WHERE id = 1")? == "4");
        Ok(())
    });
    Ok(())
}

/// res_config_pgsql remembers the columns that a table had when it was first updated: none
/// if there was no connection then.
#[test]
fn columns_that_the_driver_has_wrong_are_read_again() -> Result<()> {
    let server = server()?;
    server.sql(&row(1, "customers", "ada", "1234", "max_uses=2")?)?;
    server.sql("ALTER TABLE pins RENAME COLUMN uses TO other")?;
    let pbx = on_pgsql(&server).modules("load = res_realtime.so");
    on(pbx, |pbx| {
        let updated = pbx.cli("realtime update2 pins id 1 NULL name x")?;
        ensure!(updated.contains("Updated 1"), "{updated}");
        server.sql("ALTER TABLE pins RENAME COLUMN other TO uses")?;
        is(pbx, "customers", "1234", "SUCCESS")?;
        is_logged(
            pbx,
            &["criteria column 'uses' (pins@postgres), but that column does not"],
        )?;
        ensure!(server.sql("SELECT uses FROM pins WHERE id = 1")? == "1");
        Ok(())
    });
    Ok(())
}

/// A use that the database refuses to write admits nobody.
#[test]
fn use_that_is_not_written_admits_nobody() -> Result<()> {
    let server = server()?;
    server.sql(&row(1, "customers", "ada", "1234", "max_uses=2")?)?;
    server.sql("ALTER TABLE pins ADD CHECK (uses < 1)")?;
    on(on_pgsql(&server), |pbx| {
        is(pbx, "customers", "1234", "FAILURE")?;
        is_logged(
            pbx,
            &["a use can't be counted: realtime:pins: id 1: uses can't be written"],
        )?;
        is_logged(
            pbx,
            &["a use of realtime:pins, id 1, may be taken without a call"],
        )
    });
    Ok(())
}
