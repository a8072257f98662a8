//! Whether a right PIN admits: its level, its dates, its uses.

use zeroize::Zeroizing;

use crate::list::{md5, Format};
use crate::moment::Moment;
use crate::pin::{Pin, MAX_DIGITS};
use crate::rows::{digest, Candidate};
use crate::source::{Grant, Verdict};

/// What a PIN set asks of a row, beside the PIN.
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

/// The verdict on an entry that is the PIN of `rows`, which are in the order of
/// their list: the first that admits does. `take` takes one of the uses of a
/// row.
///
/// # Errors
///
/// Those of `take`: there is no verdict.
pub fn admit<E>(
    rows: impl IntoIterator<Item = Candidate>,
    terms: Terms,
    mut take: impl FnMut(&Candidate) -> Result<Taken, E>,
) -> Result<Verdict, E> {
    let mut verdict = Verdict::Wrong;
    for row in rows {
        if row.level < terms.required_level {
            continue;
        }
        let begun = row.from.is_none_or(|from| from <= terms.now);
        let over = row.until.is_some_and(|until| until <= terms.now);
        if !terms.open || !begun || over {
            verdict = Verdict::Expired;
            continue;
        }
        match take(&row)? {
            Taken::Yes => {}
            Taken::NoneLeft => {
                verdict = Verdict::Expired;
                continue;
            }
            Taken::Failed => continue,
        }
        return Ok(Verdict::Right(Grant {
            account: Some(row.account).filter(|account| !account.is_empty()),
            level: Some(row.level),
            context: row.context,
        }));
    }
    Ok(verdict)
}

/// What the uses of an entry of a plain or an md5 list are counted under, as
/// [`rows::digest`](crate::rows::digest) does it for rows.
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
