//! Verification of a PIN by the rules of the module. Uses are not checked, because they are
//! counted elsewhere, nor are options of a PIN set.

use pinset::credential::table::{Candidate, Rows};
use pinset::phone_number::Number;
use pinset::timestamp::Moment;
use pinset::{Pepper, Pin};
use thiserror::Error;

/// By what the row of a caller is found.
pub(crate) enum IdentifiedBy {
    Caller(Number),
    Account(String),
    /// The PIN alone.
    Pin,
}

/// Whether a row admits with a PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PinVerdict {
    Right,
    Disabled,
    NotYet,
    Expired,
    Wrong,
}

impl PinVerdict {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Disabled => "right, but the row is disabled",
            Self::NotYet => "right, but not valid yet",
            Self::Expired => "right, but no longer valid",
            Self::Wrong => "wrong",
        }
    }

    fn of(row: &Candidate, now: Moment) -> Self {
        match () {
            () if !row.enabled => Self::Disabled,
            () if row.from.is_some_and(|from| now < from) => Self::NotYet,
            () if row.until.is_some_and(|until| until <= now) => Self::Expired,
            () => Self::Right,
        }
    }
}

/// No row has the PIN, but some can't be verified, for this reason.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct UndecidedError(String);

/// Returns whether a PIN is right, and the row that it matches.
///
/// # Errors
///
/// Fails if no row matches, and some can't be verified.
pub(crate) fn verify(
    rows: &Rows,
    by: &IdentifiedBy,
    pin: &Pin,
    pepper: &Pepper,
    now: Moment,
) -> Result<(PinVerdict, Option<Candidate>), UndecidedError> {
    let mut undecided = None;
    let found: Vec<Candidate> = match by {
        IdentifiedBy::Caller(number) => right(rows.by_caller(number), pin, pepper, &mut undecided),
        IdentifiedBy::Account(account) => {
            let rows = rows.by_account(account.as_bytes());
            right(rows, pin, pepper, &mut undecided)
        }
        IdentifiedBy::Pin => {
            let found = rows.by_pin(pin, pepper);
            let missing = found.missing().first();
            undecided = missing.map(|id| format!("the pepper file has no key {id}"));
            found.collect()
        }
    };
    let mut verdicts = found
        .into_iter()
        .map(|row| (PinVerdict::of(&row, now), row))
        .collect::<Vec<_>>();
    let admitting = verdicts
        .iter()
        .position(|(verdict, _)| *verdict == PinVerdict::Right);
    match (verdicts.is_empty(), undecided) {
        (false, _) => {
            let (verdict, row) = verdicts.swap_remove(admitting.unwrap_or(0));
            Ok((verdict, Some(row)))
        }
        (true, Some(why)) => Err(UndecidedError(why)),
        (true, None) => Ok((PinVerdict::Wrong, None)),
    }
}

/// Returns the rows with this PIN. Sets `undecided` if some can't be verified.
fn right(
    rows: impl Iterator<Item = Candidate>,
    pin: &Pin,
    pepper: &Pepper,
    undecided: &mut Option<String>,
) -> Vec<Candidate> {
    rows.filter(|row| match row.secret.verify(pin, pepper) {
        Ok(right) => right,
        Err(why) => {
            *undecided = Some(why.to_string());
            false
        }
    })
    .collect()
}
