//! The options of a PIN set.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::error::OptionError;
use super::external::{self, External};
use super::timing_spec::Times;
use super::value::{
    from_to, on_failure, route, seconds, sounds, span, strip_prefix, truth, unless_empty, word,
    yes_or_no,
};
use super::{value, GENERAL_ONLY_OPTIONS};
use crate::dialplan::Route;
use crate::list::{FileKind, Format};
use crate::pin::MAX_DIGITS;
use crate::prompt::Sound;

/// The options of a PIN set, each with its default until it is set. What
/// `[general]` says of them is every PIN set's default:
/// [`Settings::pin_set`](super::Settings::pin_set) is what a section starts
/// from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PinSet {
    /// `source`: where the PINs are.
    pub source: Option<Source>,
    /// `format`: the format of the file, or `None` to detect it.
    pub format: Option<FileKind>,
    /// `astdb_value`: what the values of the database are.
    pub astdb_value: AstdbValue,
    /// `identify`: how callers are identified.
    pub identify: Identify,
    /// `no_caller`: how a caller without a usable number is treated.
    pub no_caller: NoCaller,
    /// `account_code`: what the account code of the call becomes.
    pub account_code: AccountCode,
    /// `attempts`: how many attempts a caller has; 1 to 99.
    pub attempts: u32,
    /// `min_digits`: shorter entries are wrong; 1 to [`MAX_DIGITS`].
    pub min_digits: usize,
    /// `max_digits`: how many digits complete an entry; 1 to [`MAX_DIGITS`].
    pub max_digits: usize,
    /// `first_digit_timeout`, or `None` for the channel's own. Above 0, at most
    /// [`MAX_DIGIT_TIMEOUT`].
    pub first_digit_timeout: Option<Duration>,
    /// `digit_timeout`, or `None` for the channel's own. The same limits apply.
    pub digit_timeout: Option<Duration>,
    /// `clear_key`: starts the entry over; `*`, `A`, `B`, `C` or `D`.
    pub clear_key: Option<u8>,
    /// `required_level`: a row of a lower one does not admit.
    pub required_level: u8,
    /// `times`: when the PIN set admits callers, or `None` for always.
    pub times: Option<Times>,
    /// `one_time`: a PIN admits one call.
    pub one_time: bool,
    /// `lockout_caller`, or `None` if it is off.
    pub lockout_caller: Option<Lockout>,
    /// `lockout_account`, or `None` if it is off.
    pub lockout_account: Option<Lockout>,
    /// `lockout_pinset`, or `None` if it is off.
    pub lockout_pinset: Option<Lockout>,
    /// `hide_digits`: digits are hidden from events and Asterisk's log.
    pub hide_digits: bool,
    /// `prompt`. An empty list is silence, here and below.
    pub prompt: Vec<Sound>,
    /// `incorrect_prompt`: after a wrong try, before `retry_prompt`.
    pub incorrect_prompt: Vec<Sound>,
    /// `retry_prompt`: in place of `prompt` after a wrong try.
    pub retry_prompt: Vec<Sound>,
    /// `account_prompt`: asks for the account number.
    pub account_prompt: Vec<Sound>,
    /// `success_prompt`.
    pub success_prompt: Vec<Sound>,
    /// `failure_prompt`.
    pub failure_prompt: Vec<Sound>,
    /// `locked_prompt`: in place of `failure_prompt` for callers who are locked out.
    pub locked_prompt: Vec<Sound>,
    /// `on_success`; never [`Route::Hangup`].
    pub on_success: Route,
    /// `on_failure`.
    pub on_failure: Route,
    /// `on_locked`.
    pub on_locked: Route,
    /// The options for a web service.
    pub external: External,
    /// The folder that the file of `source` must be below, without symbolic links on the
    /// way from there: for PIN sets of the console. No option sets it.
    pub confined_to: Option<PathBuf>,
}

