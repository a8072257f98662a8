//! `authenticate.conf`: read at load and at each reload. What is wrong in it
//! is logged by file, line, section and option. At load a PIN set with a wrong
//! line admits nobody, and the others work; a reload takes the file whole or
//! not at all.

mod parse;
pub mod secret_file;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use pinset::cache::Rules;
use pinset::config::Source;
use pinset::suggestion::nearest;
use pinset::timestamp::Zone;
use pinset::{Pepper, PinSet, Settings};
use url::Url;
use zeroize::Zeroizing;

use crate::asterisk::config::{self, Loaded};
use crate::asterisk::log::log;
use crate::asterisk::process;
use crate::external;
use parse::Reading;

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
    /// When the file was read, in local time.
    read_at: String,
}

/// A file that a reload has refused: what is in force is older.
#[derive(Clone)]
pub struct Refused {
    /// When, in local time.
    pub at: String,
    /// The first errors, as they were logged.
    pub errors: Vec<String>,
    /// How many errors there are in all.
    pub count: usize,
}

/// The errors of a file.
#[derive(Default)]
struct Errors {
    first: Vec<String>,
    count: usize,
}

impl Errors {
    /// How many are kept.
    const KEPT: usize = 20;

    fn add(&mut self, error: String) {
        if self.first.len() < Self::KEPT {
            self.first.push(error);
        }
        self.count += 1;
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// A file that was read.
struct Read {
    in_force: InForce,
    errors: Errors,
    /// Errors in `[general]` leave it open what the PIN sets mean: at load, they
    /// admit nobody.
    is_unsound: bool,
}

impl Read {
    /// A file of which nothing can be said but this.
    fn failed(error: &str) -> Self {
        log!(Error, "{error}");
        let mut errors = Errors::default();
        errors.add(error.to_owned());
        Self {
            in_force: InForce::default(),
            errors,
            is_unsound: false,
        }
    }
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
            None => Err(self.none(name)),
        }
    }

    /// Says that there is no PIN set of this name, and which was probably meant.
    pub fn none(&self, name: &str) -> String {
        let meant = match self.meant(name) {
            Some(meant) => format!(": did you mean '{meant}'?"),
            None => String::new(),
        };
        format!(
            "there is no PIN set '{name}' in authenticate.conf as it was read at {}{meant}",
            self.read_at
        )
    }

    /// Returns the PIN set that was probably meant by a name that is none, with or
    /// without `pinset:` before it.
    pub fn meant(&self, name: &str) -> Option<&str> {
        const PREFIX: &str = "pinset:";
        let bare = match name.get(..PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => name.get(PREFIX.len()..)?,
            _ => name,
        };
        nearest(bare.trim(), self.pin_sets.keys().map(String::as_str))
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
            read_at: now(),
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

/// What a reload has refused since the last that succeeded.
static REFUSED: Mutex<Option<Refused>> = Mutex::new(None);

/// Returns the file that the last reload has refused, if it has.
pub fn refused() -> Option<Refused> {
    let refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    refused.clone()
}

/// The local time: `2026-11-28 23:31:05`.
fn now() -> String {
    Zone::of_the_machine().text(SystemTime::now())
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
    let read = read();
    if read.is_unsound && !read.in_force.pin_sets.is_empty() {
        let file = FILE.to_string_lossy();
        log!(
            Error,
            "{file}: PIN sets admit nobody until [general] is right"
        );
    }
    let whole = read.errors.is_empty();
    put(Some(read.in_force));
    if !whole {
        log!(
            Error,
            "authenticate.conf has errors, in force is {}",
            current()
        );
    }
}

/// Reads the file again, changed or not: the pepper file may have changed. Returns
/// false if something is wrong: what was in force stays so.
pub fn reload() -> bool {
    let Read {
        in_force, errors, ..
    } = read();
    let whole = errors.is_empty();
    if whole {
        put(Some(in_force));
    } else {
        log!(
            Error,
            "authenticate.conf has errors and is not taken over, in force stays {}",
            current()
        );
    }
    let refused = (!whole).then(|| Refused {
        at: now(),
        errors: errors.first,
        count: errors.count,
    });
    *REFUSED.lock().unwrap_or_else(PoisonError::into_inner) = refused;
    whole
}

/// Lets go of what is in force.
pub fn forget() {
    put(None);
    *REFUSED.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

fn put(read: Option<InForce>) {
    if let Some(read) = &read {
        external::keep(read);
    }
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = read.map(Arc::new);
}

/// What the file says; what is wrong with it is logged.
fn read() -> Read {
    match config::load(FILE) {
        Loaded::Read(config) => Reading::of(&config),
        Loaded::Missing => Read {
            in_force: InForce::default(),
            errors: Errors::default(),
            is_unsound: false,
        },
        Loaded::Unreadable => Read::failed(&format!(
            "authenticate.conf can't be opened or is no regular file: Asterisk runs as {}",
            process::account()
        )),
        Loaded::Invalid => {
            Read::failed("authenticate.conf can't be parsed: the line above this one says where")
        }
    }
}
