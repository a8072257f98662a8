//! Input of PINs: at the terminal without echo, or line by line on standard input.
//!
//! PINs are never arguments, because every user of the machine can read those.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use pinset::list::{read, Format, Gives};
use pinset::pin::{is_key, MAX_DIGITS};
use pinset::Pin;

use crate::common::error::{note, CommandError};
use crate::common::terminal;
use crate::common::weak_pins::weakness;

/// How often the terminal prompts for the PIN.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prompts {
    Once,
    Twice,
}

/// Reads exactly one PIN.
pub(crate) fn read_one(prompts: Prompts) -> Result<Pin, CommandError> {
    let mut given = None;
    for_each(prompts, |pin| {
        if given.replace(pin).is_some() {
            return Err(CommandError::new("standard input: more than one PIN"));
        }
        Ok(())
    })?;
    given.ok_or_else(|| CommandError::new("standard input: no PIN"))
}

/// Calls `take` with each PIN: one at the terminal, one per line on standard input.
/// Invalid lines are reported by number.
pub(crate) fn for_each(
    prompts: Prompts,
    mut take: impl FnMut(Pin) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    if io::stdin().is_terminal() {
        return take(at_terminal(prompts)?);
    }
    // The buffer of `Stdin` is not wiped, so it is bypassed.
    let owned = io::stdin().as_fd().try_clone_to_owned();
    let input =
        File::from(owned.map_err(|error| CommandError::new(format!("standard input: {error}")))?);
    let stopped = read(input, Format::Plain, true, |line| {
        let bad = |why: &str| {
            let number = line.number;
            Some(CommandError::Message(format!(
                "standard input, line {number}: {why}"
            )))
        };
        match line.gives {
            Gives::Pin(keys) => take(pin_from_digits(keys)).err(),
            Gives::Blank => bad("no PIN"),
            Gives::Invalid(fault) => bad(&fault.to_string()),
            Gives::Account(..) => None,
        }
    });
    match stopped {
        Ok(None) => Ok(()),
        Ok(Some(failure)) => Err(failure),
        Err(error) => Err(CommandError::new(format!("standard input: {error}"))),
    }
}

/// Returns the PIN of these digits.
pub(crate) fn pin_from_digits(keys: &[u8]) -> Pin {
    let mut pin = Pin::new();
    keys.iter().for_each(|key| pin.push(*key));
    pin
}

fn at_terminal(prompts: Prompts) -> Result<Pin, CommandError> {
    let pin = prompt_without_echo("PIN: ")?;
    if prompts == Prompts::Twice {
        let again = prompt_without_echo("Repeat the PIN: ")?;
        if !pin.is(again.as_bytes()) {
            return Err(CommandError::new("the PINs do not match"));
        }
    }
    Ok(pin)
}

/// Prompts for one PIN without echo.
fn prompt_without_echo(prompt: &str) -> Result<Pin, CommandError> {
    let entry = terminal::read_secret(prompt, MAX_DIGITS)?;
    match entry.as_slice() {
        [] => Err(CommandError::new("the PIN is empty")),
        keys if keys.len() > MAX_DIGITS => Err(CommandError::new(format!(
            "a PIN has at most {MAX_DIGITS} digits"
        ))),
        keys if !keys.iter().all(|key| is_key(*key)) => Err(CommandError::new(
            "a PIN may only contain 0 to 9, * and A to D",
        )),
        keys => Ok(pin_from_digits(keys)),
    }
}

/// Prints a warning if a PIN is weak.
pub(crate) fn warn_if_weak(pin: &Pin) {
    if let Some(weakness) = weakness(pin.as_bytes()) {
        note(format!("warning: the PIN is weak: {weakness}"));
    }
}
