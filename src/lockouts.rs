//! Who is locked out for keying wrong PINs, and what is stored of it.
//!
//! Memory decides. What has changed is written to Asterisk's database a second
//! later, by Asterisk's scheduler; Asterisk commits within another second.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pinset::lockout::{
    self, Account, Capacity, Change, Charge, Cursor, Held, Judged, Kind, Limits, Lock, Lockouts,
    Refused, Standing, Subject, Unlock,
};
use pinset::{Number, Numbering, Pin, Verdict};

use crate::asterisk::database;
use crate::asterisk::log::{log, log_once};
use crate::asterisk::schedule::Schedule;
use crate::audit::Trail;
use crate::patience::Patient;

/// The family of the database.
const FAMILY: &[u8] = b"authenticate-lockouts";
/// How long after a change it is written, in milliseconds.
const WRITE_AFTER: i32 = 1000;
/// So many changes are made into rows, or locks or callers looked at, before
/// calls have their turn: each takes some 2 µs, a row up to 4.
const CHANGES_AT_ONCE: usize = 10;
const LOCKS_AT_ONCE: usize = 20;
const UNLOCKED_AT_ONCE: usize = 20;
/// How long their turn is: who waits needs it to wake up.
const TURN: Duration = Duration::from_micros(100);

/// How long an entry waits for others that may yet fill the limit: no hash takes
/// longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks, in milliseconds.
const GLANCE: i32 = 20;

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

/// Nobody waits for anything with this lock held, and takes [`WRITER`] inside
/// it. It is held for less than 0.1 ms: what takes longer goes [`in_pieces`]. Only
/// [`start`] and [`stop`] keep it longer, while there are no calls.
fn lockouts() -> MutexGuard<'static, Lockouts> {
    LOCKOUTS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn writer() -> MutexGuard<'static, Writer> {
    WRITER.lock().unwrap_or_else(PoisonError::into_inner)
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

fn now() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default()
}

