//! Entry of secrets at the terminal.

use std::io::{self, Write};

use rustix::termios::{
    tcgetattr, tcsetattr, LocalModes, OptionalActions, SpecialCodeIndex, Termios,
};
use zeroize::Zeroizing;

use crate::common::error::CommandError;

/// Prompts for a secret without echo. Returns one byte more than `most` if the entry is
/// longer.
pub(crate) fn read_secret(prompt: &str, most: usize) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    let failed = |error: io::Error| CommandError::new(format!("the terminal: {error}"));
    let no_echo = NoEcho::new().map_err(failed)?;
    let mut screen = io::stderr();
    write!(screen, "{prompt}").map_err(failed)?;
    let entry = no_echo.read_line(most);
    // The line end was not echoed either.
    writeln!(screen).map_err(failed)?;
    entry.map_err(failed)
}

/// A terminal without echo, until this is dropped.
///
/// Keys are read one by one, including Ctrl-C: a signal would end the command and leave
/// the terminal without echo.
struct NoEcho(Termios);

impl NoEcho {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut no_echo = before.clone();
        no_echo
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        no_echo.special_codes[SpecialCodeIndex::VMIN] = 1;
        no_echo.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Flush, &no_echo)?;
        Ok(Self(before))
    }

    /// Reads keys up to a line end. Keeps one key more than `most`.
    fn read_line(&self, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        const INTERRUPT: u8 = 3;
        const END: u8 = 4;
        const BACKSPACE: u8 = 8;
        const KILL: u8 = 21;
        const DELETE: u8 = 127;
        let mut line = Zeroizing::new(Vec::with_capacity(most + 1));
        let mut key = Zeroizing::new([0]);
        loop {
            if rustix::io::read(io::stdin(), &mut *key)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match key[0] {
                b'\n' | b'\r' => return Ok(line),
                INTERRUPT | END => return Err(io::Error::other("cancelled")),
                BACKSPACE | DELETE => {
                    line.pop();
                }
                KILL => line.clear(),
                other if line.len() <= most => line.push(other),
                _ => {}
            }
        }
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        // A failure can't be handled here.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
