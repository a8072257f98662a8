//! Configuration as calls see it: a snapshot of `authenticate.conf`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use pinset::cache::Rules;
use pinset::config::Source;
use pinset::suggestion::nearest;
use pinset::timestamp::Zone;
use pinset::{Pepper, PinSet, Settings};
use thiserror::Error;
use url::Url;
use zeroize::Zeroizing;

/// The configuration file.
pub(super) const FILE: &CStr = c"authenticate.conf";

/// A configuration.
pub(crate) struct InForce {
    /// `[general]`.
    pub settings: Settings,
    /// The keys of hmac-sha256 secrets.
    pub pepper: Pepper,
    /// The rules for dates and numbers in rows.
    pub rules: Arc<Rules>,
    /// PIN sets by their names in lower case; `None` stands for one with errors.
    pub(super) pin_sets: BTreeMap<String, Option<Arc<PinSet>>>,
    /// Headers that authenticate us to the web services of PIN sets, by the same names.
    pub(super) credentials: BTreeMap<String, Arc<Zeroizing<String>>>,
    /// The connection string of PostgreSQL, if there is one.
    pub(super) database: Option<Arc<Zeroizing<Vec<u8>>>>,
    /// When the file was read, in local time.
    pub(super) read_at: String,
}

/// Why there is no PIN set to use.
#[derive(Debug, Error)]
pub(crate) enum PinSetError {
    /// It has errors.
    #[error("PIN set '{name}' has errors in authenticate.conf: they were logged when it was read")]
    Invalid {
        /// Its name.
        name: String,
    },
    /// There is none of this name.
    #[error(
        "there is no PIN set '{name}' in authenticate.conf as it was read at {read_at}{suggestion}"
    )]
    Unknown {
        /// The name.
        name: String,
        /// When the file was read, in local time.
        read_at: String,
        /// The PIN set that was probably meant, or empty.
        suggestion: String,
    },
}

impl InForce {
    /// Returns the PIN set of this name, in lower case.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or it has errors.
    pub(crate) fn pin_set(&self, name: &str) -> Result<Arc<PinSet>, PinSetError> {
        match self.pin_sets.get(name) {
            Some(Some(set)) => Ok(Arc::clone(set)),
            Some(None) => Err(PinSetError::Invalid {
                name: name.to_owned(),
            }),
            None => Err(self.unknown(name)),
        }
    }

    /// Returns the error that there is no PIN set of this name, with the one that was
    /// probably meant.
    pub(crate) fn unknown(&self, name: &str) -> PinSetError {
        let suggestion = match self.meant(name) {
            Some(meant) => format!(": did you mean '{meant}'?"),
            None => String::new(),
        };
        PinSetError::Unknown {
            name: name.to_owned(),
            read_at: self.read_at.clone(),
            suggestion,
        }
    }

    /// Returns the PIN set that was probably meant by a name that is none, with or
    /// without `pinset:` before it.
    pub(crate) fn meant(&self, name: &str) -> Option<&str> {
        const PREFIX: &str = "pinset:";
        let bare = match name.get(..PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => name.get(PREFIX.len()..)?,
            _ => name,
        };
        nearest(bare.trim(), self.pin_sets.keys().map(String::as_str))
    }

    /// Returns the header that authenticates us to the web service of this PIN set,
    /// whose name is in lower case.
    pub(crate) fn credential(&self, name: &str) -> Option<Arc<Zeroizing<String>>> {
        self.credentials.get(name).cloned()
    }

    /// Returns the web services of all PIN sets.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Url> {
        let sets = self.pin_sets.values().flatten();
        sets.filter_map(|set| match &set.source {
            Some(Source::Url(url)) => Some(url),
            _ => None,
        })
    }

    /// Returns the connection string of PostgreSQL if a PIN set uses it.
    pub(crate) fn database_string(&self) -> Option<&[u8]> {
        let mut sets = self.pin_sets.values().flatten();
        let is_used = sets.any(|set| matches!(set.source, Some(Source::Database(_))));
        self.database
            .as_ref()
            .filter(|_| is_used)
            .map(|string| string.as_slice())
    }

    /// Returns all PIN sets with their names in lower case; `None` stands for one with
    /// errors.
    pub(crate) fn pin_sets(&self) -> impl Iterator<Item = (&str, Option<&PinSet>)> {
        self.pin_sets
            .iter()
            .map(|(name, set)| (name.as_str(), set.as_deref()))
    }
}

impl Default for InForce {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            pepper: Pepper::default(),
            rules: Arc::new(Rules {
                zone: Zone::utc(),
                numbering: settings.numbering.clone(),
                keys: BTreeSet::new(),
            }),
            pin_sets: BTreeMap::new(),
            credentials: BTreeMap::new(),
            database: None,
            read_at: now(),
            settings,
        }
    }
}

/// Lists the limits of PIN files, and the PIN sets that can be used.
impl fmt::Display for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)?;
        let usable = self.pin_sets.iter().filter(|(_, set)| set.is_some());
        let names: Vec<&str> = usable.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        write!(f, ", PIN sets: {}", names.join(", "))
    }
}

/// Returns the local time: `2026-11-28 23:31:05`.
pub(super) fn now() -> String {
    Zone::of_the_machine().text(SystemTime::now())
}
