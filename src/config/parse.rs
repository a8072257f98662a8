//! Parsing of the configuration file, line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use pinset::cache::Rules;
use pinset::config::{nearest_option, stored_name, AccountCode, Auth, OptionError, Source};
use pinset::credential::secret_file::SecretFileError;
use pinset::external::credential::{header, CredentialError};
use pinset::timestamp::Zone;
use pinset::{Pepper, PinSet, Settings};
use thiserror::Error;
use zeroize::Zeroizing;

use super::draft::{Draft, Errors, Places, SourceCheck};
use super::in_force::{now, InForce, FILE};
use super::secret_file;
use crate::asterisk::config::{Config, Section};
use crate::asterisk::log::log;

pub(super) const GENERAL: &str = "general";

/// Options of `[general]` whose errors concern no PIN set, or only those in PostgreSQL, which
/// admit nobody then.
const OUTSIDE_PIN_SETS: [&str; 8] = [
    "max_list_memory",
    "source_timeout",
    "phone_endpoints",
    "security_events",
    "database_file",
    "database_connections",
    "console_sets",
    "console_lists",
];

/// A file being read.
#[derive(Default)]
pub(super) struct Parser {
    pub(super) settings: Settings,
    /// Places of options of `[general]`.
    places: Places,
    pub(super) errors: Errors,
    /// Whether there is no error that a PIN set might depend on.
    sound: bool,
    /// Whether an option for the PIN sets of the console is invalid.
    console_is_unclear: bool,
}

/// A PIN set that has been read.
pub(super) struct ParsedPinSet {
    /// The name of its section, as written.
    pub name: String,
    pub set: Option<Arc<PinSet>>,
    pub places: Places,
    /// Place of the section.
    pub place: String,
    /// The header that authenticates us to the web service.
    pub credential: Option<Arc<Zeroizing<String>>>,
}

impl Parser {
    /// Reads the file, if there is one, and the PIN sets of the console, and logs their
    /// errors.
    pub(super) fn of(config: Option<&Config>) -> Draft {
        let mut parser = Self {
            sound: true,
            ..Self::default()
        };
        // Asterisk finds sections whatever their case.
        let is_general = |section: &Section<'_>| section.name.eq_ignore_ascii_case(GENERAL);
        let sections = || config.into_iter().flat_map(Config::sections);
        for section in sections().filter(is_general) {
            parser.general(&section);
        }
        let pepper = parser.pepper();
        let database = parser.database();
        parser.numbering();

        let mut sets: BTreeMap<String, ParsedPinSet> = BTreeMap::new();
        for section in sections().filter(|section| !is_general(section)) {
            let mut read = parser.pin_set(&section);
            let name = section.name.to_ascii_lowercase();
            if sets.contains_key(&name) {
                parser.wrong(
                    &read.place,
                    &read.name,
                    "",
                    "there is another one of this name",
                );
                read.set = None;
            }
            sets.insert(name, read);
        }
        if !parser.console_is_unclear {
            parser.console_sets(&mut sets, &files_of(config));
        }
        let rules = Arc::new(Rules {
            zone: Zone::of_the_machine(),
            numbering: parser.settings.numbering.clone(),
            keys: pepper.ids().collect(),
        });
        let sources = sets
            .values()
            .filter_map(|read| parser.source_check(read))
            .collect();
        let credentials = sets
            .iter()
            .filter_map(|(name, read)| Some((name.clone(), Arc::clone(read.credential.as_ref()?))))
            .collect();
        let pin_sets = sets
            .into_iter()
            .map(|(name, read)| (name, read.set.filter(|_| parser.sound)))
            .collect();
        let in_force = InForce {
            settings: parser.settings,
            pepper,
            rules,
            pin_sets,
            credentials,
            database,
            read_at: now(),
        };
        Draft {
            in_force,
            sources,
            errors: parser.errors,
            is_unsound: !parser.sound,
        }
    }

    /// Logs an error of an option, or of the section if `option` is empty.
    pub(super) fn wrong(
        &mut self,
        place: &str,
        section: &str,
        option: &str,
        error: impl fmt::Display,
    ) {
        self.errors.report(place, section, option, error);
    }

    /// Sets the options of a section. Returns false if there is an error, other than of
    /// options that are `outside_pin_sets`.
    fn lines(
        &mut self,
        section: &Section<'_>,
        places: &mut Places,
        outside_pin_sets: fn(&str) -> bool,
        mut set: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<(), OptionError>,
    ) -> bool {
        let mut right = true;
        for line in section.lines() {
            let name = line.option.to_string_lossy();
            let place = line.place.to_string();
            if let Err(fault) = set(self, line.option.to_bytes(), line.value.to_bytes()) {
                self.wrong(&place, &section.name, &name, with_suggestion(fault, &name));
                right &= outside_pin_sets(&name);
            }
            places.insert(name.to_ascii_lowercase(), place);
        }
        right
    }

    fn general(&mut self, section: &Section<'_>) {
        let mut places = std::mem::take(&mut self.places);
        let outside_pin_sets = |name: &str| {
            OUTSIDE_PIN_SETS
                .iter()
                .any(|of| name.eq_ignore_ascii_case(of))
        };
        self.sound &= self.lines(
            section,
            &mut places,
            outside_pin_sets,
            |parser, name, value| {
                let done = parser.settings.set(name, value);
                let of_console = name.to_ascii_lowercase().starts_with(b"console_");
                parser.console_is_unclear |= of_console && done.is_err();
                done
            },
        );
        self.places = places;
    }

    pub(super) fn place_in_general(&self, option: &str) -> String {
        let place = self.places.get(option).cloned();
        place.unwrap_or_else(|| FILE.to_string_lossy().into_owned())
    }

