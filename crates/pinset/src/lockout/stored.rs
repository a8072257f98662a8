//! Attempts that are charged in a database, for all PBXs: the statements of each step and
//! their replies. The rules are in the functions of the schema, and are those of
//! [`Lockouts`](super::Lockouts); a test compares the two.

use std::time::Duration;

use libpq::{Parameter, Reply, Statement};

use super::key::Key;
use super::subject::account_text;
use super::trust::Trust;
use super::{
    account_key, Account, AttemptResult, Caller, ChargeError, Keys, Kind, Limits, Lock, Standing,
    Subject,
};
use crate::config::Lockout;
use crate::database::{
    of_text, text, Request, UnreadableReply, CHARGE, CHARGE_ACCOUNTS, LOOK, SETTLE,
};
use crate::hex;

/// An entry that is being verified, charged in the database. It counts as wrong until it
/// is settled, or for good after a minute.
#[must_use = "it counts as wrong until it is settled"]
#[derive(Debug)]
pub struct StoredCharge {
    pin_set: String,
    caller: Caller,
    limits: Limits,
    /// How many entries of the call were charged before.
    tries: u32,
    over_budget: bool,
    charged: Vec<Charged>,
}

/// Where an entry is charged.
#[derive(Debug)]
struct Charged {
    kind: Kind,
    key: Key,
    /// Which of the entries in flight it is.
    receipt: String,
    is_trusted: bool,
    on_reserve: bool,
    limit: Lockout,
}

/// Returns what asks for the standing of a caller, or `None` if nothing is counted.
pub fn look(who: &Subject<'_>) -> Option<Request> {
    charge_or_look(&LOOK, who, 0)
}

/// Reads the reply to [`look`].
///
/// # Errors
///
/// It is no such reply.
pub fn standing(reply: &Reply, now: Duration) -> Result<Standing, UnreadableReply> {
    match text(reply, 0, 0)? {
        "locked" => Ok(Standing::Locked(lock_of(reply, 0, (1, 2), now)?)),
        "one-try" => Ok(Standing::OneTry),
        "open" => Ok(Standing::Open),
        _ => Err(UnreadableReply),
    }
}

/// Returns what charges an entry to caller and PIN set, or `None` if nothing is counted
/// there. `tries` entries of the call were charged before.
pub fn charge(who: &Subject<'_>, tries: u32) -> Option<Request> {
    charge_or_look(&CHARGE, who, tries)
}

fn charge_or_look(statement: &'static Statement, who: &Subject<'_>, tries: u32) -> Option<Request> {
    let Limits {
        caller, pin_set, ..
    } = who.limits;
    if caller.is_none() && pin_set.is_none() {
        return None;
    }
    let keys = Keys::of(who);
    let (_, trust) = Trust::key(who.pin_set, who.caller, None);
    let parameters = vec![
        of_text(who.pin_set),
        who.caller.number().and_then(of_text),
        of_text(who.caller.endpoint()),
        of_key(&keys.caller),
        caller.and_then(of_limit),
        of_key(&keys.pin_set),
        pin_set.and_then(of_limit),
        of_key(&trust),
        of_text(&tries.to_string()),
    ];
    Some(Request {
        statement,
        parameters,
    })
}

impl StoredCharge {
    /// Reads the reply to [`charge`], or takes none if nothing is counted.
    ///
    /// # Errors
    ///
    /// It is no such reply; or, inside, the entry is not to be verified, and nothing has
    /// been charged.
    pub fn of(
        reply: Option<&Reply>,
        who: &Subject<'_>,
        tries: u32,
        now: Duration,
    ) -> Result<Result<Self, ChargeError>, UnreadableReply> {
        let mut charge = Self {
            pin_set: who.pin_set.to_owned(),
            caller: who.caller.clone(),
            limits: who.limits,
            tries,
            over_budget: false,
            charged: Vec::new(),
        };
        let Some(reply) = reply else {
            return Ok(Ok(charge));
        };
        match text(reply, 0, 0)? {
            "busy" => return Ok(Err(ChargeError::Busy)),
            "locked" => {
                let lock = lock_of(reply, 0, (1, 2), now)?;
                return Ok(Err(ChargeError::Locked(lock)));
            }
            "one-try" => charge.over_budget = true,
            "open" => {}
            _ => return Err(UnreadableReply),
        }
        let keys = Keys::of(who);
        let of = [
            (Kind::Caller, keys.caller, who.limits.caller, 3),
            (Kind::PinSet, keys.pin_set, who.limits.pin_set, 4),
        ];
        for (kind, key, limit, column) in of {
            if let Some(limit) = limit {
                charge.charged.push(Charged {
                    kind,
                    key,
                    receipt: text(reply, 0, column)?.to_owned(),
                    is_trusted: false,
                    on_reserve: kind == Kind::PinSet && charge.over_budget,
                    limit,
                });
            }
        }
        Ok(Ok(charge))
    }

