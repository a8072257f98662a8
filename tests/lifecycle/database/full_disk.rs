//! The database's disk is full.

use anyhow::{ensure, Result};
use harness::{Pbx, Postgres};
use pinset::database::SCHEMA_STEPS;

use super::{add_one_time, impatient, verify};
use crate::pin_sets::on;
use crate::support::eventually;

const PINS: usize = 12;

fn status(pbx: &Pbx, pin: &str) -> Result<String> {
    let answer = verify(pbx, "customers", pin)?;
    Ok(answer.get("Status").unwrap_or_default().to_owned())
}

/// Which of these PINs are admitted.
fn admitted(pbx: &Pbx, pins: &[String]) -> Result<Vec<bool>> {
    let is = |pin: &String| Ok(status(pbx, pin)? == "SUCCESS");
    pins.iter().map(is).collect()
}

/// Nobody is admitted by a use that is not on the disk.
#[test]
fn full_disk_refuses_and_loses_no_use() -> Result<()> {
    let server = Postgres::start_on_disk("100m")?;
    server.sql(&SCHEMA_STEPS.concat())?;
    let pins: Vec<String> = (0..PINS).map(|pin| (1000 + pin).to_string()).collect();
    add_one_time(&server, "customers", &pins)?;
    on(impatient(&server), |pbx| {
        let (before, others) = pins.split_at(PINS / 2);
        ensure!(admitted(pbx, before)? == [true; PINS / 2]);
        server.fill_disk()?;
        // More than the files that are there have room for.
        let write = "SELECT count(pg_logical_emit_message(false, 'fill', repeat('x', 100000))) \
                     FROM generate_series(1, 1000)";
        ensure!(server.sql(write).is_err(), "the disk is not full");
        ensure!(admitted(pbx, before)? == [false; PINS / 2]);
        let meanwhile = admitted(pbx, others)?;
        ensure!(meanwhile.contains(&false), "all are admitted");
        server.free_disk()?;
        server.kill9()?;
        server.start_again()?;
        eventually("the database is used again", || {
            Ok(status(pbx, "0000")? == "FAILURE")
        })?;
        ensure!(admitted(pbx, before)? == [false; PINS / 2]);
        let afterwards = admitted(pbx, others)?;
        for (pin, times) in others.iter().zip(meanwhile.iter().zip(&afterwards)) {
            ensure!(times != (&true, &true), "{pin}: twice");
        }
        ensure!(afterwards.contains(&true), "none is admitted afterwards");
        Ok(())
    });
    Ok(())
}
