//! `authenticate show number`.

use anyhow::ensure;
use harness::Pbx;

use super::{line, says, verify};
use crate::support::on;

const CONF: &str = "
[general]
country_code = 90
lockout_account = 1/15m/1h
lockout_pinset = off

[customers]
source = file:/pins/customers.csv
identify = caller
lockout_caller = 1/15m/30m

[askers]
source = file:/pins/customers.csv
identify = caller
no_caller = account

[pins]
source = file:/pins/customers.csv

[values]
source = astdb:values
astdb_value = account:secret

[gone]
source = file:/pins/none.csv
identify = caller

[wrong]
attempts = 0
";

const CUSTOMERS: &str = "account,secret,caller,level,valid_until,enabled\n\
    ada,plain:7351937519,0212 555 01 01,7,,\n\
    bob,plain:7351937518,+902125550102,,2020-01-01,\n\
    eve,plain:7351937517,+902125550101,,,yes\n\
    sam,plain:7351937516,+902125550103,,2020-01-01,no\n";

#[test]
fn number_is_shown_as_compared_with_rows_and_locks() {
    let builder = Pbx::builder()
        .file("authenticate.conf", CONF)
        .pin_file("customers.csv", CUSTOMERS);
    on(builder, |pbx| {
        let ami = pbx.manager()?;
        let show = |what: &str| ami.command(&format!("authenticate show number {what}"));

        // Nothing has asked the list before.
        let shown = show("\"0212 555 0101;npdi\" CUSTOMERS")?;
        says(
            &shown,
            &["Compared as: +902125550101", "2 rows", "Locked: no"],
        )?;
        ensure!(line(&shown, "2") == ["2", "ada", "7", "valid"], "{shown}");
        ensure!(line(&shown, "4") == ["4", "eve", "0", "valid"], "{shown}");
        ensure!(!shown.contains("735193"), "{shown}");
        let shown = show("02125550102 customers")?;
        says(&shown, &["bob", "no longer valid", "1 row"])?;
        let shown = show("02125550103 customers")?;
        ensure!(
            line(&shown, "5") == ["5", "sam", "0", "disabled"],
            "{shown}"
        );
        let shown = show("02125550109 customers")?;
        says(&shown, &["Rows: no row for +902125550109", "Locked: no"])?;

        // Of the caller, and of an account of the rows.
        ensure!(verify(&ami, "customers", "1", "02125550101")? == "LOCKED");
        let shown = show("2125550101 customers")?;
        says(&shown, &["Locked: caller +902125550101 from AMI, "])?;
        says(&shown, &["Locked: account ada, ", "Locked: account eve, "])?;
        let shown = show("02125550102 customers")?;
        says(&shown, &["Locked: no"])?;

        // And what is no number, or does not matter.
        let shown = show("anonymous customers")?;
        says(&shown, &["no usable caller number (country_code = 90, "])?;
        says(&shown, &["Rows: none, the call is refused"])?;
        says(
            &show("anonymous askers")?,
            &["is asked for an account number"],
        )?;
        says(&show("02125550101 pins")?, &["rows are found by PIN alone"])?;
        says(&show("1 values")?, &["rows are found by PIN alone"])?;
        says(
            &show("02125550101 gone")?,
            &["admits nobody: '/pins/none.csv' can't be read"],
        )?;
        says(&show("02125550101 wrong")?, &["'wrong' has errors"])?;
        says(&show("02125550101 none")?, &["no PIN set 'none'"])?;
        says(&show("02125550101")?, &["Usage: authenticate show number"])
    });
}
