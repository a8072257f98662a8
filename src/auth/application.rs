//! The application `Authenticate()`: chooses the source of PINs, and runs the dialog.

use pinset::audit::name_of;
use pinset::escape::escape_audit_value;
use pinset::list::Format;
use pinset::lockout::{Limits, Standing};
use pinset::verdict::{DenyAll, Literal};
use pinset::verify::{self, CallOrigin};
use pinset::{run, Credential, Entry, Grant, Next, Pin, PinSource, Plan, Request, Status, Verdict};

use crate::asterisk::call::Call;
use crate::asterisk::log::{self, log, log_once};
use crate::auth::astdb_rows;
use crate::auth::backend::{self, PinSetSource};
use crate::config;
use crate::config::InForce;
use crate::external::{self, ServicePinSet};
use crate::pin_files::{FileSource, QueryLimits};
use crate::state::audit::AuditContext;
use crate::state::lockouts::CallLockouts;
use crate::state::use_ledger::{self, UseError};

type Counter = verify::Counter<CallLockouts>;

/// Runs one `Authenticate(data)` on a call.
pub(crate) fn authenticate(call: &mut Call<'_>, data: &[u8]) -> Next {
    let audit = AuditContext::default();
    call.observe(audit.clone());
    if data.is_empty() {
        log!(Warning, "Authenticate requires an argument(password)");
        return Next::HangUp;
    }
    #[cfg(feature = "test-build")]
    match data {
        b"panic!" => panic!("deliberate"),
        b"leak!" => crate::asterisk::memory_errors::leak(),
        b"read freed!" => crate::asterisk::memory_errors::read_freed(),
        _ => {}
    }

    let request = Request::parse(data);
    for notice in &request.warnings {
        log_once!(Warning, "{notice}");
    }
    let hidden = !hides(&request) || call.hide_digits();
    if !hidden {
        log!(
            Error,
            "{} is refused: not enough memory to hide its digits",
            call.name()
        );
    }
    let refused = (!hidden).then_some(Status::Error);
    let in_force = config::current();
    if let Some(pin_set) = ServicePinSet::named_by(&request, &in_force) {
        return external::authenticate(&pin_set, call, &request, &in_force, audit, refused);
    }
    let (mut plan, mut source) = prepared(&request, call, audit);
    plan.refused = refused.or(plan.refused);
    run(plan, call, source.as_mut())
}

type Source<'call> = Box<dyn PinSource<Call<'call>> + 'call>;

/// Returns the plan of the dialog, and the source of PINs.
fn prepared<'call>(
    request: &Request,
    call: &mut Call<'call>,
    audit: AuditContext,
) -> (Plan, Source<'call>) {
    let plan = request.plan();
    let credential = match &request.credential {
        Ok(credential) => credential,
        Err(refusal) => {
            log!(Error, "{} is refused: {refusal}", call.name());
            audit.set_reason(refusal);
            return (plan, Box::new(DenyAll));
        }
    };
    let in_force = config::current();
    let number = call.caller_number();
    let name = name_of(credential, &call.origin().context);
    audit.set_pin_set(&name);
    let calling = CallOrigin {
        number: number.as_deref(),
        channel: &call.name(),
    };
    let query_limits = QueryLimits::of(&in_force.settings);
    let source: Source<'call> = match credential {
        Credential::PinSet(name) => match backend::source(name, in_force, calling, audit.clone()) {
            Ok(source) => return (plan_of(request, &source, call), Box::new(source)),
            Err(error) => {
                log!(Error, "{} is refused: {error}", call.name());
                audit.set_reason(&error);
                let refused = Some(Status::Error);
                return (Plan { refused, ..plan }, Box::new(DenyAll));
            }
        },
        Credential::Literal(password) => {
            warn_of_unenterable(call, &in_force, password);
            Box::new(Literal(password.clone()))
        }
        Credential::PlainFile(path) => Box::new(FileSource::new(path, Format::Plain, query_limits)),
        Credential::Md5File(path) => Box::new(FileSource::new(path, Format::Md5, query_limits)),
        Credential::Family { name, one_time } => Box::new(FamilySource {
            name: name.clone(),
            one_time: *one_time,
        }),
    };
    let settings = &in_force.settings;
    let limits = Limits {
        caller: settings.stock_lockout_caller,
        account: None,
        pin_set: settings.stock_lockout_list,
    };
    if limits == Limits::default() {
        return (plan, source);
    }
    let caller = calling.caller(&settings.numbering);
    audit.set_number(caller.number());
    let counter = Counter::new(&name, limits, caller, CallLockouts::own(audit));
    let plan = limited(plan, &counter, call);
    (plan, Box::new(LimitedSource { counter, source }))
}

