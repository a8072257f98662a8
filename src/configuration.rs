//! `authenticate.conf`: read at load and at each reload. What is wrong in it
//! is logged by file, line, section and option. At load a PIN set with a wrong
//! line admits nobody, and the others work; a reload takes the file whole or
//! not at all.

mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use pinset::list::Rules;
use pinset::moment::Zone;
use pinset::settings::Source;
use pinset::{Pepper, PinSet, Settings};
use url::Url;
use zeroize::Zeroizing;

use crate::asterisk::config::{self, Loaded};
use crate::asterisk::log::log;
use crate::asterisk::process;
use crate::external;
use reading::Reading;

const FILE: &CStr = c"authenticate.conf";

/// What is in force; `None` stands for the defaults.
static CURRENT: Mutex<Option<Arc<InForce>>> = Mutex::new(None);

/// What the file says.
pub struct InForce {
    /// `[general]`.
    pub settings: Settings,
    /// The keys of hmac-sha256 secrets.
    pub pepper: Pepper,
    /// What dates and numbers in rows mean.
    pub rules: Arc<Rules>,
    /// The PIN sets by their names in small letters; `None`: there are errors
    /// in it.
    pin_sets: BTreeMap<String, Option<Arc<PinSet>>>,
    /// What PIN sets that ask web services send along to say who we are, by the
    /// same names.
    credentials: BTreeMap<String, Arc<Zeroizing<String>>>,
}

impl InForce {
    /// The PIN set of this name, in small letters.
    ///
    /// # Errors
    ///
    /// There is none, or there are errors in it.
    pub fn pin_set(&self, name: &str) -> Result<Arc<PinSet>, String> {
        match self.pin_sets.get(name) {
            Some(Some(set)) => Ok(Arc::clone(set)),
            Some(None) => Err(format!(
                "PIN set '{name}' has errors in authenticate.conf: they were logged when it was read"
            )),
            None => Err(format!("there is no PIN set '{name}' in authenticate.conf")),
        }
    }

    /// The header by which the web service of this PIN set, in small letters, knows
    /// us.
    pub fn credential(&self, name: &str) -> Option<Arc<Zeroizing<String>>> {
        self.credentials.get(name).cloned()
    }

    /// The web services that PIN sets ask.
    pub fn services(&self) -> impl Iterator<Item = &Url> {
        let sets = self.pin_sets.values().flatten();
        sets.filter_map(|set| match &set.source {
            Some(Source::Url(url)) => Some(url),
            _ => None,
        })
    }

    /// All PIN sets, by their names in small letters; `None`: there are errors
    /// in it.
    pub fn pin_sets(&self) -> impl Iterator<Item = (&str, Option<&PinSet>)> {
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
            settings,
        }
    }
}

/// The limits of lists, and the PIN sets that can be used.
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

/// What is in force. A reload puts something else in its place and leaves this
/// as it is.
pub fn current() -> Arc<InForce> {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    current.clone().unwrap_or_default()
}

/// Reads the file. Where it is wrong, the defaults stay, and PIN sets that are
/// wrong admit nobody.
pub fn load() {
    let (read, whole) = read();
    put(Some(read));
    if !whole {
        log!(
            Error,
            "authenticate.conf has errors, in force is {}",
            current()
        );
    }
}

/// Reads the file again, changed or not: the pepper file may have changed. False:
/// something is wrong, and what was in force stays so.
pub fn reload() -> bool {
    let (read, whole) = read();
    if whole {
        put(Some(read));
    } else {
        log!(
            Error,
            "authenticate.conf has errors and is not taken over, in force stays {}",
            current()
        );
    }
    whole
}

/// Lets go of what is in force.
pub fn forget() {
    put(None);
}

fn put(read: Option<InForce>) {
    if let Some(read) = &read {
        external::keep(read);
    }
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = read.map(Arc::new);
}

/// What the file says, and whether it was right in all; what is wrong is
/// logged.
fn read() -> (InForce, bool) {
    match config::load(FILE) {
        Loaded::Read(config) => return Reading::of(&config),
        Loaded::Missing => return (InForce::default(), true),
        Loaded::Unreadable => log!(
            Error,
            "authenticate.conf can't be opened or is no regular file: Asterisk runs as {}",
            process::account()
        ),
        Loaded::Invalid => log!(
            Error,
            "authenticate.conf can't be parsed: the line above this one says where"
        ),
    }
    (InForce::default(), false)
}
