//! Options of `authenticate.conf`: `docs/configuration.md`.
//!
//! [`Settings::set`] takes the options of `[general]`, which may be defaults of
//! PIN sets; [`PinSet::set`] takes those of a PIN set, which starts from
//! [`Settings::pin_set`]. So `[general]` is read before any PIN set, wherever
//! it stands. [`PinSet::conflicts`] says what can't be together.

mod console;
mod display;
mod endpoints;
mod error;
mod external;
mod pin_set;
mod timing_spec;
mod validate;
mod value;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::phone_number::Numbering;
use crate::suggestion::nearest;

pub use console::{
    parse_console_file, read_folder, ConsoleFile, ConsoleFileError, ConsoleFileErrorKind,
    ConsoleOption, ConsoleOptionError, ConsoleSection, FolderError,
};
pub use display::span;
pub use endpoints::Endpoints;
pub use error::OptionError;
pub use external::{Auth, External, Pattern, MAX_RESPONSE_BYTES};
pub use pin_set::{
    stored_name, AccountCode, AstdbValue, Identify, Lockout, NoCaller, PinSet, Source,
    MAX_DIGIT_TIMEOUT,
};
pub use timing_spec::Times;
pub use validate::ConflictError;

/// The options of `[general]`, each with its default until it is set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// `max_list_memory`: how many bytes all lists together may take in
    /// memory; never 0.
    pub max_list_memory: u64,
    /// `source_timeout`: how long a caller waits for a list (disk, database,
    /// web); above 0, and [`MAX_TIMEOUT`] at most.
    pub source_timeout: Duration,
    /// `pepper_file`: where the keys of `hmac-sha256` secrets are.
    pub pepper_file: Option<PathBuf>,
    /// `country_code`, `national_prefix`, `international_prefix` and
    /// `national_length`: how numbers are compared.
    pub numbering: Numbering,
    /// `stock_lockout_caller`: locks callers out of literals, `/path` and families, which are
    /// not PIN sets. `None` if it is off.
    pub stock_lockout_caller: Option<Lockout>,
    /// `stock_lockout_list`: the same for the list as a whole.
    pub stock_lockout_list: Option<Lockout>,
    /// `phone_endpoints`: whose address is the caller's own, and no carrier's.
    pub phone_endpoints: Endpoints,
    /// `security_events`: whether outcomes of calls from there are security
    /// events of Asterisk's, too.
    pub security_events: bool,
    /// `stock_hide_digits`: digits that are entered without a PIN set are hidden from
    /// events and Asterisk's log.
    pub stock_hide_digits: bool,
    /// `database_file`: where the connection string of PostgreSQL is.
    pub database_file: Option<PathBuf>,
    /// `database_connections`: how many connections it gets at most; 1 to 32.
    pub database_connections: u32,
    /// `console_sets`: the folder with PIN sets of the console, or `None` for none.
    pub console_sets: Option<PathBuf>,
    /// `console_lists`: the folder that the PIN files of these PIN sets must be below.
    pub console_lists: PathBuf,
    /// The defaults of the PIN sets.
    pub pin_set: PinSet,
}

/// The options that no PIN set may have.
const GENERAL_ONLY_OPTIONS: [&str; 16] = [
    "max_list_memory",
    "source_timeout",
    "pepper_file",
    "country_code",
    "national_prefix",
    "international_prefix",
    "national_length",
    "stock_lockout_caller",
    "stock_lockout_list",
    "phone_endpoints",
    "security_events",
    "stock_hide_digits",
    "database_file",
    "database_connections",
    "console_sets",
    "console_lists",
];

/// Returns the option that was probably meant by an unknown name.
pub fn nearest_option(name: &str) -> Option<&'static str> {
    let of_pin_sets = PinSet::default().all_options();
    let of_pin_sets = of_pin_sets.into_iter().map(|(name, _)| name);
    nearest(name, GENERAL_ONLY_OPTIONS.into_iter().chain(of_pin_sets))
}

/// The longest `source_timeout`: callers have hung up by then.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(60);

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_list_memory: 1 << 30,
            source_timeout: Duration::from_secs(3),
            pepper_file: None,
            numbering: Numbering::default(),
            stock_lockout_caller: None,
            stock_lockout_list: None,
            phone_endpoints: Endpoints::default(),
            security_events: false,
            stock_hide_digits: false,
            database_file: None,
            database_connections: 4,
            console_sets: Some(PathBuf::from("/etc/asterisk/authenticate.d")),
            console_lists: PathBuf::from("/etc/asterisk/pins"),
            pin_set: PinSet::default(),
        }
    }
}

/// The limits of lists, as the file could have them.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, seconds) = (self.max_list_memory, self.source_timeout.as_secs_f64());
        write!(f, "max_list_memory = {bytes}, source_timeout = {seconds}")
    }
}

