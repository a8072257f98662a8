//! Notices for the log.

use std::fmt;

use crate::credential::table::SignedRows;
use crate::lockout::{Kind, Lock};

/// A message for the administrator; it starts with the PIN set or the list, and never
/// holds a PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice<'a> {
    /// The PIN set is over its budget: only trusted callers are still admitted.
    OverBudget(&'a str),
    /// Trusted callers are not admitted either.
    OverReserve(&'a str),
    /// An account is locked until it is unlocked by hand.
    ByHand(&'a str),
    /// An attempt is rejected because concurrent attempts use up the lockout limit.
    Busy(&'a str),
    /// This many of its rows can't be found by a PIN alone.
    Argon2id(&'a str, u64),
    /// The list admits nobody, and why.
    Refused(&'a str, &'a str),
    /// An entry counts as wrong for a failure of ours, and why.
    Rejected(&'a str, &'a str),
    /// The result of an entry can't be recorded, and why.
    Unrecorded(&'a str, &'a str),
    /// An entry matches no row, but some rows can't be checked.
    Unchecked(&'a str, &'a SignedRows),
}

impl<'a> Notice<'a> {
    /// Returns the notice of a lock that begins in the PIN set or the list of this name.
    /// `over_budget` if it was over its budget already.
    pub(super) fn of(name: &'a str, lock: Lock, over_budget: bool) -> Option<Self> {
        match (lock.kind, lock.until) {
            (Kind::PinSet, _) if over_budget => Some(Self::OverReserve(name)),
            (Kind::PinSet, _) => Some(Self::OverBudget(name)),
            (_, None) => Some(Self::ByHand(name)),
            _ => None,
        }
    }

    /// Whether a caller was refused because of a failure on our side.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Refused(..) | Self::Rejected(..))
    }
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OverBudget(name) => write!(
                f,
                "'{name}': too many wrong entries: only callers who have succeeded before are \
                 admitted for a while"
            ),
            Self::OverReserve(name) => write!(
                f,
                "'{name}': too many wrong entries, also of callers who have succeeded before: \
                 nobody is admitted for a while"
            ),
            Self::ByHand(name) => write!(
                f,
                "'{name}': an account is locked until an administrator unlocks it: a hundred \
                 wrong entries without a right one"
            ),
            Self::Busy(name) => write!(
                f,
                "'{name}': attempt rejected: concurrent attempts already use up the lockout \
                 limit"
            ),
            Self::Argon2id(name, rows) => write!(
                f,
                "PIN set '{name}': rows with Argon2id hashes are ignored ({rows}): they can't be \
                 found by PIN alone; use identify = caller or account"
            ),
            Self::Refused(name, why) => write!(f, "PIN set '{name}' admits nobody: {why}"),
            Self::Rejected(name, why) => {
                write!(f, "PIN set '{name}': attempt rejected as wrong: {why}")
            }
            Self::Unrecorded(name, why) => write!(
                f,
                "PIN set '{name}': the result of an attempt can't be recorded, which counts as \
                 wrong within a minute: {why}"
            ),
            Self::Unchecked(name, rows) => {
                write!(f, "PIN set '{name}': attempt matches no row, but {rows}")
            }
        }
    }
}