    /// Whether the PIN set is over its budget, and the entry is from a caller with an
    /// earlier success there.
    pub fn is_over_budget(&self) -> bool {
        self.over_budget
    }

    /// The keys of accounts that are to be charged: each once, in the order of the
    /// database, with its account.
    fn accounts<'a>(&self, accounts: &'a [Account<'a>]) -> Vec<(Key, Account<'a>)> {
        let key = |account: &Account<'_>| account_key(&self.pin_set, &account_text(account.name));
        let mut keys: Vec<_> = accounts
            .iter()
            .map(|account| (key(account), *account))
            .filter(|(key, _)| !self.charged.iter().any(|charged| charged.key == *key))
            .collect();
        keys.sort_by_key(|(key, _)| *key);
        keys.dedup_by_key(|(key, _)| *key);
        keys
    }

    /// Returns what charges the entry to these accounts as well, or `None` if there is
    /// nothing to charge.
    pub fn charge_accounts(&self, accounts: &[Account<'_>]) -> Option<Request> {
        let limit = self.limits.account?;
        let accounts = self.accounts(accounts);
        if accounts.is_empty() {
            return None;
        }
        let names = accounts
            .iter()
            .map(|(_, account)| account.known.then(|| account_text(account.name)));
        let trusts = accounts.iter().map(|(_, account)| {
            let name = account_text(account.name);
            Trust::key(&self.pin_set, &self.caller, Some(&name)).1
        });
        let parameters = vec![
            of_text(&self.pin_set),
            of_keys(accounts.iter().map(|(key, _)| *key)),
            array(names.map(|name| name.map(|name| quoted(&name)))),
            of_keys(trusts),
            of_limit(limit),
            of_text(&self.tries.to_string()),
        ];
        Some(Request {
            statement: &CHARGE_ACCOUNTS,
            parameters,
        })
    }

    /// Reads the reply to [`Self::charge_accounts`], or takes none. Returns the lock of
    /// each of the accounts, unless all are locked.
    ///
    /// # Errors
    ///
    /// It is no such reply; or, inside, the entry is not to be verified for any of them.
    pub fn accounts_charged(
        &mut self,
        accounts: &[Account<'_>],
        reply: Option<&Reply>,
        now: Duration,
    ) -> Result<Result<Vec<Option<Lock>>, ChargeError>, UnreadableReply> {
        let mut locked: Vec<(Key, Lock)> = Vec::new();
        let mut charged = Vec::new();
        if let (Some(reply), Some(limit)) = (reply, self.limits.account) {
            for (row, (key, _)) in self.accounts(accounts).into_iter().enumerate() {
                match text(reply, row, 0)? {
                    // None is charged then.
                    "busy" => return Ok(Err(ChargeError::Busy)),
                    "locked" => {
                        let until = until_of(reply, row, 1, now)?;
                        let kind = Kind::Account;
                        locked.push((key, Lock { kind, until }));
                    }
                    "open" => charged.push(Charged {
                        kind: Kind::Account,
                        key,
                        receipt: text(reply, row, 2)?.to_owned(),
                        is_trusted: text(reply, row, 3)? == "t",
                        on_reserve: text(reply, row, 4)? == "t",
                        limit,
                    }),
                    _ => return Err(UnreadableReply),
                }
            }
        }
        self.charged.extend(charged);
        let lock = |account: &Account<'_>| {
            let key = account_key(&self.pin_set, &account_text(account.name));
            let held = locked.iter().find(|(locked, _)| *locked == key);
            held.map(|(_, lock)| *lock)
        };
        let locks: Vec<_> = accounts.iter().map(lock).collect();
        let all_locked = locks.iter().all(Option::is_some);
        Ok(match locks.first() {
            Some(Some(lock)) if all_locked => Err(ChargeError::Locked(*lock)),
            _ => Ok(locks),
        })
    }

    /// Returns what records the result of the entry, or `None` if it was charged nowhere.
    pub fn settle(mut self, result: AttemptResult<'_>) -> Option<Request> {
        let (letter, admitted) = match result {
            AttemptResult::Right(account) => ("r", account.map(account_text)),
            AttemptResult::Wrong => ("w", None),
            AttemptResult::Void => ("v", None),
        };
        let key = admitted.as_deref();
        let key = key.map(|name| account_key(&self.pin_set, name));
        let is_charged = |key| self.charged.iter().any(|charged| charged.key == key);
        let trust = |account| Trust::key(&self.pin_set, &self.caller, account).1;
        let mut trusts: Vec<Key> = Vec::new();
        if letter == "r" && self.limits.pin_set.is_some() {
            trusts.push(trust(None));
        }
        if key.is_some_and(is_charged) {
            trusts.push(trust(admitted.as_deref()));
        }
        trusts.sort_unstable();
        if self.charged.is_empty() {
            return None;
        }
        self.charged
            .sort_by_key(|charged| (letter_of(charged.kind), charged.key));
        let all = || self.charged.iter();
        let limits = |part: fn(&Lockout) -> u64| {
            array(all().map(|charged| Some(part(&charged.limit).to_string())))
        };
        let flags = |flag: fn(&Charged) -> bool| {
            array(all().map(|charged| Some(flag(charged).to_string())))
        };
        let parameters = vec![
            of_text(&self.pin_set),
            array(all().map(|charged| Some(letter_of(charged.kind).to_owned()))),
            of_keys(all().map(|charged| charged.key)),
            array(all().map(|charged| Some(quoted(&charged.receipt)))),
            flags(|charged| charged.is_trusted),
            flags(|charged| charged.on_reserve),
            limits(|limit| limit.failures.into()),
            limits(|limit| milliseconds(limit.window)),
            limits(|limit| milliseconds(limit.lock)),
            of_text(letter),
            key.as_ref().and_then(of_key),
            of_keys(trusts.into_iter()),
        ];
        Some(Request {
            statement: &SETTLE,
            parameters,
        })
    }
}

/// Reads the reply to [`StoredCharge::settle`]: the lock that begins, or from now on holds
/// for trusted callers as well.
///
/// # Errors
///
/// It is no such reply.
pub fn settled(reply: &Reply, now: Duration) -> Result<Option<Lock>, UnreadableReply> {
    match reply.get(0, 0) {
        Some(_) => lock_of(reply, 0, (0, 1), now).map(Some),
        None => Ok(None),
    }
}

/// The letter of a kind in the database, where accounts come first and PIN sets last.
pub(super) fn letter_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Account => "a",
        Kind::Caller => "c",
        Kind::PinSet => "p",
    }
}

