//! What is wrong with an answer that could be read.

use std::fmt;

use crate::dialplan::MAX_NAME_BYTES;
use crate::escape::escape;
use crate::external::Data;

/// Why an answer can't be carried out. The text does not hold what the caller
/// has keyed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Nobody may be sent there: the action, and its destination as the log may
    /// have it.
    NotAllowed(&'static str, String),
    /// The dialplan does not have it: the context, and the destination as the log
    /// may have it.
    NotThere(String, String),
    /// So many actions are carried out in a call, and no more.
    Steps(u32),
    /// The sequence ends, and the call is sent nowhere.
    NoEnd,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed(action, destination) => write!(
                f,
                "{action} to {destination} is refused: {action}_context must be set, and \
                 {action}_pattern match it"
            ),
            Self::NotThere(context, destination) => {
                let context = escape(context.as_bytes());
                write!(f, "context '{context}' has no extension {destination}")
            }
            Self::Steps(most) => write!(f, "max_steps = {most}, and it goes on"),
            Self::NoEnd => f.write_str("it ends without sending the call anywhere"),
        }
    }
}

/// So many keys in a destination are no chance.
const TELLING: usize = 3;

/// Returns whether a destination shows what the caller has entered.
pub fn reveals(destination: &str, data: &Data) -> bool {
    let shows = |keyed: &str| {
        destination == keyed || (keyed.len() >= TELLING && destination.contains(keyed))
    };
    data.iter().any(|(_, keyed)| shows(keyed.as_str()))
}

/// A destination, for the log, unless it shows what the caller has entered.
pub(super) fn shown(destination: &str, data: &Data) -> String {
    if reveals(destination, data) {
        return "what was keyed".to_owned();
    }
    let short: String = destination.chars().take(MAX_NAME_BYTES).collect();
    format!("'{}'", escape(short.as_bytes()))
}
