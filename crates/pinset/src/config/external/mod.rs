//! The options of a PIN set that asks a web service.

use std::path::PathBuf;
use std::time::Duration;

use regex_lite::Regex;
use url::{Host, Url};

use super::error::OptionError;
use super::value::{self, from_to, on_failure, strip_prefix, truth, unless_empty};
use super::MAX_TIMEOUT;
use crate::dialplan::{is_name, Place, Route};

/// The largest `max_response` there may be, in bytes.
pub const MAX_RESPONSE_BYTES: u64 = 16 << 20;

/// What a request is made of whatever is configured: no header of ours.
const RESERVED_HEADERS: [&str; 8] = [
    "Connection",
    "Content-Length",
    "Content-Type",
    "Expect",
    "Host",
    "TE",
    "Transfer-Encoding",
    "Upgrade",
];

/// Extensions that mean something to Asterisk, in any case (`T`, too): nobody is
/// sent there.
const SPECIAL_EXTENSIONS: [&str; 9] = ["a", "e", "fax", "h", "hang", "i", "o", "s", "t"];

/// The options of a PIN set whose source is a URL, each with its default until
/// it is set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct External {
    /// `auth`: how requests authenticate to the service.
    pub auth: Auth,
    /// `allow_http`: neither the service nor its sounds need TLS.
    pub allow_http: bool,
    /// `connect_timeout`: how long a connection may take; above 0, and
    /// [`MAX_TIMEOUT`] at most.
    pub connect_timeout: Duration,
    /// `timeout`: how long a request may take in all, with the same limits.
    pub timeout: Duration,
    /// `max_response`: the most bytes of an answer; never 0, and
    /// [`MAX_RESPONSE_BYTES`] at most.
    pub max_response: u64,
    /// `max_steps`: the most actions in one call; 1 to 1000.
    pub max_steps: u32,
    /// `post_silence`: what a caller who enters nothing has entered is posted as an
    /// empty text; else the digits are asked for again, and `on_error` follows.
    pub post_silence: bool,
    /// `sound_hosts`: where sounds may come from; empty: the service's host.
    pub sound_hosts: Vec<Host>,
    /// `connect_context`, or `None` to refuse `connect`.
    pub connect_context: Option<String>,
    /// `connect_pattern`.
    pub connect_pattern: Pattern,
    /// `dial_context`, or `None` to refuse `dial`.
    pub dial_context: Option<String>,
    /// `dial_pattern`, or `None` to refuse `dial`.
    pub dial_pattern: Option<Pattern>,
    /// `success_destinations`: callers who are sent there count as admitted.
    pub success_destinations: Vec<String>,
    /// `say_app`: the application that speaks texts, or `None` to skip them.
    pub say_app: Option<String>,
    /// `on_error`: where a call goes that the service has sent nowhere.
    pub on_error: Route,
    /// `external_manager_id`: which of its External Managements it is, for the
    /// service.
    pub external_manager_id: u32,
    /// `hangup_url`: where `call_hangup` is posted at the end of a call; `None`:
    /// nowhere.
    pub hangup_url: Option<Url>,
}

/// `auth`. Each file holds one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Auth {
    /// `none`: nobody in particular.
    None,
    /// `basic:FILE`: `user:password`.
    Basic(PathBuf),
    /// `bearer:FILE`: a key.
    Bearer(PathBuf),
    /// `header:NAME:FILE`: the value of this header.
    Header(String, PathBuf),
}

impl Auth {
    /// The file of credentials.
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::None => None,
            Self::Basic(file) | Self::Bearer(file) | Self::Header(_, file) => Some(file),
        }
    }
}

/// A regular expression that must match a whole text. It takes time in
/// proportion to the text, whatever it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern(String);

impl Pattern {
    fn new(text: &[u8]) -> Result<Self, OptionError> {
        let text = std::str::from_utf8(text).map_err(|_| OptionError::InvalidPattern)?;
        let pattern = Self(text.to_owned());
        // Alone, too: `a)|(b` is none, though it fits between parentheses.
        let right = Regex::new(text).is_ok() && pattern.whole().is_ok();
        right.then_some(pattern).ok_or(OptionError::InvalidPattern)
    }

