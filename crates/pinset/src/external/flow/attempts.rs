//! Counting of what a caller enters for a service.
//!
//! An entry is in flight from its post until the answer, and at no other time:
//! a caller who listens to sounds, or enters nothing, takes no room from others.

use crate::lockout::AttemptResult;
use crate::verify::{AttemptError, Counter, Debt, LockoutContext, ServiceChannel, Ticket};

/// The meaning of an answer for the entry that was posted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// The caller is admitted.
    Admitted,
    /// Another entry is needed before the service can decide.
    Step,
    /// Anything else. What was posted may have been compared.
    Wrong,
    /// The service has not answered, so nothing about the entry was revealed.
    Unknown,
}

/// The entries of one call. Those that are not settled when it is dropped count
/// as wrong.
pub(super) struct Attempts<'a, K: LockoutContext> {
    counter: &'a Counter<K>,
    /// The entry that is being posted.
    in_flight: Option<Ticket<'a, K>>,
    /// Earlier steps. They count as wrong unless the call is admitted.
    owed: Vec<Debt<'a, K>>,
}

impl<'a, K: LockoutContext> Attempts<'a, K> {
    pub(super) fn new(counter: &'a Counter<K>) -> Self {
        Self {
            counter,
            in_flight: None,
            owed: Vec::new(),
        }
    }

    /// Charges an entry before it is posted.
    ///
    /// # Errors
    ///
    /// It must not be posted, and is not charged.
    pub(super) fn charge<H: ServiceChannel>(&mut self, host: &mut H) -> Result<(), AttemptError> {
        self.in_flight = Some(self.counter.charge(host)?);
        Ok(())
    }

    /// Settles the entry that was posted, if there was one. Admission settles the
    /// caller's earlier steps too.
    pub(super) fn settle(&mut self, meaning: Meaning) {
        if meaning == Meaning::Admitted {
            self.owed.drain(..).for_each(Debt::forgive);
        }
        let Some(ticket) = self.in_flight.take() else {
            // Nothing is charged for a caller who enters nothing. That the service
            // asks for an earlier entry again is its verdict on that one.
            if meaning == Meaning::Wrong {
                drop(self.owed.pop());
            }
            return;
        };
        // A lock that begins with it ends the call at the next entry.
        match meaning {
            Meaning::Admitted => {
                ticket.settle(None, AttemptResult::Right(None));
            }
            Meaning::Step => self.owed.push(ticket.owe()),
            Meaning::Wrong => {
                ticket.settle(None, AttemptResult::Wrong);
            }
            Meaning::Unknown => {
                ticket.settle(None, AttemptResult::Void);
            }
        }
    }
}

impl<K: LockoutContext> Drop for Attempts<'_, K> {
    fn drop(&mut self) {
        self.settle(Meaning::Wrong);
    }
}
