//! How calls come out, told once each: counted, as a line of the log level
//! `AUTHENTICATE`, as an event of the manager, and for phones, if it is asked
//! for, as a security event.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pinset::audit::{line, sentence, Record, Remote};
use pinset::escape::escape_audit_value;
use pinset::lockout::Kind;
use pinset::{Grant, Settings, Status};

use crate::asterisk::call::OutcomeObserver;
use crate::asterisk::channel::{Channel, Origin};
use crate::asterisk::log::{log, log_once, verbose};
use crate::asterisk::{events, pjsip};
use crate::config;
use crate::state::stats;
use crate::sync::lock::lock;
use crate::sync::oneshot::Oneshot;
use crate::work_queue::{Priority, WorkQueue};

/// How many phones are looked up at once, and how many wait for each of these.
const MAX_LOOKUPS: usize = 4;
const MAX_WAITING: usize = 250;
/// How long a verdict waits for a look-up that began with the call.
const PHONE_WAIT: Duration = Duration::from_millis(5);

static QUEUE: WorkQueue = WorkQueue::new(Priority::Normal, MAX_WAITING, "chan_pjsip");

/// What is looked up of a phone, if the call may be one's.
type Lookup<'a> = Option<&'a Oneshot<Option<Phone>>>;

/// What becomes known of a call on the way to its verdict. Clones share it.
#[derive(Clone, Default)]
pub struct AuditContext(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    pin_set: String,
    identity: Vec<u8>,
    /// The caller number as it is compared.
    number: Option<String>,
    /// Why the last attempt did not admit.
    reason: Option<String>,
    locked: Option<(Kind, Option<Duration>)>,
    /// What is looked up of the phone.
    phone: Option<Arc<Oneshot<Option<Phone>>>>,
    told: bool,
}

/// Where a call comes from.
#[derive(Default)]
pub struct Source {
    /// Who calls, and on which channel.
    pub origin: Origin,
    /// The phone, if `phone_endpoints` says that it is one, and it has proven its
    /// address.
    pub phone: Option<Phone>,
}

/// A phone: what is at the address is the caller's own, and the call has come from
/// there.
pub struct Phone {
    endpoint: Vec<u8>,
    remote: Remote,
    /// The address of ours that it calls, if a security event is to tell it.
    local: Option<String>,
}

impl AuditContext {
    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.0)
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

    /// The caller number as it is compared.
    pub fn set_number(&self, number: Option<&str>) {
        self.known().number = number.map(str::to_owned);
    }

    /// Why the last attempt did not admit, or the call is refused. It must hold no
    /// digit that was entered.
    pub fn set_reason(&self, reason: impl ToString) {
        self.known().reason = Some(reason.to_string());
    }

    /// What is locked, for how long; `None`: until it is unlocked by hand.
    pub fn set_locked(&self, by: Kind, left: Option<Duration>) {
        self.known().locked = Some((by, left));
    }

    /// Tells how it has come out, unless that is told already.
    pub fn report(
        &self,
        outcome: Status,
        attempts: u32,
        source: impl FnOnce(Lookup<'_>) -> Source,
    ) {
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
        let Source { origin, phone } = source(known.phone.as_deref());
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
        let (reason, number) = (known.reason.as_deref(), known.number.as_deref());
        verbose!(|| sentence(&record, reason, number));
        let fields = fields
            .iter()
            .map(|field| (field.header, field.value.as_str()));
        events::publish(record.event(), fields);
        if let Some(phone) = phone {
            phone.report(&record);
        }
    }
}

impl OutcomeObserver for AuditContext {
    /// A phone's address is looked up while the caller is asked for a PIN.
    fn begins(&self, channel: &Channel<'_>) {
        let in_force = config::current();
        self.known().phone = Phone::look_up(&channel.origin(), &in_force.settings);
    }

    fn admitted(&self, grant: &Grant) {
        self.set_identity(grant.account.as_deref().unwrap_or_default());
    }

    fn verdict(&self, channel: &Channel<'_>, outcome: Status, attempts: u32) {
        self.report(outcome, attempts, |phone| Source {
            origin: channel.origin(),
            phone: phone.and_then(|phone| phone.wait(PHONE_WAIT)?),
        });
    }
}

impl Phone {
    /// Begins to look up the phone of a call, if it is one; `None`: it is none, or
    /// too many are looked up.
    fn look_up(origin: &Origin, settings: &Settings) -> Option<Arc<Oneshot<Option<Self>>>> {
        let endpoint = settings.phone_endpoints.of_channel(&origin.channel)?;
        if !origin.is_pjsip {
            return None;
        }
        let (endpoint, channel) = (endpoint.to_vec(), origin.unique_id.clone());
        let with_local = settings.security_events;
        let promise = Arc::new(Oneshot::new());
        let told = Arc::downgrade(&promise);
        let taken = QUEUE.submit(MAX_LOOKUPS, move || {
            if let Some(promise) = told.upgrade() {
                promise.set(Self::of(endpoint, &channel, with_local));
            }
        });
        taken.then_some(promise)
    }

    fn of(endpoint: Vec<u8>, channel: &[u8], with_local: bool) -> Option<Self> {
        if let Err(error) = pjsip::check_authentication(&endpoint, channel) {
            log_once!(
                Warning,
                "phone_endpoints: no address is reported of endpoint '{}': {error}",
                escape_audit_value(&endpoint)
            );
            return None;
        }
        Some(Self {
            endpoint,
            remote: pjsip::remote(channel)?,
            local: with_local.then(|| pjsip::local(channel)),
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
        let (account, session) = (
            escape_audit_value(&self.endpoint),
            escape_audit_value(record.unique_id),
        );
        if !events::report(admitted, &account, &session, local, self.remote) {
            log_once!(Warning, "Asterisk has not taken a security event");
        }
    }
}

/// Drops what waited to be looked up.
pub fn clear() {
    QUEUE.clear();
}
