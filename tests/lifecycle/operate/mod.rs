//! Administration: the command line, AMI actions, the documentation, Prometheus.

mod actions;
mod commands;
mod console;
mod documentation;
mod doubts;
mod many;
mod monitoring;
mod number;
mod privilege;
pub(crate) mod prometheus;
mod rounds;

use anyhow::{ensure, Result};
use harness::{Ami, Builder, Frame, Pbx};

/// The PIN of `customers`, not to be met by chance.
const PIN: &str = "7351937519";

const CONF: &str = "
[general]
pepper_file = /pins/pepper
lockout_account = no
lockout_pinset = off

[customers]
source = file:/pins/customers.csv
lockout_caller = 2/15m/30m

[callers]
source = file:/pins/customers.csv
identify = caller

[doors]
source = astdb:doors
one_time = yes
prompt = beep&'http://localhost/a?b=1&c=2'

[wrong]
attempts = 0
";

const CUSTOMERS: &str = "account,secret,caller,level,context\n\
    ada,plain:7351937519,+902125550101,7,vip\n\
    bob,plain:2222,+902125550102,,\n";

const PEPPER: &str = "first:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n\
    second:ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100\n";

/// An Asterisk with a few PIN sets, one of them with errors.
fn some() -> Builder {
    with(CONF)
}

fn with(conf: &str) -> Builder {
    Pbx::builder()
        .file("authenticate.conf", conf)
        .pin_file("customers.csv", CUSTOMERS)
        .pin_file_of_mode("pepper", PEPPER, 0o600)
}

/// Verifies an entry over AMI; returns the status.
fn verify(ami: &Ami, pin_set: &str, secret: &str, caller: &str) -> Result<String> {
    let headers = [("PinSet", pin_set), ("Secret", secret), ("Caller", caller)];
    let answer = ami.action("AuthenticateVerify", &headers)?;
    Ok(field(&answer, "Status").to_owned())
}

fn field<'a>(frame: &'a Frame, name: &str) -> &'a str {
    frame.get(name).unwrap_or_default()
}

/// The line of a table that begins with this cell, its cells apart.
fn line<'a>(table: &'a str, first: &str) -> Vec<&'a str> {
    let cells = |line: &'a str| -> Vec<&'a str> {
        line.split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect()
    };
    let mut lines = table.lines().map(cells);
    lines
        .find(|cells| cells.first() == Some(&first))
        .unwrap_or_default()
}

fn says(text: &str, parts: &[&str]) -> Result<()> {
    for part in parts {
        ensure!(text.contains(part), "{part} is not in: {text}");
    }
    Ok(())
}
