//! `pinset report`, with files that a real Asterisk wrote about real calls.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{bail, ensure, Context, Result};
use csv::StringRecord;
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

/// Columns of `Master.csv` with all that `cdr.conf` may add.
const ACCOUNT_CODE: usize = 0;
const SOURCE: usize = 1;
const DESTINATION: usize = 2;
const START: usize = 9;
const ANSWER: usize = 10;
const DURATION: usize = 12;
const BILLED: usize = 13;
const UNIQUE_ID: usize = 16;
const LINKED_ID: usize = 19;

/// The records of a call.
#[derive(Debug)]
struct Records(Vec<StringRecord>);

/// The calls in a CDR file, in the order of their first records.
fn calls_of(master: &Path) -> Result<Vec<Records>> {
    let mut calls: Vec<Records> = Vec::new();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(master)?;
    for record in reader.records() {
        let record = record?;
        let mut before = calls.iter_mut();
        match before.find(|call| call.0[0][LINKED_ID] == record[LINKED_ID]) {
            Some(call) => call.0.push(record),
            None => calls.push(Records(vec![record])),
        }
    }
    Ok(calls)
}

impl Records {
    /// The first record of the channel that the call counts by.
    fn own(&self, is_own: impl Fn(&StringRecord) -> bool) -> Result<&StringRecord> {
        let own = self.0.iter().filter(|record| is_own(record));
        let first = own.min_by_key(|record| record[START].to_owned());
        first.with_context(|| format!("{self:#?}"))
    }

    fn account_code(&self, own: &StringRecord) -> String {
        let others = self.0.iter().map(|record| &record[ACCOUNT_CODE]);
        let mut all = std::iter::once(&own[ACCOUNT_CODE]).chain(others);
        all.find(|code| !code.is_empty())
            .unwrap_or_default()
            .to_owned()
    }

    fn start(&self) -> &str {
        let starts = self.0.iter().map(|record| &record[START]);
        starts.min().unwrap_or_default()
    }

    /// How many seconds are in one of the intervals of these columns.
    fn seconds(&self, start: usize, length: usize) -> Result<usize> {
        let mut seconds = BTreeSet::new();
        for record in &self.0 {
            let length: u32 = record[length].parse()?;
            if length > 0 {
                let start = second_of(&record[start])?;
                seconds.extend(start..start + length);
            }
        }
        Ok(seconds.len())
    }

    /// Whether a row of the report is that of this call, by this record.
    fn is_in(&self, row: &[String], own: &StringRecord) -> Result<()> {
        ensure!(row[10] == own[UNIQUE_ID], "{row:?} {self:#?}");
        let number = row[2].replace('\'', "");
        ensure!(
            number == own[SOURCE] && row[3] == own[DESTINATION],
            "{row:?} {self:#?}"
        );
        ensure!(row[4] == self.start(), "{row:?} {self:#?}");
        let wanted = [
            self.seconds(START, DURATION)?,
            self.seconds(ANSWER, BILLED)?,
        ];
        let wanted = wanted.map(|seconds| seconds.to_string());
        ensure!(row[7..9] == wanted, "{row:?} {self:#?}");
        Ok(())
    }
}

