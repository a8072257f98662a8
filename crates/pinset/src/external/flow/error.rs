//! Errors of answers that are valid, but can't be carried out.

use thiserror::Error;

use crate::dialplan::MAX_NAME_BYTES;
use crate::escape::escape;
use crate::external::Data;

/// Why an answer can't be carried out. The message does not hold what the caller
/// has entered.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum FlowError {
    /// No call may be sent there: the action, and its destination as the log may
    /// have it.
    #[error(
        "{0} to {1} is refused: {0}_context must be set, and \
         {0}_pattern match it"
    )]
    DestinationNotAllowed(&'static str, String),
    /// The dialplan does not have the destination: the context, and the destination
    /// as the log may have it.
    #[error("context '{context}' has no extension {1}", context = escape(.0.as_bytes()))]
    MissingExtension(String, String),
    /// The service wants more than this many actions in one call.
    #[error("max_steps = {0}, and it goes on")]
    TooManySteps(u32),
    /// The sequence ends without sending the call anywhere.
    #[error("it ends without sending the call anywhere")]
    NoDestination,
}

/// The shortest entry that is no coincidence in a destination.
const MIN_REVEALING_DIGITS: usize = 3;

/// Returns whether a destination shows what the caller has entered.
pub fn reveals(destination: &str, data: &Data) -> bool {
    let shows = |entered: &str| {
        destination == entered
            || (entered.len() >= MIN_REVEALING_DIGITS && destination.contains(entered))
    };
    data.iter().any(|(_, entered)| shows(entered.as_str()))
}

/// A destination, for the log, unless it shows what the caller has entered.
pub(super) fn shown(destination: &str, data: &Data) -> String {
    if reveals(destination, data) {
        return "the entered digits".to_owned();
    }
    let short: String = destination.chars().take(MAX_NAME_BYTES).collect();
    format!("'{}'", escape(short.as_bytes()))
}
