//! Requests to a web service about one call.

use std::fmt;
use std::sync::Arc;

use pinset::external::circuit_breaker::RequestResult;
use pinset::external::flow::{self, FlowOutcome, Posted};
use pinset::external::{Data, Hangup, Post, ServiceAnswer};
use pinset::phone_number::without_parameters;
use pinset::timestamp::since_epoch;
use pinset::{Number, Numbering};
use thiserror::Error;
use zeroize::Zeroizing;

use super::call::ServiceCall;
use super::circuit_breakers::{self, Change};
use super::hangups::Report;
use super::service_pin_set::ServicePinSet;
use crate::asterisk::log::log;
use crate::asterisk::process;
use crate::config::InForce;
use crate::http::{
    self, url_for_log, CallerReply, Limits, Reply, Request, RequestError, RequestFailure, Sending,
    UrlOrigin,
};
use crate::state::audit::AuditContext;

/// A web service, for one call.
pub(super) struct Service<'a> {
    pin_set: &'a ServicePinSet,
    credential: Option<Arc<Zeroizing<String>>>,
    caller: String,
    callee: String,
    uuid: String,
    began: u64,
    /// The call was posted at least once.
    is_posted: bool,
    audit: AuditContext,
}

impl<'a> Service<'a> {
    /// Returns the service of this PIN set, for a call between these numbers.
    pub(super) fn new(
        pin_set: &'a ServicePinSet,
        in_force: &InForce,
        caller: Option<&[u8]>,
        callee: &[u8],
        audit: AuditContext,
    ) -> Self {
        Self {
            pin_set,
            credential: in_force.credential(&pin_set.name),
            caller: international(caller.unwrap_or_default(), &in_force.settings.numbering),
            callee: String::from_utf8_lossy(callee).into_owned(),
            uuid: process::uuid(),
            began: since_epoch().as_secs(),
            is_posted: false,
            audit,
        }
    }

    fn request(&self, data: &Data) -> Request {
        let options = &self.pin_set.set.external;
        let post = Post {
            caller: &self.caller,
            callee: &self.callee,
            uuid: &self.uuid,
            timestamp: since_epoch().as_secs(),
            began: self.began,
            external_manager_id: options.external_manager_id,
            data,
        };
        let credential = self.credential.iter();
        Request {
            url: self.pin_set.url.clone(),
            post: Some(post.to_json()),
            origin: UrlOrigin::Service,
            headers: credential.map(|header| Zeroizing::clone(header)).collect(),
            limits: self.limits(),
            sending: Sending::default(),
        }
    }

    fn limits(&self) -> Limits {
        let options = &self.pin_set.set.external;
        Limits {
            connect: options.connect_timeout,
            whole: options.timeout,
            max_bytes: usize::try_from(options.max_response).unwrap_or(usize::MAX),
        }
    }

    /// Returns the report of the call for `hangup_url`, if there is
    /// one and the call was posted at all. The credential is for the service's own
    /// host and port: no other receiver gets it.
    pub(super) fn report(
        &self,
        outcome: &FlowOutcome,
        call: &ServiceCall<'_, '_>,
    ) -> Option<Report> {
        let options = &self.pin_set.set.external;
        let url = options.hangup_url.clone().filter(|_| self.is_posted)?;
        let destination = match outcome {
            FlowOutcome::Sent { place, .. } => Some(place.exten.clone()),
            FlowOutcome::Refused { .. } | FlowOutcome::Gone { .. } => None,
        };
        let is_own = url.origin() == self.pin_set.url.origin();
        Some(Report {
            pin_set: self.pin_set.name.clone(),
            url,
            credential: self.credential.clone().filter(|_| is_own),
            limits: self.limits(),
            hangup: Hangup {
                uuid: self.uuid.clone(),
                caller: self.caller.clone(),
                callee: self.callee.clone(),
                began: self.began,
                external_manager_id: options.external_manager_id,
                outcome: outcome.status().word(),
                destination: destination.filter(|to| !call.is_revealed_by(to)),
                attempts: outcome.attempts(),
            },
        })
    }