/// Warns, once for each place of the dialplan, of a password that no telephone can
/// enter. The password is shown only if a PIN set was probably meant.
fn warn_of_unenterable(call: &Call<'_>, in_force: &InForce, password: &[u8]) {
    if Pin::parse(password).is_some() {
        return;
    }
    let place = call.place();
    if !log::is_first(format!("Authenticate {place}")) {
        return;
    }
    let meant = String::from_utf8_lossy(password);
    let meant = match in_force.meant(&meant) {
        Some(name) => format!(": did you mean pinset:{name}?"),
        None => String::new(),
    };
    log!(
        Warning,
        "Authenticate by {} at {}: no telephone can enter this password, so nobody is \
         admitted{meant}",
        escape_audit_value(call.name().as_bytes()),
        escape_audit_value(place.as_bytes())
    );
}

/// Returns whether digits are hidden. They are for a PIN set that can't be used, too.
fn hides(request: &Request) -> bool {
    let in_force = config::current();
    match &request.credential {
        Ok(Credential::PinSet(name)) => {
            let set = in_force.pin_set(&name.to_ascii_lowercase());
            set.map_or(true, |set| set.hide_digits)
        }
        _ => in_force.settings.stock_hide_digits,
    }
}

/// Returns the plan of the dialog for a PIN set and this caller.
fn plan_of(request: &Request, source: &PinSetSource, call: &mut Call<'_>) -> Plan {
    let refused = source.refuses().then_some(Status::Failure);
    if refused.is_some() {
        let why = format!(
            "identify = caller, and caller number '{}' is not usable",
            escape_audit_value(&call.origin().caller)
        );
        log!(Notice, "{} is refused: {why}", call.name());
        source.counter().keeper().audit.set_reason(why);
    }
    let account = source.asks_account();
    let plan = Plan {
        account: account.then(|| source.set().account_prompt.clone()),
        ..request.plan_of(source.set(), refused)
    };
    limited(plan, source.counter(), call)
}

/// Restricts a plan for a caller who may have entered wrong PINs before.
fn limited(mut plan: Plan, counter: &Counter, call: &mut Call<'_>) -> Plan {
    if plan.refused.is_none() {
        match counter.look(call) {
            Standing::Open => {}
            Standing::OneTry => plan.attempts = 1,
            Standing::Locked(_) => plan.refused = Some(Status::Locked),
            Standing::Unknown => plan.refused = Some(Status::Error),
        }
    }
    plan
}

/// A source that is no PIN set, with lockouts.
struct LimitedSource<'call> {
    counter: Counter,
    source: Source<'call>,
}

impl<'call> PinSource<Call<'call>> for LimitedSource<'call> {
    fn verify(&mut self, call: &mut Call<'call>, entry: Entry<'_>) -> Option<Verdict> {
        let source = &mut self.source;
        self.counter
            .verify(call, entry.pin, |call, _| source.verify(call, entry))
    }
}

/// A family of Asterisk's database whose keys are PINs.
struct FamilySource {
    name: Vec<u8>,
    one_time: bool,
}

impl PinSource<Call<'_>> for FamilySource {
    fn verify(&mut self, call: &mut Call<'_>, Entry { pin, .. }: Entry<'_>) -> Option<Verdict> {
        // docs/compatibility.md, row C: `Set(DB(pin/)=1)` makes a key of no name.
        if pin.is_empty() {
            return Some(Verdict::Wrong);
        }
        let timeout = config::current().settings.source_timeout;
        if self.one_time {
            let taken = use_ledger::use_up(call, &self.name, pin.as_bytes(), timeout)?;
            return Some(self.used(taken));
        }
        let there = astdb_rows::holds(call, &self.name, pin.as_bytes(), timeout)?;
        Some(match there {
            Ok(true) => Verdict::Right(Grant::default()),
            Ok(false) => Verdict::Wrong,
            Err(error) => {
                let family = String::from_utf8_lossy(&self.name);
                log!(Error, "family '{family}' admits nobody: {error}");
                Verdict::Unavailable
            }
        })
    }
}

impl FamilySource {
    /// Returns the verdict on a one-time PIN. One that can't be used up is refused as a
    /// wrong one, so that the caller can't distinguish them.
    fn used(&self, taken: Result<bool, UseError>) -> Verdict {
        let error = match taken {
            Ok(true) => return Verdict::Right(Grant::default()),
            Ok(false) => return Verdict::Wrong,
            Err(error) => error,
        };
        let family = String::from_utf8_lossy(&self.name);
        log!(
            Error,
            "a one-time PIN of family '{family}' can't be used up, so it is refused: {error}"
        );
        if error.is_before_lookup() {
            Verdict::Unavailable
        } else {
            Verdict::Wrong
        }
    }
}
