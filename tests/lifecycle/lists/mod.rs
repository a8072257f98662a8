//! PIN files: the current content counts, whatever happens to the file.

mod changed;
pub(crate) mod hung;
mod large;
pub(crate) mod mount;
mod unreadable;

use anyhow::{bail, Result};
use harness::{Ami, Call, Outcome, Pbx};

/// What a caller with one entry hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// No further prompt: admitted.
    Welcome,
    /// `auth-incorrect`.
    Wrong,
    /// The prompt again: there is no PIN file to verify with.
    Prompt,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Plain,
    Md5,
}

/// Two PINs whose lines are of the same length in either format.
const ONE: &str = "1234";
const OTHER: &str = "5678";

impl Format {
    /// A list of one line for one of the two PINs.
    fn list(self, pin: &str) -> String {
        match (self, pin) {
            (Self::Plain, _) => format!("{pin}\n"),
            (Self::Md5, ONE) => "alice:81dc9bdb52d04dc20036dbd8313ed055\n".into(),
            (Self::Md5, _) => "alice:674f3c2c1a8a6f90461e8a66fb5550ba\n".into(),
        }
    }

    fn options(self) -> &'static str {
        match self {
            Self::Plain => "q",
            Self::Md5 => "qm",
        }
    }
}

/// A call by somebody who makes one entry, and hangs up at what answers it.
fn one_entry(list: &str, format: Format, pin: &str) -> Call {
    let (options, digits) = (format.options(), pin.len());
    Call::new(format!("{list},{options},{digits}")).keys(&format!("{pin} <hangup>"))
}

/// Makes such a call.
fn heard(pbx: &Pbx, list: &str, format: Format, pin: &str) -> Result<Heard> {
    let report = pbx.call(&one_entry(list, format, pin))?;
    let sounds: Vec<&str> = report.sounds.iter().map(String::as_str).collect();
    match (&report.outcome, &sounds[..]) {
        (Outcome::Passed, ["agent-pass"]) => Ok(Heard::Welcome),
        (Outcome::HungUp, ["agent-pass", "auth-incorrect"]) => Ok(Heard::Wrong),
        (Outcome::HungUp, ["agent-pass", "agent-pass"]) => Ok(Heard::Prompt),
        _ => bail!("{report:#?}"),
    }
}

/// The same with what should be heard.
fn hears(pbx: &Pbx, list: &str, format: Format, pin: &str, wanted: Heard) -> Result<()> {
    let heard = heard(pbx, list, format, pin)?;
    if heard != wanted {
        bail!("{list}, {format:?}, {pin}: {heard:?}, not {wanted:?}");
    }
    Ok(())
}

/// Our threads, busy ones and others.
pub(crate) fn threads(ami: &Ami) -> Result<usize> {
    let list = ami.command("core show threads")?;
    Ok(list.lines().filter(|line| line.contains("shim.c")).count())
}