impl Settings {
    /// Sets the option `name` of `[general]` to what `value` says. The name
    /// may be in upper or lower case, as with Asterisk's own options; the
    /// blanks around both have been taken off by Asterisk. An option of PIN
    /// sets becomes their default.
    ///
    /// # Errors
    ///
    /// There is no such option, or this is no value for it. Then nothing has
    /// changed.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), OptionError> {
        match name.to_ascii_lowercase().as_slice() {
            b"max_list_memory" => {
                self.max_list_memory =
                    value::memory(value).ok_or(OptionError::InvalidMemorySize)?;
            }
            b"source_timeout" => {
                self.source_timeout =
                    value::seconds(value, MAX_TIMEOUT).ok_or(OptionError::InvalidTimeout)?;
            }
            b"pepper_file" => self.pepper_file = value::unless_empty(value, value::path)?,
            b"country_code" | b"national_prefix" | b"international_prefix" | b"national_length" => {
                self.numbering
                    .set(name, value)
                    .map_err(OptionError::Numbering)?;
            }
            b"stock_lockout_caller" => self.stock_lockout_caller = pin_set::lockout(value)?,
            b"stock_lockout_list" => self.stock_lockout_list = pin_set::lockout(value)?,
            b"phone_endpoints" => self.phone_endpoints = Endpoints::parse(value)?,
            b"security_events" => self.security_events = value::truth(value)?,
            b"stock_hide_digits" => self.stock_hide_digits = value::truth(value)?,
            b"database_file" => self.database_file = value::unless_empty(value, value::path)?,
            b"database_connections" => {
                self.database_connections = value::from_to(value, 1, 32)?;
            }
            b"console_sets" => self.console_sets = value::unless_empty(value, value::folder)?,
            b"console_lists" => self.console_lists = value::folder(value)?,
            _ => self.pin_set.set(name, value)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(name: &str, value: &str) -> Result<Settings, OptionError> {
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
            assert_eq!(settings, Err(OptionError::InvalidMemorySize), "{value:?}");
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
            assert_eq!(timeout, Err(OptionError::InvalidTimeout), "{value:?}");
        }
        let long = set("source_timeout", &"9".repeat(1000));
        assert_eq!(long, Err(OptionError::InvalidTimeout));
    }

    #[test]
    fn names_are_whole_and_of_any_case() {
        assert!(set("MAX_List_Memory", "1").is_ok());
        for name in ["", "max_list", "max_list_memory ", "max-list-memory", "pin"] {
            assert_eq!(set(name, "1"), Err(OptionError::UnknownOption), "{name:?}");
        }
    }

    #[test]
    fn option_with_a_typo_has_a_suggestion() {
        for (name, wanted) in [
            ("lockout_calller", Some("lockout_caller")),
            ("Max_Digit", Some("max_digits")),
            ("countrycode", Some("country_code")),
            ("identity", Some("identify")),
            ("pin", None),
            ("no_such_option", None),
        ] {
            assert_eq!(nearest_option(name), wanted, "{name}");
        }
    }

    #[test]
    fn last_of_two_options_counts_and_an_invalid_one_changes_nothing() {
        let mut settings = Settings::default();
        assert_eq!(settings.set(b"source_timeout", b"5"), Ok(()));
        assert_eq!(settings.set(b"source_timeout", b"7"), Ok(()));
        assert!(settings.set(b"source_timeout", b"0").is_err());
        assert!(settings.set(b"max_list_memory", b"0").is_err());
        assert_eq!(settings.source_timeout, Duration::from_secs(7));
        assert_eq!(settings.max_list_memory, 1 << 30);
    }

    #[test]
    fn the_numbers_have_their_own_rules() {
        let mut settings = Settings::default();
        assert_eq!(settings.pepper_file, None);
        assert_eq!(settings.set(b"pepper_file", b"/p"), Ok(()));
        assert_eq!(settings.pepper_file, Some("/p".into()));
        assert_eq!(settings.set(b"Pepper_File", b""), Ok(()));
        assert_eq!(settings.pepper_file, None);
        for path in ["p", "/", "./p"] {
            assert_eq!(set("pepper_file", path), Err(OptionError::InvalidPath));
        }

        let mut numbering = Numbering::default();
        for (name, value) in [
            ("country_code", "90"),
            ("national_prefix", "0"),
            ("international_prefix", "011"),
            ("national_length", "9-11"),
        ] {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            assert_eq!(settings.set(name, value), Ok(()));
            assert_eq!(numbering.set(name, value), Ok(()));
            let error = settings.set(name, b"x");
            assert!(matches!(error, Err(OptionError::Numbering(_))), "{error:?}");
        }
        assert_eq!(settings.numbering, numbering);
    }

