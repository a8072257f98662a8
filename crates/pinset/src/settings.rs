//! What `[general]` of `authenticate.conf` says: `docs/configuration.md`.

use std::fmt;
use std::time::Duration;

/// The options of `[general]`, each with its default until it is set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// `max_list_memory`: how many bytes all lists together may take in
    /// memory; never 0.
    pub max_list_memory: u64,
    /// `source_timeout`: how long a caller waits for a list (disk, database,
    /// web); above 0, and [`LONGEST_TIMEOUT`] at most.
    pub source_timeout: Duration,
}

/// The longest `source_timeout` there may be: a caller has hung up by then.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_list_memory: 1 << 30,
            source_timeout: Duration::from_secs(3),
        }
    }
}

/// As the file could have it.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, seconds) = (self.max_list_memory, self.source_timeout.as_secs_f64());
        write!(f, "max_list_memory = {bytes}, source_timeout = {seconds}")
    }
}

/// What is wrong with an option. The text repeats neither the option nor its
/// value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No option has this name.
    UnknownOption,
    /// The value is no amount of memory, nothing, or more than 64 bits hold.
    NotMemory,
    /// The value is no time, nothing, or longer than [`LONGEST_TIMEOUT`].
    NotATimeout,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownOption => "there is no such option",
            Self::NotMemory => {
                "it must be a whole number of bytes, or one with K, M or G behind it, \
                 above 0 and below 16 EiB"
            }
            Self::NotATimeout => {
                "it must be a number of seconds, whole or decimal, above 0 and at most 60"
            }
        })
    }
}

impl Settings {
    /// Sets the option `name` to what `value` says. The name may be in upper
    /// or lower case, as with Asterisk's own options; the blanks around both
    /// have been taken off by Asterisk.
    ///
    /// # Errors
    ///
    /// There is no such option, or this is no value for it. Then nothing has
    /// changed.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        match name.to_ascii_lowercase().as_slice() {
            b"max_list_memory" => {
                self.max_list_memory = memory(value).ok_or(Fault::NotMemory)?;
            }
            b"source_timeout" => {
                self.source_timeout = timeout(value).ok_or(Fault::NotATimeout)?;
            }
            _ => return Err(Fault::UnknownOption),
        }
        Ok(())
    }
}

/// `1073741824`, `1048576K`, `1024m`, `1G`: bytes, K being 1024.
fn memory(value: &[u8]) -> Option<u64> {
    let (digits, unit) = match value {
        [digits @ .., b'k' | b'K'] => (digits, 1 << 10),
        [digits @ .., b'm' | b'M'] => (digits, 1 << 20),
        [digits @ .., b'g' | b'G'] => (digits, 1 << 30),
        digits => (digits, 1_u64),
    };
    number::<u64>(digits, false)?
        .checked_mul(unit)
        .filter(|bytes| *bytes > 0)
}

/// `3`, `0.5`: seconds.
fn timeout(value: &[u8]) -> Option<Duration> {
    let seconds = number(value, true)?;
    let timeout = Duration::try_from_secs_f64(seconds).ok()?;
    (!timeout.is_zero() && timeout <= LONGEST_TIMEOUT).then_some(timeout)
}