    fn whole(&self) -> Result<Regex, regex_lite::Error> {
        Regex::new(&format!(r"\A(?:{})\z", self.0))
    }

    /// Returns the text as the file has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the whole of `text`.
    pub fn matches(&self, text: &str) -> bool {
        self.whole().is_ok_and(|whole| whole.is_match(text))
    }
}

impl Default for External {
    fn default() -> Self {
        Self {
            auth: Auth::None,
            allow_http: false,
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            max_response: 64 << 10,
            max_steps: 20,
            post_silence: true,
            sound_hosts: Vec::new(),
            connect_context: None,
            connect_pattern: Pattern("[0-9]{2,6}".to_owned()),
            dial_context: None,
            dial_pattern: None,
            success_destinations: Vec::new(),
            say_app: None,
            on_error: Route::Hangup,
            external_manager_id: 1,
            hangup_url: None,
        }
    }
}

impl External {
    /// Sets the option `name`, in lower case. Returns `None` if it is not one of these.
    pub(super) fn set(&mut self, name: &[u8], value: &[u8]) -> Option<Result<(), OptionError>> {
        let seconds = || value::seconds(value, MAX_TIMEOUT).ok_or(OptionError::InvalidTimeout);
        // An invalid value changes nothing.
        let mut set = || -> Result<bool, OptionError> {
            match name {
                b"auth" => self.auth = auth(value)?,
                b"allow_http" => self.allow_http = truth(value)?,
                b"connect_timeout" => self.connect_timeout = seconds()?,
                b"timeout" => self.timeout = seconds()?,
                b"max_response" => self.max_response = response(value)?,
                b"max_steps" => self.max_steps = from_to(value, 1, 1000)?,
                b"post_silence" => self.post_silence = truth(value)?,
                b"sound_hosts" => self.sound_hosts = each(value, host, OptionError::InvalidHosts)?,
                b"connect_context" => self.connect_context = unless_empty(value, context)?,
                b"connect_pattern" => self.connect_pattern = Pattern::new(value)?,
                b"dial_context" => self.dial_context = unless_empty(value, context)?,
                b"dial_pattern" => self.dial_pattern = unless_empty(value, Pattern::new)?,
                b"success_destinations" => {
                    self.success_destinations =
                        each(value, extension, OptionError::InvalidDestinations)?;
                }
                b"say_app" => self.say_app = unless_empty(value, application)?,
                b"on_error" => self.on_error = on_failure(value)?,
                b"external_manager_id" => {
                    self.external_manager_id = from_to(value, 0, u32::MAX)?;
                }
                b"hangup_url" => self.hangup_url = unless_empty(value, url)?,
                _ => return Ok(false),
            }
            Ok(true)
        };
        match set() {
            Ok(true) => Some(Ok(())),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Returns whether digits may be sent to a service at this URL: it is `https`,
    /// stays on this machine, or needs no TLS.
    pub fn is_safe(&self, url: &Url) -> bool {
        let local = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        url.scheme() == "https" || (url.scheme() == "http" && (local || self.allow_http))
    }

    /// Whether a sound may be fetched from `url` for the service at `service`.
    pub fn may_fetch(&self, url: &Url, service: &Url) -> bool {
        let known = match url.host() {
            None => false,
            Some(_) if self.sound_hosts.is_empty() => url.host() == service.host(),
            Some(host) => self.sound_hosts.iter().any(|of| *of == host.to_owned()),
        };
        known && self.is_safe(url)
    }

    /// Returns where `connect` sends a call, or `None` if it is refused. Only the dialplan
    /// knows whether the place exists.
    pub fn connect(&self, destination: &str) -> Option<Place> {
        let allowed = self.connect_pattern.matches(destination);
        place(self.connect_context.as_ref()?, destination, allowed)
    }

    /// Returns where `dial` sends a call, or `None` if it is refused.
    pub fn dial(&self, destination: &str) -> Option<Place> {
        let allowed = self.dial_pattern.as_ref()?.matches(destination);
        place(self.dial_context.as_ref()?, destination, allowed)
    }

    /// Returns whether callers who are sent there count as admitted.
    pub fn admits(&self, destination: &str) -> bool {
        self.success_destinations.iter().any(|of| of == destination)
    }
}

/// Whether an option, in small letters, is one of [`External`].
pub(super) fn is_of_services(option: &str) -> bool {
    let set = External::default().set(option.as_bytes(), b"");
    set.is_some()
}

fn place(context: &str, destination: &str, allowed: bool) -> Option<Place> {
    let right = allowed && extension(destination).is_some();
    right.then(|| Place {
        context: context.to_owned(),
        exten: destination.to_owned(),
        priority: "1".to_owned(),
    })
}

/// An extension that a service may send a call to, whatever pattern there is:
/// one without characters that a dialplan could take for more (`&`, `@`, `$`),
/// and none that Asterisk goes to by itself.
fn extension(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+*#-_.".contains(&byte);
    let special = SPECIAL_EXTENSIONS
        .iter()
        .any(|name| name.eq_ignore_ascii_case(text));
    let right = is_name(text) && text.bytes().all(plain) && !text.starts_with('_') && !special;
    right.then(|| text.to_owned())
}

/// A list with commas; an empty one has none.
fn each<T>(
    value: &[u8],
    read: fn(&str) -> Option<T>,
    error: OptionError,
) -> Result<Vec<T>, OptionError> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    let text = std::str::from_utf8(value).map_err(|_| error)?;
    let items = text.split(',').map(|item| read(item.trim()).ok_or(error));
    items.collect()
}

/// A name or an address alone, without a port.
fn host(text: &str) -> Option<Host> {
    Host::parse(text).ok().filter(|host| match host {
        // URLs may have more in them, but no name on the network has.
        Host::Domain(name) => name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    })
}

fn context(value: &[u8]) -> Result<String, OptionError> {
    let text = std::str::from_utf8(value).map_err(|_| OptionError::InvalidContext)?;
    let right = is_name(text).then(|| text.to_owned());
    right.ok_or(OptionError::InvalidContext)
}

fn application(value: &[u8]) -> Result<String, OptionError> {
    let text = std::str::from_utf8(value).map_err(|_| OptionError::InvalidApplication)?;
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let right = is_name(text) && text.bytes().all(of_name);
    right
        .then(|| text.to_owned())
        .ok_or(OptionError::InvalidApplication)
}

fn response(value: &[u8]) -> Result<u64, OptionError> {
    value::memory(value)
        .filter(|bytes| *bytes <= MAX_RESPONSE_BYTES)
        .ok_or(OptionError::InvalidMaxResponse)
}

fn auth(value: &[u8]) -> Result<Auth, OptionError> {
    let file = |value| value::path(value).map_err(|_| OptionError::InvalidAuth);
    if value.eq_ignore_ascii_case(b"none") {
        Ok(Auth::None)
    } else if let Some(path) = strip_prefix(value, "basic:") {
        file(path).map(Auth::Basic)
    } else if let Some(path) = strip_prefix(value, "bearer:") {
        file(path).map(Auth::Bearer)
    } else {
        let rest = strip_prefix(value, "header:").ok_or(OptionError::InvalidAuth)?;
        let colon = memchr::memchr(b':', rest).ok_or(OptionError::InvalidAuth)?;
        let (name, path) = rest.split_at(colon);
        let path = file(path.get(1..).unwrap_or_default())?;
        Ok(Auth::Header(
            header(name).ok_or(OptionError::InvalidAuth)?,
            path,
        ))
    }
}

/// The name of a header (a token of RFC 9110) that is not the request's own.
fn header(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let ours = RESERVED_HEADERS
        .iter()
        .any(|of| of.eq_ignore_ascii_case(name));
    let right = !name.is_empty() && name.bytes().all(of_token) && !ours;
    right.then(|| name.to_owned())
}

/// A source: a URL with a host, and without a user, who belongs in `auth`.
pub(super) fn url(value: &[u8]) -> Result<Url, OptionError> {
    let text = std::str::from_utf8(value).map_err(|_| OptionError::InvalidUrl)?;
    let url = Url::parse(text).map_err(|_| OptionError::InvalidUrl)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OptionError::UserInUrl);
    }
    let right = matches!(url.scheme(), "http" | "https") && url.fragment().is_none();
    right.then_some(url).ok_or(OptionError::InvalidUrl)
}

#[cfg(test)]
mod tests;
