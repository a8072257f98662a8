//! Uses of rows, `max_uses` and `one_time`: exactly the configured number, despite
//! races and crashes.

mod crash;
mod database;
mod locked;
mod purge;
mod race;
mod reset;

use std::collections::BTreeMap;

use anyhow::{ensure, Context, Result};
use harness::{Builder, Call, Module, Outcome, Pbx, Report};

use crate::support::UNLIMITED;

const LIST: &str = "customers.csv";
const FAMILY: &str = "authenticate-uses/customers";

/// An Asterisk with the PIN set `customers`, a csv list, and these options.
fn customers(options: &str) -> Builder {
    let file =
        format!("[customers]\nsource = file:/pins/{LIST}\nformat = csv\n{options}\n{UNLIMITED}");
    Pbx::builder()
        .module(Module::Ours)
        .file("authenticate.conf", file)
}

/// Writes the list: of each row the account, the PIN and how many uses.
fn write_list(pbx: &Pbx, rows: &[(&str, &str, &str)]) -> Result<()> {
    let rows = rows
        .iter()
        .map(|(account, pin, uses)| format!("{account},plain:{pin},{uses}\n"));
    pbx.pin_file(
        LIST,
        format!("account,secret,max_uses\n{}", rows.collect::<String>()),
    )
}

/// A call by a caller who enters a PIN of four digits at the first prompt and
/// hangs up at the second, which only a refused one hears.
fn try_pin(pbx: &Pbx, pin: &str) -> Result<Report> {
    pbx.call(&Call::new("pinset:customers,q,4,&").keys(&format!("<now>{pin} <hangup>")))
}

fn passes(report: &Report) -> Result<()> {
    ensure!(report.outcome == Outcome::Passed, "{report:#?}");
    ensure!(report.status() == "SUCCESS", "{report:#?}");
    Ok(())
}

/// It sounds like a wrong PIN.
fn is_refused(report: &Report) -> Result<()> {
    ensure!(report.sounds == ["auth-incorrect"], "{report:#?}");
    ensure!(report.status() == "HANGUP", "{report:#?}");
    Ok(())
}

/// A caller who enters that PIN three times, whose uses can't be counted, can't be
/// distinguished from one with a wrong PIN.
fn is_refused_as_wrong(pbx: &Pbx, pin: &str) -> Result<()> {
    for pin in [pin, "0000"] {
        let call = Call::new("pinset:customers,q,4,agent-pass");
        let report = pbx.call(&call.keys(&format!("{pin} {pin} {pin}")))?;
        ensure!(report.outcome == Outcome::HungUp, "{report:#?}");
        ensure!(report.status() == "FAILURE", "{report:#?}");
        let wrong = ["agent-pass", "auth-incorrect", "auth-incorrect"];
        ensure!(report.sounds == wrong, "{report:#?}");
        let headers = [("PinSet", "customers"), ("Secret", pin), ("Caller", "1")];
        let answer = pbx.manager()?.action("AuthenticateVerify", &headers)?;
        ensure!(answer.has("Status", "FAILURE"), "{answer:?}");
    }
    let log = pbx.log()?;
    ensure!(log.contains("attempt rejected as wrong: a use can't be counted"));
    Ok(())
}

/// What `database show` says: of each account the keys and their values.
fn shown(pbx: &Pbx) -> Result<BTreeMap<String, Vec<(String, String)>>> {
    let mut accounts = BTreeMap::<_, Vec<_>>::new();
    let shown = pbx.manager()?.command("database show authenticate-uses")?;
    for line in shown.lines().filter(|line| line.starts_with('/')) {
        let (key, value) = line.split_once(':').context("no value")?;
        let key = key.trim_end().strip_prefix(&format!("/{FAMILY}/"));
        let key = key.with_context(|| format!("of another family: {line}"))?;
        let (account, digest) = key.rsplit_once('/').context("no account")?;
        let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        ensure!(digest.len() == 32 && digest.chars().all(hex), "{line}");
        let row = (key.to_owned(), value.trim().to_owned());
        accounts.entry(account.to_owned()).or_default().push(row);
    }
    Ok(accounts)
}

/// The key and the number of uses of an account that has one row.
fn row(pbx: &Pbx, account: &str) -> Result<(String, u64)> {
    let shown = shown(pbx)?;
    let rows = shown.get(account).map_or(&[][..], Vec::as_slice);
    let [(key, value)] = rows else {
        anyhow::bail!("{account} in {shown:#?}");
    };
    Ok((key.clone(), value.parse().with_context(|| value.clone())?))
}

/// What the journal holds for a use.
fn record(key: &str, uses: u64) -> String {
    let hex = |text: &str| -> String { text.bytes().map(|byte| format!("{byte:02x}")).collect() };
    format!("count {} {} {uses}\n", hex(FAMILY), hex(key))
}
