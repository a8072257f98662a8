//! Runs rows concurrently in one Asterisk, and reports all differences at the end.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use harness::{Call, Module, Pbx, Report};

use crate::expect::Expect;
use crate::row::{Place, Row, Setup, Theirs};

/// Calls at a time. They mostly wait for sounds.
const AT_A_TIME: usize = 32;

/// Only rows whose name contains this are run, if it is set.
const ROWS_VAR: &str = "AUTHENTICATE_ROWS";

/// Runs the rows of a place in the Asterisk made for it.
pub(crate) fn run(pbx: &Pbx, place: Place, rows: Vec<Row>) -> Result<()> {
    let module = Module::under_test()?;
    let before_16_30 = pbx.version()? < (16, 30);
    let wanted = std::env::var(ROWS_VAR).unwrap_or_default();
    let mut rows: Vec<Row> = rows
        .into_iter()
        .filter(|row| row.place == place && row.name.contains(&wanted))
        .collect();
    for row in &mut rows {
        match row.mark_before_16_30.take() {
            Some(mark) if before_16_30 => row.mark = mark,
            _ => {}
        }
    }
    rows.sort_by_key(|row| !row.slow);
    for row in &rows {
        set_up(pbx, row).with_context(|| format!("before {}", row.name))?;
    }
    let count = rows.len();
    let rows = Mutex::new(VecDeque::from(rows));
    let failures = Mutex::new(Vec::new());
    let next = || {
        let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.pop_front()
    };
    let work = || {
        while let Some(row) = next() {
            if let Err(failure) = check(pbx, &row, module) {
                failures
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(format!("=== {}\n{failure:#}", row.name));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(work);
        }
    });
    let failures = failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    ensure!(
        failures.is_empty(),
        "{} of {count} rows failed on {module:?}:\n{}",
        failures.len(),
        failures.join("\n")
    );
    Ok(())
}

fn set_up(pbx: &Pbx, row: &Row) -> Result<()> {
    for setup in &row.setup {
        match setup {
            Setup::File(name, contents) => pbx.pin_file(name, contents)?,
            Setup::Key(family, key) => pbx.db_put(family, key, "1")?,
            Setup::Shell(script) => pbx.exec(&["bash", "-ec", script]).map(drop)?,
        }
    }
    Ok(())
}

fn check(pbx: &Pbx, row: &Row, module: Module) -> Result<()> {
    let ours = row.ours.clone();
    let (expect, elsewhere) = match (module, &row.mark) {
        (Module::Ours, _) => (ours, None),
        (_, None) => (ours.without_variables(), None),
        (_, Some((letter, Theirs::Does(theirs)))) => {
            let theirs = theirs.clone().without_variables();
            (theirs, Some((*letter, ours.without_variables())))
        }
        (_, Some((letter, Theirs::Never))) => {
            return never_ends(pbx, &row.call)
                .with_context(|| format!("the marked difference {letter} has gone"));
        }
    };
    let report = call(pbx, row)?;
    let log = pbx.log()?;
    let mismatches = |expect: &Expect| {
        let mut found = expect.mismatches(&report);
        found.extend(afterwards(pbx, expect, &log));
        found
    };
    let elsewhere = elsewhere.map(|(letter, expect)| (letter, mismatches(&expect)));
    let problems = verdict(mismatches(&expect), elsewhere);
    ensure!(
        problems.is_empty(),
        "{}\n{}",
        problems.join("\n"),
        brief(&report)
    );
    Ok(())
}

fn call(pbx: &Pbx, row: &Row) -> Result<Report> {
    match row.meanwhile {
        None => pbx.call(&row.call),
        Some(meanwhile) => {
            let mut call = pbx.place(&row.call)?;
            meanwhile(pbx, &mut call)?;
            call.finish()
        }
    }
}

/// What is to be seen outside the call.
fn afterwards(pbx: &Pbx, expect: &Expect, log: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (family, key, there) in &expect.keys {
        match pbx.db_get(family, key) {
            Ok(value) if value.is_some() == *there => {}
            Ok(value) => found.push(format!("{family}/{key} is {value:?}")),
            Err(error) => found.push(format!("{error:#}")),
        }
    }
    for text in &expect.logged {
        if !log.contains(text) {
            found.push(format!("not in the log: {text}"));
        }
    }
    found
}

/// Weighs what the module under test did: against what is expected of it and,
/// for a marked row on the stock module, against what ours does (`elsewhere`).
fn verdict(
    mut mismatches: Vec<String>,
    elsewhere: Option<(&'static str, Vec<String>)>,
) -> Vec<String> {
    if let Some((letter, elsewhere)) = elsewhere {
        if elsewhere.is_empty() {
            mismatches.insert(0, format!("the marked difference {letter} has gone"));
        } else if !mismatches.is_empty() {
            mismatches.push(format!("from ours it differs, {letter}: {elsewhere:?}"));
        }
    }
    mismatches
}

/// The report without its hundreds of events.
fn brief(report: &Report) -> String {
    let mut report = report.clone();
    report.events.clear();
    format!("{report:#?}")
}

/// Shows that a call goes on though both its caller and an administrator hung
/// up long ago.
fn never_ends(pbx: &Pbx, call: &Call) -> Result<()> {
    let mut ongoing = pbx.place(&call.clone().deadline(Duration::from_secs(30)))?;
    ongoing.until("the last key", |frame| {
        frame.event() == Some("DTMFEnd") && frame.has("Digit", "#")
    })?;
    let channel = ongoing.channel().context("no channel")?.to_owned();
    pbx.cli(&format!("channel request hangup {channel}"))?;
    // A call that is to be hung up is gone within milliseconds.
    let patience = Instant::now() + Duration::from_secs(2);
    let events = pbx.manager()?.events();
    while let Some(frame) = events.next_before(patience)? {
        if frame.event() == Some("Hangup") && frame.has("Channel", &channel) {
            bail!("the call ended");
        }
    }
    let left = pbx.cli("core show channels concise")?;
    ensure!(left.contains(&channel), "the call is gone:\n{left}");
    Ok(())
}

#[test]
fn vanished_difference_fails() {
    let none = Vec::new;
    let some = || vec!["sounds".to_owned()];
    assert!(verdict(none(), None).is_empty());
    assert_eq!(verdict(some(), None), some());
    assert!(verdict(none(), Some(("A", some()))).is_empty());
    assert_eq!(
        verdict(some(), Some(("A", none())))[0],
        "the marked difference A has gone"
    );
    // Neither: the stock module has come to differ in another way.
    assert_eq!(verdict(some(), Some(("A", some())))[0], "sounds");
}