    #[test]
    fn lockouts_of_the_rest_are_off_unless_they_are_set() {
        let settings = Settings::default();
        assert_eq!(settings.stock_lockout_caller, None);
        assert_eq!(settings.stock_lockout_list, None);
        let set = |name| set(name, "5/15m/30m").expect("set");
        let lockout = PinSet::default().lockout_caller;
        let by_caller = set("stock_lockout_caller");
        assert_eq!(by_caller.stock_lockout_caller, lockout);
        assert_eq!(by_caller.stock_lockout_list, None);
        assert_eq!(set("Stock_Lockout_List").stock_lockout_list, lockout);
        let error = Settings::default().set(b"stock_lockout_list", b"5/15m");
        assert_eq!(error, Err(OptionError::InvalidLockout));
    }

    #[test]
    fn digits_of_stock_calls_are_shown_by_default() {
        let hides = |value| set("Stock_Hide_Digits", value).map(|s| s.stock_hide_digits);
        assert!(!Settings::default().stock_hide_digits);
        assert_eq!(hides("yes"), Ok(true));
        assert_eq!(hides("no"), Ok(false));
        assert_eq!(hides("perhaps"), Err(OptionError::NotOneOf("yes or no")));
    }

    #[test]
    fn options_of_pin_sets_become_their_defaults() {
        let settings = set("Attempts", "5").expect("set");
        assert_eq!(settings.pin_set.attempts, 5);
        assert_eq!(set("attempts", "0"), Err(OptionError::OutOfRange(1, 99)));
    }

    const DOCS: &str = include_str!("../../../../docs/configuration.md");
    const SAMPLE: &str = include_str!("../../../../packaging/samples/authenticate.conf.sample");

    fn is_name(text: &str) -> bool {
        let of_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        !text.is_empty() && text.bytes().all(of_name)
    }

    /// Options and their defaults in the tables of the documentation.
    fn documented() -> Vec<(String, String)> {
        let (options, _) = DOCS.split_once("## Mistakes").expect("two parts");
        let words = |cell: &str| -> Vec<String> {
            let words = cell.split(", ").map(|word| word.trim().replace('`', ""));
            words.collect()
        };
        let mut documented = Vec::new();
        for row in options.lines() {
            let mut cells = row.split('|').skip(1);
            let names = words(cells.next().unwrap_or_default());
            if row.starts_with("| `") && names.iter().all(|name| is_name(name)) {
                let mut defaults = words(cells.next().unwrap_or_default());
                defaults.resize(names.len(), String::new());
                documented.extend(names.into_iter().zip(defaults));
            }
        }
        documented
    }

    /// Options and their values in the sample.
    fn in_sample() -> Vec<(String, String)> {
        let lines = SAMPLE.lines().filter_map(|line| line.strip_prefix(';'));
        let options = lines.filter_map(|line| line.split_once(" ="));
        options
            .filter(|(name, _)| is_name(name))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect()
    }

    #[test]
    fn documentation_and_sample_name_every_option_with_its_default() {
        let names = |options: &[(String, String)]| {
            let mut names: Vec<_> = options.iter().map(|(name, _)| name.clone()).collect();
            names.sort();
            names
        };
        let (documented, sample) = (documented(), in_sample());
        assert_eq!(names(&documented), names(&sample));
        assert!(GENERAL_ONLY_OPTIONS
            .iter()
            .all(|name| documented.iter().any(|(of, _)| of == name)));
        for (name, value) in documented.iter().chain(&sample) {
            let mut settings = Settings::default();
            let set = settings.set(name.as_bytes(), value.as_bytes());
            assert_eq!(set, Ok(()), "{name} = {value}");
            if name != "source" {
                assert_eq!(settings, Settings::default(), "{name} = {value}");
            }
        }
    }

    /// The list of names is that of the options there are.
    #[test]
    fn general_options_are_no_options_of_a_pin_set() {
        let names = GENERAL_ONLY_OPTIONS.map(str::as_bytes);
        for name in names {
            let error = Settings::default().set(name, b"?");
            assert!(error.is_err_and(|error| error != OptionError::GeneralOnly));
            let error = PinSet::default().set(name, b"?");
            assert_eq!(error, Err(OptionError::GeneralOnly));
        }
    }

    proptest! {
        #[test]
        fn parsing_any_bytes_does_not_panic(
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
            prop_assert!(settings.source_timeout <= MAX_TIMEOUT);
            if result.is_err() {
                prop_assert_eq!(settings, Settings::default());
            }
        }

        /// A displayed value can be put into the file.
        #[test]
        fn displayed_options_are_read_back(bytes in 1_u64.., nanoseconds in 1_u64..=60_000_000_000) {
            let shown = Settings {
                max_list_memory: bytes,
                source_timeout: Duration::from_nanos(nanoseconds),
                ..Settings::default()
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
