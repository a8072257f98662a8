//! Rules of one run of `pinset check`.

use pinset::list::Format;
use pinset::Numbering;

use super::pin_sets::CheckedPinSets;

/// The rules by which lists are checked.
pub(super) struct Rules {
    /// `None` if it is detected.
    pub format: Option<Format>,
    /// The normalization of caller numbers.
    pub numbering: Numbering,
    /// The PIN sets that may use the lists.
    pub pin_sets: CheckedPinSets,
    /// Number of lines of each kind to report.
    pub show: usize,
}