/// The second of `2026-11-01 08:00:30`, from some midnight on.
fn second_of(time: &str) -> Result<u32> {
    let (date, time) = time.split_once(' ').context("no time")?;
    let day: u32 = date.rsplit('-').next().unwrap_or_default().parse()?;
    let mut second = day * 24;
    let mut factors = [1, 60, 60].into_iter();
    for part in time.split(':') {
        second = second * factors.next().unwrap_or(1) + part.parse::<u32>()?;
    }
    Ok(second)
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
fn report_lists_callers_and_durations() {
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
        let folder = pbx.outside("/var/log/asterisk/").context("no way in")?;
        let log = |name: &str| std::fs::read_to_string(folder.join(name));
        std::fs::write(folder.join(LOGS[3]), log("full")? + &log("audit")?)?;
        let master = folder.join("cdr-csv/Master.csv");
        let program = pinset()?;

        let calls = calls_of(&master)?;

        // By account code.
        let rows = report(&program, &[], &[&master])?;
        ensure!(rows.len() == calls.len(), "{rows:#?}\n{calls:#?}");
        for (row, call) in rows.iter().zip(&calls) {
            // By the first channel.
            let own = call.own(|record| record[UNIQUE_ID] == record[LINKED_ID])?;
            call.is_in(row, own)?;
            ensure!(
                row[0].replace('\'', "") == call.account_code(own),
                "{row:?}"
            );
            ensure!(row[1].is_empty(), "{row:?}");
        }

        // By the log, in each form.
        for name in LOGS {
            let files = [&*master, &folder.join(name)];
            let rows = report(&program, &[], &files)?;
            ensure!(rows.len() == calls.len(), "{name}: {rows:#?}");
            let mut sums = BTreeMap::new();
            for (row, call) in rows.iter().zip(&calls) {
                // By the channel that authenticated.
                let own = call.own(|record| identities.contains_key(&record[UNIQUE_ID]))?;
                call.is_in(row, own)?;
                let (pin_set, _, identity, number) = identities[&own[UNIQUE_ID]];
                let identity = identity.replace("; =", ";' =");
                let number = number.replace(HOSTILE, "'=1+1;'@x");
                let wanted = [identity.as_str(), pin_set, &number];
                ensure!(row[..3] == wanted, "{name}: {row:?}, not {wanted:?}");
                let answered = u64::from(&row[9] == "ANSWERED");
                let more = [1, answered, row[7].parse()?, row[8].parse()?];
                let sum: &mut [u64; 4] = sums.entry(row[0].clone()).or_default();
                *sum = std::array::from_fn(|at| sum[at] + more[at]);
            }
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
            ensure!(alice.len() == 2, "{alice:?}");
        }

        // From the start of a call on, and up to it.
        let start = calls[3].start();
        let (from, to) = (format!("--from={start}Z"), format!("--to={start}Z"));
        let later = calls.iter().filter(|call| call.start() >= start).count();
        ensure!(report(&program, &[&from], &[&master])?.len() == later);
        ensure!(report(&program, &[&to], &[&master])?.len() == calls.len() - later);
        Ok(())
    });
}

/// A call that rings two phones, one of which answers: four channels and more, one
/// call.
#[test]
fn call_that_rings_two_phones_is_counted_once() {
    const DIALPLAN: &str = "
[two]
exten => phones,1,Authenticate(pinset:people)
 same => n,Dial(Local/slow@ring/n&Local/quick@ring/n)
 same => n,Hangup()
[ring]
exten => slow,1,Ringing()
 same => n,Wait(3600)
exten => quick,1,Ringing()
 same => n,Wait(1)
 same => n,Answer()
 same => n,Wait(1)
 same => n,Hangup()
";
    let builder = Pbx::builder()
        .file("authenticate.conf", CONF)
        .file("cdr.conf", CDR)
        .file("logger.conf", LOGGER)
        .modules("load = app_dial.so")
        .dialplan(DIALPLAN)
        .pin_file("people.csv", PEOPLE);
    on(builder, |pbx| {
        let made = pbx.call(&Call::to("two", "phones").keys("1234#"))?;
        pbx.stop()?;
        let folder = pbx.outside("/var/log/asterisk/").context("no way in")?;
        let master = folder.join("cdr-csv/Master.csv");
        let program = pinset()?;
        let calls = calls_of(&master)?;
        let [one] = &calls[..] else {
            bail!("{calls:#?}");
        };
        ensure!(one.0.len() > 2, "{one:#?}");
        let own = one.own(|record| record[UNIQUE_ID] == made.channel)?;
        let files = [&*master, &folder.join("audit")];
        let rows = report(&program, &[], &files)?;
        let [row] = &rows[..] else {
            bail!("{rows:#?}");
        };
        one.is_in(row, own)?;
        ensure!(row[0] == "alice" && row[9] == "ANSWERED", "{row:?}");
        let totals = report(&program, &["--totals"], &files)?;
        let wanted = ["alice", "1", "1", &row[7], &row[8]];
        ensure!(totals.len() == 1 && totals[0] == wanted, "{totals:?}");
        Ok(())
    });
}
