//! PIN sets: who calls, which rows are theirs, and whether these admit.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use pinset::admission::{admit, digest_of_entry, Terms};
use pinset::list::{Format, Kind};
use pinset::lockout::Limits;
use pinset::moment::Moment;
use pinset::rows::{Candidate, Rows};
use pinset::secret::{Cost, Unverifiable};
use pinset::settings::{AstdbValue, Identify, NoCaller, Source};
use pinset::{Entry, Grant, Number, Pin, PinSet, PinSource, Verdict};

use crate::asterisk::log::{log, log_once};
use crate::asterisk::{database, dialplan};
use crate::audit::Trail;
use crate::configuration::InForce;
use crate::hashing::{self, Work};
use crate::lists::{self, About, Answer, Wanted};
use crate::lockouts::{Caller, Counter, Halt, Ticket};
use crate::patience::Patient;
use crate::{families, uses};

/// The family of the database in which uses are counted, a PIN set's below it.
const USES: &str = "authenticate-uses";

/// The PIN set of a call.
pub struct PinSetSource {
    name: String,
    set: Arc<PinSet>,
    in_force: Arc<InForce>,
    caller: Option<Number>,
    counter: Counter,
    trail: Trail,
}

/// Whose rows may be the caller's.
enum Who<'a> {
    Anybody,
    Caller(&'a Number),
    Account(&'a [u8]),
}

/// The caller is gone.
struct Gone;

/// Nobody gets in, and why; or the caller is gone, or locked out.
enum Failure {
    Gone,
    Locked,
    Refused(String),
}

impl From<Gone> for Failure {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Halt> for Failure {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Gone => Self::Gone,
            Halt::Locked => Self::Locked,
            Halt::Busy => Self::Refused("too many entries are judged at once".to_owned()),
        }
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Refused(why)
    }
}

impl PinSetSource {
    /// The PIN set of this name, for this caller; what becomes known of who it is
    /// is left on the trail.
    ///
    /// # Errors
    ///
    /// There is none, or there are errors in it.
    pub fn new(name: &str, in_force: Arc<InForce>, caller: &Caller<'_>) -> Result<Self, String> {
        let name = name.to_ascii_lowercase();
        let set = in_force.pin_set(&name)?;
        let numbering = &in_force.settings.numbering;
        let limits = Limits {
            caller: set.lockout_caller,
            account: set.lockout_account,
            pin_set: set.lockout_pinset,
        };
        Ok(Self {
            counter: Counter::new(&name, limits, numbering, caller),
            name,
            set,
            caller: caller.number.and_then(|number| numbering.normalize(number)),
            in_force,
            trail: caller.trail.clone(),
        })
    }

    /// What its entries are counted under.
    pub fn counter(&self) -> &Counter {
        &self.counter
    }

    /// Its options.
    pub fn set(&self) -> &PinSet {
        &self.set
    }

    /// Whether the caller is to be asked for an account number.
    pub fn asks_account(&self) -> bool {
        match self.set.identify {
            Identify::Pin => false,
            Identify::Account => true,
            Identify::Caller => self.caller.is_none() && self.set.no_caller == NoCaller::AskAccount,
        }
    }

    /// Whether the caller can't be anybody in it, whatever is keyed.
    pub fn refuses(&self) -> bool {
        self.set.identify == Identify::Caller && self.caller.is_none() && !self.asks_account()
    }

    fn decide<H: Patient>(
        &self,
        host: &mut H,
        entry: Entry<'_>,
        ticket: &mut Ticket<'_>,
    ) -> Result<Verdict, Failure> {
        if entry.pin.len() < self.set.min_digits {
            return Ok(Verdict::Wrong);
        }
        let who = match (self.set.identify, entry.account, &self.caller) {
            (Identify::Pin, ..) => Who::Anybody,
            (_, Some(account), _) if self.asks_account() => Who::Account(account.as_bytes()),
            (Identify::Caller, _, Some(number)) => Who::Caller(number),
            _ => return Ok(Verdict::Wrong),
        };
        match &self.set.source {
            Some(Source::File(path)) => self.file(host, path, &who, entry.pin, ticket),
            Some(Source::Astdb(family)) => match self.set.astdb_value {
                AstdbValue::Ignore => self.key(family.as_bytes(), entry.pin),
                AstdbValue::AccountSecret => self.values(host, family, &who, entry.pin, ticket),
            },
            Some(Source::Url(_)) => {
                let why = "a web service is asked what to do with a call, not about one PIN";
                Err(why.to_owned().into())
            }
            None => Err("it has no source".to_owned().into()),
        }
    }

