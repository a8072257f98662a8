//! A PIN set whose source is a web service, and the course of one of its calls.

use std::sync::Arc;

use pinset::config::Source;
use pinset::external::flow::{self, conclude, Order, Outcome};
use pinset::lockout::{Limits, Standing};
use pinset::verify::{Calling, Counter};
use pinset::{Credential, Next, PinSet, Request, Status};
use url::Url;

use super::call::ServiceCall;
use super::client::Service;
use super::hangups;
use crate::asterisk::call::Call;
use crate::asterisk::log::log;
use crate::config::InForce;
use crate::http::url_for_log;
use crate::state::audit::AuditContext;
use crate::state::lockouts::CallLockouts;

/// A PIN set whose source is a web service.
pub struct ServicePinSet {
    /// Its name, in small letters.
    pub name: String,
    /// Its options.
    pub set: Arc<PinSet>,
    /// The URL of the service.
    pub url: Url,
}

impl ServicePinSet {
    /// Returns the one that an `Authenticate` names, if it does.
    pub fn named_by(request: &Request, in_force: &InForce) -> Option<Self> {
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

    /// Lets the service decide about a call, unless it is refused already.
    pub fn authenticate(
        &self,
        call: &mut Call<'_>,
        request: &Request,
        in_force: &InForce,
        audit: AuditContext,
        refused: Option<Status>,
    ) -> Next {
        audit.set_pin_set(&self.name);
        let plan = request.plan_of(&self.set, None);
        let external = &self.set.external;
        let number = call.caller_number();
        let unique_id = call.origin().unique_id;
        let calling = Calling {
            number: number.as_deref(),
            channel: &call.name(),
        };
        let caller = calling.caller(&in_force.settings.numbering);
        audit.set_number(caller.number());
        let counter = Counter::new(
            &self.name,
            self.limits(),
            caller,
            CallLockouts(audit.clone()),
        );
        let mut service = Service::new(
            self,
            in_force,
            calling.number,
            &call.dialled(),
            audit.clone(),
        );
        let mut service_call = ServiceCall::new(call, self);
        // Failures are counted per call, so one attempt is enough.
        let locked = || matches!(counter.look(), Standing::Locked(_));
        let outcome = match refused.or_else(|| locked().then_some(Status::Locked)) {
            Some(status) => Outcome::refused(status),
            None => {
                let order = Order {
                    plan: &plan,
                    external,
                };
                flow::run(order, &mut service_call, &counter, &mut service)
            }
        };
        if let Outcome::Refused {
            trouble: Some(trouble),
            ..
        } = &outcome
        {
            let service = url_for_log(&self.url);
            log!(Error, "PIN set '{}': {service}: {trouble}", self.name);
            audit.set_reason(trouble);
        }
        if let Some(report) = service.report(&outcome, &service_call) {
            hangups::expect(&unique_id, report);
        }
        conclude(outcome, plan, external, &mut service_call)
    }

    /// Returns the limits of failures. Whether a service has admitted a caller is known
    /// only by the destination of the call.
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
