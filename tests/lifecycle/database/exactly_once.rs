//! A use admits one call, on whichever PBX.

use std::sync::Barrier;
use std::thread;

use anyhow::{anyhow, ensure, Result};
use harness::{Pbx, Postgres};

use super::{add, add_one_time, asterisk, asterisk_with, impatient, server, verify, CONF};
use crate::pin_sets::made::{argon2id, hmac};
use crate::pin_sets::{is_logged, on};
use crate::support::eventually;

/// The statuses of a PIN that is verified on all PBXs at once, `each` times on each.
pub(crate) fn at_once(pbxs: &[&Pbx], each: usize, pin: &str) -> Result<Vec<String>> {
    let barrier = Barrier::new(pbxs.len() * each);
    thread::scope(|scope| {
        let tries: Vec<_> = pbxs
            .iter()
            .flat_map(|pbx| std::iter::repeat_n(pbx, each))
            .map(|pbx| {
                scope.spawn(|| -> Result<String> {
                    // A session of its own: a session verifies one PIN at a time.
                    let ami = pbx.ami()?;
                    barrier.wait();
                    let headers = [("PinSet", "customers"), ("Secret", pin), ("Caller", "1")];
                    let answer = ami.action("AuthenticateVerify", &headers)?;
                    Ok(answer.get("Status").unwrap_or_default().to_owned())
                })
            })
            .collect();
        let ends = tries.into_iter().map(std::thread::ScopedJoinHandle::join);
        ends.map(|end| end.map_err(|_| anyhow!("a try has panicked"))?)
            .collect()
    })
}

pub(crate) fn admitted(statuses: &[String]) -> usize {
    let admitted = statuses.iter().filter(|status| *status == "SUCCESS");
    admitted.count()
}

fn uses(server: &Postgres) -> Result<String> {
    server.sql("SELECT string_agg(uses::text, ',' ORDER BY id) FROM pinset_pins")
}

/// Does something while a transaction with this SQL, which waits at its end, holds its
/// lock of a row.
fn while_held(server: &Postgres, sql: &str, what: impl FnOnce() -> Result<()>) -> Result<()> {
    thread::scope(|scope| {
        let held = scope.spawn(|| server.sql(&format!("BEGIN; {sql}; COMMIT")));
        eventually("it waits", || {
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
            Ok(server.sql(waits)? == "1")
        })?;
        what()?;
        held.join().map_err(|_| anyhow!("psql"))?.map(drop)
    })
}

#[test]
fn one_time_pin_admits_once_on_two_pbxs() -> Result<()> {
    const PINS: usize = 60;
    let server = server()?;
    let pins: Vec<String> = (0..PINS)
        .map(|number| (1000 + number).to_string())
        .collect();
    add_one_time(&server, "customers", &pins)?;
    let (one, other) = (asterisk(&server).start()?, asterisk(&server).start()?);
    for pin in &pins {
        let statuses = at_once(&[&one, &other], 1, pin)?;
        ensure!(admitted(&statuses) == 1, "{pin}: {statuses:?}");
        ensure!(
            statuses.contains(&"EXPIRED".to_owned()),
            "{pin}: {statuses:?}"
        );
    }
    ensure!(uses(&server)? == vec!["1"; PINS].join(","));
    Ok(())
}

#[test]
fn each_use_admits_once_on_two_pbxs() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "max_uses=3")?;
    let (one, other) = (asterisk(&server).start()?, asterisk(&server).start()?);
    let statuses = at_once(&[&one, &other], 8, "1234")?;
    ensure!(admitted(&statuses) == 3, "{statuses:?}");
    ensure!(uses(&server)? == "3");
    // A new secret starts with all uses.
    verify(&one, "customers", "1234")?;
    server.sql("UPDATE pinset_pins SET uses = 0")?;
    let statuses = at_once(&[&one, &other], 1, "1234")?;
    ensure!(admitted(&statuses) == 2, "{statuses:?}");
    Ok(())
}

