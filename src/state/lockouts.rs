//! Lockouts after wrong PINs, and their storage.
//!
//! The lockouts in memory decide. Changes are written to Asterisk's database a second
//! later, on a thread of ours; Asterisk commits within another second.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use pinset::lockout::{Capacity, Change, Cursor, Held, Lock, Lockouts, Unlock, Unlocked};
use pinset::timestamp::since_epoch;
use pinset::verify::{LockoutContext, Notice, Reason, SharedLockouts};

use crate::asterisk::astdb;
use crate::asterisk::log::{log, log_once};
use crate::asterisk::schedule::Schedule;
use crate::database::CallDatabase;
use crate::state::audit::AuditContext;
use crate::sync::lock::lock;
use crate::work_queue::{Priority, WorkQueue};

/// Their family in the database.
const FAMILY: &[u8] = b"authenticate-lockouts";
/// Delay from a change to its writing, in milliseconds.
const WRITE_DELAY: i32 = 1000;
/// Most changes that are converted, or locks or callers that are visited, before calls
/// get the lock: each takes some 2 µs, a conversion up to 4.
const MAX_CHANGES_PER_PIECE: usize = 10;
const MAX_LOCKS_PER_PIECE: usize = 20;
const MAX_UNLOCKED_PER_PIECE: usize = 20;
/// Most unwritten rows. With more, changes stay in the lockouts, whose number is
/// bounded.
const MAX_UNWRITTEN: usize = 10_000;
/// Pause in which calls get the lock: the time that a waiting thread needs to wake up.
const PIECE_PAUSE: Duration = Duration::from_micros(100);

static LOCKOUTS: Mutex<Lockouts> = Mutex::new(Lockouts::new(Capacity::DEFAULT));

/// The state of writing.
struct Writer {
    schedule: Option<Schedule>,
    /// Whether a write is scheduled.
    scheduled: bool,
    /// The latest values to be written, by their keys.
    unwritten: BTreeMap<String, Option<String>>,
}

static WRITER: Mutex<Writer> = Mutex::new(Writer {
    schedule: None,
    scheduled: false,
    unwritten: BTreeMap::new(),
});

impl Writer {
    /// Schedules a write.
    fn schedule(&mut self) {
        self.scheduled = self
            .schedule
            .as_ref()
            .is_some_and(|schedule| schedule.add(WRITE_DELAY, write_soon));
    }
}

/// Runs the writes, on one thread.
static QUEUE: WorkQueue =
    WorkQueue::new(Priority::Normal, 1, "Asterisk's database").awaited_by_unload();

/// Held while the database is written, so that the value written last is the latest.
static WRITING: Mutex<()> = Mutex::new(());

/// Locks the lockouts. No thread may wait for anything with this lock held, other than
/// for [`WRITER`]. It is held for less than 0.1 ms: longer work runs [`in_pieces`]. Only
/// [`start`] and [`shutdown`] hold it longer, while there are no calls.
fn lockouts() -> MutexGuard<'static, Lockouts> {
    lock(&LOCKOUTS)
}

fn writer() -> MutexGuard<'static, Writer> {
    lock(&WRITER)
}

/// Calls `piece` until it returns false, and lets calls get the lock in between.
fn in_pieces(mut piece: impl FnMut(&mut Lockouts) -> bool) {
    loop {
        let more = piece(&mut lockouts());
        if !more {
            break;
        }
        std::thread::sleep(PIECE_PAUSE);
    }
}

/// Reads the stored lockouts. To be called once, when the module is loaded.
pub(crate) fn start() {
    writer().schedule = Schedule::new();
    let (mut lockouts, now, mut broken) = (lockouts(), since_epoch(), 0_u32);
    astdb::each(FAMILY, |key, value| {
        let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
        broken += u32::from(lockouts.restore(&key, &value, now).is_err());
    });
    if broken > 0 {
        log!(
            Warning,
            "family '{}' of Asterisk's database: {broken} invalid values are ignored",
            String::from_utf8_lossy(FAMILY)
        );
    }
}

/// Writes all changes, and clears the lockouts.
pub(crate) fn shutdown() {
    // Joins the scheduler's thread.
    let schedule = writer().schedule.take();
    drop(schedule);
    write();
    if lockouts().has_changes() {
        // Changes that stayed while there were too many unwritten rows.
        write();
    }
    let mut writer = writer();
    writer.scheduled = false;
    writer.unwritten = BTreeMap::new();
    drop(writer);
    *lockouts() = Lockouts::new(Capacity::DEFAULT);
}

/// Schedules a write, unless one is scheduled.
fn write_later() {
    let mut writer = writer();
    if !writer.scheduled {
        writer.schedule();
    }
}