/// The source of the PINs, or the web service that decides about calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// `file:/path`.
    File(PathBuf),
    /// `astdb:FAMILY`: a family of Asterisk's database, without a `/` at
    /// either end.
    Astdb(String),
    /// `database` or `database:NAME`: PostgreSQL, and the name that the PIN set has there
    /// in lower case, or `None` for its own.
    Database(Option<String>),
    /// `realtime:FAMILY`: a family of Asterisk's Realtime, as in extconfig.conf.
    Realtime(String),
    /// `https://…`: a web service says what becomes of the call. The URL names a
    /// host and no user.
    Url(Url),
}

/// The contents of the database values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AstdbValue {
    /// The key is the PIN, and the value is ignored (FreePBX).
    Ignore,
    /// `account:secret`: the value is the credential.
    AccountSecret,
}

/// The identification of callers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identify {
    /// By the PIN alone.
    Pin,
    /// By the caller number; the PIN authenticates them.
    Caller,
    /// By an account number that they enter; the PIN authenticates them.
    Account,
}

/// The treatment of a caller without a usable number, with `identify = caller`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoCaller {
    /// The caller is rejected.
    Refuse,
    /// The caller is asked for an account number.
    AskAccount,
}

/// The account code of an admitted call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountCode {
    /// The channel keeps its own.
    Keep,
    /// The account the PIN belongs to.
    Account,
    /// The PIN itself.
    Pin,
}

/// `failures/window/lock`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lockout {
    /// How many failures lock; 1 to 1,000,000.
    pub failures: u32,
    /// They count if they come within this time; above 0, at most 30 days.
    pub window: Duration,
    /// For how long it is locked; above 0, at most 24 hours.
    pub lock: Duration,
}

/// The longest time a caller is waited for: a line that long silent is dead.
pub const MAX_DIGIT_TIMEOUT: Duration = Duration::from_secs(600);

const HOUR: u64 = 60 * 60;

impl Default for PinSet {
    fn default() -> Self {
        let sound = |name: &str| vec![name.as_bytes().to_vec()];
        let lockout = |failures, window, lock| {
            Some(Lockout {
                failures,
                window: Duration::from_secs(window),
                lock: Duration::from_secs(lock),
            })
        };
        Self {
            source: None,
            format: None,
            astdb_value: AstdbValue::Ignore,
            identify: Identify::Pin,
            no_caller: NoCaller::Refuse,
            account_code: AccountCode::Keep,
            attempts: 3,
            min_digits: 1,
            max_digits: MAX_DIGITS,
            first_digit_timeout: None,
            digit_timeout: None,
            clear_key: None,
            required_level: 0,
            times: None,
            one_time: false,
            lockout_caller: lockout(5, HOUR / 4, HOUR / 2),
            lockout_account: lockout(10, HOUR, HOUR),
            lockout_pinset: lockout(100, HOUR, HOUR / 4),
            hide_digits: true,
            prompt: sound("agent-pass"),
            incorrect_prompt: Vec::new(),
            retry_prompt: sound("auth-incorrect"),
            account_prompt: sound("agent-user"),
            success_prompt: sound("auth-thankyou"),
            failure_prompt: sound("vm-goodbye"),
            locked_prompt: sound("vm-goodbye"),
            on_success: Route::Continue,
            on_failure: Route::Hangup,
            on_locked: Route::Hangup,
            external: External::default(),
            confined_to: None,
        }
    }
}

