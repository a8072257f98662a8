//! Timeouts for the caller's digits.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use harness::{Call, Pbx};

use super::{all_become, passed, refused, row, story, with, Want};
use crate::support::on;

const CONF: &str = "
[general]
hide_digits = no
source = file:/pins/list
retry_prompt =

[channel]

[first]
first_digit_timeout = 1.5
attempts = 1

[patient]
first_digit_timeout = 3
attempts = 1

[next]
digit_timeout = 1.5

[both]
first_digit_timeout = 3
digit_timeout = 0.5
clear_key = *
attempts = 1
";

const SECOND: Duration = Duration::from_secs(1);

/// Tolerance on a busy machine, shorter than the difference to any other timeout.
const MAX_DELAY_SECONDS: f64 = 2.5;

/// How long it was from the last key, or from the beginning, to the verdict.
fn waited(pbx: &Pbx, call: &Call, want: &Want) -> Result<f64> {
    let report = pbx.call(call)?;
    want.check(&report)?;
    let time = |frame: &harness::Frame| frame.time().context("no time");
    let is_step = |frame: &harness::Frame, application: &str| {
        frame.event() == Some("Newexten")
            && frame.has("Uniqueid", &report.channel)
            && frame.has("Application", application)
    };
    let mut frames = report.events.iter();
    let begins = frames
        .find(|frame| is_step(frame, "Authenticate"))
        .with_context(|| story(&report))?;
    let rest: Vec<_> = frames.collect();
    let last_key = rest.iter().rev().find(|frame| {
        frame.event() == Some("DTMFEnd")
            && frame.has("Uniqueid", &report.channel)
            && frame.has("Direction", "Received")
    });
    // Silence all around: the next step is the verdict.
    let verdict = rest
        .iter()
        .find(|frame| frame.event() == Some("Newexten") && frame.has("Uniqueid", &report.channel))
        .with_context(|| story(&report))?;
    Ok(time(verdict)? - last_key.map_or(time(begins), |frame| time(frame))?)
}

/// When a key came, events say only of digits that are not hidden.
fn shown(args: &str, keys: &str) -> Call {
    super::call(args, keys).hidden_digits(false)
}

fn is_about(pbx: &Pbx, name: &str, call: &Call, want: &Want, seconds: f64) -> Result<()> {
    let waited = waited(pbx, call, want).with_context(|| name.to_owned())?;
    ensure!(
        (seconds - 0.05..seconds + MAX_DELAY_SECONDS).contains(&waited),
        "{name}: {waited} s instead of {seconds} s"
    );
    Ok(())
}

#[test]
fn digit_timeouts_are_kept() {
    on(with(CONF).pin_file("list", "12\n"), |pbx| {
        let silent = || refused("TIMEOUT").outcome(harness::Outcome::Continued);
        // No sound at all: q, c, and & for no prompt.
        let quiet = |set: &str, keys: &str| shown(&format!("{set},qc,,&"), keys);
        let right = passed;
        let rows: &[(&str, Call, Want, f64)] = &[
            (
                "first_digit_timeout, whatever the channel says",
                quiet("first", "").timeouts(20 * SECOND, 20 * SECOND),
                silent(),
                1.5,
            ),
            (
                "digit_timeout, whatever the channel says",
                quiet("next", "<now>12").timeouts(20 * SECOND, 20 * SECOND),
                right(),
                1.5,
            ),
            (
                "neither: the channel's for the next key",
                quiet("channel", "<now>12").timeouts(20 * SECOND, SECOND),
                right(),
                1.0,
            ),
            (
                "first_digit_timeout alone: the channel's for the next key",
                quiet("first", "<now>12").timeouts(20 * SECOND, SECOND),
                right(),
                1.0,
            ),
            ("both, the first key", quiet("both", ""), silent(), 3.0),
            ("both, the next", quiet("both", "<now>12"), right(), 0.5),
            (
                "clear_key: it is the first key again",
                quiet("both", "<now>9*"),
                refused("FAILURE").outcome(harness::Outcome::Continued),
                3.0,
            ),
        ];
        crate::support::side_by_side(rows.len(), 4, |number| {
            let (name, call, want, seconds) = &rows[number];
            is_about(pbx, name, call, want, *seconds)
        })?;
        // Three times the channel's.
        let call = quiet("channel", "").timeouts(SECOND, 20 * SECOND);
        is_about(pbx, "the channel's for the first", &call, &silent(), 3.0)?;
        // The clock of the first key starts when the prompt has ended.
        all_become(
            pbx,
            &[row(
                "keys behind a prompt that takes longer than the time for the first key",
                shown("patient", "<after-prompt><wait 0.5>12#"),
                passed(),
            )],
        )
    });
}
