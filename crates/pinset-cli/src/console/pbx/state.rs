//! Whether a PBX is connected.

use std::fmt;

use jiff::{Timestamp, Zoned};

use super::error::SharedConnectionError;

/// The state of the connection to a PBX.
#[derive(Clone, Debug)]
pub(crate) enum PbxState {
    /// No attempt to connect has ended.
    Connecting,
    Up,
    Down(Outage),
    /// The client is stopped, with the console.
    Stopped,
}

/// A time without a connection.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    pub pbx: String,
    /// Its beginning: the first failure in a row.
    pub since: Timestamp,
    /// The latest failure.
    pub why: SharedConnectionError,
}

impl Outage {
    /// Returns the text for the page, with the time of day, and the date unless it is
    /// today.
    pub(crate) fn describe(&self, now: &Zoned) -> String {
        let since = self.since.to_zoned(now.time_zone().clone());
        let format = match since.date() == now.date() {
            true => "%T",
            false => "%F %T",
        };
        let (pbx, since, why) = (&self.pbx, since.strftime(format), &self.why);
        format!("{pbx} does not answer since {since} ({why})")
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe(&Zoned::now()))
    }
}
