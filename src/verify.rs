//! A PIN that somebody else has collected: the dialplan, for its function
//! `AUTHENTICATE_VERIFY()`, or a client of AMI.

use pinset::pin::{is_key, MAX_DIGITS};
use pinset::{arguments, Entry, Grant, Pin, PinSource, Status, Verdict};

use crate::asterisk::function::Bystander;
use crate::asterisk::log::log;
use crate::audit::Trail;
use crate::configuration;
use crate::lockouts::Caller;
use crate::patience::Patient;
use crate::pin_sets::PinSetSource;

/// `AUTHENTICATE_VERIFY(pinset,VARNAME[,caller[,account]])`.
pub fn verify(call: &mut Bystander<'_>, data: &[u8]) -> (Status, u32) {
    let trail = Trail::default();
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
        Ok(entry) => entry.and_then(|entry| keyed(&entry)),
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
        caller: Caller {
            number: caller.as_deref(),
            channel: &channel,
            trail,
        },
        account: &account,
        entry,
    };
    let judged = judge(call, attempt);
    if let Some(grant) = &judged.grant {
        call.announce(grant);
    }
    (judged.status, judged.attempts)
}

/// What is to be judged, and for whom.
pub struct Attempt<'a> {
    /// Who asks, for the log.
    pub by: &'a str,
    /// The name of the PIN set.
    pub pin_set: &'a str,
    /// Who makes the entry.
    pub caller: Caller<'a>,
    /// The account it is for; empty: none is named.
    pub account: &'a [u8],
    /// The entry; `None`: no telephone can key it.
    pub entry: Option<Pin>,
}

/// What has come of an attempt.
pub struct Judged {
    /// How it has come out.
    pub status: Status,
    /// Whose PIN it is: with success alone.
    pub grant: Option<Grant>,
    /// 1, or 0 if there was a lock: then the entry was not judged.
    pub attempts: u32,
}

impl From<Status> for Judged {
    fn from(status: Status) -> Self {
        Self {
            status,
            grant: None,
            attempts: 1,
        }
    }
}

/// Judges an entry.
pub fn judge<H: Patient>(host: &mut H, attempt: Attempt<'_>) -> Judged {
    let name = attempt.pin_set;
    attempt.caller.trail.set_pin_set(&name.to_ascii_lowercase());
    let source = PinSetSource::new(name, configuration::current(), &attempt.caller);
    let mut source = match source {
        Ok(source) => source,
        Err(why) => {
            log!(Error, "{}: {why}", attempt.by);
            return Status::Error.into();
        }
    };
    let most = source.set().max_digits;
    let Some(pin) = attempt.entry.filter(|pin| pin.len() <= most) else {
        return Status::Failure.into();
    };
    let mut number = Pin::new();
    attempt.account.iter().for_each(|byte| number.push(*byte));
    let entry = Entry {
        account: (!attempt.account.is_empty()).then_some(&number),
        pin: &pin,
    };
    match source.judge(host, entry) {
        Some(Verdict::Right(grant)) => Judged {
            grant: Some(grant),
            ..Status::Success.into()
        },
        Some(Verdict::Locked { judged }) => Judged {
            attempts: judged.into(),
            ..Status::Locked.into()
        },
        Some(Verdict::Expired) => Status::Expired.into(),
        Some(Verdict::Wrong) => Status::Failure.into(),
        Some(Verdict::Unavailable) => Status::Error.into(),
        None => Status::Hangup.into(),
    }
}

/// A text as if it had been keyed; `None`: nobody could.
pub fn keyed(text: &[u8]) -> Option<Pin> {
    let right = text.len() <= MAX_DIGITS && text.iter().all(|key| is_key(*key));
    right.then(|| {
        let mut pin = Pin::new();
        text.iter().for_each(|key| pin.push(*key));
        pin
    })
}
