//! Rules of one run of `pinset check`.

use pinset::list::Format;
use pinset::Numbering;

use super::pin_sets::PinSets;

/// How lists are checked.
pub struct Rules {
    /// Found out if it is not given.
    pub format: Option<Format>,
    /// What number a caller is.
    pub numbering: Numbering,
    /// Whose lists they are.
    pub pin_sets: PinSets,
    /// How many lines of each kind are named.
    pub show: usize,
}
