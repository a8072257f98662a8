//! Slow hashes: a hundred callers at once, and those who have nothing to do
//! with them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use anyhow::{anyhow, ensure, Context, Result};
use harness::{Builder, Call, Outcome, Pbx, Report};

use super::made::{argon2id, csv};
use super::{becomes, call, passed, story, with};
use crate::support::{on, side_by_side};

const CALLERS: usize = 100;

/// What OWASP recommends, 19 MiB and two passes.
const USUAL: (u32, u32, u32) = (19456, 2, 1);

/// The slowest there may be.
const SLOWEST: (u32, u32, u32) = (65536, 10, 4);

/// The most a call of another PIN set may wait longer, in seconds.
const DELAY: f64 = 0.020;

const CONF: &str = "
[general]
country_code = 90
max_digits = 1
attempts = 1
first_digit_timeout = 120
success_prompt =
failure_prompt =

[slow]
source = file:/pins/slow.csv
identify = caller

[slowest]
source = file:/pins/slowest.csv
identify = caller
attempts = 2
retry_prompt = beep

[fast]
source = file:/pins/fast
prompt =
";

fn number(caller: usize) -> String {
    format!("+90506050{caller:04}")
}

fn builder() -> Result<Builder> {
    let list = |cost| -> Result<String> {
        // One hash for all: making a hundred takes longer than the test.
        let secret = argon2id(cost, "a-salt-of-ours", "7")?;
        let rows: Vec<[String; 3]> = (0..CALLERS)
            .map(|caller| [format!("c{caller}"), secret.clone(), number(caller)])
            .collect();
        let rows: Vec<Vec<&str>> = rows
            .iter()
            .map(|row| row.iter().map(String::as_str).collect())
            .collect();
        let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
        Ok(csv("account,secret,caller", &rows))
    };
    Ok(with(CONF)
        .pin_file("slow.csv", list(USUAL)?)
        .pin_file("slowest.csv", list(SLOWEST)?)
        .pin_file("fast", "5\n"))
}

/// `count` callers of a set who all key at once; `meanwhile` is told how many
/// of them still wait. What became of the calls, in the order of the callers.
fn at_once(
    pbx: &Pbx,
    set: &str,
    count: usize,
    meanwhile: impl FnOnce(&AtomicUsize) -> Result<()>,
) -> Result<Vec<Report>> {
    let (all_there, waiting) = (Barrier::new(count + 1), AtomicUsize::new(count));
    let caller = |who: usize| -> Result<Report> {
        let prompted = || {
            let call = call(set, "").caller(&number(who));
            let mut ongoing = pbx.place(&call)?;
            ongoing.until_sound("agent-pass")?;
            Ok::<_, anyhow::Error>(ongoing)
        };
        let prompted = prompted();
        // Whatever has become of it: the others wait.
        all_there.wait();
        let report = prompted.and_then(|ongoing| {
            ongoing.press('7')?;
            ongoing.finish()
        });
        waiting.fetch_sub(1, Ordering::Relaxed);
        report
    };
    thread::scope(|scope| {
        let caller = &caller;
        let callers: Vec<_> = (0..count)
            .map(|who| scope.spawn(move || caller(who)))
            .collect();
        all_there.wait();
        let meanwhile = meanwhile(&waiting);
        let reports = callers.into_iter().map(|caller| {
            let report = caller
                .join()
                .map_err(|_| anyhow!("a caller has panicked"))?;
            report
        });
        let reports: Result<Vec<_>> = reports.collect();
        meanwhile?;
        reports
    })
}

/// From the last key to the answer, in seconds.
fn fast(pbx: &Pbx) -> Result<f64> {
    let report = becomes(pbx, &call("fast", "<now>5"), &passed())?;
    report.last_key_to_answer.context("no answer")
}

fn quantile(times: &[f64], which: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let at = (times.len().saturating_sub(1) as f64 * which).round() as usize;
    times.get(at).copied().unwrap_or(f64::NAN)
}

