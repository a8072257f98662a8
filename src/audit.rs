//! How calls come out, told once each: counted, as a line of the log level
//! `AUTHENTICATE`, as an event of the manager, and for phones, if it is asked
//! for, as a security event.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pinset::audit::{escaped, line, Record, Remote};
use pinset::lockout::Kind;
use pinset::{Grant, Settings, Status};

use crate::asterisk::channel::{Channel, Origin};
use crate::asterisk::host::Witness;
use crate::asterisk::log::{log, log_once};
use crate::asterisk::{event, phone};
use crate::{configuration, stats};

/// What becomes known of a call on the way to its verdict. Clones share it.
#[derive(Clone, Default)]
pub struct Trail(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    pin_set: String,
    identity: Vec<u8>,
    locked: Option<(Kind, Option<Duration>)>,
    told: bool,
}

/// Where a call comes from.
#[derive(Default)]
pub struct Source {
    /// Who calls, and on which channel.
    pub origin: Origin,
    /// The phone, if `phone_endpoints` says that it is one.
    pub phone: Option<Phone>,
}

/// A phone: what is at the address is the caller's own.
pub struct Phone {
    endpoint: Vec<u8>,
    remote: Remote,
    /// The address of ours that it calls, if a security event is to tell it.
    local: Option<String>,
}

impl Trail {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the call is to be admitted by: a PIN set, or what
    /// [`name_of`](pinset::audit::name_of) says.
    pub fn set_pin_set(&self, name: &str) {
        name.clone_into(&mut self.known().pin_set);
    }

    /// Who it is, by the list; nobody, if it is empty. Never what was keyed for an
    /// account that no list has.
    pub fn set_identity(&self, account: &[u8]) {
        account.clone_into(&mut self.known().identity);
    }

    /// What is locked, for how long; `None`: until it is unlocked by hand.
    pub fn set_locked(&self, by: Kind, left: Option<Duration>) {
        self.known().locked = Some((by, left));
    }

    /// Tells how it has come out, unless that is told already.
    pub fn tell(&self, outcome: Status, attempts: u32, source: impl FnOnce() -> Source) {
        let known = {
            let mut known = self.known();
            if known.told {
                return;
            }
            let told = Known {
                told: true,
                ..Known::default()
            };
            std::mem::replace(&mut *known, told)
        };
        // First: this can't be lost, the log can.
        stats::count(&known.pin_set, outcome, attempts);
        let Source { origin, phone } = source();
        let record = Record {
            outcome,
            pin_set: &known.pin_set,
            identity: &known.identity,
            caller: &origin.caller,
            channel: &origin.channel,
            unique_id: &origin.unique_id,
            linked_id: &origin.linked_id,
            attempts,
            locked: known.locked.filter(|_| outcome == Status::Locked),
            remote: phone.as_ref().map(|phone| phone.remote),
        };
        let fields = record.fields();
        log!(Authenticate, "{}", line(&fields));
        let fields = fields
            .iter()
            .map(|field| (field.header, field.value.as_str()));
        event::publish(record.event(), fields);
        if let Some(phone) = phone {
            phone.report(&record);
        }
    }
}

impl Witness for Trail {
    fn admitted(&self, grant: &Grant) {
        self.set_identity(grant.account.as_deref().unwrap_or_default());
    }

    fn verdict(&self, channel: &Channel<'_>, outcome: Status, attempts: u32) {
        self.tell(outcome, attempts, || Source::of(channel));
    }
}

impl Source {
    /// That of a channel. A phone's address is asked for: the channel must not be
    /// locked by us.
    fn of(channel: &Channel<'_>) -> Self {
        let origin = channel.origin();
        let in_force = configuration::current();
        let phone = Phone::of(channel, &origin, &in_force.settings);
        Self { origin, phone }
    }
}

impl Phone {
    fn of(channel: &Channel<'_>, origin: &Origin, settings: &Settings) -> Option<Self> {
        let endpoint = settings.phone_endpoints.of_channel(&origin.channel)?;
        if !origin.is_pjsip {
            return None;
        }
        Some(Self {
            endpoint: endpoint.to_vec(),
            remote: phone::remote(channel)?,
            local: settings.security_events.then(|| phone::local(channel)),
        })
    }

    /// Reports a security event, if they are asked for: for what a caller has
    /// keyed, right or wrong.
    fn report(&self, record: &Record<'_>) {
        let admitted = match record.outcome {
            Status::Success => true,
            Status::Failure | Status::Expired | Status::Locked => false,
            Status::Timeout | Status::Hangup | Status::Error => return,
        };
        let Some(local) = &self.local else { return };
        let (account, session) = (escaped(&self.endpoint), escaped(record.unique_id));
        if !event::report(admitted, &account, &session, local, self.remote) {
            log_once!(Warning, "Asterisk has not taken a security event");
        }
    }
}
