//! A driver that does not return delays one caller for `source_timeout`, and no other.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};

use super::{on_pgsql, row, server};
use crate::database::is;
use crate::module::{load_by_ami, module_action, unload_wholly, OURS};
use crate::pin_sets::{becomes, broken, call, is_logged, log_lines, on};
use crate::support::{eventually, Shell};

#[test]
fn stuck_driver_refuses_all_until_it_returns() -> Result<()> {
    let server = server()?;
    server.sql(&row(1, "customers", "ada", "1234", "")?)?;
    on(on_pgsql(&server), |pbx| {
        let (ami, mut shell) = (pbx.manager()?, Shell::open(pbx)?);
        load_by_ami(&ami, &mut shell)?;
        is(pbx, "customers", "1234", "SUCCESS")?;
        server.freeze()?;
        becomes(pbx, &call("customers", "1234# 1234# 1234#"), &broken())?;
        is_logged(pbx, &["Realtime has not answered within 2 s"])?;
        is_logged(
            pbx,
            &["realtime:pins: the driver has not returned within 2 s"],
        )?;
        let began = Instant::now();
        for _ in 0..3 {
            is(pbx, "customers", "1234", "ERROR")?;
        }
        // Three times source_timeout would be 6 s.
        ensure!(began.elapsed() < Duration::from_secs(4));
        is_logged(pbx, &["realtime:pins: the driver has not returned for "])?;
        is(pbx, "doors", "7777", "SUCCESS")?;
        ensure!(pbx
            .cli("authenticate show pinsets")?
            .contains("realtime:pins"));

        pbx.cli(&format!("module unload {OURS}"))?;
        is_logged(
            pbx,
            &["not unloaded: the driver of realtime:pins has not returned for "],
        )?;
        is(pbx, "doors", "7777", "SUCCESS")?;

        server.thaw()?;
        eventually("the driver returns", || {
            Ok(!log_lines(pbx, &["realtime:pins: the driver has returned after "])?.is_empty())
        })?;
        is(pbx, "customers", "1234", "SUCCESS")?;
        unload_wholly(pbx, &ami, &mut shell)?;
        module_action(&ami, "load", OURS)?;
        is(pbx, "customers", "1234", "SUCCESS")
    });
    Ok(())
}
