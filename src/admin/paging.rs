//! The headers `Limit` and `After` of actions that list, and the keys of what they list.

use std::sync::Mutex;

use pinset::admin::{EntryKey, EntryKeys, PageRequest};
use thiserror::Error;

use crate::asterisk::ami::{HeaderError, Message};
use crate::sync::lock::lock;

/// The largest page.
pub(super) const MAX_LIMIT: usize = 10_000;

/// The keys of entries, which are the same until the module is unloaded.
static KEYS: Mutex<Option<EntryKeys>> = Mutex::new(None);

/// Why there is no page.
#[derive(Debug, Error)]
pub(super) enum PageError {
    /// A header is there more than once.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// `Limit` is no number, or too large.
    #[error("Limit must be a number from 1 to {MAX_LIMIT}")]
    InvalidLimit,
    /// `After` or `Key` is no key.
    #[error("{0} must be the Key of an event of this list")]
    InvalidKey(&'static str),
    /// The kernel has no random numbers.
    #[error("there are no random numbers")]
    NoRandom,
}

/// Returns which entries a message wants.
///
/// # Errors
///
/// Fails if a header is invalid.
pub(super) fn request(message: &Message<'_>) -> Result<PageRequest, PageError> {
    let limit = message.header("Limit")?.map(parse_limit).transpose()?;
    Ok(PageRequest {
        after: key(message, "After")?,
        limit,
    })
}

fn parse_limit(text: &[u8]) -> Result<usize, PageError> {
    let text = std::str::from_utf8(text).map_err(|_| PageError::InvalidLimit)?;
    let limit = text.parse().map_err(|_| PageError::InvalidLimit)?;
    match limit {
        1..=MAX_LIMIT => Ok(limit),
        _ => Err(PageError::InvalidLimit),
    }
}

/// Returns the key in a header, or `None` if it is missing.
///
/// # Errors
///
/// Fails if the header holds no key.
pub(super) fn key(
    message: &Message<'_>,
    header: &'static str,
) -> Result<Option<EntryKey>, PageError> {
    let Some(text) = message.header(header)? else {
        return Ok(None);
    };
    EntryKey::parse(text)
        .map(Some)
        .ok_or(PageError::InvalidKey(header))
}

/// Returns what makes the keys.
///
/// # Errors
///
/// Fails if the kernel has no random numbers.
pub(super) fn keys() -> Result<EntryKeys, PageError> {
    let mut keys = lock(&KEYS);
    if let Some(keys) = &*keys {
        return Ok(keys.clone());
    }
    let mut secret = [0; 64];
    let filled = rustix::rand::getrandom(&mut secret, rustix::rand::GetRandomFlags::empty());
    if filled != Ok(secret.len()) {
        return Err(PageError::NoRandom);
    }
    Ok(keys.insert(EntryKeys::new(&secret)).clone())
}
