//! One-time PINs, option `r`: each admits exactly one call, despite races and crashes.

mod crash;
mod hung;
mod journal;
mod locked;
mod race;

use anyhow::{Context, Result};
use harness::{Call, Ongoing, Pbx, Report};

/// The fourth key ends the entry; a right one is admitted without a word.
const FOUR_DIGITS: &str = "/once,drq,4";
const FAMILY: &str = "once";

/// The journal of PINs used up, beside Asterisk's database.
pub(crate) const JOURNAL: &str = "/harness/db/app_authenticate_rs.journal";

/// The journal as it is now.
pub(crate) fn journal(pbx: &Pbx) -> Result<String> {
    let path = pbx.outside(JOURNAL).context("no way to the journal")?;
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// A call by a caller who enters the PIN at the first prompt and hangs up at
/// the second, which only a refused one hears.
fn try_pin(pbx: &Pbx, pin: &str) -> Result<Report> {
    pbx.call(&Call::new(format!("{FOUR_DIGITS},&")).keys(&format!("<now>{pin} <hangup>")))
}

/// Presses a key that is in no script, as its time is not up to the caller.
pub(crate) fn press(pbx: &Pbx, call: &Ongoing<'_>, key: &str) -> Result<()> {
    let channel = call.channel().context("the call has no channel")?;
    let headers = [
        ("Channel", channel),
        ("Digit", key),
        ("Receive", "true"),
        ("Duration", "80"),
    ];
    pbx.manager()?.send("PlayDTMF", &headers)
}
