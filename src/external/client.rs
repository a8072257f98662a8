//! Asking the service.

use std::sync::Arc;

use pinset::external::circuit_breaker::RequestResult;
use pinset::external::flow::{self, Outcome, Posted};
use pinset::external::{Answer, Data, Hangup, Post};
use pinset::phone_number::without_parameters;
use pinset::timestamp::since_epoch;
use pinset::Numbering;
use zeroize::Zeroizing;

use super::call::Caller;
use super::circuit_breakers::{self, Change};
use super::hangups::Report;
use super::Asked;
use crate::asterisk::log::log;
use crate::asterisk::process;
use crate::config::InForce;
use crate::http::{self, shown, Failed, Limits, Origin, Reply, Request, Sending};
use crate::state::audit::AuditContext;

/// A service, asked about one call.
pub struct Service<'a> {
    asked: &'a Asked,
    credential: Option<Arc<Zeroizing<String>>>,
    caller: String,
    callee: String,
    uuid: String,
    began: u64,
    /// It was posted at least once.
    is_posted: bool,
    trail: AuditContext,
}

impl<'a> Service<'a> {
    /// The service of this PIN set, about a call from and to these numbers.
    pub fn new(
        asked: &'a Asked,
        in_force: &InForce,
        caller: Option<&[u8]>,
        callee: &[u8],
        trail: AuditContext,
    ) -> Self {
        Self {
            asked,
            credential: in_force.credential(&asked.name),
            caller: spelled(caller.unwrap_or_default(), &in_force.settings.numbering),
            callee: String::from_utf8_lossy(callee).into_owned(),
            uuid: process::uuid(),
            began: since_epoch().as_secs(),
            is_posted: false,
            trail,
        }
    }

    fn request(&self, data: &Data) -> Request {
        let options = &self.asked.set.external;
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
            url: self.asked.url.clone(),
            post: Some(post.to_json()),
            origin: Origin::Service,
            headers: credential.map(|header| Zeroizing::clone(header)).collect(),
            limits: self.limits(),
            sending: Sending::default(),
        }
    }

    fn limits(&self) -> Limits {
        let options = &self.asked.set.external;
        Limits {
            connect: options.connect_timeout,
            whole: options.timeout,
            largest: usize::try_from(options.max_response).unwrap_or(usize::MAX),
        }
    }

    /// Returns the report of the call for `hangup_url`, if there is
    /// one and the call was posted at all. The credential is for the service's own
    /// host and port: no other receiver gets it.
    pub fn report(&self, outcome: &Outcome, caller: &Caller<'_, '_>) -> Option<Report> {
        let options = &self.asked.set.external;
        let url = options.hangup_url.clone().filter(|_| self.is_posted)?;
        let destination = match outcome {
            Outcome::Sent { place, .. } => Some(place.exten.clone()),
            Outcome::Refused { .. } | Outcome::Gone { .. } => None,
        };
        let is_own = url.origin() == self.asked.url.origin();
        Some(Report {
            pin_set: self.asked.name.clone(),
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
                destination: destination.filter(|to| !caller.is_revealed_by(to)),
                attempts: outcome.attempts(),
            },
        })
    }

    /// Logs why the call is not carried on. `answered`: the service has answered
    /// the post, or may have.
    fn refuse(&self, why: &str, answered: bool) -> Posted {
        let service = shown(&self.asked.url);
        log!(Error, "PIN set '{}': {service}: {why}", self.asked.name);
        self.trail.set_reason(why);
        if answered {
            Posted::Unusable
        } else {
            Posted::NoAnswer
        }
    }

    fn note(&self, change: Change) {
        let (name, service) = (&self.asked.name, shown(&self.asked.url));
        match change {
            Change::None => {}
            Change::Down => log!(
                Warning,
                "PIN set '{name}': {service} has failed too often: for a while it is not asked"
            ),
            Change::Up => log!(Notice, "PIN set '{name}': {service} answers again"),
        }
    }
}

impl flow::Service<Caller<'_, '_>> for Service<'_> {
    fn post(&mut self, caller: &mut Caller<'_, '_>, data: &Data) -> Posted {
        caller.has_keyed(data);
        let (url, request) = (&self.asked.url, self.request(data));
        let Some(permit) = circuit_breakers::ask(url) else {
            return self.refuse("it has failed too often, and is not asked", false);
        };
        self.is_posted = true;
        let late = Failed::Late(request.limits.whole);
        let reply = match http::ask(caller, request) {
            http::Asked::Over(reply) => reply,
            http::Asked::Overdue { sent } => {
                self.note(permit.tell(RequestResult::Failure));
                return self.refuse(&late.to_string(), sent);
            }
            http::Asked::Gone { sent } => return Posted::Gone { sent },
        };
        let (came, answer) = judged(reply);
        self.note(permit.tell(came));
        answer.unwrap_or_else(|(why, answered)| self.refuse(&why, answered))
    }
}

/// What a reply says of the service, and what it says to do; or why not, and
/// whether the service has answered at all.
fn judged(reply: Reply) -> (RequestResult, Result<Posted, (String, bool)>) {
    let response = match reply {
        Ok(response) => response,
        Err(failure) => {
            let came = match failure.why {
                // That there is no thread is no fault of the service's.
                Failed::NoThread => RequestResult::Nothing,
                // A service that is slow keeps each caller waiting.
                Failed::Late(_) => RequestResult::Failure,
                // What one caller has entered may be the cause of any other answer.
                _ if failure.answered => RequestResult::Answer,
                _ => RequestResult::Failure,
            };
            return (came, Err((failure.to_string(), failure.answered)));
        }
    };
    let unusable = |why| Err((why, true));
    match response.code {
        200..=299 => match Answer::parse(&response.body) {
            Ok(answer) => (RequestResult::Answer, Ok(Posted::Answer(answer))),
            Err(broken) => (RequestResult::Answer, unusable(broken.to_string())),
        },
        code @ 300..=399 => {
            let why = format!("HTTP {code}: redirects are not followed");
            (RequestResult::Answer, unusable(why))
        }
        // A proxy says that the service is down, or the service itself does.
        code @ 502..=504 => (RequestResult::Failure, unusable(format!("HTTP {code}"))),
        code => (RequestResult::Answer, unusable(format!("HTTP {code}"))),
    }
}

/// A number as a service is told it: with `+` and its country code, if that can
/// be known.
fn spelled(number: &[u8], numbering: &Numbering) -> String {
    let number = without_parameters(number);
    let known = numbering.normalize(number);
    let known = known.filter(|known| known.is_international());
    match known {
        Some(known) => format!("+{}", String::from_utf8_lossy(known.digits())),
        None => String::from_utf8_lossy(number).into_owned(),
    }
}