/// Reads what is stored. To be called once, when the module is loaded.
pub fn start() {
    writer().schedule = Schedule::new();
    let (mut lockouts, now, mut broken) = (lockouts(), now(), 0_u32);
    database::each(FAMILY, |key, value| {
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
pub fn stop() {
    // Joins the scheduler's thread, which may be waiting for the writer.
    let schedule = writer().schedule.take();
    drop(schedule);
    write();
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
        writer.scheduled = writer
            .schedule
            .as_ref()
            .is_some_and(|schedule| schedule.add(WRITE_AFTER, write));
    }
}

/// Writes what has changed. The scheduler's call: true to be called again.
fn write() -> bool {
    let mut changes = Vec::new();
    in_pieces(|lockouts| {
        let some = lockouts.take_changes(CHANGES_AT_ONCE);
        let more = !some.is_empty();
        changes.extend(some);
        more
    });
    let mut unwritten = std::mem::take(&mut writer().unwritten);
    let changes = changes
        .into_iter()
        .map(|Change { key, value }| (key, value));
    unwritten.extend(changes);
    let failed: BTreeMap<_, _> = unwritten
        .into_iter()
        .filter(|(key, value)| !match value {
            Some(value) => database::put(FAMILY, key.as_bytes(), value.as_bytes()),
            None => database::delete(FAMILY, key.as_bytes()),
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
    writer.scheduled = lockouts.has_changes() || !writer.unwritten.is_empty();
    writer.scheduled
}

/// The locks there are, of one PIN set or of all.
pub fn held(pin_set: Option<&str>) -> Vec<Held> {
    let (mut held, mut cursor) = (Vec::new(), Cursor::default());
    in_pieces(|lockouts| {
        let (some, next) = lockouts.locks_after(pin_set, cursor, LOCKS_AT_ONCE, now());
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
        let (some, next) = lockouts.unlock_after(what, pin_set, cursor, UNLOCKED_AT_ONCE, now());
        unlocked += some;
        cursor = next.unwrap_or_default();
        if lockouts.has_changes() {
            write_later();
        }
        next.is_some()
    });
    unlocked
}

/// Who makes entries.
pub struct Caller<'a> {
    /// The number that calls, however it is spelled.
    pub number: Option<&'a [u8]>,
    /// The channel's name.
    pub channel: &'a str,
    /// Where a lock that ends the call is left.
    pub trail: Trail,
}

/// What the entries of one call are counted under.
pub struct Counter {
    /// The name of the PIN set or the list.
    name: String,
    limits: Limits,
    caller: lockout::Caller,
    trail: Trail,
    /// How many entries were charged.
    tries: Cell<u32>,
}

/// A number in the one way it is counted by.
pub fn spelled(number: &Number) -> Vec<u8> {
    let plus: &[u8] = if number.is_international() { b"+" } else { b"" };
    [plus, number.digits()].concat()
}

/// An entry is not to be judged.
pub enum Halt {
    /// There is a lock.
    Locked,
    /// The caller is gone.
    Gone,
    /// Others that are judged fill the limit, and do so for too long.
    Busy,
}

impl Counter {
    /// For entries to the PIN set or the list of this name.
    pub fn new(name: &str, limits: Limits, numbering: &Numbering, caller: &Caller<'_>) -> Self {
        // However it is spelled; one that can't be told stays as it is.
        let usable = caller.number.and_then(|number| numbering.normalize(number));
        let usable = usable.as_ref().map(spelled);
        let number = usable.as_deref().or(caller.number);
        Self {
            name: name.to_owned(),
            limits,
            caller: lockout::Caller::new(number, caller.channel),
            trail: caller.trail.clone(),
            tries: Cell::new(0),
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            pin_set: &self.name,
            limits: self.limits,
            caller: &self.caller,
        }
    }

    /// What the caller may do, before anything is asked.
    pub fn look(&self) -> Standing {
        let standing = lockouts().look(&self.subject(), now());
        if let Standing::Locked(lock) = standing {
            self.leave(lock);
        }
        standing
    }

    /// Leaves the lock that ends the call on its trail.
    fn leave(&self, lock: Lock) {
        let left = lock.until.map(|until| until.saturating_sub(now()));
        self.trail.set_locked(lock.kind, left);
    }

    /// What an administrator should hear of.
    fn say(&self, lock: Lock, over_budget: bool) {
        let name = &self.name;
        match (lock.kind, lock.until) {
            (Kind::PinSet, _) if over_budget => log!(
                Warning,
                "'{name}' has had too many wrong entries of callers who have succeeded before as \
                 well: for a while, nobody is admitted"
            ),
            (Kind::PinSet, _) => log!(
                Warning,
                "'{name}' has had too many wrong entries: for a while, only callers are admitted \
                 who have succeeded before"
            ),
            (_, None) => log!(
                Warning,
                "'{name}': an account is locked until it is unlocked by hand: a hundred wrong \
                 entries without a right one"
            ),
            _ => {}
        }
    }

    /// Judges an entry with `judge`, which may charge accounts to the
    /// [`Ticket`]; an empty one is not counted. `None`: the caller is gone.
    pub fn judge<H: Patient>(
        &self,
        host: &mut H,
        pin: &Pin,
        judge: impl FnOnce(&mut H, &mut Ticket<'_>) -> Option<Verdict>,
    ) -> Option<Verdict> {
        if pin.is_empty() {
            let (counter, charge) = (self, None);
            return judge(host, &mut Ticket { counter, charge });
        }
        let tries = self.tries.get();
        let charged = self.charged(host, |lockouts| {
            lockouts.charge(&self.subject(), tries, now())
        });
        let charge = match charged {
            Ok(charge) => Some(charge),
            Err(Halt::Locked) => return Some(Verdict::Locked { judged: false }),
            Err(Halt::Gone) => return None,
            Err(Halt::Busy) => return Some(Verdict::Unavailable),
        };
        self.tries.set(tries.saturating_add(1));
        let mut ticket = Ticket {
            counter: self,
            charge,
        };
        let verdict = judge(host, &mut ticket)?;
        let judged = match &verdict {
            Verdict::Right(_) => Judged::Right,
            Verdict::Wrong => Judged::Wrong,
            Verdict::Expired | Verdict::Locked { .. } | Verdict::Unavailable => Judged::Void,
        };
        Some(match ticket.settle(judged) {
            true => Verdict::Locked { judged: true },
            false => verdict,
        })
    }

    /// Asks until the answer does not depend on entries that are being judged.
    fn charged<H: Patient, T>(
        &self,
        host: &mut H,
        mut charge: impl FnMut(&mut Lockouts) -> Result<T, Refused>,
    ) -> Result<T, Halt> {
        let until = Instant::now() + PATIENCE;
        loop {
            let charged = charge(&mut lockouts());
            match charged {
                Ok(charged) => return Ok(charged),
                Err(Refused::Locked(lock)) => {
                    self.leave(lock);
                    return Err(Halt::Locked);
                }
                Err(Refused::Busy) if Instant::now() >= until => {
                    log!(
                        Error,
                        "'{}': an entry is not judged: so many others are that nothing is left of \
                         its limits",
                        self.name
                    );
                    return Err(Halt::Busy);
                }
                Err(Refused::Busy) if !host.listen(GLANCE) => return Err(Halt::Gone),
                Err(Refused::Busy) => {}
            }
        }
    }
}

/// An entry that is being judged. Dropped, it does not count: nobody has learned
/// anything.
pub struct Ticket<'a> {
    counter: &'a Counter,
    charge: Option<Charge>,
}

impl Ticket<'_> {
    /// Charges the entry to an account as well, before a hash is computed for
    /// it. `known`: it is in the list.
    ///
    /// # Errors
    ///
    /// The entry is not to be judged.
    pub fn account<H: Patient>(
        &mut self,
        host: &mut H,
        name: &[u8],
        known: bool,
    ) -> Result<(), Halt> {
        let Some(charge) = &mut self.charge else {
            return Ok(());
        };
        self.counter.charged(host, |lockouts| {
            lockouts.charge_account(charge, Account { name, known }, now())
        })
    }

    /// Says what has come of it; true, if that locks the caller out.
    fn settle(mut self, judged: Judged) -> bool {
        self.end(judged)
    }

    fn end(&mut self, judged: Judged) -> bool {
        let Some(charge) = self.charge.take() else {
            return false;
        };
        let over_budget = charge.is_over_budget();
        let lock = {
            let mut lockouts = lockouts();
            let lock = lockouts.settle(charge, judged, now());
            if lockouts.has_changes() {
                write_later();
            }
            lock
        };
        if let Some(lock) = lock {
            self.counter.say(lock, over_budget);
            self.counter.leave(lock);
        }
        lock.is_some()
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.end(Judged::Void);
    }
}