/// A number of digits alone, or with one point: Rust's own parsers also take
/// signs, exponents and `inf`.
fn number<T: std::str::FromStr>(text: &[u8], point: bool) -> Option<T> {
    let plain = |byte: &u8| byte.is_ascii_digit() || (point && *byte == b'.');
    let text = text.iter().all(plain).then_some(text)?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(name: &str, value: &str) -> Result<Settings, Fault> {
        let mut settings = Settings::default();
        settings.set(name.as_bytes(), value.as_bytes())?;
        Ok(settings)
    }

    #[test]
    fn the_defaults_are_a_gibibyte_and_three_seconds() {
        let settings = Settings::default();
        assert_eq!(settings.max_list_memory, 1_073_741_824);
        assert_eq!(settings.source_timeout, Duration::from_secs(3));
    }

    #[test]
    fn memory_is_a_number_of_bytes_or_has_a_suffix() {
        let right = [
            ("1", 1),
            ("1000", 1000),
            ("007", 7),
            ("1K", 1024),
            ("3k", 3072),
            ("1M", 1 << 20),
            ("512m", 512 << 20),
            ("2G", 2 << 30),
            ("2g", 2 << 30),
            ("18446744073709551615", u64::MAX),
            ("17179869183G", u64::MAX - (1 << 30) + 1),
        ];
        for (value, bytes) in right {
            let settings = set("max_list_memory", value);
            assert_eq!(settings.map(|s| s.max_list_memory), Ok(bytes), "{value:?}");
        }
        let wrong = [
            "",
            "0",
            "0G",
            "-1",
            "+1",
            "1.5G",
            "1 G",
            " 1",
            "1GB",
            "1GG",
            "1T",
            "G",
            "k",
            "0x10",
            "1e3",
            "much",
            "²",
            "18446744073709551616",
            "17179869184G",
            "99999999999999999999999999",
        ];
        for value in wrong {
            let settings = set("max_list_memory", value);
            assert_eq!(settings, Err(Fault::NotMemory), "{value:?}");
        }
    }

    #[test]
    fn a_timeout_is_seconds_whole_or_decimal() {
        let right = [
            ("1", 1_000_000_000),
            ("3", 3_000_000_000),
            ("0.5", 500_000_000),
            (".25", 250_000_000),
            ("2.", 2_000_000_000),
            ("0.000000001", 1),
            ("007.50", 7_500_000_000),
            ("60", 60_000_000_000),
            ("60.000", 60_000_000_000),
        ];
        for (value, nanoseconds) in right {
            let timeout = set("source_timeout", value).map(|s| s.source_timeout);
            assert_eq!(timeout, Ok(Duration::from_nanos(nanoseconds)), "{value:?}");
        }
        let wrong = [
            "",
            "0",
            "0.0",
            "0.0000000001",
            "60.1",
            "60.00000001",
            "61",
            "-1",
            "+1",
            "1e1",
            "inf",
            "nan",
            "NaN",
            "1,5",
            "1.2.3",
            ".",
            "1 s",
            "3s",
            "soon",
        ];
        for value in wrong {
            let timeout = set("source_timeout", value);
            assert_eq!(timeout, Err(Fault::NotATimeout), "{value:?}");
        }
        let long = set("source_timeout", &"9".repeat(1000));
        assert_eq!(long, Err(Fault::NotATimeout));
    }

    #[test]
    fn names_are_whole_and_of_any_case() {
        assert!(set("MAX_List_Memory", "1").is_ok());
        for name in ["", "max_list", "max_list_memory ", "max-list-memory", "pin"] {
            assert_eq!(set(name, "1"), Err(Fault::UnknownOption), "{name:?}");
        }
    }

    #[test]
    fn of_two_the_last_counts_and_a_wrong_one_changes_nothing() {
        let mut settings = Settings::default();
        assert_eq!(settings.set(b"source_timeout", b"5"), Ok(()));
        assert_eq!(settings.set(b"source_timeout", b"7"), Ok(()));
        assert!(settings.set(b"source_timeout", b"0").is_err());
        assert!(settings.set(b"max_list_memory", b"0").is_err());
        assert_eq!(settings.source_timeout, Duration::from_secs(7));
        assert_eq!(settings.max_list_memory, 1 << 30);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(
            name in prop_oneof![
                Just(b"max_list_memory".to_vec()),
                Just(b"source_timeout".to_vec()),
                proptest::collection::vec(any::<u8>(), 0..20),
            ],
            value in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                "[0-9.]{0,40}[kKmMgG]?".prop_map(String::into_bytes),
            ],
        ) {
            let mut settings = Settings::default();
            let result = settings.set(&name, &value);
            prop_assert!(settings.max_list_memory > 0);
            prop_assert!(!settings.source_timeout.is_zero());
            prop_assert!(settings.source_timeout <= LONGEST_TIMEOUT);
            if result.is_err() {
                prop_assert_eq!(settings, Settings::default());
            }
        }

        /// What is shown can be put into the file.
        #[test]
        fn what_is_shown_is_read_back(bytes in 1_u64.., nanoseconds in 1_u64..=60_000_000_000) {
            let shown = Settings {
                max_list_memory: bytes,
                source_timeout: Duration::from_nanos(nanoseconds),
            };
            let mut read = Settings::default();
            for option in shown.to_string().split(", ") {
                let (name, value) = option.split_once(" = ").unwrap();
                prop_assert_eq!(read.set(name.as_bytes(), value.as_bytes()), Ok(()));
            }
            prop_assert_eq!(read, shown);
        }
    }
}