/// Queues a write. Called by the scheduler; returns true to be called again if there is
/// no free thread.
fn write_soon() -> bool {
    !QUEUE.submit_scheduled(write)
}

/// Writes all changes. Blocks for as long as the database does, so no thread of a channel
/// calls it or waits for it.
pub(crate) fn write() {
    let _alone = lock(&WRITING);
    let mut unwritten = std::mem::take(&mut writer().unwritten);
    if unwritten.len() < MAX_UNWRITTEN {
        in_pieces(|lockouts| {
            let some = lockouts.take_changes(MAX_CHANGES_PER_PIECE);
            let more = !some.is_empty();
            let changes = some.into_iter();
            unwritten.extend(changes.map(|Change { key, value }| (key, value)));
            more
        });
    }
    let failed: BTreeMap<_, _> = unwritten
        .into_iter()
        .filter(|(key, value)| !match value {
            Some(value) => astdb::put(FAMILY, key.as_bytes(), value.as_bytes()),
            None => astdb::delete(FAMILY, key.as_bytes()),
        })
        .collect();
    if !failed.is_empty() {
        log_once!(
            Warning,
            "Asterisk's database can't be written: lockouts stay in force, and are written later"
        );
    }
    // In this order: a thread that has changed something since schedules a write after
    // it.
    let lockouts = lockouts();
    let mut writer = writer();
    writer.unwritten = failed;
    writer.scheduled = false;
    if lockouts.has_changes() || !writer.unwritten.is_empty() {
        writer.schedule();
    }
}

/// Drops the writes that wait.
pub(crate) fn clear() {
    QUEUE.clear();
}

/// Calls `look` with each lock in force, of one PIN set or of all, in no order.
pub(crate) fn each(pin_set: Option<&str>, mut look: impl FnMut(Held)) {
    let mut cursor = Cursor::default();
    in_pieces(|lockouts| {
        let (some, next) =
            lockouts.locks_after(pin_set, cursor, MAX_LOCKS_PER_PIECE, since_epoch());
        some.into_iter().for_each(&mut look);
        cursor = next.unwrap_or_default();
        next.is_some()
    });
}

/// Returns the names of the PIN sets and lists with locks in force.
pub(crate) fn pin_sets() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    each(None, |held| {
        names.insert(held.pin_set);
    });
    names
}

/// Ends locks and resets their failure counts. Returns what was ended.
pub(crate) fn unlock(what: Unlock<'_>, pin_set: Option<&str>) -> Unlocked {
    let (mut unlocked, mut cursor) = (Unlocked::default(), Cursor::default());
    in_pieces(|lockouts| {
        let (some, next) =
            lockouts.unlock_after(what, pin_set, cursor, MAX_UNLOCKED_PER_PIECE, since_epoch());
        unlocked.locks += some.locks;
        unlocked.is_named |= some.is_named;
        cursor = next.unwrap_or_default();
        if lockouts.has_changes() {
            write_later();
        }
        next.is_some()
    });
    unlocked
}

/// The lockouts, for one call, which notes in its audit context what is locked and why.
pub(crate) struct CallLockouts {
    /// Where it is noted.
    pub audit: AuditContext,
    /// The database with the lockouts, if they are not ours.
    stored: Option<CallDatabase>,
}

impl CallLockouts {
    /// Lockouts of this PBX alone.
    pub(crate) fn own(audit: AuditContext) -> Self {
        Self {
            audit,
            stored: None,
        }
    }

    /// Lockouts that many PBXs share.
    pub(crate) fn stored(audit: AuditContext, stored: CallDatabase) -> Self {
        Self {
            audit,
            stored: Some(stored),
        }
    }
}

impl LockoutContext for CallLockouts {
    fn lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T {
        let mut lockouts = lockouts();
        what(&mut lockouts, since_epoch())
    }

    fn changed(&self) {
        write_later();
    }

    fn shared(&self) -> Option<&dyn SharedLockouts> {
        self.stored
            .as_ref()
            .map(|stored| stored as &dyn SharedLockouts)
    }

    fn locked(&self, lock: Lock, left: Option<Duration>) {
        self.audit.set_locked(lock.kind, left);
    }

    fn identified(&self, account: &[u8]) {
        self.audit.set_identity(account);
    }

    fn reason(&self, reason: Reason) {
        self.audit.set_reason(reason);
    }

    fn notice(&self, notice: &Notice<'_>) {
        if notice.is_error() {
            self.audit.set_reason(notice);
        }
        match notice {
            Notice::Argon2id(..) => log_once!(Warning, "{notice}"),
            _ if notice.is_error() => log!(Error, "{notice}"),
            _ => log!(Warning, "{notice}"),
        }
    }
}
