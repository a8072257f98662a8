//! The dialplan function `AUTHENTICATE_VERIFY()`: a PIN that the dialplan has
//! collected itself.

use pinset::pin::{is_key, MAX_DIGITS};
use pinset::{arguments, Entry, Pin, PinSource, Status, Verdict};

use crate::asterisk::function::Bystander;
use crate::asterisk::log::log;
use crate::configuration;
use crate::lockouts::Caller;
use crate::pin_sets::PinSetSource;

/// `AUTHENTICATE_VERIFY(pinset,VARNAME[,caller[,account]])`.
pub fn verify(call: &mut Bystander<'_>, data: &[u8]) -> Status {
    let [name, variable, caller, account] = arguments::split(data);
    if name.is_empty() || variable.is_empty() {
        log!(
            Error,
            "AUTHENTICATE_VERIFY needs a PIN set and the name of a variable"
        );
        return Status::Error;
    }
    // In any case: it is not to be left.
    let entry = match call.take_variable(&variable) {
        Ok(entry) => entry.and_then(|entry| keyed(&entry)),
        Err(_) => None,
    };
    let caller = if caller.is_empty() {
        call.caller_number()
    } else {
        Some(caller.to_vec())
    };
    let name = String::from_utf8_lossy(&name);
    let (name, trail) = (name.trim(), call.trail());
    trail.set_pin_set(&name.to_ascii_lowercase());
    let in_force = configuration::current();
    let caller = Caller {
        number: caller.as_deref(),
        channel: &call.name(),
        trail,
    };
    let source = PinSetSource::new(name, in_force, &caller);
    let mut source = match source {
        Ok(source) => source,
        Err(why) => {
            log!(Error, "AUTHENTICATE_VERIFY: {why}");
            return Status::Error;
        }
    };
    let Some(pin) = entry.filter(|pin| pin.len() <= source.set().max_digits) else {
        return Status::Failure;
    };
    let mut number = Pin::new();
    account.iter().for_each(|byte| number.push(*byte));
    let entry = Entry {
        account: (!account.is_empty()).then_some(&number),
        pin: &pin,
    };
    match source.judge(call, entry) {
        Some(Verdict::Right(grant)) => {
            call.announce(&grant);
            Status::Success
        }
        Some(Verdict::Expired) => Status::Expired,
        Some(Verdict::Wrong) => Status::Failure,
        Some(Verdict::Locked { .. }) => Status::Locked,
        Some(Verdict::Unavailable) => Status::Error,
        None => Status::Hangup,
    }
}

/// A text as if it had been keyed; `None`: nobody could.
fn keyed(text: &[u8]) -> Option<Pin> {
    let right = text.len() <= MAX_DIGITS && text.iter().all(|key| is_key(*key));
    right.then(|| {
        let mut pin = Pin::new();
        text.iter().for_each(|key| pin.push(*key));
        pin
    })
}
