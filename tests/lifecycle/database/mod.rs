//! PIN sets in PostgreSQL, shared by several Asterisks.

mod alembic;
mod command;
mod configuration;
mod connections;
mod copy;
mod documented;
mod edits;
pub(crate) mod exactly_once;
mod failover;
mod full_disk;
mod import;
mod lockout_model;
mod lockouts;
mod look_up;
mod operating;
mod outages;
mod pipeline;
mod plans;
mod pooler;
mod secrecy;
mod serve;
mod serve_lockouts;
mod tls;
mod unload;
mod uses;

use std::time::Duration;

use anyhow::{ensure, Result};
use harness::{Builder, Frame, Pbx, Postgres, Relay};
use pinset::database::SCHEMA_STEPS;

use crate::pin_sets::made::{hex, hmac};
use crate::pin_sets::with;
use crate::support::eventually;

pub(crate) const KEY: [u8; 32] = [0x5a; 32];

/// A busy machine answers late: only tests of a database that does not answer wait
/// [`IMPATIENT`].
const CONF: &str = "
[general]
country_code = 90
pepper_file = /pins/pepper
database_file = /pins/database
source_timeout = 30

[customers]
source = database

[by-caller]
source = database:People
identify = caller

[by-account]
source = database:people
identify = account

[doors]
source = file:/pins/doors
";

/// A server with the tables.
pub(crate) fn server() -> Result<Postgres> {
    let server = Postgres::start()?;
    server.sql(&SCHEMA_STEPS.concat())?;
    Ok(server)
}

/// A network between a server and the Asterisks that connect with this string.
fn relayed(server: &Postgres, delay: Duration) -> Result<(Relay, &'static str)> {
    const SOCKET: &str = ".s.PGSQL.5432";
    let between = server.folder().join("between");
    std::fs::create_dir(&between)?;
    let to = server.folder().join(SOCKET);
    let relay = Relay::start(&between.join(SOCKET), &to, delay)?;
    Ok((
        relay,
        "host=/database/between user=postgres dbname=postgres",
    ))
}

/// An Asterisk with PIN sets in this server.
fn asterisk(server: &Postgres) -> Builder {
    asterisk_with(server, CONF)
}

/// `source_timeout` of [`impatient`].
const IMPATIENT: Duration = Duration::from_secs(2);

/// An Asterisk whose callers wait for the database no longer than [`IMPATIENT`].
fn impatient(server: &Postgres) -> Builder {
    asterisk_with(server, &impatient_conf())
}

fn impatient_conf() -> String {
    let wanted = format!("source_timeout = {}", IMPATIENT.as_secs());
    CONF.replace("source_timeout = 30", &wanted)
}

fn asterisk_with(server: &Postgres, conf: &str) -> Builder {
    asterisk_of(server, with(conf))
}

/// Adds what PIN sets in this server need.
fn asterisk_of(server: &Postgres, builder: Builder) -> Builder {
    builder
        .database(server)
        .pin_file_of_mode("pepper", format!("k1:{}\n", hex(&KEY)), 0o600)
        .pin_file("doors", "7777\n")
}

/// Adds one-time PINs, of an account each.
fn add_one_time(server: &Postgres, pin_set: &str, pins: &[String]) -> Result<()> {
    let row = |pin: &String| {
        let secret = hmac("k1", &KEY, pin)?;
        Ok(format!("('{pin_set}', 'of{pin}', '{secret}', 1)"))
    };
    let rows = pins.iter().map(row).collect::<Result<Vec<_>>>()?.join(", ");
    let insert = "INSERT INTO pinset_pins (pinset, account, secret, max_uses) VALUES";
    server.sql(&format!("{insert} {rows}")).map(drop)
}

/// Adds a row with this PIN; `more` is further columns with their values.
fn add(server: &Postgres, pin_set: &str, account: &str, pin: &str, more: &str) -> Result<()> {
    let (columns, values) = match more.split_once('=') {
        Some((columns, values)) => (format!(", {columns}"), format!(", {values}")),
        None => Default::default(),
    };
    let secret = hmac("k1", &KEY, pin)?;
    server
        .sql(&format!(
            "INSERT INTO pinset_pins (pinset, account, secret{columns}) \
             VALUES ('{pin_set}', '{account}', '{secret}'{values})"
        ))
        .map(drop)
}

/// Verifies a PIN without a call.
fn verify(pbx: &Pbx, pin_set: &str, pin: &str) -> Result<Frame> {
    verify_with(pbx, pin_set, pin, &[])
}

pub(crate) fn verify_with(
    pbx: &Pbx,
    pin_set: &str,
    pin: &str,
    more: &[(&str, &str)],
) -> Result<Frame> {
    let mut headers = vec![("PinSet", pin_set), ("Secret", pin), ("Caller", "1")];
    headers.extend(more);
    pbx.manager()?.action("AuthenticateVerify", &headers)
}

/// The database answers in time again.
fn recovers(pbx: &Pbx) -> Result<()> {
    eventually("admitted", || {
        Ok(verify(pbx, "customers", "1234")?.has("Status", "SUCCESS"))
    })
}

/// Checks the status of a PIN.
pub(crate) fn is(pbx: &Pbx, pin_set: &str, pin: &str, status: &str) -> Result<()> {
    let answer = verify(pbx, pin_set, pin)?;
    ensure!(
        answer.has("Status", status),
        "{pin_set} {pin}: not {status}, but {answer:?}"
    );
    Ok(())
}
