//! Slow hashes: a hundred concurrent callers, and callers who need no hash.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use anyhow::{anyhow, ensure, Context, Result};
use harness::{Builder, Call, Outcome, Pbx, Report};

use crate::pin_sets::made::{argon2id, csv};
use crate::pin_sets::{becomes, call, is_logged, on, passed, story, with};
use crate::support::side_by_side;

const CALLERS: usize = 100;

/// What OWASP recommends, 19 MiB and two passes.
const USUAL: (u32, u32, u32) = (19456, 2, 1);

/// The slowest there may be.
const SLOWEST: (u32, u32, u32) = (65536, 10, 4);

/// The most slow hashes, of a hundred, that are answered while a call of another
/// PIN set waits; half of them would be, if it waited for its turn.
const MAX_HASHES_BEFORE_A_CALL: f64 = 10.0;

const CONF: &str = "
[general]
hide_digits = no
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

[twice]
source = file:/pins/slowest.csv
identify = caller
attempts = 2
retry_prompt = beep

[fast]
source = file:/pins/fast
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
        .pin_file("fast", "7\n"))
}

/// A caller of the set that waits for all others, then for this time, and then
/// enters its digits.
fn caller(
    pbx: &Pbx,
    all_there: &Barrier,
    (set, who, wait): (&str, usize, Duration),
) -> Result<Report> {
    let place = || {
        let mut ongoing = pbx.place(&shown(set, "").caller(&number(who)))?;
        ongoing.until_sound("agent-pass")?;
        Ok::<_, anyhow::Error>(ongoing)
    };
    let placed = place();
    // Whatever has become of it: the others wait.
    all_there.wait();
    let ongoing = placed?;
    // Callers do not key in step.
    thread::sleep(wait);
    ongoing.press('7')?;
    ongoing.finish()
}

/// When a key came, events say only of digits that are not hidden.
fn shown(args: &str, keys: &str) -> Call {
    call(args, keys).hidden_digits(false)
}

/// All these callers at once: of which set, which of the callers, and after
/// which time they key. What became of their calls, in their order.
fn all_at_once(pbx: &Pbx, callers: &[(&str, usize, Duration)]) -> Result<Vec<Report>> {
    let all_there = &Barrier::new(callers.len());
    thread::scope(|scope| {
        let threads: Vec<_> = callers
            .iter()
            .map(|who| scope.spawn(move || caller(pbx, all_there, *who)))
            .collect();
        let reports = threads.into_iter().map(|thread| {
            thread
                .join()
                .map_err(|_| anyhow!("a caller has panicked"))?
        });
        reports.collect()
    })
}

/// The times of the last digit and of the answer, in seconds since 1970.
fn times(report: &Report) -> Result<(f64, f64)> {
    let mut keys = report.events_named("DTMFEnd");
    let key = keys.find_map(harness::Frame::time).context("no key")?;
    Ok((key, key + report.last_key_to_answer.context("no answer")?))
}

fn quantile(times: &[f64], which: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let at = (times.len().saturating_sub(1) as f64 * which).round() as usize;
    times.get(at).copied().unwrap_or(f64::NAN)
}

fn print_times(what: &str, times: &[f64]) {
    println!(
        "{what}: {} calls, last key to answer {:.1} ms (median), {:.1} ms (95 %)",
        times.len(),
        quantile(times, 0.5) * 1e3,
        quantile(times, 0.95) * 1e3
    );
}

