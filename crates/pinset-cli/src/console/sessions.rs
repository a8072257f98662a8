//! Sessions of users: random tokens in cookies, stored as digests.
//!
//! No clock: the caller of each function passes the time since the Unix epoch.

use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{Engine, BASE64_URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use rusqlite::{params, Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::users::User;

/// A session ends after this time without a request, and after this time in all.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);
const MAX_AGE: Duration = Duration::from_secs(12 * 60 * 60);
/// Time for which a password that was entered again is good.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// The time of the last request is written once in this time.
const SEEN_INTERVAL: Duration = Duration::from_secs(30);

pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS sessions (
    digest BLOB PRIMARY KEY,
    user TEXT NOT NULL,
    user_tag BLOB NOT NULL,
    began INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    confirmed INTEGER NOT NULL
) WITHOUT ROWID;
";

/// The value of a session's cookie.
#[derive(Debug)]
pub(super) struct Token(Zeroizing<String>);

impl Token {
    fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*bytes))))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The digest of a token, by which a session is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SessionId([u8; 32]);

impl SessionId {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

/// A session in the database.
#[derive(Clone, Debug)]
pub(super) struct StoredSession {
    pub user: String,
    user_tag: Vec<u8>,
    began: Duration,
    /// The time of its last request.
    seen: Duration,
    confirmed: Duration,
}

impl StoredSession {
    fn stands(&self, now: Duration) -> bool {
        !is_over(self.seen, IDLE_TIMEOUT, now) && !is_over(self.began, MAX_AGE, now)
    }

    /// Returns whether this user has begun the session, with the role and the password of
    /// now.
    pub(super) fn is_of(&self, user: &User) -> bool {
        self.user == user.name && self.user_tag == user.tag()
    }

    /// Returns whether the password was entered within the last five minutes.
    pub(super) fn is_confirmed(&self, now: Duration) -> bool {
        now.checked_sub(self.confirmed)
            .is_some_and(|ago| ago <= CONFIRMATION_TIMEOUT)
    }
}

/// The reason why there is no session.
#[derive(Debug, Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    #[error(transparent)]
    Random(#[from] getrandom::Error),
}

/// All sessions.
pub(super) struct Sessions {
    database: Arc<Mutex<Connection>>,
}

impl Sessions {
    pub(super) fn new(database: Arc<Mutex<Connection>>) -> Self {
        Self { database }
    }

    /// Begins a session with a new token, and removes those that have ended.
    pub(super) fn begin(&self, user: &User, now: Duration) -> Result<Token, SessionError> {
        let token = Token::random()?;
        let (id, time) = (SessionId::of(token.as_str()), seconds(now));
        let database = self.database.lock();
        database.execute(
            "DELETE FROM sessions WHERE seen <= ?1 OR began <= ?2",
            params![time - seconds(IDLE_TIMEOUT), time - seconds(MAX_AGE)],
        )?;
        database.execute(
            "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?4, ?4)",
            params![id.0, user.name, user.tag(), time],
        )?;
        Ok(token)
    }

    /// Returns a session if it stands, and takes note of its use.
    pub(super) fn find(
        &self,
        id: SessionId,
        now: Duration,
    ) -> Result<Option<StoredSession>, SessionError> {
        let database = self.database.lock();
        let Some(found) = stored(&database, id)? else {
            return Ok(None);
        };
        if !found.stands(now) {
            database.execute("DELETE FROM sessions WHERE digest = ?1", [id.0])?;
            return Ok(None);
        }
        if is_over(found.seen, SEEN_INTERVAL, now) {
            let seen = "UPDATE sessions SET seen = ?2 WHERE digest = ?1";
            database.execute(seen, params![id.0, seconds(now)])?;
        }
        Ok(Some(found))
    }

    /// Returns a session if it stands, without a note of its use.
    pub(super) fn look(
        &self,
        id: SessionId,
        now: Duration,
    ) -> Result<Option<StoredSession>, SessionError> {
        let found = stored(&self.database.lock(), id)?;
        Ok(found.filter(|session| session.stands(now)))
    }

    /// Takes note that the password was entered again.
    pub(super) fn confirm(&self, id: SessionId, now: Duration) -> Result<(), SessionError> {
        let confirm = "UPDATE sessions SET confirmed = ?2 WHERE digest = ?1";
        let database = self.database.lock();
        database.execute(confirm, params![id.0, seconds(now)])?;
        Ok(())
    }

    /// Ends a session.
    pub(super) fn end(&self, id: SessionId) -> Result<(), SessionError> {
        let database = self.database.lock();
        database.execute("DELETE FROM sessions WHERE digest = ?1", [id.0])?;
        Ok(())
    }

    /// Ends all sessions of a user. Returns how many there were.
    pub(super) fn end_all(&self, user: &str) -> Result<usize, SessionError> {
        let database = self.database.lock();
        Ok(database.execute("DELETE FROM sessions WHERE user = ?1", [user])?)
    }
}

fn stored(database: &Connection, id: SessionId) -> Result<Option<StoredSession>, rusqlite::Error> {
    let mut found = database.prepare_cached(
        "SELECT user, user_tag, began, seen, confirmed FROM sessions WHERE digest = ?1",
    )?;
    let found = found.query_row([id.0], |row| {
        Ok(StoredSession {
            user: row.get(0)?,
            user_tag: row.get(1)?,
            began: time(row.get(2)?),
            seen: time(row.get(3)?),
            confirmed: time(row.get(4)?),
        })
    });
    found.optional()
}

/// Returns whether a time has passed since another. A clock that was set back ends no
/// session, and a session from the future has just begun.
fn is_over(since: Duration, limit: Duration, now: Duration) -> bool {
    now.saturating_sub(since) >= limit
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

fn time(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests;
