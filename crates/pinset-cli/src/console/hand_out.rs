//! New PINs until they are handed out: each form of them can be taken once.

use parking_lot::Mutex;
use thiserror::Error;
use zeroize::Zeroizing;

/// A form in which PINs are handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HandOutForm {
    /// A table for a mail merge.
    Csv,
    /// A page for each PIN.
    Letters,
}

/// The PINs can't be taken in this form again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("taken before")]
pub(super) struct AlreadyTakenError {
    /// Milliseconds since the Unix epoch.
    pub time: i64,
}

/// New PINs.
pub(super) struct HandOut {
    pub count: usize,
    state: Mutex<HandOutState>,
}

struct HandOutState {
    /// The columns account, name and PIN, as CSV. Wiped once all forms were taken.
    pins: Zeroizing<Vec<u8>>,
    csv: Option<i64>,
    letters: Option<i64>,
}

impl HandOutState {
    fn taken(&mut self, form: HandOutForm) -> &mut Option<i64> {
        match form {
            HandOutForm::Csv => &mut self.csv,
            HandOutForm::Letters => &mut self.letters,
        }
    }
}

impl HandOut {
    /// `pins` is CSV with the columns account, name and PIN.
    pub(super) fn new(count: usize, pins: Zeroizing<Vec<u8>>) -> Self {
        Self {
            count,
            state: Mutex::new(HandOutState {
                pins,
                csv: None,
                letters: None,
            }),
        }
    }

    /// Returns when the PINs were taken in this form, in milliseconds since the epoch.
    pub(super) fn taken(&self, form: HandOutForm) -> Option<i64> {
        *self.state.lock().taken(form)
    }

    /// Takes the PINs in this form, unless they were taken before. `record` is called
    /// first, and no PIN is taken if it fails.
    pub(super) fn take<E>(
        &self,
        form: HandOutForm,
        now: i64,
        record: impl FnOnce() -> Result<(), E>,
    ) -> Result<Result<Zeroizing<Vec<u8>>, AlreadyTakenError>, E> {
        let mut state = self.state.lock();
        if let Some(time) = *state.taken(form) {
            return Ok(Err(AlreadyTakenError { time }));
        }
        record()?;
        *state.taken(form) = Some(now);
        let is_last = state.csv.is_some() && state.letters.is_some();
        Ok(Ok(match is_last {
            true => std::mem::take(&mut state.pins),
            false => state.pins.clone(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_taken_once_in_each_form() {
        let pins = Zeroizing::new(b"account,name,pin\nada,,836490\n".to_vec());
        let hand_out = HandOut::new(1, pins.clone());
        let take = |form, now| {
            hand_out
                .take(form, now, || Ok::<_, ()>(()))
                .expect("recorded")
        };
        assert_eq!(hand_out.take(HandOutForm::Csv, 1, || Err(())), Err(()));
        assert_eq!(take(HandOutForm::Csv, 2), Ok(pins.clone()));
        assert_eq!(
            take(HandOutForm::Csv, 3),
            Err(AlreadyTakenError { time: 2 })
        );
        assert_eq!(hand_out.taken(HandOutForm::Letters), None);
        assert_eq!(take(HandOutForm::Letters, 4), Ok(pins));
        assert_eq!(
            take(HandOutForm::Letters, 5),
            Err(AlreadyTakenError { time: 4 })
        );
        assert_eq!(hand_out.taken(HandOutForm::Csv), Some(2));
        assert!(hand_out.state.lock().pins.is_empty());
    }
}
