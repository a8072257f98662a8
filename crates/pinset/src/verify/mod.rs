//! Verification of attempts at a PIN set: which rows belong to the caller, whether they
//! admit, and what is counted. The one implementation for the module and `pinset serve`.
//!
//! A [`Verifier`] is made for one call. A [`BackEnd`] gives it lists, slow hashes, uses and
//! times; a [`LockoutContext`] gives it the lockouts and takes reports of the call; a
//! [`ServiceChannel`] services the caller while it waits. A [`Counter`] also counts attempts
//! without a PIN set.

use std::sync::Arc;

use crate::call::dialog::Status;
use crate::config::{Identify, NoCaller, PinSet};
use crate::lockout::{Caller, Limits};
use crate::phone_number::{Number, Numbering};
use crate::pin::Pin;
use crate::verdict::{Entry, Grant, PinSource, Verdict};
use verdict::DecisionError;

pub mod admission;
mod attempt_limiter;
mod backend;
mod doubt;
mod file_query;
mod notice;
mod reason;
mod shared_lockouts;
mod stored;
mod ticket;
mod usable;
mod verdict;

pub use attempt_limiter::{AttemptError, Counter, LockoutContext, NoChannel, ServiceChannel};
pub use backend::{
    Answer, BackEnd, Entries, Family, Hashed, RowQuery, Use, UseError, Verification, Work,
};
pub use doubt::Doubt;
pub use file_query::{FileAnswer, FileQuery, FileQueryError, QueryContext};
pub use notice::Notice;
pub use reason::{Reason, Searched};
pub use shared_lockouts::SharedLockouts;
pub use stored::{consume_stored, look_up_stored, DatabaseQueries};
pub use ticket::{Debt, Ticket};

/// Verifies the entries of a call against a PIN set.
pub struct Verifier<B, K> {
    set: Arc<PinSet>,
    caller: Option<Number>,
    back_end: B,
    counter: Counter<K>,
}

/// The origin of a call, as it is known before any lookup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallOrigin<'a> {
    /// The caller number, in any spelling.
    pub number: Option<&'a [u8]>,
    /// The name of the channel, or of where else the call comes in.
    pub channel: &'a str,
}

impl CallOrigin<'_> {
    /// Returns the caller whose entries are counted, with the number as these rules
    /// compare it.
    pub fn caller(&self, numbering: &Numbering) -> Caller {
        Caller::normalized(self.number, self.channel, numbering)
    }
}

/// The result of an entry that was collected elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Its status.
    pub status: Status,
    /// The grant of the PIN, on success only.
    pub grant: Option<Grant>,
    /// 1, or 0 if there was a lock: then the entry was not verified.
    pub attempts: u32,
}

impl From<Status> for Outcome {
    fn from(status: Status) -> Self {
        Self {
            status,
            grant: None,
            attempts: 1,
        }
    }
}

impl<B: BackEnd, K: LockoutContext> Verifier<B, K> {
    /// Creates the verifier of the PIN set of this name, for one call.
    pub fn new(
        name: &str,
        set: Arc<PinSet>,
        origin: CallOrigin<'_>,
        numbering: &Numbering,
        back_end: B,
        keeper: K,
    ) -> Self {
        let caller = origin.caller(numbering);
        let number = origin.number;
        Self {
            counter: Counter::new(name, Limits::from(&*set), caller, keeper),
            caller: number.and_then(|number| numbering.normalize_caller(number)),
            set,
            back_end,
        }
    }

    /// The counter of its entries.
    pub fn counter(&self) -> &Counter<K> {
        &self.counter
    }

    /// Its options.
    pub fn set(&self) -> &PinSet {
        &self.set
    }

    /// Whether the caller has to be asked for an account number.
    pub fn asks_account(&self) -> bool {
        match self.set.identify {
            Identify::Pin => false,
            Identify::Account => true,
            Identify::Caller => self.caller.is_none() && self.set.no_caller == NoCaller::AskAccount,
        }
    }

    /// Whether no entry can admit the caller: there is no usable caller
    /// number and no account number is asked for.
    pub fn refuses(&self) -> bool {
        self.set.identify == Identify::Caller && self.caller.is_none() && !self.asks_account()
    }

    /// Verifies an entry that was collected elsewhere, for this account, which is
    /// empty if none is named. No entry, or one of more than `max_digits`, can't be
    /// entered here: it fails, and is not counted.
    pub fn outcome<H: ServiceChannel>(
        &mut self,
        host: &mut H,
        account: &[u8],
        entry: Option<&Pin>,
    ) -> Outcome {
        let most = self.set.max_digits;
        let Some(pin) = entry.filter(|pin| pin.len() <= most) else {
            self.keeper().reason(Reason::NotEnterable(most));
            return Status::Failure.into();
        };
        let mut number = Pin::new();
        account.iter().for_each(|byte| number.push(*byte));
        let account = (!account.is_empty()).then_some(&number);
        match self.verify(host, Entry { account, pin }) {
            Some(Verdict::Right(grant)) => Outcome {
                grant: Some(grant),
                ..Status::Success.into()
            },
            Some(Verdict::Locked { verified }) => Outcome {
                attempts: verified.into(),
                ..Status::Locked.into()
            },
            Some(Verdict::Expired) => Status::Expired.into(),
            Some(Verdict::Wrong) => Status::Failure.into(),
            Some(Verdict::Unavailable) => Status::Error.into(),
            None => Status::Hangup.into(),
        }
    }

    fn keeper(&self) -> &K {
        self.counter.keeper()
    }

    fn name(&self) -> &str {
        self.counter.name()
    }
}

impl<H: ServiceChannel, B: BackEnd, K: LockoutContext> PinSource<H> for Verifier<B, K> {
    fn verify(&mut self, host: &mut H, entry: Entry<'_>) -> Option<Verdict> {
        self.keeper().identified(b"");
        self.counter.verify(host, entry.pin, |host, ticket| {
            match self.decide(host, entry, ticket) {
                Ok(verdict) => Some(verdict),
                Err(DecisionError::Gone) => None,
                Err(DecisionError::Locked) => Some(Verdict::Locked { verified: false }),
                Err(DecisionError::Unknown) => Some(Verdict::Unavailable),
                Err(DecisionError::Refused(why)) => {
                    let notice = Notice::Refused(self.name(), &why);
                    self.keeper().notice(&notice);
                    Some(Verdict::Unavailable)
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
