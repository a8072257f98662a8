//! Nothing of libpq and its threads is left after an unload.

use anyhow::{ensure, Result};

use super::{add, asterisk, impatient, is, recovers, server};
use crate::module::{load_by_ami, module_action, unload_wholly, OURS};
use crate::pin_sets::on;
use crate::support::Shell;

#[test]
fn unload_ends_all_connections_and_unmaps_libpq() -> Result<()> {
    const ROUNDS: usize = 10;
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    // Asterisk's own drivers have libpq loaded, too.
    let pbx = asterisk(&server)
        .modules("noload = res_config_pgsql.so\nnoload = cdr_pgsql.so\nnoload = cel_pgsql.so");
    on(pbx, |pbx| {
        let (ami, mut shell) = (pbx.manager()?, Shell::open(pbx)?);
        load_by_ami(&ami, &mut shell)?;
        for _ in 0..ROUNDS {
            is(pbx, "customers", "1234", "SUCCESS")?;
            unload_wholly(pbx, &ami, &mut shell)?;
            let maps = format!("grep -c libpq /proc/{}/maps", pbx.pid()?);
            ensure!(shell.number(&maps)? == 0, "libpq is still mapped");
            let connections = "SELECT count(*) FROM pg_stat_activity \
                               WHERE application_name = 'app_authenticate_rs'";
            crate::support::eventually("no connection is left", || {
                Ok(server.sql(connections)? == "0")
            })?;
            module_action(&ami, "load", OURS)?;
        }
        is(pbx, "customers", "1234", "SUCCESS")
    });
    Ok(())
}

#[test]
fn unload_does_not_wait_for_a_frozen_database() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    on(impatient(&server), |pbx| {
        let (ami, mut shell) = (pbx.manager()?, Shell::open(pbx)?);
        load_by_ami(&ami, &mut shell)?;
        recovers(pbx)?;
        server.freeze()?;
        is(pbx, "customers", "1234", "ERROR")?;
        unload_wholly(pbx, &ami, &mut shell)?;
        server.thaw()?;
        module_action(&ami, "load", OURS)?;
        recovers(pbx)
    });
    Ok(())
}
