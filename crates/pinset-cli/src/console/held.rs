//! Secrets that wait in memory between two requests of a session: a pasted text until it
//! is saved, new PINs until they are taken. They are wiped when they are removed.
//!
//! No clock: the caller of each function passes the time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use thiserror::Error;

use super::sessions::SessionId;

/// Time for which an item is held.
pub(super) const HOLD_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Maximum number of rows of an item.
pub(super) const MAX_ROWS: usize = 100_000;

/// The number by which a session finds an item. It is random, and useless to others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct HeldId(u64);

impl HeldId {
    /// Reads the number of a link or a form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

impl std::fmt::Display for HeldId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The reason why an item can't be held.
#[derive(Debug, Error)]
pub(super) enum HoldError {
    #[error("memory for texts and PINs that wait is full")]
    Full,
    #[error(transparent)]
    Random(#[from] getrandom::Error),
}

/// Something that can be held.
pub(super) trait Hold {
    /// Returns the bytes of memory that it takes.
    fn bytes(&self) -> usize;

    /// Returns whether it must not expire yet.
    fn is_busy(&self) -> bool {
        false
    }

    /// Is called when its session ends.
    fn abandon(&self) {}
}

struct HeldItem<T> {
    session: SessionId,
    user: String,
    item: Arc<T>,
    bytes: usize,
    until: Instant,
}

/// Items of sessions.
pub(super) struct Held<T> {
    items: Mutex<HashMap<HeldId, HeldItem<T>>>,
    /// Maximum number of bytes of all items together.
    max_bytes: usize,
}

impl<T: Hold> Held<T> {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            items: Mutex::new(HashMap::new()),
            max_bytes,
        }
    }

    /// Holds an item for a session of this user.
    ///
    /// # Errors
    ///
    /// Fails if all items together would take too much memory.
    pub(super) fn put(
        &self,
        session: SessionId,
        user: &str,
        item: T,
        now: Instant,
    ) -> Result<HeldId, HoldError> {
        let mut id = [0; 8];
        getrandom::fill(&mut id)?;
        let id = HeldId(u64::from_ne_bytes(id));
        self.expire(now);
        let bytes = item.bytes();
        let mut all = self.items.lock();
        let held: usize = all.values().map(|held| held.bytes).sum();
        if held.saturating_add(bytes) > self.max_bytes {
            return Err(HoldError::Full);
        }
        let held = HeldItem {
            session,
            user: user.to_owned(),
            item: Arc::new(item),
            bytes,
            until: now + HOLD_TIMEOUT,
        };
        all.insert(id, held);
        Ok(id)
    }

    /// Returns an item of this session, unless its time is over.
    pub(super) fn find(&self, session: SessionId, id: HeldId, now: Instant) -> Option<Arc<T>> {
        self.expire(now);
        let all = self.items.lock();
        let held = all.get(&id).filter(|held| held.session == session)?;
        Some(Arc::clone(&held.item))
    }

    /// Removes an item of this session.
    pub(super) fn remove(&self, session: SessionId, id: HeldId) {
        self.items
            .lock()
            .retain(|other, held| *other != id || held.session != session);
    }

    /// Removes the items whose time is over. Those that are busy get the whole time again.
    pub(super) fn expire(&self, now: Instant) {
        self.items.lock().retain(|_, held| {
            if held.item.is_busy() {
                held.until = now + HOLD_TIMEOUT;
            }
            now < held.until
        });
    }

    /// Removes the items of a session that ends.
    pub(super) fn end(&self, session: SessionId) {
        self.end_where(|held| held.session == session);
    }

    /// Removes the items of all sessions of a user.
    pub(super) fn end_all(&self, user: &str) {
        self.end_where(|held| held.user == user);
    }

    fn end_where(&self, ends: impl Fn(&HeldItem<T>) -> bool) {
        self.items.lock().retain(|_, held| {
            let ends = ends(held);
            if ends {
                held.item.abandon();
            }
            !ends
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use super::*;

    #[derive(Default)]
    struct Secret {
        bytes: usize,
        is_busy: AtomicBool,
        is_abandoned: AtomicBool,
    }

    impl Hold for Secret {
        fn bytes(&self) -> usize {
            self.bytes
        }

        fn is_busy(&self) -> bool {
            self.is_busy.load(Relaxed)
        }

        fn abandon(&self) {
            self.is_abandoned.store(true, Relaxed);
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn sessions() -> [SessionId; 2] {
        ["one", "other"].map(SessionId::of)
    }

    fn secret(bytes: usize) -> Secret {
        Secret {
            bytes,
            ..Secret::default()
        }
    }

    #[test]
    fn item_is_held_for_ten_minutes_for_its_session() {
        let (held, start) = (Held::new(100), Instant::now());
        let [session, other] = sessions();
        let id = held.put(session, "ada", secret(1), start).expect("held");
        let last = start + HOLD_TIMEOUT - SECOND;
        assert!(held.find(other, id, last).is_none());
        held.remove(other, id);
        assert_eq!(HeldId::parse(&id.to_string()), Some(id));
        let item = Arc::downgrade(&held.find(session, id, last).expect("held"));
        assert!(held.find(session, id, start + HOLD_TIMEOUT).is_none());
        // It is wiped, not only hidden.
        assert!(item.upgrade().is_none());
        let id = held.put(session, "ada", secret(1), start).expect("held");
        held.remove(session, id);
        assert!(held.find(session, id, start).is_none());
    }

    #[test]
    fn item_is_removed_with_its_session_and_with_all_of_its_user() {
        let (held, now) = (Held::new(100), Instant::now());
        let [session, other] = sessions();
        let put = |session, user| held.put(session, user, secret(1), now).expect("held");
        let (one, second) = (put(session, "ada"), put(other, "ada"));
        let item = held.find(session, one, now).expect("held");
        held.end(session);
        assert!(held.find(session, one, now).is_none());
        assert!(item.is_abandoned.load(Relaxed));
        assert!(held.find(other, second, now).is_some());
        let bobs = put(session, "bob");
        held.end_all("ada");
        assert!(held.find(other, second, now).is_none());
        assert!(held.find(session, bobs, now).is_some());
    }

    #[test]
    fn busy_item_expires_ten_minutes_after_its_end() {
        let (held, start) = (Held::new(100), Instant::now());
        let [session, _] = sessions();
        let id = held.put(session, "ada", secret(1), start).expect("held");
        let item = held.find(session, id, start).expect("held");
        item.is_busy.store(true, Relaxed);
        let end = start + 9 * HOLD_TIMEOUT;
        held.expire(end);
        item.is_busy.store(false, Relaxed);
        assert!(held
            .find(session, id, end + HOLD_TIMEOUT - SECOND)
            .is_some());
        assert!(held.find(session, id, end + HOLD_TIMEOUT).is_none());
    }

    #[test]
    fn memory_of_all_items_is_limited() {
        let (held, now) = (Held::new(100), Instant::now());
        let [session, other] = sessions();
        held.put(session, "ada", secret(60), now).expect("held");
        let full = held.put(other, "bob", secret(41), now);
        assert!(matches!(full, Err(HoldError::Full)));
        held.put(other, "bob", secret(40), now).expect("held");
        held.put(other, "bob", secret(100), now + HOLD_TIMEOUT)
            .expect("room again");
    }
}
