//! Rows are looked up at each entry, by PIN, caller and account.

use anyhow::{ensure, Result};
use harness::{Call, Pbx};

use super::{
    make_sqlite3, on_odbc, on_pgsql, on_sqlite3, row, server, sqlite3, with_secret, CONF,
    WITHOUT_MARKER,
};
use crate::database::{is, verify_with};
use crate::pin_sets::made::{argon2id, CHEAP};
use crate::pin_sets::{becomes, call, is_logged, on, passed, refused};

/// The rows of all PIN sets.
fn rows() -> Result<String> {
    let slow = argon2id(CHEAP, "salt-of-bob", "1003")?;
    let caller = |number: u32| format!("caller='+90506050816{number}'");
    Ok([
        row(1, "customers", "ada", "1234", "level=3")?,
        row(2, "customers", "bob", "5678", "enabled='no'")?,
        row(3, "customers", "cem", "2222", "valid_until='2026-01-01'")?,
        row(4, "by-caller", "ada", "1001", &caller(1))?,
        row(5, "by-caller", "bob", "1002", &caller(2))?,
        with_secret(6, "by-caller", "bob", &slow, &caller(2)),
        row(7, "others", "eve", "1009", &caller(1))?,
        row(8, "by-account", "o''neil \\ %", "1001", "")?,
        with_secret(9, "by-account", "bob", &slow, ""),
        with_secret(10, "by-account", "101", "plain:4711", ""),
        with_secret(11, "by-account", "102", &slow, "context='a;b'"),
    ]
    .concat())
}

/// What becomes of calls with the rows, in either database.
fn rows_are_found(pbx: &Pbx, change: &dyn Fn(&str) -> Result<()>) -> Result<()> {
    change(&rows()?)?;
    let admitted = passed().account("ada").variable("AUTHENTICATELEVEL", "3");
    becomes(pbx, &call("customers", "1234#"), &admitted)?;
    is(pbx, "customers", "5678", "EXPIRED")?;
    is(pbx, "customers", "2222", "EXPIRED")?;
    is(pbx, "customers", "1001", "FAILURE")?;
    change("UPDATE pins SET enabled = 'yes' WHERE id = 2")?;
    is(pbx, "customers", "5678", "SUCCESS")?;

    let from = |number: &str, keys: &str| call("by-caller", keys).caller(number);
    let admits =
        |call: Call, account: &str| becomes(pbx, &call, &passed().account(account)).map(drop);
    admits(from("05060508161", "1001#"), "ada")?;
    admits(from("+905060508162", "1003#"), "bob")?;
    for (number, pin) in [("05060508161", "1002"), ("05060508161", "1009")] {
        let keys = format!("{pin}# {pin}# {pin}#");
        becomes(pbx, &from(number, &keys), &refused("FAILURE"))?;
    }
    for (account, pin, status) in [
        ("o'neil \\ %", "1001", "SUCCESS"),
        ("bob", "1003", "SUCCESS"),
        ("bob", "1001", "FAILURE"),
        ("eve", "1009", "FAILURE"),
        ("x' OR true --", "1001", "FAILURE"),
        // Not sent.
        (".", "1001", "FAILURE"),
        ("a;b", "1001", "FAILURE"),
        ("a^b", "1001", "FAILURE"),
        // Rows that no PIN set may have.
        ("101", "4711", "ERROR"),
        ("102", "1003", "ERROR"),
    ] {
        let answer = verify_with(pbx, "by-account", pin, &[("Account", account)])?;
        ensure!(answer.has("Status", status), "{account} {pin}: {answer:?}");
    }
    is_logged(pbx, &["realtime:pins, id 10: secret: must be hmac-sha256"])?;
    is_logged(pbx, &["realtime:pins, id 11: context: "])?;

    // Without the row that must be there, nobody knows whether there is a row.
    change(WITHOUT_MARKER)?;
    is(pbx, "customers", "1234", "ERROR")?;
    is(pbx, "customers", "0000", "ERROR")?;
    is_logged(pbx, &["realtime:pins: no row has the account '.'"])
}

#[test]
fn rows_in_postgresql_are_found() -> Result<()> {
    let server = server()?;
    on(on_pgsql(&server), |pbx| {
        rows_are_found(pbx, &|sql| server.sql(sql).map(drop))
    });
    Ok(())
}

#[test]
fn rows_are_found_by_odbc() -> Result<()> {
    let server = server()?;
    on(on_odbc(&server, CONF), |pbx| {
        rows_are_found(pbx, &|sql| server.sql(sql).map(drop))
    });
    Ok(())
}

#[test]
fn rows_in_sqlite_are_found() -> Result<()> {
    on(on_sqlite3(), |pbx| {
        is(pbx, "customers", "1234", "ERROR")?;
        make_sqlite3(pbx)?;
        rows_are_found(pbx, &|sql| sqlite3(pbx, sql).map(drop))
    });
    Ok(())
}

/// A database that is gone refuses, and costs nobody a failure.
#[test]
fn database_that_is_gone_refuses_until_it_is_back() -> Result<()> {
    let server = server()?;
    server.sql(&row(1, "customers", "ada", "1234", "")?)?;
    on(on_pgsql(&server), |pbx| {
        is(pbx, "customers", "1234", "SUCCESS")?;
        server.kill9()?;
        for pin in ["1234", "0000"] {
            is(pbx, "customers", pin, "ERROR")?;
        }
        is(pbx, "doors", "7777", "SUCCESS")?;
        server.start_again()?;
        is(pbx, "customers", "1234", "SUCCESS")?;
        is(pbx, "customers", "0000", "FAILURE")
    });
    Ok(())
}
