//! Who is locked out for keying wrong PINs, and what is stored of it.
//!
//! Memory decides. What has changed is written to Asterisk's database a second
//! later, on a thread of ours; Asterisk commits within another second.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use pinset::lockout::{Capacity, Change, Cursor, Held, Lock, Lockouts, Unlock};
use pinset::timestamp::since_epoch;
use pinset::verify::{LockoutContext, Notice, Reason};

use crate::asterisk::astdb;
use crate::asterisk::log::{log, log_once};
use crate::asterisk::schedule::Schedule;
use crate::state::audit::AuditContext;
use crate::sync::lock::lock;
use crate::work_queue::{Priority, WorkQueue};

/// The family of the database.
const FAMILY: &[u8] = b"authenticate-lockouts";
/// How long after a change it is written, in milliseconds.
const WRITE_AFTER: i32 = 1000;
/// So many changes are made into rows, or locks or callers looked at, before
/// calls have their turn: each takes some 2 µs, a row up to 4.
const CHANGES_AT_ONCE: usize = 10;
const LOCKS_AT_ONCE: usize = 20;
const UNLOCKED_AT_ONCE: usize = 20;
/// With so many rows that could not be written, no more changes are taken: until
/// they are written the lockouts hold them, whose number is bounded.
const MOST_UNWRITTEN: usize = 10_000;
/// How long their turn is: who waits needs it to wake up.
const TURN: Duration = Duration::from_micros(100);

static LOCKOUTS: Mutex<Lockouts> = Mutex::new(Lockouts::new(Capacity::DEFAULT));

/// What is to be written, by its key: the latest of each.
struct Writer {
    schedule: Option<Schedule>,
    /// It is due.
    scheduled: bool,
    unwritten: BTreeMap<String, Option<String>>,
}

static WRITER: Mutex<Writer> = Mutex::new(Writer {
    schedule: None,
    scheduled: false,
    unwritten: BTreeMap::new(),
});

impl Writer {
    /// Has the changes written in a while.
    fn schedule(&mut self) {
        self.scheduled = self
            .schedule
            .as_ref()
            .is_some_and(|schedule| schedule.add(WRITE_AFTER, write_soon));
    }
}

/// The thread that writes.
static QUEUE: WorkQueue = WorkQueue::new(Priority::Normal, 1, "Asterisk's database");

/// Held while the database is written: what is written last is the latest.
static WRITING: Mutex<()> = Mutex::new(());

/// Nobody waits for anything with this lock held, and takes [`WRITER`] inside
/// it. It is held for less than 0.1 ms: what takes longer goes [`in_pieces`]. Only
/// [`start`] and [`shutdown`] keep it longer, while there are no calls.
fn lockouts() -> MutexGuard<'static, Lockouts> {
    lock(&LOCKOUTS)
}

fn writer() -> MutexGuard<'static, Writer> {
    lock(&WRITER)
}

/// Has `piece` do a little at a time until it says that there is no more.
fn in_pieces(mut piece: impl FnMut(&mut Lockouts) -> bool) {
    loop {
        let more = piece(&mut lockouts());
        if !more {
            break;
        }
        std::thread::sleep(TURN);
    }
}

/// Reads what is stored. To be called once, when the module is loaded.
pub fn start() {
    writer().schedule = Schedule::new();
    let (mut lockouts, now, mut broken) = (lockouts(), since_epoch(), 0_u32);
    astdb::each(FAMILY, |key, value| {
        let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
        broken += u32::from(lockouts.restore(&key, &value, now).is_err());
    });
    if broken > 0 {
        log!(
            Warning,
            "{broken} values of family '{}' in Asterisk's database are no lockouts and are ignored",
            String::from_utf8_lossy(FAMILY)
        );
    }
}

/// Writes what has not been written, and forgets everything.
pub fn shutdown() {
    // Joins the scheduler's thread.
    let schedule = writer().schedule.take();
    drop(schedule);
    write();
    if lockouts().has_changes() {
        // Those not taken while too many rows could not be written.
        write();
    }
    let mut writer = writer();
    writer.scheduled = false;
    writer.unwritten = BTreeMap::new();
    drop(writer);
    *lockouts() = Lockouts::new(Capacity::DEFAULT);
}

/// Has what has changed written soon.
fn write_later() {
    let mut writer = writer();
    if !writer.scheduled {
        writer.schedule();
    }
}

/// The scheduler's call: true to be called again, for there is no thread now.
fn write_soon() -> bool {
    !QUEUE.submit_scheduled(write)
}

/// Writes what has changed. It blocks for as long as the database does, so no
/// channel's thread calls it, and none waits for it.
pub fn write() {
    let _alone = lock(&WRITING);
    let mut unwritten = std::mem::take(&mut writer().unwritten);
    if unwritten.len() < MOST_UNWRITTEN {
        in_pieces(|lockouts| {
            let some = lockouts.take_changes(CHANGES_AT_ONCE);
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
            "Asterisk's database can't be written: lockouts are in force, and are written later"
        );
    }
    // In this order: who has changed something since asks for a writer after it.
    let lockouts = lockouts();
    let mut writer = writer();
    writer.unwritten = failed;
    writer.scheduled = false;
    if lockouts.has_changes() || !writer.unwritten.is_empty() {
        writer.schedule();
    }
}

/// Drops what waited for the thread.
pub fn clear() {
    QUEUE.clear();
}

/// The locks there are, of one PIN set or of all.
pub fn held(pin_set: Option<&str>) -> Vec<Held> {
    let (mut held, mut cursor) = (Vec::new(), Cursor::default());
    in_pieces(|lockouts| {
        let (some, next) = lockouts.locks_after(pin_set, cursor, LOCKS_AT_ONCE, since_epoch());
        held.extend(some);
        cursor = next.unwrap_or_default();
        next.is_some()
    });
    held.sort_unstable();
    held
}

/// Ends locks, and forgets what was counted; how many locks there were.
pub fn unlock(what: Unlock<'_>, pin_set: Option<&str>) -> usize {
    let (mut unlocked, mut cursor) = (0, Cursor::default());
    in_pieces(|lockouts| {
        let (some, next) =
            lockouts.unlock_after(what, pin_set, cursor, UNLOCKED_AT_ONCE, since_epoch());
        unlocked += some;
        cursor = next.unwrap_or_default();
        if lockouts.has_changes() {
            write_later();
        }
        next.is_some()
    });
    unlocked
}

/// The lockouts, for one call; what becomes known of it is left on its trail.
pub struct CallLockouts(pub AuditContext);

impl LockoutContext for CallLockouts {
    fn lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T {
        let mut lockouts = lockouts();
        what(&mut lockouts, since_epoch())
    }

    fn changed(&self) {
        write_later();
    }

    fn locked(&self, lock: Lock, left: Option<Duration>) {
        self.0.set_locked(lock.kind, left);
    }

    fn identified(&self, account: &[u8]) {
        self.0.set_identity(account);
    }

    fn reason(&self, reason: Reason) {
        self.0.set_reason(reason);
    }

    fn notice(&self, notice: &Notice<'_>) {
        if notice.is_error() {
            self.0.set_reason(notice);
        }
        match notice {
            Notice::Argon2id(..) => log_once!(Warning, "{notice}"),
            _ if notice.is_error() => log!(Error, "{notice}"),
            _ => log!(Warning, "{notice}"),
        }
    }
}