impl PinSet {
    /// Sets the option `name` to what `value` says. The name may be in upper
    /// or lower case, as with Asterisk's own options; the blanks around both
    /// have been taken off by Asterisk. An empty value stands for the default
    /// where that is nothing.
    ///
    /// # Errors
    ///
    /// There is no such option, it belongs to `[general]`, or this is no value
    /// for it. Then nothing has changed.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), OptionError> {
        let name = name.to_ascii_lowercase();
        match name.as_slice() {
            b"source" => self.source = unless_empty(value, source)?,
            b"format" => self.format = format(value)?,
            b"astdb_value" => self.astdb_value = astdb_value(value)?,
            b"identify" => self.identify = identify(value)?,
            b"no_caller" => self.no_caller = no_caller(value)?,
            b"account_code" => self.account_code = account_code(value)?,
            b"attempts" => self.attempts = from_to(value, 1, 99)?,
            b"min_digits" => self.min_digits = digits(value)?,
            b"max_digits" => self.max_digits = digits(value)?,
            b"first_digit_timeout" => self.first_digit_timeout = unless_empty(value, wait)?,
            b"digit_timeout" => self.digit_timeout = unless_empty(value, wait)?,
            b"clear_key" => self.clear_key = unless_empty(value, clear_key)?,
            b"required_level" => self.required_level = level(value)?,
            b"times" => self.times = unless_empty(value, Times::parse)?,
            b"one_time" => self.one_time = truth(value)?,
            b"lockout_caller" => self.lockout_caller = lockout(value)?,
            b"lockout_account" => self.lockout_account = lockout(value)?,
            b"lockout_pinset" => self.lockout_pinset = lockout(value)?,
            b"hide_digits" => self.hide_digits = truth(value)?,
            b"prompt" => self.prompt = sounds(value)?,
            b"incorrect_prompt" => self.incorrect_prompt = sounds(value)?,
            b"retry_prompt" => self.retry_prompt = sounds(value)?,
            b"account_prompt" => self.account_prompt = sounds(value)?,
            b"success_prompt" => self.success_prompt = sounds(value)?,
            b"failure_prompt" => self.failure_prompt = sounds(value)?,
            b"locked_prompt" => self.locked_prompt = sounds(value)?,
            b"on_success" => self.on_success = on_success(value)?,
            b"on_failure" => self.on_failure = on_failure(value)?,
            b"on_locked" => self.on_locked = on_failure(value)?,
            name if GENERAL_ONLY_OPTIONS
                .iter()
                .any(|only| only.as_bytes() == name) =>
            {
                return Err(OptionError::GeneralOnly)
            }
            name => {
                let set = self.external.set(name, value);
                return set.unwrap_or(Err(OptionError::UnknownOption));
            }
        }
        Ok(())
    }
}

/// The PIN's digits that `value` may count.
fn digits(value: &[u8]) -> Result<usize, OptionError> {
    Ok(from_to(value, 1, MAX_DIGITS as u32)? as usize)
}

fn level(value: &[u8]) -> Result<u8, OptionError> {
    let most = u8::MAX;
    value::number(value, false).ok_or(OptionError::OutOfRange(0, most.into()))
}

fn wait(value: &[u8]) -> Result<Duration, OptionError> {
    seconds(value, MAX_DIGIT_TIMEOUT).ok_or(OptionError::InvalidDigitTimeout)
}

fn source(value: &[u8]) -> Result<Source, OptionError> {
    let web = ["https:", "http:"];
    if let Some(family) = strip_prefix(value, "realtime:") {
        let family = realtime_family(family).ok_or(OptionError::InvalidRealtimeFamily)?;
        Ok(Source::Realtime(family))
    } else if web.iter().any(|head| strip_prefix(value, head).is_some()) {
        external::url(value).map(Source::Url)
    } else if value.eq_ignore_ascii_case(b"database") {
        Ok(Source::Database(None))
    } else if let Some(name) = strip_prefix(value, "database:") {
        let name = stored_name(name).ok_or(OptionError::InvalidDatabaseName)?;
        Ok(Source::Database(Some(name)))
    } else if let Some(path) = strip_prefix(value, "file:") {
        let path = value::path(path).map_err(|_| OptionError::InvalidSource)?;
        Ok(Source::File(path))
    } else {
        strip_prefix(value, "astdb:")
            .and_then(family)
            .map(Source::Astdb)
            .ok_or(OptionError::InvalidSource)
    }
}

