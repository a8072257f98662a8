//! Verification with a scripted back end.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::cache::Rules;
use crate::config::Times;
use crate::credential::pepper::Pepper;
use crate::credential::secret::generate::Recipe;
use crate::credential::secret::tests::TEST_KEY;
use crate::credential::secret::{Cost, Secret, VerifyError};
use crate::credential::table::{Reading, Rows};
use crate::list::{FileKind, Format};
use crate::lockout::{
    Account, AttemptResult, Capacity, Kind as LockKind, Lock, Lockouts, Standing,
};
use crate::timestamp::Zone;

mod accounts;
mod charging;
mod counting;
mod deciding;
mod doubts;
mod files;
mod guessing;
mod reasons;
mod uses;

/// A day in 2026.
const START: Duration = Duration::from_secs(1_795_000_000);

const TRUNK: &str = "PJSIP/trunk-0000001a";

type Source = dyn Fn(&Pin) -> Option<Answer>;
type Hook = dyn Fn(&Pbx);
/// By account and digest.
type Uses = BTreeMap<(Vec<u8>, [u8; 16]), u32>;

/// The outcome of slow hashes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hashes {
    Computed,
    Failed,
    Late,
    QueueFull,
    Panic,
}

/// Where entries are verified and counted, and what has become of it.
struct Pbx {
    source: Box<Source>,
    pepper: Pepper,
    /// The pepper file has no key.
    keyless: Cell<bool>,
    no_pepper: Pepper,
    open: Cell<bool>,
    /// Runs while a hash is computed.
    hashing: RefCell<Option<Rc<Hook>>>,
    /// For each work, the number of rows and the total cost.
    hashed: RefCell<Vec<(usize, u64)>>,
    hashes: Cell<Hashes>,
    uses: RefCell<Uses>,
    /// No use can be counted.
    disk_full: Cell<bool>,
    keys: RefCell<BTreeSet<Vec<u8>>>,
    lockouts: RefCell<Lockouts>,
    changed: Cell<u32>,
    locked: Cell<Option<(Lock, Option<Duration>)>>,
    identity: RefCell<Vec<String>>,
    reason: RefCell<String>,
    notices: RefCell<Vec<String>>,
}

/// A caller who hangs up the `.0`-th time the channel is serviced.
struct Host(u32);

impl ServiceChannel for Host {
    fn listen(&mut self, _: i32) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }
}

fn stays() -> Host {
    Host(u32::MAX)
}

impl Pbx {
    fn of(source: impl Fn(&Pin) -> Option<Answer> + 'static) -> Self {
        Self {
            source: Box::new(source),
            pepper: Pepper::parse(format!("main:{TEST_KEY}\n").as_bytes()).expect("a pepper"),
            keyless: Cell::new(false),
            no_pepper: Pepper::default(),
            open: Cell::new(true),
            hashing: RefCell::new(None),
            hashed: RefCell::default(),
            hashes: Cell::new(Hashes::Computed),
            uses: RefCell::default(),
            disk_full: Cell::new(false),
            keys: RefCell::default(),
            lockouts: RefCell::new(Lockouts::new(Capacity::DEFAULT)),
            changed: Cell::new(0),
            locked: Cell::new(None),
            identity: RefCell::default(),
            reason: RefCell::default(),
            notices: RefCell::default(),
        }
    }

    /// One whose source is this csv list.
    fn csv(list: &str) -> Self {
        let rows = rows(list, FileKind::Csv);
        Self::of(move |_| Some(Answer::Rows(Arc::clone(&rows), FileKind::Csv)))
    }

    /// One whose source says of 1234 alone that it is right, alice's.
    fn entries(entries: Entries) -> Self {
        Self::of(move |pin| {
            let verdict = if pin.is(b"1234") {
                Verdict::Right(Grant::of(Some(b"alice".to_vec())))
            } else {
                Verdict::Wrong
            };
            Some(Answer::Entry(verdict, entries))
        })
    }

    fn verify(&self, options: &[(&str, &str)], number: Option<&str>) -> Verifier<&Self, &Self> {
        self.verify_at(TRUNK, options, number)
    }

    /// The same, for a call that comes in on this channel.
    fn verify_at(
        &self,
        channel: &str,
        options: &[(&str, &str)],
        number: Option<&str>,
    ) -> Verifier<&Self, &Self> {
        let mut set = PinSet::default();
        for (name, value) in options {
            let set = set.set(name.as_bytes(), value.as_bytes());
            set.unwrap_or_else(|fault| panic!("{name} = {value}: {fault}"));
        }
        let calling = CallOrigin {
            number: number.map(str::as_bytes),
            channel,
        };
        Verifier::new("customers", Arc::new(set), calling, &turkey(), self, self)
    }

    /// Returns the accounts that the caller was identified as, in order.
    fn identity(&self) -> String {
        self.identity.take().join(" ")
    }

    fn notices(&self) -> String {
        self.notices.take().join("\n")
    }
}

impl BackEnd for &Pbx {
    fn ask<H: ServiceChannel>(
        &self,
        host: &mut H,
        _: &str,
        _: &Arc<PinSet>,
        _: &RowQuery<'_>,
        pin: &Pin,
    ) -> Option<Answer> {
        let here = host.listen(0);
        (self.source)(pin).filter(|_| here)
    }

