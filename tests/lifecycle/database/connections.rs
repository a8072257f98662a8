//! How many connections there are, and which queries share one.

use std::sync::Barrier;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use anyhow::{anyhow, ensure, Result};
use harness::{Builder, Pbx, Postgres};

use super::{add, asterisk_of, server, verify, CONF};
use crate::pin_sets::{on, with_lockouts};
use crate::support::{eventually, UNLIMITED};

/// No test waits for as long as this.
pub(super) const TIMEOUT: &str = "source_timeout = 60";

/// Locks the row with the lockouts of `customers`.
const LOCK_ROW: &str = "SELECT FROM pinset_lockouts WHERE kind = 'p' FOR UPDATE";

/// Entries of `customers` are charged, those of `open` only looked up.
fn conf(connections: u32, timeout: &str) -> String {
    let general = format!("[general]\ndatabase_connections = {connections}\n");
    let sections = "[open]\nsource = database\n[customers]\nlockout_pinset = 1000/15m/30m";
    CONF.replace("[general]\n", &general)
        .replace("source_timeout = 30", timeout)
        .replace("[customers]", &format!("{UNLIMITED}{sections}"))
}

/// A server with a PIN in each PIN set, and an Asterisk with these connections.
pub(super) fn with_pins(connections: u32, timeout: &str) -> Result<(Postgres, Builder)> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    add(&server, "open", "bob", "5678", "")?;
    let pbx = asterisk_of(&server, with_lockouts(&conf(connections, timeout)));
    Ok((server, pbx))
}

/// The first connection is there, and the row of `customers`.
pub(super) fn begin(pbx: &Pbx) -> Result<()> {
    eventually("admitted", || {
        Ok(verify(pbx, "customers", "1234")?.has("Status", "SUCCESS"))
    })
}

fn connections(server: &Postgres) -> Result<u32> {
    let count = "SELECT count(*) FROM pg_stat_activity \
                 WHERE application_name = 'app_authenticate_rs'";
    Ok(server.sql(count)?.parse()?)
}

/// So many connections wait for a lock.
pub(super) fn waiting_for_locks(server: &Postgres, wanted: u32) -> Result<()> {
    eventually("queries wait for locks", || {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                     AND application_name = 'app_authenticate_rs'";
        Ok(server.sql(count)? == wanted.to_string())
    })
}

/// So many queries wait for a connection.
fn waiting_for_a_connection(pbx: &Pbx, wanted: u32) -> Result<()> {
    eventually("queries wait for a connection", || {
        let shown = pbx.cli("authenticate show database")?;
        Ok(shown.contains(&format!("Waiting queries: {wanted}\n")))
    })
}

/// Enters a PIN on a session of its own: a session verifies one PIN at a time.
pub(super) fn enter(pbx: &Pbx, pin_set: &str, pin: &str, status: &str) -> Result<()> {
    let headers = [("PinSet", pin_set), ("Secret", pin), ("Caller", "1")];
    let answer = pbx.ami()?.action("AuthenticateVerify", &headers)?;
    ensure!(answer.has("Status", status), "not {status}: {answer:?}");
    Ok(())
}

pub(super) fn ended<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread
        .join()
        .map_err(|_| anyhow!("a thread has panicked"))?
}

#[test]
fn few_calls_share_a_connection() -> Result<()> {
    const AT_ONCE: usize = 6;
    let (server, pbx) = with_pins(4, TIMEOUT)?;
    on(pbx, |pbx| {
        // A machine that is busy just then has queries wait for longer.
        eventually("one connection is enough", || {
            pbx.cli("module unload app_authenticate_rs.so")?;
            pbx.cli("module load app_authenticate_rs.so")?;
            begin(pbx)?;
            let barrier = Barrier::new(AT_ONCE);
            let enter = || -> Result<()> {
                let ami = pbx.ami()?;
                let headers = [("PinSet", "customers"), ("Secret", "1234"), ("Caller", "1")];
                for _ in 0..5 {
                    barrier.wait();
                    let answer = ami.action("AuthenticateVerify", &headers)?;
                    ensure!(answer.has("Status", "SUCCESS"), "{answer:?}");
                }
                Ok(())
            };
            thread::scope(|scope| {
                let callers = [(); AT_ONCE].map(|()| scope.spawn(enter));
                callers.into_iter().try_for_each(ended)
            })?;
            Ok(connections(&server)? == 1)
        })
    });
    Ok(())
}

/// An entry waits for a row, and a second connection is made for a look-up.
fn make_second_connection(pbx: &Pbx, server: &Postgres) -> Result<()> {
    let held = server.hold(LOCK_ROW)?;
    thread::scope(|scope| {
        let charged = scope.spawn(|| enter(pbx, "customers", "1234", "SUCCESS"));
        waiting_for_locks(server, 1)?;
        enter(pbx, "open", "5678", "SUCCESS")?;
        ensure!(!charged.is_finished());
        drop(held);
        ended(charged)
    })?;
    ensure!(connections(server)? == 2);
    Ok(())
}

#[test]
fn look_up_does_not_wait_for_an_entry_that_waits_for_a_row() -> Result<()> {
    let (server, pbx) = with_pins(4, TIMEOUT)?;
    on(pbx, |pbx| {
        begin(pbx)?;
        make_second_connection(pbx, &server)
    });
    Ok(())
}

/// All have waited for a connection together, so they could have been sent together.
#[test]
fn look_ups_are_not_sent_with_an_entry_that_waits_for_a_row() -> Result<()> {
    let (server, pbx) = with_pins(2, TIMEOUT)?;
    on(pbx, |pbx| {
        begin(pbx)?;
        make_second_connection(pbx, &server)?;
        let row = server.hold(LOCK_ROW)?;
        let table = server.hold("LOCK TABLE pinset_pins")?;
        thread::scope(|scope| {
            let look_up = || scope.spawn(|| enter(pbx, "open", "5678", "SUCCESS"));
            let mut look_ups = vec![look_up()];
            waiting_for_locks(&server, 1)?;
            look_ups.push(look_up());
            waiting_for_locks(&server, 2)?;
            let charged = scope.spawn(|| enter(pbx, "customers", "1234", "SUCCESS"));
            waiting_for_a_connection(pbx, 1)?;
            look_ups.extend([look_up(), look_up(), look_up()]);
            waiting_for_a_connection(pbx, 4)?;
            drop(table);
            look_ups.into_iter().try_for_each(ended)?;
            ensure!(!charged.is_finished());
            drop(row);
            ended(charged)
        })
    });
    Ok(())
}

/// A look-up that was sent with one whose time is up is sent again.
#[test]
fn look_up_that_times_out_takes_no_other_with_it() -> Result<()> {
    const APART: Duration = Duration::from_secs(3);
    let (server, pbx) = with_pins(1, "source_timeout = 6")?;
    on(pbx, |pbx| {
        begin(pbx)?;
        let row = server.hold(LOCK_ROW)?;
        thread::scope(|scope| {
            let charged = scope.spawn(|| enter(pbx, "customers", "1234", "ERROR"));
            waiting_for_locks(&server, 1)?;
            let early = scope.spawn(|| enter(pbx, "open", "5678", "ERROR"));
            waiting_for_a_connection(pbx, 1)?;
            thread::sleep(APART);
            let late = scope.spawn(|| enter(pbx, "open", "5678", "SUCCESS"));
            waiting_for_a_connection(pbx, 2)?;
            let table = server.hold("LOCK TABLE pinset_pins")?;
            drop(row);
            ended(early)?;
            drop(table);
            ended(late)?;
            ended(charged)
        })
    });
    Ok(())
}
