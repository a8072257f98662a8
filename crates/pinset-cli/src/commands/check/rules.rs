//! Rules of one run of `pinset check`.

use pinset::list::Format;
use pinset::Numbering;

use super::pin_sets::PinSets;

/// The rules by which lists are checked.
pub(super) struct Rules {
    /// `None` if it is detected.
    pub format: Option<Format>,
    /// The normalization of caller numbers.
    pub numbering: Numbering,
    /// The PIN sets that may use the lists.
    pub pin_sets: PinSets,
    /// Number of lines of each kind to report.
    pub show: usize,
}
