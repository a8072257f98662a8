//! Course of a call whose PIN set has a web service as its source.

use pinset::external::flow::{self, conclude, FlowOutcome, Order};
use pinset::lockout::Standing;
use pinset::verify::{CallOrigin, Counter, NoChannel};
use pinset::{Next, Request, Status};

use super::call::ServiceCall;
use super::client::Service;
use super::hangups;
use super::service_pin_set::ServicePinSet;
use crate::asterisk::call::Call;
use crate::asterisk::log::log;
use crate::config::InForce;
use crate::http::url_for_log;
use crate::state::audit::AuditContext;
use crate::state::lockouts::CallLockouts;

/// Lets the service decide about a call, unless it is refused already.
pub(crate) fn authenticate(
    pin_set: &ServicePinSet,
    call: &mut Call<'_>,
    request: &Request,
    in_force: &InForce,
    audit: AuditContext,
    refused: Option<Status>,
) -> Next {
    audit.set_pin_set(&pin_set.name);
    let plan = request.plan_of(&pin_set.set, None);
    let external = &pin_set.set.external;
    let number = call.caller_number();
    let unique_id = call.origin().unique_id;
    let calling = CallOrigin {
        number: number.as_deref(),
        channel: &call.name(),
    };
    let caller = calling.caller(&in_force.settings.numbering);
    audit.set_number(caller.number());
    let counter = Counter::new(
        &pin_set.name,
        pin_set.limits(),
        caller,
        CallLockouts::own(audit.clone()),
    );
    let mut service = Service::new(
        pin_set,
        in_force,
        calling.number,
        &call.dialled(),
        audit.clone(),
    );
    let mut service_call = ServiceCall::new(call, pin_set);
    // Failures are counted per call, so one attempt is enough.
    let locked = || matches!(counter.look(&mut NoChannel), Standing::Locked(_));
    let outcome = match refused.or_else(|| locked().then_some(Status::Locked)) {
        Some(status) => FlowOutcome::refused(status),
        None => {
            let order = Order {
                plan: &plan,
                external,
            };
            flow::run(order, &mut service_call, &counter, &mut service)
        }
    };
    if let FlowOutcome::Refused {
        trouble: Some(trouble),
        ..
    } = &outcome
    {
        let service = url_for_log(&pin_set.url);
        log!(Error, "PIN set '{}': {service}: {trouble}", pin_set.name);
        audit.set_reason(trouble);
    }
    if let Some(report) = service.report(&outcome, &service_call) {
        hangups::expect(&unique_id, report);
    }
    conclude(outcome, plan, external, &mut service_call)
}
