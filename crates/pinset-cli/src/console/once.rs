//! One-time numbers of forms: a form that is sent again, by a reload of the page that
//! answered it, must not be done again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use pinset::hex;

use super::sessions::SessionId;

/// Number of used numbers that are kept: more than all users fill in before their sessions
/// end.
const MAX_USED: usize = 10_000;

/// The reason why a form is not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OnceError {
    /// It was done at this time, in milliseconds since the Unix epoch, or is being done.
    Used(i64),
    /// The form is not of this run of the console.
    Foreign,
}

/// The numbers that this run of the console gives to forms.
pub(super) struct OnceNumbers {
    /// What all numbers of this run begin with.
    run: String,
    next: AtomicU64,
    used: Mutex<VecDeque<Used>>,
}

struct Used {
    session: SessionId,
    number: String,
    time: i64,
}

impl OnceNumbers {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)?;
        let mut run = String::new();
        hex::append(&mut run, &bytes);
        Ok(Self {
            run,
            next: AtomicU64::new(0),
            used: Mutex::default(),
        })
    }

    /// Returns the number of a new form.
    pub(super) fn number(&self) -> String {
        self.text(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn text(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }

    /// Takes note that the form with this number is done now, in milliseconds since the
    /// Unix epoch.
    ///
    /// # Errors
    ///
    /// Then it must not be done.
    pub(super) fn take(&self, session: SessionId, number: &str, now: i64) -> Result<(), OnceError> {
        let own = number.rsplit('-').next().and_then(|own| own.parse().ok());
        let given = self.next.load(Ordering::Relaxed);
        // Compared as a text, because a number can be written in several ways.
        let is_own = |own: &u64| *own < given && self.text(*own) == number;
        if !own.as_ref().is_some_and(is_own) {
            return Err(OnceError::Foreign);
        }
        let mut used = self.used.lock();
        if let Some(used) = used.iter().find(|used| used.is(session, number)) {
            return Err(OnceError::Used(used.time));
        }
        if used.len() == MAX_USED {
            used.pop_front();
        }
        used.push_back(Used {
            session,
            number: number.to_owned(),
            time: now,
        });
        Ok(())
    }

    /// Gives a number back whose form was not done after all.
    pub(super) fn give_back(&self, session: SessionId, number: &str) {
        self.used.lock().retain(|used| !used.is(session, number));
    }
}

impl Used {
    fn is(&self, session: SessionId, number: &str) -> bool {
        self.session == session && self.number == number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_is_good_once_in_its_session_and_run() {
        let numbers = OnceNumbers::new().expect("numbers");
        let [one, other] = ["one", "other"].map(SessionId::of);
        let number = numbers.number();
        assert_ne!(number, numbers.number());
        assert_eq!(numbers.take(one, &number, 7), Ok(()));
        assert_eq!(numbers.take(one, &number, 8), Err(OnceError::Used(7)));
        assert_eq!(numbers.take(other, &number, 9), Ok(()));
        numbers.give_back(one, &number);
        assert_eq!(numbers.take(one, &number, 10), Ok(()));
        let foreign = OnceNumbers::new().expect("numbers").number();
        let later = format!("{}-2", numbers.run);
        // The same number in another writing would be good once more.
        let padded = number.replace("-0", "-00");
        for number in [&foreign, &later, &padded, &String::new(), &"-0".to_owned()] {
            assert_eq!(
                numbers.take(one, number, 0),
                Err(OnceError::Foreign),
                "{number}"
            );
        }
    }

    #[test]
    fn oldest_used_number_goes_first() {
        let numbers = OnceNumbers::new().expect("numbers");
        let session = SessionId::of("one");
        let all: Vec<String> = (0..=MAX_USED).map(|_| numbers.number()).collect();
        for number in &all {
            assert_eq!(numbers.take(session, number, 1), Ok(()));
        }
        assert_eq!(numbers.take(session, &all[1], 2), Err(OnceError::Used(1)));
        assert_eq!(numbers.used.lock().len(), MAX_USED);
    }
}