fn told(what: &str, times: &[f64]) {
    println!(
        "{what}: {} calls, last key to answer {:.1} ms (median), {:.1} ms (95 %)",
        times.len(),
        quantile(times, 0.5) * 1e3,
        quantile(times, 0.95) * 1e3
    );
}

#[test]
fn a_hundred_at_once_and_nobody_else_waits() -> Result<()> {
    const QUIET: usize = 20;
    on(builder()?, |pbx| {
        let quiet: Vec<f64> = (0..QUIET).map(|_| fast(pbx)).collect::<Result<_>>()?;
        let mut busy = Vec::new();
        let reports = at_once(pbx, "slow", CALLERS, |waiting| {
            loop {
                let time = fast(pbx)?;
                // Only calls that others were slow beside all the time.
                if waiting.load(Ordering::Relaxed) == 0 {
                    return Ok(());
                }
                busy.push(time);
            }
        })?;
        let slow: Vec<f64> = reports
            .iter()
            .filter_map(|report| report.last_key_to_answer)
            .collect();
        told("quiet", &quiet);
        told("busy", &busy);
        told("slow", &slow);
        for (who, report) in reports.iter().enumerate() {
            let want = passed().account(&format!("c{who}"));
            want.check(report)
                .with_context(|| format!("caller {who}"))?;
        }
        ensure!(busy.len() >= 5, "it was not busy: {} calls", busy.len());
        let delay = quantile(&busy, 0.5) - quantile(&quiet, 0.5);
        ensure!(delay <= DELAY, "{:.1} ms", delay * 1e3);
        Ok(())
    });
    Ok(())
}

/// The next entry, keyed while the last one is being judged.
#[test]
fn what_is_keyed_meanwhile_counts() -> Result<()> {
    on(builder()?, |pbx| {
        side_by_side(4, 4, |who| {
            let call = call("slowest", "97").caller(&number(who));
            let report = pbx.call(&call)?;
            passed()
                .account(&format!("c{who}"))
                .attempts("2")
                .check(&report)?;
            let time = |digit| {
                let mut frames = report.events_named("DTMFEnd");
                let frame = frames.find(|frame| frame.has("Digit", digit));
                frame.and_then(|frame| frame.time()).context("not keyed")
            };
            // Else there was no meanwhile.
            let answer = report.last_key_to_answer.context("no answer")?;
            let between = time("7")? - time("9")?;
            ensure!(answer > between, "{}", story(&report));
            Ok(())
        })?;
        // Hung up meanwhile: the call ends at once, and the set goes on.
        let call = call("slowest", "9<wait 0.05><hangup>").caller(&number(0));
        let report = pbx.call(&call)?;
        ensure!(report.status() == "HANGUP", "{}", story(&report));
        ensure!(report.outcome == Outcome::HungUp, "{}", story(&report));
        Ok(())
    });
    Ok(())
}

/// More than can be computed in the time callers wait: each has an answer all
/// the same, and nobody gets in by it who should not.
#[test]
fn more_than_the_machine_can_do() -> Result<()> {
    /// Seconds.
    const LONGEST: f64 = 30.0;
    on(builder()?, |pbx| {
        let reports = at_once(pbx, "slowest", CALLERS, |_| Ok(()))?;
        let count = |status: &str| {
            let reports = reports.iter();
            reports.filter(|report| report.status() == status).count()
        };
        let (right, error) = (count("SUCCESS"), count("ERROR"));
        let waits: Vec<f64> = reports
            .iter()
            .filter_map(|report| report.last_key_to_answer)
            .collect();
        println!("{right} were let in, {error} refused by an error");
        told("slowest", &waits);
        ensure!(right + error == CALLERS, "and others");
        ensure!(right > 0, "nobody was let in");
        let longest = quantile(&waits, 1.0);
        ensure!(longest < LONGEST, "{longest} s");
        // It recovers.
        let call: Call = call("slowest", "7").caller(&number(1));
        let call = call.deadline(Duration::from_secs(60));
        becomes(pbx, &call, &passed().account("c1")).map(drop)
    });
    Ok(())
}