    /// Logs why the call is refused. `answered` tells whether the service has answered
    /// the post, or may have.
    fn refuse(&self, error: &dyn fmt::Display, answered: bool) -> Posted {
        let service = url_for_log(&self.pin_set.url);
        log!(Error, "PIN set '{}': {service}: {error}", self.pin_set.name);
        self.audit.set_reason(error);
        if answered {
            Posted::Unusable
        } else {
            Posted::NoAnswer
        }
    }

    fn log_change(&self, change: Change) {
        let (name, service) = (&self.pin_set.name, url_for_log(&self.pin_set.url));
        match change {
            Change::None => {}
            Change::Down => log!(
                Warning,
                "PIN set '{name}': {service}: suspended for a while after repeated failures"
            ),
            Change::Up => log!(Notice, "PIN set '{name}': {service}: answers again"),
        }
    }
}

impl flow::Service<ServiceCall<'_, '_>> for Service<'_> {
    fn post(&mut self, call: &mut ServiceCall<'_, '_>, data: &Data) -> Posted {
        call.set_entered(data);
        let (url, request) = (&self.pin_set.url, self.request(data));
        let Some(permit) = circuit_breakers::permit(url) else {
            return self.refuse(&"suspended for a while after repeated failures", false);
        };
        self.is_posted = true;
        let timeout = RequestError::Timeout(request.limits.whole);
        let reply = match http::request_for(call, request) {
            CallerReply::Finished(reply) => reply,
            CallerReply::Overdue { sent } => {
                self.log_change(permit.report(RequestResult::Failure));
                return self.refuse(&timeout, sent);
            }
            CallerReply::HungUp { sent } => return Posted::Gone { sent },
        };
        let answer = answer_of(reply);
        let result = answer
            .as_ref()
            .map_or_else(ServiceError::result, |_| RequestResult::Answer);
        self.log_change(permit.report(result));
        answer.map_or_else(
            |error| self.refuse(&error, error.is_answered()),
            Posted::Answer,
        )
    }
}

/// Why a service has given no usable answer.
#[derive(Debug, Error)]
enum ServiceError {
    /// The request has failed.
    #[error("{0}")]
    Request(RequestFailure),
    /// The body of the answer is invalid.
    #[error("{0}")]
    InvalidAnswer(String),
    /// The service redirects.
    #[error("HTTP {0}: redirects are not followed")]
    Redirect(u32),
    /// The service has answered with an error.
    #[error("HTTP {0}")]
    Status(u32),
}

impl ServiceError {
    /// Returns whether the service has answered the post, or may have.
    fn is_answered(&self) -> bool {
        match self {
            Self::Request(failure) => failure.answered,
            _ => true,
        }
    }

    /// Returns what the circuit breaker counts.
    fn result(&self) -> RequestResult {
        match self {
            Self::Request(failure) => match failure.error {
                // The service is not to blame for a missing thread.
                RequestError::NoThread => RequestResult::Nothing,
                // A service that is slow keeps each caller waiting.
                RequestError::Timeout(_) => RequestResult::Failure,
                // Any other answer may be caused by what one caller has entered.
                _ if failure.answered => RequestResult::Answer,
                _ => RequestResult::Failure,
            },
            // From a proxy or the service itself: the service is down.
            Self::Status(502..=504) => RequestResult::Failure,
            _ => RequestResult::Answer,
        }
    }
}

fn answer_of(reply: Reply) -> Result<ServiceAnswer, ServiceError> {
    let response = reply.map_err(ServiceError::Request)?;
    match response.code {
        200..=299 => ServiceAnswer::parse(&response.body)
            .map_err(|error| ServiceError::InvalidAnswer(error.to_string())),
        code @ 300..=399 => Err(ServiceError::Redirect(code)),
        code => Err(ServiceError::Status(code)),
    }
}

/// Returns a number as it is posted: with `+` and its country code, if those are
/// known.
fn international(number: &[u8], numbering: &Numbering) -> String {
    let number = without_parameters(number);
    let known = numbering.normalize(number);
    let known = known.filter(Number::is_international);
    match known {
        Some(known) => format!("+{}", String::from_utf8_lossy(known.digits())),
        None => String::from_utf8_lossy(number).into_owned(),
    }
}