/// Reads the letter of a kind.
pub(super) fn kind_of(letter: &str) -> Result<Kind, UnreadableReply> {
    let is = |kind: &Kind| letter_of(*kind) == letter;
    Kind::ALL.into_iter().find(is).ok_or(UnreadableReply)
}

/// Reads a lock: its kind and what is left of it are in these columns.
fn lock_of(
    reply: &Reply,
    row: usize,
    (kind, left): (usize, usize),
    now: Duration,
) -> Result<Lock, UnreadableReply> {
    Ok(Lock {
        kind: kind_of(text(reply, row, kind)?)?,
        until: until_of(reply, row, left, now)?,
    })
}

/// Reads the end of a lock by our own clock: the database says what is left.
pub(super) fn until_of(
    reply: &Reply,
    row: usize,
    column: usize,
    now: Duration,
) -> Result<Option<Duration>, UnreadableReply> {
    if reply.get(row, column).is_none() {
        return Ok(None);
    }
    let left: u64 = text(reply, row, column)?
        .parse()
        .map_err(|_| UnreadableReply)?;
    Ok(Some(now + Duration::from_millis(left)))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn of_key(key: &Key) -> Parameter {
    of_text(&bytes(key))
}

pub(super) fn of_keys(keys: impl Iterator<Item = Key>) -> Parameter {
    array(keys.map(|key| Some(quoted(&bytes(&key)))))
}

fn bytes(key: &Key) -> String {
    let mut text = String::from("\\x");
    hex::append(&mut text, key);
    text
}

/// A limit as an array: failures, window and lock.
fn of_limit(limit: Lockout) -> Parameter {
    let (window, lock) = (milliseconds(limit.window), milliseconds(limit.lock));
    of_text(&format!("{{{},{window},{lock}}}", limit.failures))
}

fn array(items: impl Iterator<Item = Option<String>>) -> Parameter {
    let items: Vec<_> = items
        .map(|item| item.unwrap_or_else(|| "NULL".to_owned()))
        .collect();
    of_text(&format!("{{{}}}", items.join(",")))
}

/// An item of an array: `"…"`.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
