//! A database that does not answer delays nobody for longer than `source_timeout`.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};
use harness::{Pbx, Postgres};
use pinset::database::SCHEMA_STEPS;

use super::{add, asterisk, impatient, is, recovers, relayed, server, IMPATIENT};
use crate::module::{load_by_ami, module_action, unload_wholly, OURS};
use crate::pin_sets::{becomes, broken, call, is_logged, log_lines, on, passed};
use crate::support::{eventually, side_by_side, Shell};

/// What a busy machine may add to `source_timeout`.
const SLACK: Duration = Duration::from_secs(10);

fn with_ada() -> Result<Postgres> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    Ok(server)
}

/// Refused in time; other PIN sets and the CLI work meanwhile.
fn is_out(pbx: &Pbx) -> Result<()> {
    let began = Instant::now();
    let ami = pbx.ami()?;
    let headers = [("PinSet", "customers"), ("Secret", "1234"), ("Caller", "1")];
    ami.send("AuthenticateVerify", &headers)?;
    is(pbx, "doors", "7777", "SUCCESS")?;
    ensure!(pbx.cli("authenticate show pinsets")?.contains("customers"));
    is(pbx, "customers", "1234", "ERROR")?;
    ensure!(began.elapsed() < IMPATIENT + SLACK, "{:?}", began.elapsed());
    Ok(())
}

#[test]
fn frozen_database_delays_a_caller_for_the_timeout() -> Result<()> {
    let server = with_ada()?;
    add(&server, "customers", "bob", "5678", "")?;
    on(impatient(&server), |pbx| {
        recovers(pbx)?;
        server.freeze()?;
        let call = call("customers", "1234# 1234# 1234#");
        becomes(pbx, &call, &broken())?;
        is_logged(pbx, &["the database has not answered within 2 s"])?;
        is_out(pbx)?;
        server.thaw()?;
        recovers(pbx)?;
        // An answer that came too late is nobody else's.
        for pin in ["5678", "1234"] {
            is(pbx, "customers", pin, "SUCCESS")?;
        }
        let admitted = passed().account("ada").whatever_keyed();
        becomes(pbx, &call, &admitted)?;
        Ok(())
    });
    Ok(())
}

/// Connections stay open, and nothing comes through.
#[test]
fn network_that_drops_everything_delays_for_the_timeout() -> Result<()> {
    let server = with_ada()?;
    let (network, string) = relayed(&server, Duration::ZERO)?;
    let builder = impatient(&server).pin_file_of_mode("database", string, 0o600);
    on(builder, |pbx| {
        recovers(pbx)?;
        network.swallow(true);
        is_out(pbx)?;
        network.swallow(false);
        recovers(pbx)
    });
    Ok(())
}

/// Neither their queries nor uses of theirs are left.
#[test]
fn callers_who_hang_up_leave_nothing_behind() -> Result<()> {
    const CALLS: usize = 6;
    let server = server()?;
    add(&server, "customers", "ada", "1234", "max_uses=1")?;
    on(asterisk(&server), |pbx| {
        let (ami, mut shell) = (pbx.manager()?, Shell::open(pbx)?);
        load_by_ami(&ami, &mut shell)?;
        is(pbx, "customers", "0000", "FAILURE")?;
        server.freeze()?;
        side_by_side(CALLS, CALLS, |_| {
            let gone = pbx.call(&call("customers", "1234#<wait 0.3><hangup>"))?;
            ensure!(gone.status() == "HANGUP", "{gone:?}");
            Ok(())
        })?;
        unload_wholly(pbx, &ami, &mut shell)?;
        server.thaw()?;
        module_action(&ami, "load", OURS)?;
        eventually("nothing runs", || {
            let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' \
                           AND application_name = 'app_authenticate_rs'";
            Ok(server.sql(running)? == "0")
        })?;
        ensure!(server.sql("SELECT uses FROM pinset_pins")? == "0");
        is(pbx, "customers", "1234", "SUCCESS")
    });
    Ok(())
}

/// Neither the restart nor the idle connection costs a call.
#[test]
fn restart_between_calls_is_not_noticed() -> Result<()> {
    let server = with_ada()?;
    on(asterisk(&server), |pbx| {
        recovers(pbx)?;
        for _ in 0..3 {
            server.kill9()?;
            server.start_again()?;
            is(pbx, "customers", "1234", "SUCCESS")?;
        }
        Ok(())
    });
    Ok(())
}

#[test]
fn killed_database_is_found_again() -> Result<()> {
    let server = with_ada()?;
    on(impatient(&server), |pbx| {
        recovers(pbx)?;
        server.kill9()?;
        is_out(pbx)?;
        is_logged(pbx, &["ERROR", "the database can't be reached: "])?;
        server.start_again()?;
        recovers(pbx)?;
        is_logged(pbx, &["the database is reached again: /database:5432"])
    });
    Ok(())
}

#[test]
fn database_may_come_after_the_pbx() -> Result<()> {
    let server = with_ada()?;
    server.kill9()?;
    on(impatient(&server), |pbx| {
        is_out(pbx)?;
        server.start_again()?;
        recovers(pbx)
    });
    Ok(())
}

/// A lock that somebody holds refuses those who wait for it, and nobody else.
#[test]
fn locked_table_refuses_until_it_is_free() -> Result<()> {
    let server = with_ada()?;
    on(impatient(&server), |pbx| {
        recovers(pbx)?;
        std::thread::scope(|scope| -> Result<()> {
            let held = scope
                .spawn(|| server.sql("BEGIN; LOCK TABLE pinset_pins; SELECT pg_sleep(10); COMMIT"));
            eventually("locked", || {
                let locks = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' \
                             AND relation = 'pinset_pins'::regclass AND granted";
                Ok(server.sql(locks)? == "1")
            })?;
            is_out(pbx)?;
            held.join().map_err(|_| anyhow::anyhow!("psql"))?.map(drop)
        })?;
        recovers(pbx)
    });
    Ok(())
}

#[test]
fn schema_that_is_missing_or_of_another_version_is_named() -> Result<()> {
    let server = Postgres::start()?;
    on(impatient(&server), |pbx| {
        is(pbx, "customers", "1234", "ERROR")?;
        is_logged(pbx, &["SQLSTATE 42P01", "run 'pinset database init'"])?;
        let later = "UPDATE pinset_schema SET version = 9";
        server.sql(&format!(
            "BEGIN; {}; {later}; COMMIT",
            SCHEMA_STEPS.concat()
        ))?;
        eventually("named", || {
            is(pbx, "customers", "1234", "ERROR")?;
            Ok(!log_lines(pbx, &["its schema has version '9'", "needs 2"])?.is_empty())
        })?;
        // The next version has all that this one has; the one before has not.
        server.sql("UPDATE pinset_schema SET version = 3")?;
        add(&server, "customers", "ada", "1234", "")?;
        recovers(pbx)
    });
    Ok(())
}
