//! Rows are looked up at each entry, by PIN, caller and account.

use anyhow::{ensure, Result};
use harness::Call;

use super::{add, asterisk, is, server, verify_with};
use crate::pin_sets::made::{argon2id, CHEAP};
use crate::pin_sets::{becomes, call, on, passed, refused};

#[test]
fn row_counts_from_the_next_entry_on() -> Result<()> {
    let server = server()?;
    on(asterisk(&server), |pbx| {
        is(pbx, "customers", "1234", "FAILURE")?;
        add(&server, "customers", "ada", "1234", "level=3")?;
        let admitted = passed().account("ada").variable("AUTHENTICATELEVEL", "3");
        becomes(pbx, &call("customers", "1234#"), &admitted)?;
        add(&server, "customers", "bob", "5678", "enabled=false")?;
        is(pbx, "customers", "5678", "EXPIRED")?;
        server.sql("UPDATE pinset_pins SET enabled = true")?;
        is(pbx, "customers", "5678", "SUCCESS")?;
        server.sql("DELETE FROM pinset_pins WHERE account = 'ada'")?;
        let call = call("customers", "1234# 1234# 1234#");
        becomes(pbx, &call, &refused("FAILURE"))?;
        Ok(())
    });
    Ok(())
}

/// By the database's clock, which is another one than the PBX's.
#[test]
fn dates_are_compared_with_the_clock_of_the_database() -> Result<()> {
    let server = server()?;
    let dated = |account: &str, pin: &str, dates: &str| {
        let columns = format!("valid_from, valid_until={dates}");
        add(&server, "customers", account, pin, &columns)
    };
    dated(
        "now",
        "1111",
        "now() - interval '1 h', now() + interval '1 h'",
    )?;
    dated("later", "2222", "now() + interval '1 h', NULL")?;
    dated("over", "3333", "NULL, now() - interval '2 s'")?;
    dated("ever", "4444", "'-infinity', 'infinity'")?;
    on(asterisk(&server), |pbx| {
        is(pbx, "customers", "1111", "SUCCESS")?;
        is(pbx, "customers", "2222", "EXPIRED")?;
        is(pbx, "customers", "3333", "EXPIRED")?;
        is(pbx, "customers", "4444", "SUCCESS")
    });
    Ok(())
}

#[test]
fn rows_of_a_caller_and_of_an_account_are_found() -> Result<()> {
    let server = server()?;
    add(&server, "people", "ada", "1001", "caller='+905060508161'")?;
    add(&server, "people", "bob", "1002", "caller='+905060508162'")?;
    let slow = argon2id(CHEAP, "salt-of-bob", "1003")?;
    server.sql(&format!(
        "INSERT INTO pinset_pins (pinset, account, secret, caller) \
         VALUES ('people', 'bob', '{slow}', '+905060508162')"
    ))?;
    // Of another PIN set.
    add(&server, "others", "eve", "1009", "caller='+905060508161'")?;
    on(asterisk(&server), |pbx| {
        let from = |number: &str, keys: &str| call("by-caller", keys).caller(number);
        let is =
            |call: Call, account: &str| becomes(pbx, &call, &passed().account(account)).map(drop);
        is(from("05060508161", "1001#"), "ada")?;
        is(from("+905060508162", "1002#"), "bob")?;
        is(from("+905060508162", "1003#"), "bob")?;
        for (number, pin) in [
            ("05060508161", "1002"),
            ("05060508161", "1009"),
            ("05060508163", "1001"),
        ] {
            let keys = format!("{pin}# {pin}# {pin}#");
            becomes(pbx, &from(number, &keys), &refused("FAILURE"))?;
        }
        for (account, pin, status) in [
            ("ada", "1001", "SUCCESS"),
            ("bob", "1003", "SUCCESS"),
            ("bob", "1001", "FAILURE"),
            ("eve", "1009", "FAILURE"),
            ("x' OR true --", "1001", "FAILURE"),
        ] {
            let answer = verify_with(pbx, "by-account", pin, &[("Account", account)])?;
            ensure!(answer.has("Status", status), "{account} {pin}: {answer:?}");
        }
        Ok(())
    });
    Ok(())
}

/// A row that no list may have refuses its entry, and the log names it.
#[test]
fn row_with_an_invalid_value_refuses() -> Result<()> {
    let server = server()?;
    server.sql(
        "INSERT INTO pinset_pins (pinset, account, secret) \
         VALUES ('people', 'bob', '$argon2id$v=19$m=70000,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA')",
    )?;
    on(asterisk(&server), |pbx| {
        let answer = verify_with(pbx, "by-account", "1001", &[("Account", "bob")])?;
        ensure!(answer.has("Status", "ERROR"), "{answer:?}");
        crate::pin_sets::is_logged(pbx, &["pinset_pins, id 1: ", "64 MiB"])
    });
    Ok(())
}
