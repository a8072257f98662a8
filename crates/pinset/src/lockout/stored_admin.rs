//! Listing and unlocking of lockouts in a database, for administrators.

use std::time::Duration;

use libpq::Reply;

use super::stored::{kind_of, letter_of, of_keys, until_of};
use super::{account_key, Held, Kind, Unlock, Unlocked};
use crate::database::{of_text, text, Request, UnreadableReply, LOCKS, LOCK_COUNTS, UNLOCK};
use crate::hex;

/// How many locks a reply to [`locks`] has at most.
pub const MAX_LOCKS: usize = 1000;

/// Returns what asks for locks in force, in one PIN set or in all: those after this one,
/// or the first.
pub fn locks(pin_set: Option<&str>, after: Option<&Held>) -> Request {
    let (kind, mut key) = (
        after.map_or("", |held| letter_of(held.kind)),
        "\\x".to_owned(),
    );
    if let Some(held) = after {
        hex::append(&mut key, &held.digest);
    }
    Request {
        statement: &LOCKS,
        parameters: vec![
            pin_set.and_then(of_text),
            of_text(kind),
            of_text(&key),
            of_text(&MAX_LOCKS.to_string()),
        ],
    }
}

/// Reads the reply to [`locks`].
///
/// # Errors
///
/// It is no such reply.
pub fn held(reply: &Reply, now: Duration) -> Result<Vec<Held>, UnreadableReply> {
    (0..reply.len()).map(|row| lock(reply, row, now)).collect()
}

fn lock(reply: &Reply, row: usize, now: Duration) -> Result<Held, UnreadableReply> {
    let number = |column| {
        let number = text(reply, row, column)?.parse::<u32>();
        number.map_err(|_| UnreadableReply)
    };
    let there = |column| match reply.get(row, column) {
        Some(_) => text(reply, row, column).map(|text| Some(text.to_owned())),
        None => Ok(None),
    };
    let kind = kind_of(text(reply, row, 0)?)?;
    let digest = text(reply, row, 1)?;
    let digest = digest.strip_prefix("\\x").ok_or(UnreadableReply)?;
    let pin_set = text(reply, row, 2)?.to_owned();
    let (name, endpoint) = (there(3)?, there(4)?);
    Ok(Held {
        what: match kind {
            Kind::Caller => name.or_else(|| endpoint.clone()),
            Kind::Account => name,
            Kind::PinSet => Some(pin_set.clone()),
        },
        pin_set,
        kind,
        endpoint,
        until: until_of(reply, row, 5, now)?,
        times: number(6)?,
        failures: number(7)?,
        digest: hex::bytes(digest.as_bytes()).ok_or(UnreadableReply)?,
    })
}

/// Returns what asks for the numbers of locks in force.
pub fn lock_counts() -> Request {
    Request {
        statement: &LOCK_COUNTS,
        parameters: Vec::new(),
    }
}

/// Reads the reply to [`lock_counts`]: by PIN set and kind.
///
/// # Errors
///
/// It is no such reply.
pub fn counted(reply: &Reply) -> Result<Vec<(String, Kind, u64)>, UnreadableReply> {
    let count = |row| {
        let count = text(reply, row, 2)?.parse().map_err(|_| UnreadableReply)?;
        let kind = kind_of(text(reply, row, 1)?)?;
        Ok((text(reply, row, 0)?.to_owned(), kind, count))
    };
    (0..reply.len()).map(count).collect()
}

/// Returns what unlocks, in one PIN set or in all, of which `pin_sets` are the names.
pub fn unlock(what: Unlock<'_>, pin_set: Option<&str>, pin_sets: &[String]) -> Request {
    let (kind, first, second) = match what {
        Unlock::Caller(given, normalized) => (Kind::Caller, given, normalized),
        Unlock::Account(name) => (Kind::Account, name, None),
        Unlock::PinSet(name) => (Kind::PinSet, name, None),
    };
    // An account that is in no list is stored without its name.
    let digests = pin_sets.iter().map(|pin_set| account_key(pin_set, first));
    Request {
        statement: &UNLOCK,
        parameters: vec![
            of_text(letter_of(kind)),
            of_text(first),
            second.and_then(of_text),
            of_keys(digests),
            pin_set.and_then(of_text),
        ],
    }
}

/// Reads the reply to [`unlock`].
///
/// # Errors
///
/// It is no such reply.
pub fn unlocked(reply: &Reply) -> Result<Unlocked, UnreadableReply> {
    Ok(Unlocked {
        locks: text(reply, 0, 0)?.parse().map_err(|_| UnreadableReply)?,
        is_named: text(reply, 0, 1)? == "t",
    })
}
