//! Verification of a PIN that was collected elsewhere: by the dialplan, for its function
//! `AUTHENTICATE_VERIFY()`, or by a client of AMI.

use pinset::call::arguments;
use pinset::escape::escape_audit_value;
use pinset::verify::{CallOrigin, Outcome, ServiceChannel};
use pinset::{Pin, Status};

use crate::asterisk::function::FunctionCall;
use crate::asterisk::log::{self, log};
use crate::auth::backend;
use crate::config;
use crate::state::audit::AuditContext;

/// Implements `AUTHENTICATE_VERIFY(pinset,VARNAME[,caller[,account]])`.
pub(crate) fn verify(call: &mut FunctionCall<'_>, data: &[u8]) -> (Status, u32) {
    let audit = AuditContext::default();
    call.observe(audit.clone());
    let [name, variable, caller, account] = arguments::split(data);
    if name.is_empty() || variable.is_empty() {
        log!(
            Error,
            "AUTHENTICATE_VERIFY needs a PIN set and the name of a variable"
        );
        return (Status::Error, 1);
    }
    // Taken in any case: the PIN must not stay in the variable.
    let pin = match call.take_variable(&variable) {
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
            audit.set_pin_set(&String::from_utf8_lossy(&name).to_ascii_lowercase());
            audit.set_reason(why);
            return (Status::Error, 0);
        }
        Ok(pin) => pin.and_then(|pin| Pin::parse(&pin)),
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
        origin: CallOrigin {
            number: caller.as_deref(),
            channel: &channel,
        },
        audit,
        account: &account,
        pin,
    };
    let outcome = verify_attempt(call, attempt);
    if let Some(grant) = &outcome.grant {
        call.announce(grant);
    }
    (outcome.status, outcome.attempts)
}

/// Returns whether the variable's name is rather its value, which a caller has entered:
/// keys of a telephone, a digit among them. It must not be logged.
fn is_value(name: &[u8]) -> bool {
    Pin::parse(name).is_some() && name.iter().any(|key| !key.is_ascii_alphabetic())
}

/// An attempt to be verified.
pub(crate) struct Attempt<'a> {
    /// The function or action, for the log.
    pub by: &'a str,
    /// The name of the PIN set.
    pub pin_set: &'a str,
    /// The caller.
    pub origin: CallOrigin<'a>,
    /// Where the caller and the reason of a failure are noted.
    pub audit: AuditContext,
    /// The account; empty if none is named.
    pub account: &'a [u8],
    /// The PIN, or `None` if no telephone can enter it.
    pub pin: Option<Pin>,
}

/// Verifies an attempt.
pub(crate) fn verify_attempt<H: ServiceChannel>(host: &mut H, attempt: Attempt<'_>) -> Outcome {
    let name = attempt.pin_set;
    let audit = attempt.audit;
    audit.set_pin_set(&name.to_ascii_lowercase());
    match backend::source(name, config::current(), attempt.origin, audit.clone()) {
        Ok(mut source) => source.outcome(host, attempt.account, attempt.pin.as_ref()),
        Err(error) => {
            log!(Error, "{}: {error}", attempt.by);
            audit.set_reason(&error);
            Status::Error.into()
        }
    }
}