/// A use that is committed counts, although its answer was lost: a commit that waits for
/// a standby is on disk, and its connection is ended then.
#[test]
fn lost_answer_of_a_use_is_asked_for() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "max_uses=1")?;
    on(asterisk(&server), |pbx| {
        server.sql(
            "ALTER SYSTEM SET synchronous_standby_names = 'nobody'; SELECT pg_reload_conf()",
        )?;
        thread::scope(|scope| -> Result<()> {
            let tried = scope.spawn(|| super::is(pbx, "customers", "1234", "SUCCESS"));
            eventually("a commit that waits", || {
                let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                             WHERE wait_event = 'SyncRep'";
                Ok(server.sql(ended)? == "1")
            })?;
            tried.join().map_err(|_| anyhow!("the try has panicked"))?
        })?;
        ensure!(uses(&server)? == "1");
        super::is(pbx, "customers", "1234", "EXPIRED")
    });
    Ok(())
}

/// The database takes no use for a caller who was refused meanwhile.
#[test]
fn use_is_not_taken_after_its_deadline() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "max_uses=1")?;
    on(impatient(&server), |pbx| {
        super::is(pbx, "customers", "0000", "FAILURE")?;
        let lock = "SELECT id FROM pinset_pins FOR UPDATE; SELECT pg_sleep(8)";
        while_held(&server, lock, || {
            super::is(pbx, "customers", "1234", "FAILURE")
        })?;
        eventually("nothing runs", || {
            let others = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' \
                          AND query LIKE '%SET uses%' AND pid <> pg_backend_pid()";
            Ok(server.sql(others)? == "0")
        })?;
        is_logged(
            pbx,
            &["a use of pinset_pins, id 1, may be taken without a call"],
        )?;
        ensure!(
            uses(&server)? == "0",
            "the use is gone, and nobody was admitted"
        );
        super::is(pbx, "customers", "1234", "SUCCESS")
    });
    Ok(())
}

/// Hashes that take longer than `source_timeout` leave the time for the database as it is.
#[test]
fn slow_hashes_do_not_cost_the_use() -> Result<()> {
    // With the right one as many as there may be for an account.
    const ROWS: usize = 7;
    // The database of a busy machine may answer late, but not each time.
    const TRIES: usize = 10;
    let server = server()?;
    let right = argon2id((65_536, 10, 1), "salt-of-ada", "1234")?;
    let wrong = argon2id((65_536, 10, 1), "salt-of-bob", "0000")?;
    let values = |secret: &String| format!("('people', 'ada', '{secret}', {TRIES})");
    let mut rows = vec![values(&wrong); ROWS];
    rows.push(values(&right));
    server.sql(&format!(
        "INSERT INTO pinset_pins (pinset, account, secret, max_uses) VALUES {}",
        rows.join(", ")
    ))?;
    let conf = CONF.replace("source_timeout = 30", "source_timeout = 1");
    on(asterisk_with(&server, &conf), |pbx| {
        let mut statuses = Vec::new();
        while statuses.len() < TRIES && statuses.last().is_none_or(|last| last != "SUCCESS") {
            let account = [("Account", "ada")];
            let answer = super::verify_with(pbx, "by-account", "1234", &account)?;
            statuses.push(answer.get("Status").unwrap_or_default().to_owned());
        }
        ensure!(
            statuses.last().is_some_and(|last| last == "SUCCESS"),
            "{statuses:?}"
        );
        Ok(())
    });
    Ok(())
}

/// A row whose secret changes between its look-up and its use admits nobody.
#[test]
fn changed_secret_is_not_used() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "max_uses=1")?;
    on(asterisk(&server), |pbx| {
        super::is(pbx, "customers", "0000", "FAILURE")?;
        let other = hmac("k1", &super::KEY, "5678")?;
        while_held(
            &server,
            &format!("UPDATE pinset_pins SET secret = '{other}'; SELECT pg_sleep(5)"),
            || super::is(pbx, "customers", "1234", "EXPIRED"),
        )?;
        ensure!(uses(&server)? == "0");
        super::is(pbx, "customers", "5678", "SUCCESS")
    });
    Ok(())
}
