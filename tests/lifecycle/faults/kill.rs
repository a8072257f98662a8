//! `kill -9` at each step of calls with PINs that admit once: no PIN admits twice, and none
//! is lost whose use was not recorded.

use anyhow::{ensure, Context, Result};
use harness::{Call, Frame, Ongoing, Pbx};

use super::{is_admitted, with_counted_pins, Counted, Faults, COUNTED};
use crate::one_time::journal;
use crate::support::{eventually, side_by_side};

/// Asterisks at once, each of which is killed at some of the steps.
const ASTERISKS: usize = 6;

/// How many writes of each kind are steps, unless [`KILLS_VAR`] has another number.
const KILLS: u32 = 2;
const KILLS_VAR: &str = "AUTHENTICATE_KILLS";

/// All kinds of writes, from the last digit until the use is on disk and its record has left
/// the journal. The folder itself has no name.
const KINDS: [&str; 12] = [
    "write app_authenticate_rs.journal",
    "sync app_authenticate_rs.journal",
    "open astdb.sqlite3-journal",
    "write astdb.sqlite3-journal",
    "sync astdb.sqlite3-journal",
    "write astdb.sqlite3",
    "sync astdb.sqlite3",
    "unlink astdb.sqlite3-journal",
    "open app_authenticate_rs.journal.new",
    "sync app_authenticate_rs.journal.new",
    "rename app_authenticate_rs.journal.new",
    "sync ",
];

/// What is known of a PIN after the kill.
struct Tried {
    counted: Counted,
    pin: String,
    /// A caller was admitted, as far as could be seen.
    admitted: bool,
    /// The use is in the journal.
    recorded: bool,
}

fn shows_success(frame: &Frame) -> bool {
    frame.has("Variable", "AUTHENTICATESTATUS") && frame.has("Value", "SUCCESS")
}

/// Waits until Asterisk is killed or its journal is empty; returns whether it has survived.
fn survives((pbx, faults): (&Pbx, &Faults)) -> Result<bool> {
    eventually("a kill or an empty journal", || {
        Ok(faults.has_killed()? || journal(pbx)?.is_empty())
    })?;
    faults.kill_never()?;
    let killed = faults.has_killed()?;
    if killed {
        pbx.ended()?;
    }
    Ok(!killed)
}

/// Every PIN admits one caller in all, and one whose use was not recorded still does.
fn each_admits_once(pbx: &Pbx, tried: &[Tried]) -> Result<()> {
    for Tried {
        counted,
        pin,
        admitted,
        recorded,
    } in tried
    {
        let again = is_admitted(&pbx.call(&counted.call(pin))?)?;
        ensure!(
            !(*admitted && again),
            "{counted:?} {pin} has admitted two callers"
        );
        ensure!(
            again != *recorded,
            "{counted:?} {pin}: recorded {recorded}, admits {again}"
        );
        let once_more = is_admitted(&pbx.call(&counted.call(pin))?)?;
        ensure!(!once_more, "{counted:?} {pin} has admitted two callers");
    }
    Ok(())
}

/// Places a call with each kind of PIN, with Asterisk killed before this write. Returns
/// whether it has survived.
fn kill_before_write(
    (pbx, faults): (&Pbx, &Faults),
    (kind, number): (&str, u32),
    pin: &str,
    tried: &mut Vec<Tried>,
) -> Result<bool> {
    faults.kill_before(kind, number)?;
    let mut admitted = Vec::new();
    for counted in COUNTED {
        let call = pbx.place(&counted.call(pin));
        let seen = call.and_then(|mut call| call.until("success", shows_success));
        admitted.push(seen.is_ok());
    }
    let survived = survives((pbx, faults))?;
    let writes = faults.trace()?;
    let records = writes
        .iter()
        .filter(|write| *write == "write app_authenticate_rs.journal")
        .count();
    for (nth, (counted, admitted)) in COUNTED.into_iter().zip(admitted).enumerate() {
        tried.push(Tried {
            counted,
            pin: pin.to_owned(),
            admitted,
            recorded: nth < records,
        });
    }
    Ok(survived)
}

