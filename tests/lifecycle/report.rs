//! `pinset report`, on what a real Asterisk wrote of real calls.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{ensure, Context, Result};
use harness::{pinset, Call, Pbx};

use crate::support::on;

const CONF: &str = "
[people]
source = file:/pins/people.csv

[billed]
source = file:/pins/people.csv
account_code = yes
";

const PEOPLE: &str = "account,secret\nalice,plain:1234\n\"bob; =sales\",plain:5678\n";

/// With all that `cdr.conf` may add to a record.
const CDR: &str = "[general]\nenable = yes\nunanswered = yes\nbatch = no\n\
    [csv]\nusegmtime = yes\nloguniqueid = yes\nloguserfield = yes\nnewcdrcolumns = yes\n\
    accountlogs = no\n";

/// The audit log in each form.
const LOGGER: &str = "[general]\ndateformat = %F %T.%3q\n\
    [logfiles]\nfull => notice,warning,error,verbose(5),debug,dtmf,security\n\
    audit => AUTHENTICATE\naudit.plain => [plain]AUTHENTICATE\naudit.json => [json]AUTHENTICATE\n";

const LOGS: [&str; 4] = ["audit", "audit.plain", "audit.json", "full-and-audit"];

/// A caller's number that a spreadsheet would run.
const HOSTILE: &str = "=1+1;@x";

/// A call: its PIN set, its keys, who it turns out to be, and its number.
const CALLS: [(&str, &str, &str, &str); 6] = [
    ("people", "1234#", "alice", "+905060508169"),
    ("people", "5678#", "bob; =sales", "101"),
    ("billed", "1234#", "alice", HOSTILE),
    ("billed", "5678#", "bob; =sales", "102"),
    ("people", "1# 2# 3#", "", "103"),
    ("billed", "1234#", "alice", ""),
];

/// Makes a call whose outcome stands in the audit log.
fn call(pbx: &Pbx, (pin_set, keys, identity, number): (&str, &str, &str, &str)) -> Result<String> {
    let outcome = if identity.is_empty() {
        "FAILURE"
    } else {
        "SUCCESS"
    };
    let call = Call::new(format!("pinset:{pin_set}"))
        .keys(keys)
        .variable("CALLERID(num)", number);
    let report = pbx.call(&call)?;
    ensure!(report.status() == outcome, "{report:#?}");
    Ok(report.channel)
}

/// What `pinset report` prints, as rows without their header.
fn report(program: &Path, arguments: &[&str], files: &[&Path]) -> Result<Vec<Vec<String>>> {
    let output = Command::new(program)
        .args(["report", "--utc"])
        .args(arguments)
        .args(files)
        .output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && error.is_empty(), "{error}");
    let mut rows = csv::Reader::from_reader(&output.stdout[..]);
    let rows = rows
        .records()
        .map(|row| Ok(row?.iter().map(str::to_owned).collect()));
    rows.collect()
}

#[test]
fn who_called_and_for_how_long() {
    let builder = Pbx::builder()
        .file("authenticate.conf", CONF)
        .file("cdr.conf", CDR)
        .file("logger.conf", LOGGER)
        .pin_file("people.csv", PEOPLE);
    on(builder, |pbx| {
        let mut identities = BTreeMap::new();
        for made in CALLS {
            identities.insert(call(pbx, made)?, made);
        }
        // Now all is in the files.
        pbx.stop()?;
        let records = pbx.cdr_csv()?;
        let folder = pbx.outside("/var/log/asterisk/").context("no way in")?;
        let log = |name: &str| std::fs::read_to_string(folder.join(name));
        std::fs::write(folder.join(LOGS[3]), log("full")? + &log("audit")?)?;
        let master = folder.join("cdr-csv/Master.csv");
        let program = pinset()?;

        // By account code.
        let rows = report(&program, &[], &[&master])?;
        ensure!(rows.len() == records.len(), "{rows:#?}\n{records:#?}");
        for (row, record) in rows.iter().zip(&records) {
            ensure!(row[0].replace('\'', "") == record.accountcode, "{row:?}");
            ensure!(row[1].is_empty() && row[10] == record.uniqueid, "{row:?}");
            ensure!(row[3] == record.dst && row[4] == record.start, "{row:?}");
            ensure!(
                row[7..9] == [record.duration, record.billsec].map(|s| s.to_string()),
                "{row:?}"
            );
        }

        // By the log, in each form.
        for name in LOGS {
            let files = [&*master, &folder.join(name)];
            let rows = report(&program, &[], &files)?;
            ensure!(rows.len() == records.len(), "{name}: {rows:#?}");
            let (mut found, mut sums) = (0, BTreeMap::new());
            for (row, record) in rows.iter().zip(&records) {
                let sum: &mut [u64; 4] = sums.entry(row[0].clone()).or_default();
                let answered = u64::from(record.disposition == "ANSWERED");
                let more = [1, answered, record.duration, record.billsec];
                *sum = std::array::from_fn(|at| sum[at] + more[at]);
                let Some((pin_set, _, identity, number)) = identities.get(&record.uniqueid) else {
                    continue;
                };
                found += 1;
                let identity = identity.replace("; =", ";' =");
                let number = number.replace(HOSTILE, "'=1+1;'@x");
                let wanted = [identity.as_str(), pin_set, &number];
                ensure!(row[..3] == wanted, "{name}: {row:?}, not {wanted:?}");
            }
            ensure!(found == CALLS.len(), "{name}: {records:#?}");
            let totals = report(&program, &["--totals"], &files)?;
            let sums = sums.into_iter().map(|(identity, sum)| {
                let numbers = sum.map(|number| number.to_string());
                [&[identity][..], &numbers].concat()
            });
            ensure!(
                totals.iter().eq(&sums.collect::<Vec<_>>()),
                "{name}: {totals:?}"
            );
            let alice = report(&program, &["--account=alice", "--pinset=billed"], &files)?;
            // The caller's half of a call has a record, too.
            let own = alice.iter().filter(|row| identities.contains_key(&row[10]));
            ensure!(own.count() == 2, "{alice:?}");
        }

        // From the start of a call on, and up to it.
        let start = format!("{}Z", records[3].start);
        let (from, to) = (format!("--from={start}"), format!("--to={start}"));
        let later = records
            .iter()
            .filter(|record| record.start >= records[3].start);
        let later = later.count();
        ensure!(report(&program, &[&from], &[&master])?.len() == later);
        ensure!(report(&program, &[&to], &[&master])?.len() == records.len() - later);
        Ok(())
    });
}