    fn pepper(&mut self) -> Pepper {
        let Some(path) = self.settings.pepper_file.clone() else {
            return Pepper::default();
        };
        secret_file::read(&path).unwrap_or_else(|why| {
            let option = "pepper_file";
            let why = format!("'{}': {why}", path.display());
            self.wrong(&self.place_in_general(option), GENERAL, option, why);
            Pepper::default()
        })
    }

    /// Reads the connection string of PostgreSQL.
    fn database(&mut self) -> Option<Arc<Zeroizing<Vec<u8>>>> {
        let path = self.settings.database_file.clone()?;
        match secret_file::contents(&path) {
            Ok(string) => Some(Arc::new(string)),
            Err(why) => {
                let option = "database_file";
                let why = format!("'{}': {why}", path.display());
                self.wrong(&self.place_in_general(option), GENERAL, option, why);
                None
            }
        }
    }

    fn numbering(&mut self) {
        if let Err(fault) = self.settings.numbering.check() {
            let option = match fault {
                pinset::phone_number::NumberingError::AmbiguousPrefixes => "national_prefix",
                _ => "national_length",
            };
            self.wrong(&self.place_in_general(option), GENERAL, option, fault);
            self.sound = false;
        }
    }

    fn pin_set(&mut self, section: &Section<'_>) -> ParsedPinSet {
        let (mut set, mut places) = (self.settings.pin_set.clone(), Places::new());
        let right = self.lines(
            section,
            &mut places,
            |_| false,
            |_, name, value| set.set(name, value),
        );
        let read = ParsedPinSet {
            name: section.name.to_string(),
            set: None,
            place: section.place().to_string(),
            places,
            credential: None,
        };
        self.checked(read, set, right)
    }

    /// Checks a PIN set as a whole, and logs its errors. If it is `right` so far and has
    /// none, it can be used.
    pub(super) fn checked(
        &mut self,
        mut read: ParsedPinSet,
        set: PinSet,
        mut right: bool,
    ) -> ParsedPinSet {
        for conflict in set.conflicts(&self.settings.pin_set) {
            right = false;
            let option = conflict.option();
            let place = self.place_of(&read, option);
            self.wrong(&place, &read.name, option, conflict);
        }
        if set.source == Some(Source::Database(None)) && stored_name(read.name.as_bytes()).is_none()
        {
            right = false;
            let why = "the name of the section has a capital letter other than A to Z, which a \
                       database has not: name it in small letters, or use database:NAME";
            self.wrong(&self.place_of(&read, "source"), &read.name, "source", why);
        }
        if let Some(Source::Url(_)) = set.source {
            match credential(&set.external.auth) {
                Ok(credential) => read.credential = credential.map(Arc::new),
                Err(why) => {
                    right = false;
                    self.wrong(&self.place_of(&read, "auth"), &read.name, "auth", why);
                }
            }
            let sends = &set.external;
            if right && sends.connect_context.is_none() && sends.dial_context.is_none() {
                log!(
                    Warning,
                    "{}: [{}] connect_context: not set, so the service can send calls nowhere",
                    self.place_of(&read, "source"),
                    read.name
                );
            }
        }
        if right && set.account_code == AccountCode::Pin {
            log!(
                Notice,
                "{}: [{}] account_code: PINs are written to the account code, which the CDR shows",
                self.place_of(&read, "account_code"),
                read.name
            );
        }
        read.set = right.then(|| Arc::new(set));
        read
    }

    /// Returns what is needed to check the source of a PIN set that has no errors.
    fn source_check(&self, read: &ParsedPinSet) -> Option<SourceCheck> {
        let mut places = self.places.clone();
        places.extend(read.places.clone());
        Some(SourceCheck {
            set: Arc::clone(read.set.as_ref()?),
            section: read.name.clone(),
            places,
            section_place: read.place.clone(),
        })
    }

    /// Returns the place of an option: in the section or in `[general]`, or that of the
    /// section if the option is not set.
    fn place_of(&self, read: &ParsedPinSet, option: &str) -> String {
        let places = [&read.places, &self.places];
        let place = places.iter().find_map(|places| places.get(option));
        place.unwrap_or(&read.place).clone()
    }
}

/// Returns the paths of the files that a file includes, as far as they have options.
fn files_of(config: Option<&Config>) -> BTreeSet<PathBuf> {
    let sections = config.into_iter().flat_map(Config::sections);
    let lines = sections.flat_map(|section| section.lines());
    lines.map(|line| line.place.path().to_owned()).collect()
}

/// Returns the error with the option that was probably meant.
pub(super) fn with_suggestion(error: OptionError, name: &str) -> String {
    let meant = match error {
        OptionError::UnknownOption => nearest_option(name),
        _ => None,
    };
    match meant {
        Some(meant) => format!("{error}: did you mean '{meant}'?"),
        None => error.to_string(),
    }
}

/// Why the file that `auth` names can't be used. The text holds nothing of the file.
#[derive(Debug, Error)]
#[error("'{}': {kind}", path.display())]
struct AuthFileError {
    path: PathBuf,
    kind: AuthFileErrorKind,
}

#[derive(Debug, Error)]
enum AuthFileErrorKind {
    #[error("{0}")]
    File(SecretFileError),
    #[error("{0}")]
    Contents(CredentialError),
}

/// Returns the header that authenticates us to a service.
fn credential(auth: &Auth) -> Result<Option<Zeroizing<String>>, AuthFileError> {
    let Some(path) = auth.file() else {
        return Ok(None);
    };
    let header = secret_file::contents(path)
        .map_err(AuthFileErrorKind::File)
        .and_then(|text| header(auth, &text).map_err(AuthFileErrorKind::Contents));
    header.map_err(|kind| AuthFileError {
        path: path.to_owned(),
        kind,
    })
}
