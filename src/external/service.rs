//! Asking the service.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pinset::external::breaker::Came;
use pinset::external::flow::{self, Unavailable};
use pinset::external::{Answer, Data, Post};
use pinset::judging::{Counter, Halt, Ticket};
use pinset::lockout::Judged;
use pinset::Numbering;
use zeroize::Zeroizing;

use super::breakers::{self, Change};
use super::caller::Caller;
use super::Asked;
use crate::asterisk::log::log;
use crate::asterisk::process;
use crate::configuration::InForce;
use crate::lockouts::Kept;
use crate::web::{self, shown, Failed, Limits, Request, Response};

/// A service, asked about one call.
pub struct Service<'a> {
    asked: &'a Asked,
    credential: Option<Arc<Zeroizing<String>>>,
    caller: String,
    callee: String,
    uuid: String,
    began: u64,
    counter: &'a Counter<Kept>,
    /// The call's one entry, once something it has keyed was posted.
    entry: Option<Ticket<'a, Kept>>,
}

impl<'a> Service<'a> {
    /// The service of this PIN set, about a call from and to these numbers.
    pub fn new(
        asked: &'a Asked,
        in_force: &InForce,
        caller: Option<&[u8]>,
        callee: &[u8],
        counter: &'a Counter<Kept>,
    ) -> Self {
        Self {
            asked,
            credential: in_force.credential(&asked.name),
            caller: spelled(caller.unwrap_or_default(), &in_force.settings.numbering),
            callee: String::from_utf8_lossy(callee).into_owned(),
            uuid: process::uuid(),
            began: now(),
            counter,
            entry: None,
        }
    }

    /// Counts what has come of the call.
    pub fn settle(&mut self, judged: Judged) {
        if let Some(entry) = self.entry.take() {
            entry.settle(judged);
        }
    }

    fn request(&self, data: &Data) -> Request {
        let options = &self.asked.set.external;
        let post = Post {
            caller: &self.caller,
            callee: &self.callee,
            uuid: &self.uuid,
            timestamp: now(),
            began: self.began,
            external_manager_id: options.external_manager_id,
            data,
        };
        let credential = self.credential.iter();
        Request {
            url: self.asked.url.clone(),
            post: Some(post.to_json()),
            headers: credential.map(|header| Zeroizing::clone(header)).collect(),
            limits: Limits {
                connect: options.connect_timeout,
                whole: options.timeout,
                largest: usize::try_from(options.max_response).unwrap_or(usize::MAX),
            },
        }
    }

    /// Logs why the call is not carried on.
    fn refuse(&self, why: &str) -> Unavailable {
        let service = shown(&self.asked.url);
        log!(Error, "PIN set '{}': {service}: {why}", self.asked.name);
        Unavailable::NoAnswer
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
    fn post(
        &mut self,
        caller: &mut Caller<'_, '_>,
        data: &Data,
    ) -> Option<Result<Answer, Unavailable>> {
        if !data.is_empty() && self.entry.is_none() {
            match self.counter.charge(caller) {
                Ok(entry) => self.entry = Some(entry),
                Err(Halt::Gone) => return None,
                Err(Halt::Locked) => return Some(Err(Unavailable::LockedOut)),
                // The log says so already.
                Err(Halt::Busy) => return Some(Err(Unavailable::NoAnswer)),
            }
        }
        caller.has_keyed(data);
        let asked = self.asked;
        let Some(permit) = breakers::ask(&asked.url) else {
            return Some(Err(self.refuse("it has failed too often, and is not asked")));
        };
        let reply = web::ask(caller, self.request(data))?;
        let (came, answer) = judged(reply);
        self.note(permit.tell(came));
        Some(answer.map_err(|why| self.refuse(&why)))
    }

    fn was_wrong(&mut self) {
        self.settle(Judged::Wrong);
    }
}

/// What a reply says of the service, and what it says to do, or why not.
fn judged(reply: Result<Response, Failed>) -> (Came, Result<Answer, String>) {
    let response = match reply {
        Ok(response) => response,
        // No fault of the service's.
        Err(failed @ Failed::NoThread) => return (Came::Nothing, Err(failed.to_string())),
        Err(failed) => return (Came::Failure, Err(failed.to_string())),
    };
    match response.code {
        200..=299 => match Answer::parse(&response.body) {
            Ok(answer) => (Came::Answer, Ok(answer)),
            Err(broken) => (Came::Failure, Err(broken.to_string())),
        },
        code @ 300..=399 => {
            let why = format!("HTTP {code}: redirects are not followed");
            (Came::Answer, Err(why))
        }
        code @ 400..=499 => (Came::Answer, Err(format!("HTTP {code}"))),
        code => (Came::Failure, Err(format!("HTTP {code}"))),
    }
}

/// A number as a service is told it: with `+` and its country code, if that can
/// be known.
fn spelled(number: &[u8], numbering: &Numbering) -> String {
    let known = numbering.normalize(number);
    let known = known.filter(|known| known.is_international());
    match known {
        Some(known) => format!("+{}", String::from_utf8_lossy(known.digits())),
        None => String::from_utf8_lossy(number).into_owned(),
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.as_ref().map_or(0, Duration::as_secs)
}
