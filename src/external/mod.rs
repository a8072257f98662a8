//! PIN sets whose source is a web service: it is told of the call, and says what
//! becomes of it.

mod call;
mod circuit_breakers;
mod client;
mod hangups;

use std::sync::Arc;

use pinset::config::Source;
use pinset::external::flow::{self, conclude, Order, Outcome};
use pinset::lockout::{Limits, Standing};
use pinset::verify::{Calling, Counter};
use pinset::{Credential, Next, PinSet, Request, Status};
use url::Url;

use crate::asterisk::call::Call;
use crate::asterisk::log::log;
use crate::config::InForce;
use crate::http::{shown, sound_cache};
use crate::state::audit::AuditContext;
use crate::state::lockouts::CallLockouts;
use call::Caller;
use client::Service;

pub use hangups::hold_off as hold_off_hangups;

/// Forgets services that no PIN set asks any more, and makes ready for the sounds
/// of those that do.
pub fn sync(in_force: &InForce) {
    circuit_breakers::keep(in_force.services());
    if in_force.services().next().is_some() {
        if let Err(why) = sound_cache::open() {
            log!(
                Warning,
                "sounds of web services can't be kept, and are skipped: {why}"
            );
        }
    }
}

/// Forgets all services.
pub fn clear() {
    circuit_breakers::keep(std::iter::empty());
    sound_cache::clear();
}

/// Stops reporting calls that have ended. To be called before the workers end.
pub fn shutdown() {
    hangups::clear();
}

/// A PIN set whose source is a web service.
pub struct Asked {
    /// Its name, in small letters.
    name: String,
    set: Arc<PinSet>,
    url: Url,
}

impl Asked {
    /// The one that an `Authenticate` names, if it does.
    pub fn by(request: &Request, in_force: &InForce) -> Option<Self> {
        let Ok(Credential::PinSet(name)) = &request.credential else {
            return None;
        };
        let name = name.to_ascii_lowercase();
        let set = in_force.pin_set(&name).ok()?;
        let Some(Source::Url(url)) = &set.source else {
            return None;
        };
        let url = url.clone();
        Some(Self { name, set, url })
    }

    /// Has the service say what becomes of a call, unless it is refused already.
    pub fn authenticate(
        &self,
        call: &mut Call<'_>,
        request: &Request,
        in_force: &InForce,
        trail: AuditContext,
        refused: Option<Status>,
    ) -> Next {
        trail.set_pin_set(&self.name);
        let plan = request.plan_of(&self.set, None);
        let external = &self.set.external;
        let number = call.caller_number();
        let unique_id = call.origin().unique_id;
        let calling = Calling {
            number: number.as_deref(),
            channel: &call.name(),
        };
        let whom = calling.caller(&in_force.settings.numbering);
        trail.set_number(whom.number());
        let counter = Counter::new(&self.name, self.limits(), whom, CallLockouts(trail.clone()));
        let mut service = Service::new(
            self,
            in_force,
            calling.number,
            &call.dialled(),
            trail.clone(),
        );
        let mut caller = Caller::new(call, self);
        // One try is enough: a call is one.
        let locked = || matches!(counter.look(), Standing::Locked(_));
        let outcome = match refused.or_else(|| locked().then_some(Status::Locked)) {
            Some(status) => Outcome::refused(status),
            None => {
                let order = Order {
                    plan: &plan,
                    external,
                };
                flow::run(order, &mut caller, &counter, &mut service)
            }
        };
        if let Outcome::Refused {
            trouble: Some(trouble),
            ..
        } = &outcome
        {
            let service = shown(&self.url);
            log!(Error, "PIN set '{}': {service}: {trouble}", self.name);
            trail.set_reason(trouble);
        }
        if let Some(report) = service.report(&outcome, &caller) {
            hangups::expect(&unique_id, report);
        }
        conclude(outcome, plan, external, &mut caller)
    }

    /// What is counted: whether a service admits can only be told by where it sends
    /// a call.
    fn limits(&self) -> Limits {
        if self.set.external.success_destinations.is_empty() {
            return Limits::default();
        }
        Limits {
            account: None,
            ..Limits::from(&*self.set)
        }
    }
}
