//! One-time PINs, option `r`: each admits exactly one call, whatever races or
//! crashes.

mod crash;
mod journal;
mod locked;
mod race;

use anyhow::{Context, Result};
use harness::{Call, Ongoing, Pbx, Report};

use std::cell::Cell;

/// The fourth key ends the entry; a right one is admitted without a word. (The
/// stock module does not know `q`, says so in the log, and thanks.)
const FOUR_DIGITS: &str = "/once,drq,4";
const FAMILY: &str = "once";

/// The journal of PINs used up, beside Asterisk's database.
pub const JOURNAL: &str = "/harness/db/app_authenticate_rs.journal";

/// The journal as it is now.
fn journal(pbx: &Pbx) -> Result<String> {
    let path = pbx.outside(JOURNAL).context("no way to the journal")?;
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// A call by a caller who keys the PIN at the first prompt and hangs up at
/// the second, which only a refused one hears.
fn try_pin(pbx: &Pbx, pin: &str) -> Result<Report> {
    pbx.call(&Call::new(format!("{FOUR_DIGITS},&")).keys(&format!("<now>{pin} <hangup>")))
}

/// Waits until so many keys have arrived at the channel.
fn until_keyed(call: &mut Ongoing<'_>, count: u32) -> Result<()> {
    let seen = Cell::new(0);
    call.until("the keys", |frame| {
        let key = frame.event() == Some("DTMFEnd") && frame.has("Direction", "Received");
        seen.set(seen.get() + u32::from(key));
        key && seen.get() >= count
    })
}

/// Presses a key that is in no script.
fn press(pbx: &Pbx, call: &Ongoing<'_>, key: &str) -> Result<()> {
    let channel = call.channel().context("the call has no channel")?;
    let headers = [
        ("Channel", channel),
        ("Digit", key),
        ("Receive", "true"),
        ("Duration", "80"),
    ];
    pbx.manager()?.send("PlayDTMF", &headers)
}
