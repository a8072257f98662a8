//! Conditions on a right PIN: level, enabled or not, dates, times and uses.

use std::fmt;

use zeroize::Zeroizing;

use crate::credential::table::{digest, Candidate};
use crate::list::format::md5;
use crate::list::Format;
use crate::pin::{Pin, MAX_DIGITS};
use crate::timestamp::Moment;
use crate::verdict::{Grant, Verdict};

/// The conditions of a PIN set that a row must meet, in addition to the PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// The least level that admits.
    pub required_level: u8,
    /// Whether the PIN set admits at this time of day.
    pub open: bool,
    /// The time of the call.
    pub now: Moment,
}

/// The result of taking one of the uses of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It is taken, or the row has any number of them.
    Yes,
    /// All of them were taken before.
    NoneLeft,
    /// It can't be counted: the row admits nobody, as if the PIN were wrong.
    Failed,
}

/// Why a right PIN does not admit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denial {
    /// Its level is too low.
    Level {
        /// The least level that admits.
        required: u8,
    },
    /// The row is disabled.
    Disabled,
    /// The PIN set does not admit at this time of day.
    Closed,
    /// The row isn't valid yet.
    NotYet,
    /// The row isn't valid any more.
    Over,
    /// All its uses are taken.
    Used,
    /// A use can't be counted.
    Uncounted,
}

impl Denial {
    /// The verdict on the attempt.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Disabled | Self::Closed | Self::NotYet | Self::Over | Self::Used => {
                Verdict::Expired
            }
            Self::Level { .. } | Self::Uncounted => Verdict::Wrong,
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level { required } => {
                write!(
                    f,
                    "right PIN, but its level is below required_level = {required}"
                )
            }
            Self::Disabled => f.write_str("right PIN, but its row is disabled"),
            Self::Closed => f.write_str("right PIN, but outside the times of the PIN set"),
            Self::NotYet => f.write_str("right PIN, but its valid_from is still to come"),
            Self::Over => f.write_str("right PIN, but its valid_until is past"),
            Self::Used => f.write_str("right PIN, but all its uses are taken"),
            Self::Uncounted => f.write_str("a use of the PIN can't be counted"),
        }
    }
}

/// Returns the verdict on an entry that is the PIN of `rows`, which are in the order
/// of their list: the first row that can admit does. `take` takes one of the uses of
/// a row. `deny` receives why rows do not admit; the last one it receives is the
/// reason for the verdict.
///
/// # Errors
///
/// Those of `take`: there is no verdict.
pub fn admit<E>(
    rows: impl IntoIterator<Item = Candidate>,
    terms: Terms,
    mut take: impl FnMut(&Candidate) -> Result<Taken, E>,
    mut deny: impl FnMut(Denial),
) -> Result<Verdict, E> {
    let mut verdict = Verdict::Wrong;
    for row in rows {
        let denial = match denial_of(&row, terms) {
            Some(denial) => denial,
            None => match take(&row)? {
                Taken::Yes => {
                    return Ok(Verdict::Right(Grant {
                        account: Some(row.account).filter(|account| !account.is_empty()),
                        level: Some(row.level),
                        context: row.context,
                    }))
                }
                Taken::NoneLeft => Denial::Used,
                Taken::Failed => Denial::Uncounted,
            },
        };
        // A PIN that has admitted once, or will, outweighs one that never does.
        if denial.verdict() == Verdict::Expired || verdict == Verdict::Wrong {
            verdict = denial.verdict();
            deny(denial);
        }
    }
    Ok(verdict)
}

/// Why a row does not admit, its uses left out.
fn denial_of(row: &Candidate, terms: Terms) -> Option<Denial> {
    if row.level < terms.required_level {
        let required = terms.required_level;
        return Some(Denial::Level { required });
    }
    if !row.enabled {
        return Some(Denial::Disabled);
    }
    if !terms.open {
        return Some(Denial::Closed);
    }
    if row.from.is_some_and(|from| from > terms.now) {
        return Some(Denial::NotYet);
    }
    let over = row.until.is_some_and(|until| until <= terms.now);
    over.then_some(Denial::Over)
}

/// What the uses of an entry of a plain or an md5 list are counted under, as
/// [`rows::digest`](crate::credential::table::digest) does it for rows.
pub fn digest_of_entry(format: Format, account: &[u8], pin: &Pin) -> [u8; 16] {
    let mut secret = Zeroizing::new(Vec::with_capacity(MAX_DIGITS + 8));
    match format {
        Format::Plain => {
            secret.extend(b"plain:");
            secret.extend(pin.as_bytes());
        }
        Format::Md5 => {
            secret.extend(b"md5:");
            secret.extend(md5::to_hex(&md5::digest(pin)));
        }
    }
    digest(account, &secret)
}

#[cfg(test)]
mod tests;