#[test]
fn hundred_concurrent_hashes_delay_no_other_call() -> Result<()> {
    const FAST: usize = 25;
    let pace = |number: usize| Duration::from_millis(40) * u32::try_from(number).unwrap_or(0);
    on(builder()?, |pbx| {
        let fast = (0..FAST).map(|who| ("fast", who, pace(who)));
        let slow = (0..CALLERS).map(|who| ("slow", who, Duration::ZERO));
        let mut slow = all_at_once(pbx, &slow.chain(fast).collect::<Vec<_>>())?;
        let fast = slow.split_off(CALLERS);
        for (who, report) in slow.iter().enumerate() {
            let want = passed().account(&format!("c{who}"));
            want.check(report)
                .with_context(|| format!("caller {who}"))?;
        }
        for report in &fast {
            passed().check(report)?;
        }
        let slow: Vec<(f64, f64)> = slow.iter().map(times).collect::<Result<_>>()?;
        let fast: Vec<(f64, f64)> = fast.iter().map(times).collect::<Result<_>>()?;
        let first = slow.iter().map(|time| time.0).fold(f64::INFINITY, f64::min);
        let last = slow.iter().map(|time| time.1).fold(0.0, f64::max);
        // How many hashes were answered while a call of the other PIN set waited:
        // a machine that is slow is slow for both.
        let during = |&(key, answer): &(f64, f64)| {
            let answers = slow.iter().map(|time| time.1);
            answers.filter(|time| (key..answer).contains(time)).count() as f64
        };
        let busy = fast
            .iter()
            .filter(|(key, _)| (first..last).contains(key))
            .map(during)
            .collect::<Vec<_>>();
        let wait = |times: &[(f64, f64)]| -> Vec<f64> {
            times.iter().map(|(key, answer)| answer - key).collect()
        };
        print_times("fast", &wait(&fast));
        print_times("slow", &wait(&slow));
        ensure!(
            busy.len() >= FAST / 4,
            "it was not busy: {} calls",
            busy.len()
        );
        let overtaken = quantile(&busy, 0.5);
        ensure!(
            overtaken <= MAX_HASHES_BEFORE_A_CALL,
            "{overtaken} hashes came first"
        );
        Ok(())
    });
    Ok(())
}

/// The next entry arrives while the last one is being verified.
#[test]
fn digits_during_a_hash_belong_to_the_next_entry() -> Result<()> {
    on(builder()?, |pbx| {
        side_by_side(4, 4, |who| {
            let call = shown("twice", "97").caller(&number(who));
            let report = pbx.call(&call)?;
            passed()
                .account(&format!("c{who}"))
                .attempts("2")
                .check(&report)?;
            let time = |digit| {
                let mut frames = report.events_named("DTMFEnd");
                let frame = frames.find(|frame| frame.has("Digit", digit));
                frame.and_then(harness::Frame::time).context("not entered")
            };
            // Else there was no meanwhile.
            let answer = report.last_key_to_answer.context("no answer")?;
            let between = time("7")? - time("9")?;
            ensure!(answer > between, "{}", story(&report));
            Ok(())
        })?;
        // Hung up meanwhile: the call ends at once, and the set goes on.
        let call = shown("twice", "9<wait 0.05><hangup>").caller(&number(0));
        let report = pbx.call(&call)?;
        ensure!(report.status() == "HANGUP", "{}", story(&report));
        ensure!(report.outcome == Outcome::HungUp, "{}", story(&report));
        Ok(())
    });
    Ok(())
}

/// More than can be computed in the time callers wait: each has an answer all
/// the same, and no wrong PIN is admitted.
#[test]
fn overload_of_hashes_admits_no_wrong_pin() -> Result<()> {
    /// The longest a caller waits, in seconds.
    const LIMIT: f64 = 10.0;
    on(builder()?, |pbx| {
        let all: Vec<_> = (0..CALLERS)
            .map(|who| ("slowest", who, Duration::ZERO))
            .collect();
        let reports = all_at_once(pbx, &all)?;
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
        print_times("slowest", &waits);
        ensure!(right + error == CALLERS, "and others");
        ensure!(right > 0, "nobody was let in");
        // Without the limit, nobody is refused and the last one waits for all hashes.
        let longest = quantile(&waits, 1.0);
        ensure!(error > 0 || longest < LIMIT, "{longest} s");
        let all_hashes = LIMIT * CALLERS as f64 / right as f64;
        ensure!(error == 0 || longest < all_hashes, "{longest} s");
        // It recovers.
        let call = shown("slowest", "7").caller(&number(1));
        becomes(pbx, &call, &passed().account("c1"))?;
        // And the log says why.
        is_logged(pbx, &["slowest"])
    });
    Ok(())
}