    fn file<H: Patient>(
        &self,
        host: &mut H,
        path: &Path,
        who: &Who<'_>,
        pin: &Pin,
        ticket: &mut Ticket<'_>,
    ) -> Result<Verdict, Failure> {
        let about = About::PinSet(Arc::new(Wanted {
            set: Arc::clone(&self.set),
            rules: Arc::clone(&self.in_force.rules),
        }));
        match lists::ask(host, path, &about, pin).ok_or(Gone)? {
            Answer::Refused(why) => Err(why.into()),
            Answer::Verdict(Verdict::Right(grant), format) => self.entry(grant, format, pin),
            Answer::Verdict(verdict, _) => Ok(verdict),
            Answer::Rows(rows, kind) => {
                let verdict = self.rows(host, &rows, who, pin, ticket, |row| {
                    let limit = if self.set.one_time {
                        Some(NonZeroU32::MIN)
                    } else {
                        row.max_uses
                    };
                    limit.map_or(Ok(true), |limit| {
                        self.count(&row.account, &row.digest(), limit)
                    })
                })?;
                Ok(match kind {
                    Kind::Csv => verdict,
                    Kind::Lines(_) => without_level(verdict),
                })
            }
        }
    }

    /// An entry that is in a plain or an md5 list.
    fn entry(&self, grant: Grant, format: Format, pin: &Pin) -> Result<Verdict, Failure> {
        if !self.is_open() {
            return Ok(Verdict::Expired);
        }
        if self.set.one_time {
            let account = grant.account.as_deref().unwrap_or_default();
            let digest = digest_of_entry(format, account, pin);
            if !self.count(account, &digest, NonZeroU32::MIN)? {
                return Ok(Verdict::Expired);
            }
        }
        Ok(Verdict::Right(grant))
    }

    /// A key of the database is the PIN.
    fn key(&self, family: &[u8], pin: &Pin) -> Result<Verdict, Failure> {
        let key = pin.as_bytes();
        Ok(if !database::exists(family, key) {
            Verdict::Wrong
        } else if !self.is_open() {
            Verdict::Expired
        } else if !self.set.one_time || used_up(family, key)? {
            Verdict::Right(Grant::default())
        } else {
            Verdict::Wrong
        })
    }

    /// The values of the database are `account:secret`.
    fn values<H: Patient>(
        &self,
        host: &mut H,
        family: &str,
        who: &Who<'_>,
        pin: &Pin,
        ticket: &mut Ticket<'_>,
    ) -> Result<Verdict, Failure> {
        let settings = &self.in_force.settings;
        let (limit, timeout) = (settings.max_list_memory, settings.source_timeout);
        let family = families::read(host, family, limit, timeout).ok_or(Gone)??;
        let verdict = self.rows(host, &family.rows, who, pin, ticket, |row| {
            if !self.set.one_time {
                return Ok(true);
            }
            let key = family.key(row).unwrap_or_default();
            used_up(family.name.as_bytes(), key)
        })?;
        Ok(without_level(verdict))
    }

    /// Judges by rows; `take` takes one of the uses of a row.
    fn rows<H: Patient>(
        &self,
        host: &mut H,
        rows: &Rows,
        who: &Who<'_>,
        pin: &Pin,
        ticket: &mut Ticket<'_>,
        take: impl FnMut(&Candidate) -> Result<bool, Failure>,
    ) -> Result<Verdict, Failure> {
        let theirs: Vec<Candidate> = match who {
            Who::Anybody => return self.anybody(rows, pin, take),
            Who::Caller(number) => rows.by_caller(number).collect(),
            Who::Account(account) => rows.by_account(account).collect(),
        };
        self.trail.set_identity(only_account(&theirs));
        // Before any hash is computed.
        if let Who::Account(account) = who {
            ticket.account(host, account, !theirs.is_empty())?;
        }
        for row in theirs.iter().filter(|row| !row.account.is_empty()) {
            ticket.account(host, &row.account, true)?;
        }
        let right = self.right(host, theirs, rows.dummy(), pin)?;
        self.admit(right, take)
    }