    fn run_work<H: ServiceChannel>(&self, host: &mut H, work: Work) -> Verification {
        let rows = work.rows.iter().filter_map(|row| row.secret.cost());
        let costs = rows.chain(work.filler.iter().cloned());
        let cost = costs.map(|cost| u64::from(cost.work())).sum();
        let what = (work.rows.len(), cost);
        self.hashed.borrow_mut().push(what);
        let hook = self.hashing.borrow().clone();
        if let Some(hook) = hook {
            hook(self);
        }
        match self.hashes.get() {
            Hashes::Computed => work
                .carry_out(|| !host.listen(0))
                .map_or(Verification::Gone, Verification::Done),
            Hashes::Failed => Verification::Done(Hashed {
                right: Vec::new(),
                failed: Some(VerifyError::Argon2),
            }),
            Hashes::Late => Verification::Late("a hash takes too long".to_owned()),
            // Without a word of the panic hook's.
            Hashes::Panic => std::panic::resume_unwind(Box::new("a bug")),
            Hashes::QueueFull => Verification::Rejected("too many wait".to_owned()),
        }
    }

    /// A caller who hangs up meanwhile does not give the use back.
    fn take<H: ServiceChannel>(
        &self,
        host: &mut H,
        what: Use<'_>,
    ) -> Option<Result<bool, UseError>> {
        let here = host.listen(0);
        if self.disk_full.get() {
            return here.then(|| Err(UseError::NotCounted("no space".to_owned())));
        }
        let taken = match what {
            Use::Counted {
                pin_set,
                account,
                digest,
                limit,
            } => {
                assert_eq!(pin_set, "customers");
                let mut uses = self.uses.borrow_mut();
                let uses = uses.entry((account.to_vec(), digest)).or_default();
                let left = *uses < limit.get();
                *uses += u32::from(left);
                left
            }
            Use::Stored { .. } => panic!("there is no PostgreSQL"),
            Use::Key { family, key } => {
                assert_eq!(family, "PINS/1");
                self.keys.borrow_mut().remove(key)
            }
        };
        here.then_some(Ok(taken))
    }

    fn is_time(&self, _: &Times) -> bool {
        self.open.get()
    }

    fn pepper(&self) -> &Pepper {
        match self.keyless.get() {
            true => &self.no_pepper,
            false => &self.pepper,
        }
    }
}

impl LockoutContext for &Pbx {
    const SETTLE_TIMEOUT: Duration = Duration::from_secs(600);

    /// Panics inside itself.
    fn lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T {
        what(&mut self.lockouts.borrow_mut(), START)
    }

    fn changed(&self) {
        assert!(self.lockouts.borrow_mut().has_changes());
        self.changed.set(self.changed.get() + 1);
    }

    fn locked(&self, lock: Lock, left: Option<Duration>) {
        self.locked.set(Some((lock, left)));
    }

    fn identified(&self, account: &[u8]) {
        let account = String::from_utf8_lossy(account).into_owned();
        self.identity.borrow_mut().push(format!("<{account}>"));
    }

    fn reason(&self, reason: Reason) {
        *self.reason.borrow_mut() = reason.to_string();
    }

    fn notice(&self, notice: &Notice<'_>) {
        let error = if notice.is_error() { "E" } else { "W" };
        self.notices.borrow_mut().push(format!("{error} {notice}"));
    }

    fn now(&self) -> Duration {
        START
    }
}

fn turkey() -> Numbering {
    let mut numbering = Numbering::default();
    numbering.set(b"country_code", b"90").expect("a code");
    numbering
}

fn rows(list: &str, kind: FileKind) -> Arc<Rows> {
    let list = list.as_bytes();
    let mut reading = Reading::new(list, kind, true, &Zone::utc(), &turkey(), u64::MAX);
    loop {
        match reading.step() {
            Ok(Some(rows)) => return Arc::new(rows),
            Ok(None) => {}
            Err(broken) => panic!("{broken}"),
        }
    }
}

/// Returns an entry of these digits. Letters are allowed, for account names.
fn entered(text: &str) -> Pin {
    let mut pin = Pin::new();
    text.bytes().for_each(|key| pin.push(key));
    pin
}

/// Returns an Argon2id hash of these digits, of the least cost.
fn argon2id(digits: &str) -> String {
    let text = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$0T8Xv9HzSgy6rOF4gFCBxE5T96ltUdQKB791KA9XTaQ";
    let secret = Secret::parse(text.as_bytes()).ok();
    let cost = secret.and_then(|secret| secret.cost()).expect("a cost");
    let hash = Recipe::Argon2id(cost, [7; 16]).make(&entered(digits));
    hash.map(|hash| hash.to_string()).unwrap_or_default()
}

/// Returns a verdict as a short text.
fn said(verdict: Option<Verdict>) -> String {
    match verdict {
        None => "gone".to_owned(),
        Some(Verdict::Wrong) => "wrong".to_owned(),
        Some(Verdict::Expired) => "expired".to_owned(),
        Some(Verdict::Unavailable) => "unavailable".to_owned(),
        Some(Verdict::Locked { verified: true }) => "locked, verified".to_owned(),
        Some(Verdict::Locked { verified: false }) => "locked".to_owned(),
        Some(Verdict::Right(Grant {
            account,
            level,
            context,
        })) => {
            let account = account.map(|account| String::from_utf8_lossy(&account).into_owned());
            let parts = [account, level.map(|level| level.to_string()), context];
            format!(
                "right{}",
                parts
                    .map(|part| format!(" {}", part.unwrap_or("-".to_owned())))
                    .concat()
            )
        }
    }
}

fn verified(verifier: &mut Verifier<&Pbx, &Pbx>, digits: &str) -> String {
    for_account(verifier, None, digits)
}

fn for_account(verifier: &mut Verifier<&Pbx, &Pbx>, account: Option<&str>, digits: &str) -> String {
    let (account, pin) = (account.map(entered), entered(digits));
    let entry = Entry {
        account: account.as_ref(),
        pin: &pin,
    };
    said(verifier.verify(&mut stays(), entry))
}
