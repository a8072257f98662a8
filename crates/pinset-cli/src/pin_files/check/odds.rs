//! Odds of guessing a PIN.

use std::fmt;

use serde::Serialize;

/// Attempts per call of `Authenticate()`.
const ATTEMPTS_PER_CALL: f64 = 3.0;

/// Number of calls below which fraud is practical.
const PRACTICAL_CALLS: u64 = 10_000;

/// The odds of guesses that have the right length.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Odds {
    /// Number of digits.
    pub length: usize,
    /// Number of different PINs of that length.
    pub pins: u64,
    /// Average number of guesses per right one.
    pub one_in: f64,
    /// Number of calls after which half of all fraudsters are admitted.
    pub calls: u64,
    /// Whether that is too few.
    pub practical: bool,
}

impl Odds {
    /// Returns the odds for `pins` different PINs of `length` digits out of `alphabet`.
    pub(super) fn new(length: usize, pins: u64, alphabet: u32) -> Self {
        let all = f64::from(alphabet).powf(length as f64);
        let right = (pins as f64 / all).min(1.0);
        // ln_1p, because 1 - right would round to 1 for long PINs.
        let calls = (0.5_f64.ln() / (ATTEMPTS_PER_CALL * (-right).ln_1p()))
            .ceil()
            .max(1.0) as u64;
        Self {
            length,
            pins,
            one_in: 1.0 / right,
            calls,
            practical: calls < PRACTICAL_CALLS,
        }
    }
}

impl fmt::Display for Odds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pins = if self.pins == 1 { "PIN" } else { "PINs" };
        let keys = if self.length == 1 { "digit" } else { "digits" };
        write!(f, "{} {pins} of {} {keys}: ", self.pins, self.length)?;
        match self.one_in {
            all if all < 1.05 => f.write_str("every guess is right")?,
            few if few < 10.0 => write!(f, "one guess in {few:.1} is right")?,
            some if some < 1e15 => write!(f, "one guess in {some:.0} is right")?,
            many => write!(f, "one guess in {many:.0e} is right")?,
        }
        match self.calls {
            1 => f.write_str("; at three attempts per call, half of all fraudsters are admitted at once"),
            u64::MAX => Ok(()),
            calls => write!(
                f,
                "; at three attempts per call, half of all fraudsters are admitted after {calls} calls"
            ),
        }
    }
}

/// The digits that the PINs of a list consist of.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Alphabet {
    star: bool,
    letters: bool,
}

impl Alphabet {
    /// Adds the digits of `pin`.
    pub(super) fn add(&mut self, pin: &[u8]) {
        self.star |= pin.contains(&b'*');
        self.letters |= pin.iter().any(u8::is_ascii_uppercase);
    }

    /// Returns the number of different digits.
    pub(super) fn size(self) -> u32 {
        10 + u32::from(self.star) + 4 * u32::from(self.letters)
    }

    /// Returns the name of the alphabet.
    pub(super) fn name(self) -> &'static str {
        match (self.star, self.letters) {
            (false, false) => "0-9",
            (true, false) => "0-9*",
            (false, true) => "0-9A-D",
            (true, true) => "0-9*A-D",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn odds_equal_values_by_hand() {
        // length, pins, alphabet: one in, calls, practical
        for (length, pins, alphabet, one_in, calls, practical) in [
            (4, 100, 10, 100.0, 23, true),
            (4, 1, 10, 10_000.0, 2311, true),
            (4, 10_000, 10, 1.0, 1, true),
            (1, 3, 10, 10.0 / 3.0, 1, true),
            (5, 2, 10, 50_000.0, 11_553, false),
            (6, 23, 10, 1e6 / 23.0, 10_046, false),
            (6, 24, 10, 1e6 / 24.0, 9_627, true),
            (4, 1, 15, 50_625.0, 11_697, false),
        ] {
            let odds = Odds::new(length, pins, alphabet);
            assert!((odds.one_in - one_in).abs() < 1e-6, "{odds:?}");
            assert_eq!((odds.calls, odds.practical), (calls, practical), "{odds:?}");
        }
    }

    #[test]
    fn odds_are_described_in_words() {
        for (odds, words) in [
            (
                Odds::new(4, 100, 10),
                "100 PINs of 4 digits: one guess in 100 is right; \
                 at three attempts per call, half of all fraudsters are admitted after 23 calls",
            ),
            (
                Odds::new(1, 10, 10),
                "10 PINs of 1 digit: every guess is right; \
                 at three attempts per call, half of all fraudsters are admitted at once",
            ),
            (
                Odds::new(31, 1, 15),
                "1 PIN of 31 digits: one guess in 3e36 is right",
            ),
        ] {
            assert_eq!(odds.to_string(), words);
        }
    }

    #[test]
    fn alphabet_has_name_and_size() {
        for (pin, name, size) in [
            ("0123456789", "0-9", 10),
            ("12*", "0-9*", 11),
            ("12A", "0-9A-D", 14),
            ("*D", "0-9*A-D", 15),
        ] {
            let mut alphabet = Alphabet::default();
            alphabet.add(pin.as_bytes());
            alphabet.add(b"12");
            assert_eq!((alphabet.name(), alphabet.size()), (name, size));
        }
    }

    proptest! {
        #[test]
        fn more_pins_never_make_guessing_harder(length in 1usize..32, pins in 1u64..1 << 40) {
            let (less, more) = (Odds::new(length, pins, 10), Odds::new(length, pins + 1, 10));
            prop_assert!(more.one_in <= less.one_in && more.calls <= less.calls);
            prop_assert!(less.one_in >= 1.0 && less.calls >= 1);
        }
    }
}
