//! A thousand calls of an attacker: counts, locks, log lines and events agree to the
//! last attempt.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use harness::{Call, Events, Frame, Pbx};

use crate::support::{eventually, on, side_by_side};

const CALLS: usize = 1000;
const CONCURRENT_CALLS: usize = 10;
const NUMBERS: usize = 50;
/// Wrong entries of a number, and of the PIN set, until they are locked. All
/// numbers together could use the budget up.
const CALLER_LIMIT: u32 = 5;
const PIN_SET_LIMIT: u32 = 200;
const ATTEMPTS: u32 = 3;

fn conf() -> String {
    format!(
        "[doors]\nsource = file:/pins/doors\nprompt =\nretry_prompt =\nfailure_prompt =\n\
         locked_prompt =\nattempts = {ATTEMPTS}\nmax_digits = 4\n\
         lockout_caller = {CALLER_LIMIT}/1h/1h\nlockout_pinset = {PIN_SET_LIMIT}/1h/1h\n"
    )
}

fn number(call: usize) -> String {
    format!("+9050600000{:02}", call % NUMBERS)
}

/// What the callers saw: how often each status, and how many entries of each
/// number were judged.
#[derive(Default)]
struct Seen {
    statuses: BTreeMap<String, u32>,
    entries: BTreeMap<String, u32>,
}

/// The values of a line or an event that are counted here.
type AttemptOutcome = (String, String, u32);

#[test]
fn thousand_calls_are_counted_and_reported() {
    let builder = Pbx::builder()
        .file("authenticate.conf", conf())
        .file(
            "logger.conf",
            "[general]\nlogger_queue_limit = 100000\n[logfiles]\n\
             full => notice,warning,error,verbose(5),authenticate\n\
             authenticate.log => authenticate\n",
        )
        .pin_file("doors", "1234\n");
    on(builder, |pbx| {
        let events = pbx.manager()?.events();
        let seen = Mutex::new(Seen::default());
        side_by_side(CALLS, CONCURRENT_CALLS, |call| guess(pbx, call, &seen))?;
        let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);

        // The PIN set's limit of attempts was verified, and not one more.
        let judged: u32 = seen.entries.values().sum();
        ensure!(judged == PIN_SET_LIMIT, "{judged} entries were judged");
        let most = seen.entries.values().max().copied().unwrap_or_default();
        ensure!(most <= CALLER_LIMIT, "{most} entries of one number");
        let calls: u32 = seen.statuses.values().sum();
        ensure!(calls as usize == CALLS, "{calls} calls");

        // AMI's counts.
        let stats = pbx.manager()?.list("AuthenticateStats", &[])?;
        let of_doors = stats.iter().find(|frame| frame.has("PinSet", "doors"));
        let of_doors = of_doors.context("no counts of 'doors'")?;
        for status in [
            "Success", "Failure", "Timeout", "Expired", "Locked", "Hangup", "Error",
        ] {
            let counted: u32 = of_doors.get(status).context(status)?.parse()?;
            let seen = seen.statuses.get(&status.to_uppercase());
            let seen = seen.copied().unwrap_or_default();
            ensure!(counted == seen, "{status}: {counted} counted, {seen} seen");
        }
        let entries: u32 = of_doors.get("Attempts").context("Attempts")?.parse()?;
        ensure!(entries == PIN_SET_LIMIT, "{entries} entries counted");

        // The lockouts: the PIN set's, and each number's that has used up its own.
        let locked = pbx.manager()?.list("AuthenticateLockouts", &[])?;
        let of = |kind| {
            locked
                .iter()
                .filter(move |frame| frame.has("LockedBy", kind))
        };
        ensure!(of("pinset").count() == 1, "{locked:?}");
        let full = |(_, entries): &(&String, &u32)| **entries == CALLER_LIMIT;
        let full: Vec<_> = seen.entries.iter().filter(full).collect();
        ensure!(of("caller").count() == full.len(), "{full:?}, {locked:?}");
        for (number, _) in full {
            let there = of("caller").any(|frame| frame.has("Value", number));
            ensure!(there, "{number} is not locked");
        }

        // One event a call, and one line, and both say the same.
        let mut lines = Vec::new();
        eventually("a line for each call", || {
            lines = logged(pbx)?;
            Ok(lines.len() >= CALLS)
        })?;
        let mut reported = reported(&events)?;
        lines.sort();
        reported.sort();
        ensure!(lines.len() == CALLS, "{} lines", lines.len());
        ensure!(lines == reported, "{} events: {reported:?}", reported.len());
        let judged: u32 = lines.iter().map(|(.., entries)| entries).sum();
        ensure!(judged == PIN_SET_LIMIT, "{judged} entries in the log");
        Ok(())
    });
}

fn guess(pbx: &Pbx, call: usize, seen: &Mutex<Seen>) -> Result<()> {
    let number = number(call);
    let keys = "<now>999999989997";
    let report = pbx.call(&Call::new("pinset:doors").keys(keys).caller(&number))?;
    let entries: u32 = report.variable("AUTHENTICATEATTEMPTS").parse()?;
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let status = report.status().to_owned();
    *seen.statuses.entry(status).or_default() += 1;
    *seen.entries.entry(number).or_default() += entries;
    Ok(())
}

/// What stands in the log: outcome, number and entries of each line.
fn logged(pbx: &Pbx) -> Result<Vec<AttemptOutcome>> {
    let log = pbx.exec(&["cat", "/var/log/asterisk/authenticate.log"])?;
    // A line may be being written.
    let (log, _) = log.rsplit_once('\n').unwrap_or_default();
    let outcome = |line: &str| -> Result<AttemptOutcome> {
        let value = |key: &str| {
            let (_, rest) = line.split_once(&format!("{key}=\""))?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let value = |key| value(key).with_context(|| line.to_owned());
        Ok((
            value("Outcome")?,
            value("Caller")?,
            value("Attempts")?.parse()?,
        ))
    };
    let lines = log.lines().filter(|line| line.contains("Outcome=\""));
    lines.map(outcome).collect()
}

/// The outcomes that AMI has got.
fn reported(events: &Events) -> Result<Vec<AttemptOutcome>> {
    let outcome = |frame: &Frame| -> Result<AttemptOutcome> {
        let value = |key| frame.get(key).map(str::to_owned).context(key);
        Ok((
            value("Outcome")?,
            value("CallerIDNum")?,
            value("Attempts")?.parse()?,
        ))
    };
    let mut reported = Vec::new();
    let end = Instant::now() + Duration::from_secs(20);
    while reported.len() < CALLS {
        let frame = events.next_before(end)?.context("too few events")?;
        if frame
            .event()
            .is_some_and(|name| name.starts_with("Authenticate"))
        {
            reported.extend(frame.get("Outcome").map(|_| outcome(&frame)).transpose()?);
        }
    }
    Ok(reported)
}