    fn anybody(
        &self,
        rows: &Rows,
        pin: &Pin,
        take: impl FnMut(&Candidate) -> Result<bool, Failure>,
    ) -> Result<Verdict, Failure> {
        if rows.argon2id() > 0 {
            log_once!(
                Warning,
                "PIN set '{}': no PIN alone finds a row with an argon2id hash ({} of them): \
                 identify = caller or account does",
                self.name,
                rows.argon2id()
            );
        }
        let found = rows.by_pin(pin, &self.in_force.pepper);
        let missing = found.missing().first().copied();
        match (self.admit(found, take)?, missing) {
            // It may be the PIN of a row that can't be checked.
            (Verdict::Wrong, Some(key)) => Err(Unverifiable::NoKey(key).to_string().into()),
            (verdict, _) => Ok(verdict),
        }
    }

    /// Of these rows, those whose PIN it is. With `cost`, the list has rows whose
    /// hash costs so much.
    fn right<H: Patient>(
        &self,
        host: &mut H,
        theirs: Vec<Candidate>,
        cost: Option<Cost>,
        pin: &Pin,
    ) -> Result<Vec<Candidate>, Failure> {
        let (slow, fast): (Vec<_>, Vec<_>) = theirs
            .into_iter()
            .partition(|row| row.secret.form().is_slow());
        let mut why = None;
        let mut right = Vec::new();
        for row in fast {
            match row.secret.verify(pin, &self.in_force.pepper) {
                Ok(true) => right.push(row),
                Ok(false) => {}
                Err(unverifiable) => why = Some(unverifiable.to_string()),
            }
        }
        // Whether somebody has a row must not be told by the time it takes.
        let dummy = cost.filter(|_| slow.is_empty());
        if !slow.is_empty() || dummy.is_some() {
            let work = Work {
                rows: slow,
                dummy,
                pin: pin.clone(),
            };
            let verified = hashing::verify(host, work).ok_or(Gone)?;
            right.extend(verified.map_err(|failed| failed.to_string())?);
            right.sort_by_key(|row| row.line);
        }
        match why {
            Some(why) if right.is_empty() => Err(why.into()),
            _ => Ok(right),
        }
    }

    fn admit(
        &self,
        rows: impl IntoIterator<Item = Candidate>,
        take: impl FnMut(&Candidate) -> Result<bool, Failure>,
    ) -> Result<Verdict, Failure> {
        let terms = Terms {
            required_level: self.set.required_level,
            open: self.is_open(),
            now: Moment::of(SystemTime::now()),
        };
        // Whose PIN it is is known, whether or not it admits.
        let rows = rows.into_iter().inspect(|row| {
            self.trail.set_identity(&row.account);
        });
        admit(rows, terms, take)
    }

    /// Whether it admits at this time.
    fn is_open(&self) -> bool {
        self.set.times.as_ref().is_none_or(dialplan::is_time)
    }

    /// Counts a use of a row; false if it has had them all.
    fn count(&self, account: &[u8], digest: &[u8], limit: NonZeroU32) -> Result<bool, Failure> {
        let family = format!("{USES}/{}", self.name);
        let mut key = String::new();
        if !account.is_empty() {
            key = format!("{}/", account.escape_ascii());
        }
        key.extend(digest.iter().map(|byte| format!("{byte:02x}")));
        uses::count(family.as_bytes(), key.as_bytes(), limit)
            .map_err(|why| format!("a use can't be counted: {why}").into())
    }
}

/// The account that all of these have; empty if there are several, or none.
fn only_account(rows: &[Candidate]) -> &[u8] {
    match rows {
        [first, others @ ..] if others.iter().all(|row| row.account == first.account) => {
            &first.account
        }
        _ => b"",
    }
}

/// Of a list that has no levels.
fn without_level(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Right(grant) => Verdict::Right(Grant {
            level: None,
            ..grant
        }),
        verdict => verdict,
    }
}

fn used_up(family: &[u8], key: &[u8]) -> Result<bool, Failure> {
    uses::use_up(family, key).map_err(|why| format!("a PIN can't be used up: {why}").into())
}

impl<H: Patient> PinSource<H> for PinSetSource {
    fn judge(&mut self, host: &mut H, entry: Entry<'_>) -> Option<Verdict> {
        self.trail.set_identity(b"");
        self.counter.judge(host, entry.pin, |host, ticket| {
            match self.decide(host, entry, ticket) {
                Ok(verdict) => Some(verdict),
                Err(Failure::Gone) => None,
                Err(Failure::Locked) => Some(Verdict::Locked { judged: false }),
                Err(Failure::Refused(why)) => {
                    log!(Error, "PIN set '{}' admits nobody: {why}", self.name);
                    Some(Verdict::Unavailable)
                }
            }
        })
    }
}
