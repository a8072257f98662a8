//! A PIN that somebody else has collected: the dialplan, for its function
//! `AUTHENTICATE_VERIFY()`, or a client of AMI.

use pinset::call::arguments;
use pinset::escape::escape_audit_value;
use pinset::verify::{Calling, Outcome, ServiceChannel};
use pinset::{Pin, Status};

use crate::asterisk::function::FunctionCall;
use crate::asterisk::log::{self, log};
use crate::auth::backend;
use crate::config;
use crate::state::audit::AuditContext;

/// `AUTHENTICATE_VERIFY(pinset,VARNAME[,caller[,account]])`.
pub fn verify(call: &mut FunctionCall<'_>, data: &[u8]) -> (Status, u32) {
    let trail = AuditContext::default();
    call.watched_by(trail.clone());
    let [name, variable, caller, account] = arguments::split(data);
    if name.is_empty() || variable.is_empty() {
        log!(
            Error,
            "AUTHENTICATE_VERIFY needs a PIN set and the name of a variable"
        );
        return (Status::Error, 1);
    }
    // In any case: it is not to be left.
    let entry = match call.take_variable(&variable) {
        Ok(None) if is_value(&variable) => {
            let why = "the second argument is the name of a variable, VARNAME, not its value \
                ${VARNAME}";
            let place = call.place();
            if log::is_first(format!("AUTHENTICATE_VERIFY {place}")) {
                let (channel, place) = (
                    escape_audit_value(call.name().as_bytes()),
                    escape_audit_value(place.as_bytes()),
                );
                log!(Error, "AUTHENTICATE_VERIFY by {channel} at {place}: {why}");
            }
            trail.set_pin_set(&String::from_utf8_lossy(&name).to_ascii_lowercase());
            trail.set_reason(why);
            return (Status::Error, 0);
        }
        Ok(entry) => entry.and_then(|entry| Pin::keyed(&entry)),
        Err(_) => None,
    };
    let caller = if caller.is_empty() {
        call.caller_number()
    } else {
        Some(caller.to_vec())
    };
    let name = String::from_utf8_lossy(&name);
    let channel = call.name();
    let attempt = Attempt {
        by: "AUTHENTICATE_VERIFY",
        pin_set: name.trim(),
        calling: Calling {
            number: caller.as_deref(),
            channel: &channel,
        },
        trail,
        account: &account,
        entry,
    };
    let judged = judge(call, attempt);
    if let Some(grant) = &judged.grant {
        call.announce(grant);
    }
    (judged.status, judged.attempts)
}

/// Whether what stands in place of a variable's name is what a caller has entered:
/// keys of a telephone, a digit among them. It must not be logged.
fn is_value(name: &[u8]) -> bool {
    Pin::keyed(name).is_some() && name.iter().any(|key| !key.is_ascii_alphabetic())
}

/// What is to be judged, and for whom.
pub struct Attempt<'a> {
    /// Who asks, for the log.
    pub by: &'a str,
    /// The name of the PIN set.
    pub pin_set: &'a str,
    /// Who makes the entry.
    pub calling: Calling<'a>,
    /// What becomes known of it.
    pub trail: AuditContext,
    /// The account it is for; empty: none is named.
    pub account: &'a [u8],
    /// The entry; `None`: no telephone can key it.
    pub entry: Option<Pin>,
}

/// Judges an entry.
pub fn judge<H: ServiceChannel>(host: &mut H, attempt: Attempt<'_>) -> Outcome {
    let name = attempt.pin_set;
    let trail = attempt.trail;
    trail.set_pin_set(&name.to_ascii_lowercase());
    match backend::source(name, config::current(), attempt.calling, trail.clone()) {
        Ok(mut source) => source.outcome(host, attempt.account, attempt.entry.as_ref()),
        Err(why) => {
            log!(Error, "{}: {why}", attempt.by);
            trail.set_reason(&why);
            Status::Error.into()
        }
    }
}
