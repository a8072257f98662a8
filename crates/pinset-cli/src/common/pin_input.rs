//! PINs as people give them: keyed at the terminal, or line by line on
//! standard input. Never on the command line, which everybody on the machine
//! can read.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use pinset::list::{read, Format, Gives};
use pinset::pin::{is_key, MAX_DIGITS};
use pinset::Pin;
use rustix::termios::{
    tcgetattr, tcsetattr, LocalModes, OptionalActions, SpecialCodeIndex, Termios,
};
use zeroize::Zeroizing;

use crate::common::error::{note, CommandError};
use crate::common::weak_pins::weakness;

/// Whether the PIN is asked for a second time, at the terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Once,
    Twice,
}

/// The one PIN that is given.
pub fn one(asked: Asked) -> Result<Pin, CommandError> {
    let mut given = None;
    each(asked, |pin| {
        if given.replace(pin).is_some() {
            return Err(CommandError::new(
                "standard input: one PIN is wanted, not several",
            ));
        }
        Ok(())
    })?;
    given.ok_or_else(|| CommandError::new("standard input: there is no PIN"))
}

/// Calls `take` with each PIN that is given: one at the terminal, one a line
/// on standard input. What is none is named by its line.
pub fn each(
    asked: Asked,
    mut take: impl FnMut(Pin) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    if io::stdin().is_terminal() {
        return take(at_terminal(asked)?);
    }
    // Without the buffer of `Stdin`, which is not wiped.
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
            Gives::Pin(keys) => take(pin_of(keys)).err(),
            Gives::Blank => bad("there is no PIN in it"),
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

/// The PIN of these keys.
pub fn pin_of(keys: &[u8]) -> Pin {
    let mut pin = Pin::new();
    keys.iter().for_each(|key| pin.push(*key));
    pin
}

fn at_terminal(asked: Asked) -> Result<Pin, CommandError> {
    let pin = keyed("PIN: ")?;
    if asked == Asked::Twice {
        let again = keyed("The same PIN again: ")?;
        if !pin.is(again.as_bytes()) {
            return Err(CommandError::new("the two PINs are not the same"));
        }
    }
    Ok(pin)
}

/// Asks for one entry, which is not shown.
fn keyed(prompt: &str) -> Result<Pin, CommandError> {
    let failed = |error: io::Error| CommandError::new(format!("the terminal: {error}"));
    let silent = Silent::new().map_err(failed)?;
    let mut screen = io::stderr();
    write!(screen, "{prompt}").map_err(failed)?;
    let entry = silent.line();
    // The line end of the user was not shown either.
    writeln!(screen).map_err(failed)?;
    let entry = entry.map_err(failed)?;
    match entry.as_slice() {
        [] => Err(CommandError::new("the PIN is empty")),
        keys if keys.len() > MAX_DIGITS => Err(CommandError::new(format!(
            "a PIN has at most {MAX_DIGITS} keys"
        ))),
        keys if !keys.iter().all(|key| is_key(*key)) => Err(CommandError::new(
            "a PIN has the keys 0 to 9, * and A to D only",
        )),
        keys => Ok(pin_of(keys)),
    }
}

/// A terminal that shows nothing, until this is dropped.
///
/// Its keys are read one by one, Ctrl-C among them: a signal would end the
/// command and leave the terminal silent.
struct Silent(Termios);

impl Silent {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }

    /// What is keyed until a line end; what is too much is left out but one.
    fn line(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        const INTERRUPT: u8 = 3;
        const END: u8 = 4;
        const BACKSPACE: u8 = 8;
        const KILL: u8 = 21;
        const DELETE: u8 = 127;
        let mut line = Zeroizing::new(Vec::with_capacity(MAX_DIGITS + 1));
        let mut key = Zeroizing::new([0]);
        loop {
            if rustix::io::read(io::stdin(), &mut *key)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match key[0] {
                b'\n' | b'\r' => return Ok(line),
                INTERRUPT | END => return Err(io::Error::other("given up")),
                BACKSPACE | DELETE => {
                    line.pop();
                }
                KILL => line.clear(),
                other if line.len() <= MAX_DIGITS => line.push(other),
                _ => {}
            }
        }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // Nothing else can be done about it.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// Says that a PIN is weak, if it is.
pub fn warn_if_weak(pin: &Pin) {
    if let Some(weakness) = weakness(pin.as_bytes()) {
        note(format!("warning: the PIN is weak: {weakness}"));
    }
}