#[test]
fn kill_before_each_write_of_a_call_restores_and_loses_no_use() -> Result<()> {
    let kills = std::env::var(KILLS_VAR).map_or(Ok(KILLS), |kills| kills.parse())?;
    let kills = |kind| (1..=kills).map(move |number| (kind, number));
    let steps: Vec<_> = KINDS.into_iter().flat_map(kills).collect();
    side_by_side(ASTERISKS, ASTERISKS, |first| {
        let faults = Faults::new()?;
        let pbx = with_counted_pins(&faults, steps.len())?;
        let mut tried = Vec::new();
        for (nth, step) in steps.iter().enumerate().skip(first).step_by(ASTERISKS) {
            let pin = (1000 + nth).to_string();
            let survived = kill_before_write((&pbx, &faults), *step, &pin, &mut tried)?;
            ensure!(!survived || step.1 > 1, "no {}", step.0);
            if !survived {
                pbx.start_again()?;
                // What is replayed must not be taken for writes of the next calls.
                eventually("an empty journal", || Ok(journal(&pbx)?.is_empty()))?;
            }
        }
        each_admits_once(&pbx, &tried)
    })
}

/// The uses are recorded. Asterisk is killed before a write of each kind during the starts
/// that follow.
#[test]
fn kill_before_each_write_of_a_start_restores_no_use() -> Result<()> {
    let faults = Faults::new()?;
    let pbx = with_counted_pins(&faults, 1)?;
    let mut tried = Vec::new();
    for counted in COUNTED {
        ensure!(is_admitted(&pbx.call(&counted.call("1000"))?)?);
        tried.push(Tried {
            counted,
            pin: "1000".into(),
            admitted: true,
            recorded: true,
        });
    }
    pbx.kill9()?;
    // It writes all but a new record.
    for kind in &KINDS[2..] {
        ensure!(!journal(&pbx)?.is_empty(), "no record before {kind}");
        faults.kill_before(kind, 1)?;
        // It ends meanwhile or later.
        let _ = pbx.start_again();
        ensure!(!survives((&pbx, &faults))?, "no {kind}");
    }
    pbx.start_again()?;
    each_admits_once(&pbx, &tried)
}

/// A step of a call that an event announces.
#[derive(Clone, Copy, Debug)]
enum Step {
    Prompt,
    ThreeDigits,
    Admitted,
    NextPriority,
    HungUp,
}

const EVENTS: [Step; 5] = [
    Step::Prompt,
    Step::ThreeDigits,
    Step::Admitted,
    Step::NextPriority,
    Step::HungUp,
];

impl Step {
    /// Whether the PIN is used by then.
    fn is_after_the_use(self) -> bool {
        !matches!(self, Self::Prompt | Self::ThreeDigits)
    }

    /// Sees a call through to this step.
    fn reach(self, call: &mut Ongoing<'_>, pin: &str) -> Result<()> {
        call.until_sound("agent-pass")?;
        let digits = match self {
            Self::Prompt => 0,
            Self::ThreeDigits => 3,
            Self::Admitted | Self::NextPriority | Self::HungUp => pin.len(),
        };
        for digit in pin.chars().take(digits) {
            call.press(digit)?;
        }
        match self {
            Self::Prompt | Self::ThreeDigits => Ok(()),
            Self::Admitted => call.until("success", shows_success),
            Self::NextPriority => call.until("the next priority", |frame| {
                frame.event() == Some("Newexten") && frame.has("Application", "UserEvent")
            }),
            Self::HungUp => call.until("the end", |frame| frame.event() == Some("Hangup")),
        }
    }
}

#[test]
fn kill_at_each_event_of_a_call_restores_and_loses_no_use() -> Result<()> {
    let faults = Faults::new()?;
    let pbx = with_counted_pins(&faults, EVENTS.len())?;
    let mut tried = Vec::new();
    for (nth, step) in EVENTS.into_iter().enumerate() {
        let pin = (1000 + nth).to_string();
        let mut calls = Vec::new();
        for counted in COUNTED {
            let mut call = pbx.place(&Call::new(counted.arguments()))?;
            step.reach(&mut call, &pin)
                .with_context(|| format!("{counted:?}, {step:?}"))?;
            calls.push(call);
            tried.push(Tried {
                counted,
                pin: pin.clone(),
                admitted: step.is_after_the_use(),
                recorded: step.is_after_the_use(),
            });
        }
        pbx.kill9()?;
        drop(calls);
        pbx.start_again()?;
    }
    each_admits_once(&pbx, &tried)
}
