//! A log that can't be written delays no call, and lost lines are still counted and
//! sent as events.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use anyhow::{ensure, Context, Result};
use harness::{Call, Pbx};

use super::{builder, lines, OutcomeFields, OutcomeReader, LOGGER};
use crate::support::{eventually, on, side_by_side};

/// The fewest lines that Asterisk can be made to keep for later.
const FEW: &str = "[general]\nlogger_queue_limit = 10\n";
/// More than any machine leaves unwritten.
const MANY: &str = "[general]\nlogger_queue_limit = 1000000\n";

const CALLS: usize = 300;

fn call(number: usize) -> Call {
    let keys = match number % 3 {
        0 => "<now>1234",
        1 => "<now>0000 1111 2222",
        _ => "<now>0000<hangup>",
    };
    Call::new("1234,q,4,&").keys(keys)
}

fn outcomes(fields: &[OutcomeFields]) -> BTreeMap<&str, usize> {
    let mut outcomes = BTreeMap::new();
    for outcome in fields.iter().filter_map(|fields| fields.get("Outcome")) {
        *outcomes.entry(outcome.as_str()).or_default() += 1;
    }
    outcomes
}

/// Of one test at a time: two processors send no more digits in time.
fn calls(pbx: &Pbx) -> Result<()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    side_by_side(CALLS, 10, |number| pbx.call(&call(number)).map(drop))
}

fn each_a_third(fields: &[OutcomeFields]) -> Result<()> {
    let third = CALLS / 3;
    let wanted = BTreeMap::from([("SUCCESS", third), ("FAILURE", third), ("HANGUP", third)]);
    ensure!(outcomes(fields) == wanted, "{:?}", outcomes(fields));
    Ok(())
}

fn sorted(mut fields: Vec<OutcomeFields>) -> Vec<OutcomeFields> {
    fields.sort();
    fields
}

#[test]
fn hundreds_of_concurrent_calls_are_all_reported() {
    let logger = LOGGER.replace("[general]\n", MANY);
    on(builder("").file("logger.conf", logger), |pbx| {
        let mut reader = OutcomeReader::open(pbx)?;
        calls(pbx)?;
        let (lines, events) = (sorted(lines(pbx)?), sorted(reader.events()?));
        each_a_third(&events)?;
        ensure!(lines == events);
        Ok(())
    });
}

/// A pipe that nobody reads stands for a disk that does not answer.
const PIPE: &str = r#"
import os, sys
path = "/var/log/asterisk/stuck"
os.mkfifo(path)
end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
print("open", flush=True)
sys.stdin.readline()
for size in 4096, 1:
    try:
        while True:
            os.write(end, b"x" * size)
    except BlockingIOError:
        pass
print("full", flush=True)
sys.stdin.readline()
os.set_blocking(end, True)
while True:
    os.read(end, 65536)
"#;

#[test]
fn hung_log_delays_neither_calls_nor_events() {
    let logger = LOGGER.replace("[general]\n", FEW);
    on(builder("").file("logger.conf", logger), |pbx| {
        let mut pipe = pbx
            .exec_command(&["python3", "-c", PIPE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = pipe.stdin.take().context("no input")?;
        let mut output = BufReader::new(pipe.stdout.take().context("no output")?).lines();
        let mut printed = |word: &str| -> Result<()> {
            let line = output.next().context("the pipe is gone")??;
            ensure!(line == word, "{line}");
            Ok(())
        };
        printed("open")?;
        let ami = pbx.manager()?;
        ami.command("logger add channel stuck notice,warning,error,verbose,authenticate")?;
        writeln!(input)?;
        printed("full")?;

        let mut reader = OutcomeReader::open(pbx)?;
        calls(pbx)?;
        each_a_third(&reader.events()?)?;
        let stats = ami.list("AuthenticateStats", &[])?;
        let counts = stats
            .iter()
            .find(|frame| frame.has("PinSet", "literal@harness-call"));
        let counts = counts.context("nothing is counted")?;
        for outcome in ["Success", "Failure", "Hangup"] {
            let counted = counts.get(outcome).context(outcome)?;
            ensure!(counted == (CALLS / 3).to_string(), "{outcome}: {counted}");
        }
        writeln!(input)?;
        eventually("the log goes on", || Ok(pbx.log()?.contains("discarded")))?;
        let lines = lines(pbx)?;
        ensure!(lines.len() < CALLS, "no line was lost");
        drop(input);
        pipe.kill()?;
        pipe.wait()?;
        Ok(())
    });
}
