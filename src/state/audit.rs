//! Call outcomes, each reported exactly once: counted, as a line of the log level
//! `AUTHENTICATE`, as an AMI event, and for phones, if configured, as a security event.
//! Changes by administrators are reported as a line and an event.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pinset::audit::change::ChangeRecord;
use pinset::audit::{line, sentence, AuditRecord, Field, Remote};
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

/// Most phones that are looked up at once, and most that wait per thread.
const MAX_LOOKUPS: usize = 4;
const MAX_WAITING: usize = 250;
/// How long a verdict waits for a lookup that began with the call.
const PHONE_WAIT: Duration = Duration::from_millis(5);

static QUEUE: WorkQueue = WorkQueue::new(Priority::Normal, MAX_WAITING, "chan_pjsip");

/// The lookup of a phone, if the call may come from one.
type PhoneLookup<'a> = Option<&'a Oneshot<Option<Phone>>>;

/// The audit data of a call until its verdict. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct AuditContext(Arc<Mutex<CallFacts>>);

#[derive(Default)]
struct CallFacts {
    pin_set: String,
    identity: Vec<u8>,
    /// The caller number as it is compared.
    number: Option<String>,
    /// Why the last attempt has failed.
    reason: Option<String>,
    locked: Option<(Kind, Option<Duration>)>,
    /// The lookup of the phone.
    phone: Option<Arc<Oneshot<Option<Phone>>>>,
    is_reported: bool,
}

/// The source of a call.
#[derive(Default)]
pub(crate) struct CallSource {
    /// The caller and the channel.
    pub origin: Origin,
    /// The phone, if `phone_endpoints` names its endpoint and its address is
    /// authenticated.
    pub phone: Option<Phone>,
}

/// A phone: the device at the address is the caller's own, and the call comes from
/// there.
pub(crate) struct Phone {
    endpoint: Vec<u8>,
    remote: Remote,
    /// Our address that it calls, if there is to be a security event.
    local: Option<String>,
}

impl AuditContext {
    fn facts(&self) -> MutexGuard<'_, CallFacts> {
        lock(&self.0)
    }

    /// Sets the source of PINs: a PIN set, or the name that
    /// [`name_of`](pinset::audit::name_of) returns.
    pub(crate) fn set_pin_set(&self, name: &str) {
        name.clone_into(&mut self.facts().pin_set);
    }

    /// Sets the account, as the PIN file has it, or empty if it is unknown. Never digits
    /// that were entered for an account that no PIN file has.
    pub(crate) fn set_identity(&self, account: &[u8]) {
        account.clone_into(&mut self.facts().identity);
    }

    /// Sets the caller number as it is compared.
    pub(crate) fn set_number(&self, number: Option<&str>) {
        self.facts().number = number.map(str::to_owned);
    }

    /// Sets why the last attempt has failed, or the call is refused. It must hold no
    /// digit that was entered.
    pub(crate) fn set_reason(&self, reason: impl ToString) {
        self.facts().reason = Some(reason.to_string());
    }

    /// Sets what is locked and for how long; `None` stands for until it is unlocked.
    pub(crate) fn set_locked(&self, by: Kind, left: Option<Duration>) {
        self.facts().locked = Some((by, left));
    }

    /// Reports the outcome, unless that has been done.
    pub(crate) fn report(
        &self,
        outcome: Status,
        attempts: u32,
        source: impl FnOnce(PhoneLookup<'_>) -> CallSource,
    ) {
        let facts = {
            let mut facts = self.facts();
            if facts.is_reported {
                return;
            }
            let reported = CallFacts {
                is_reported: true,
                ..CallFacts::default()
            };
            std::mem::replace(&mut *facts, reported)
        };
        // Counted first: a count can't be lost, a log line can.
        stats::count(&facts.pin_set, outcome, attempts);
        let CallSource { origin, phone } = source(facts.phone.as_deref());
        let record = AuditRecord {
            outcome,
            pin_set: &facts.pin_set,
            identity: &facts.identity,
            caller: &origin.caller,
            channel: &origin.channel,
            unique_id: &origin.unique_id,
            linked_id: &origin.linked_id,
            attempts,
            locked: facts.locked.filter(|_| outcome == Status::Locked),
            remote: phone.as_ref().map(|phone| phone.remote),
        };
        let fields = record.fields();
        log!(Authenticate, "{}", line(&fields));
        let (reason, number) = (facts.reason.as_deref(), facts.number.as_deref());
        verbose!(|| sentence(&record, reason, number));
        publish(record.event(), &fields);
        if let Some(phone) = phone {
            phone.report(&record);
        }
    }
}

/// Reports a change by an administrator.
pub(crate) fn report_change(change: &ChangeRecord<'_>) {
    let fields = change.fields();
    log!(Authenticate, "{}", line(&fields));
    publish(change.event(), &fields);
}

fn publish(event: &str, fields: &[Field]) {
    let fields = fields
        .iter()
        .map(|field| (field.header, field.value.as_str()));
    events::publish(event, fields);
}

impl OutcomeObserver for AuditContext {
    /// Starts the lookup of a phone's address, which runs while the caller enters a PIN.
    fn begins(&self, channel: &Channel<'_>) {
        let in_force = config::current();
        self.facts().phone = Phone::look_up(&channel.origin(), &in_force.settings);
    }

    fn admitted(&self, grant: &Grant) {
        self.set_identity(grant.account.as_deref().unwrap_or_default());
    }

    fn verdict(&self, channel: &Channel<'_>, outcome: Status, attempts: u32) {
        self.report(outcome, attempts, |phone| CallSource {
            origin: channel.origin(),
            phone: phone.and_then(|phone| phone.wait(PHONE_WAIT)?),
        });
    }
}

impl Phone {
    /// Starts the lookup of the phone of a call. Returns `None` if the call comes from no
    /// phone, or too many are looked up.
    fn look_up(origin: &Origin, settings: &Settings) -> Option<Arc<Oneshot<Option<Self>>>> {
        let endpoint = settings.phone_endpoints.of_channel(&origin.channel)?;
        if !origin.is_pjsip {
            return None;
        }
        let (endpoint, channel) = (endpoint.to_vec(), origin.unique_id.clone());
        let with_local = settings.security_events;
        let phone = Arc::new(Oneshot::new());
        let receiver = Arc::downgrade(&phone);
        let queued = QUEUE.submit(MAX_LOOKUPS, move || {
            if let Some(phone) = receiver.upgrade() {
                phone.set(Self::of(endpoint, &channel, with_local));
            }
        });
        queued.then_some(phone)
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

    /// Reports a security event, if they are configured, for a right or a wrong PIN.
    fn report(&self, record: &AuditRecord<'_>) {
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
            log_once!(Warning, "security events: Asterisk has rejected one");
        }
    }
}

/// Drops the lookups that wait.
pub(crate) fn clear() {
    QUEUE.clear();
}