/// Returns the name that a PIN set has in PostgreSQL: as that of a section, in which A to Z
/// are as a to z. A database does not agree about other capital letters, so `None` is
/// returned if there are any.
pub fn stored_name(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
    let right = !name.is_empty() && !name.contains(char::is_control) && name == name.to_lowercase();
    right.then_some(name)
}

/// The name of a family: parts with one `/` between them.
fn family(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let right = name.split('/').all(|part| !part.is_empty()) && !name.contains(char::is_control);
    right.then(|| name.to_owned())
}

/// The name of a family of Realtime.
fn realtime_family(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let right = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    (!name.is_empty() && name.chars().all(right)).then(|| name.to_owned())
}

fn format(value: &[u8]) -> Result<Option<FileKind>, OptionError> {
    let words = [
        ("auto", None),
        ("plain", Some(FileKind::Lines(Format::Plain))),
        ("md5", Some(FileKind::Lines(Format::Md5))),
        ("csv", Some(FileKind::Csv)),
    ];
    word(value, &words).ok_or(OptionError::NotOneOf("auto, plain, md5 or csv"))
}

fn astdb_value(value: &[u8]) -> Result<AstdbValue, OptionError> {
    let words = [
        ("ignore", AstdbValue::Ignore),
        ("account:secret", AstdbValue::AccountSecret),
    ];
    word(value, &words).ok_or(OptionError::NotOneOf("ignore or account:secret"))
}

fn identify(value: &[u8]) -> Result<Identify, OptionError> {
    let words = [
        ("pin", Identify::Pin),
        ("caller", Identify::Caller),
        ("account", Identify::Account),
    ];
    word(value, &words).ok_or(OptionError::NotOneOf("pin, caller or account"))
}

fn no_caller(value: &[u8]) -> Result<NoCaller, OptionError> {
    let words = [
        ("refuse", NoCaller::Refuse),
        ("account", NoCaller::AskAccount),
    ];
    word(value, &words).ok_or(OptionError::NotOneOf("refuse or account"))
}

fn account_code(value: &[u8]) -> Result<AccountCode, OptionError> {
    match yes_or_no(value) {
        Some(true) => Ok(AccountCode::Account),
        Some(false) => Ok(AccountCode::Keep),
        None => {
            word(value, &[("pin", AccountCode::Pin)]).ok_or(OptionError::NotOneOf("no, yes or pin"))
        }
    }
}

/// Reads a key that clears an entry. A digit would make PINs with it impossible to enter;
/// `#` ends an entry.
fn clear_key(value: &[u8]) -> Result<u8, OptionError> {
    match value {
        [key] if matches!(key.to_ascii_uppercase(), b'*' | b'A'..=b'D') => {
            Ok(key.to_ascii_uppercase())
        }
        _ => Err(OptionError::InvalidClearKey),
    }
}

pub(super) fn lockout(value: &[u8]) -> Result<Option<Lockout>, OptionError> {
    if yes_or_no(value) == Some(false) {
        return Ok(None);
    }
    let mut parts = value.split(|byte| *byte == b'/').map(<[u8]>::trim_ascii);
    let (failures, window, lock) = (parts.next(), parts.next(), parts.next());
    let read = || {
        Some(Lockout {
            failures: from_to(failures?, 1, 1_000_000).ok()?,
            window: span(window?, Duration::from_secs(30 * 24 * HOUR))?,
            lock: span(lock?, Duration::from_secs(24 * HOUR))?,
        })
    };
    match (read(), parts.next()) {
        (Some(lockout), None) => Ok(Some(lockout)),
        _ => Err(OptionError::InvalidLockout),
    }
}

fn on_success(value: &[u8]) -> Result<Route, OptionError> {
    match route(value)? {
        None | Some(Route::Hangup) => Err(OptionError::NotOneOf(
            "continue, or goto:context,exten,priority",
        )),
        Some(route) => Ok(route),
    }
}

#[cfg(test)]
mod tests;
