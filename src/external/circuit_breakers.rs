//! Circuit breakers of web services, so that a dead one does not keep every caller
//! waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pinset::external::circuit_breaker::{self, Breaker, RequestResult};
use url::Url;

use crate::sync::lock::lock;

struct Breakers {
    began: Option<Instant>,
    /// Breakers by the URLs of their services.
    all: BTreeMap<String, Breaker>,
}

static BREAKERS: Mutex<Breakers> = Mutex::new(Breakers {
    began: None,
    all: BTreeMap::new(),
});

fn breakers() -> MutexGuard<'static, Breakers> {
    lock(&BREAKERS)
}

impl Breakers {
    fn of(&mut self, service: &Url) -> (&mut Breaker, Duration) {
        let now = self.began.get_or_insert_with(Instant::now).elapsed();
        let breaker = self.all.entry(service.as_str().to_owned()).or_default();
        (breaker, now)
    }
}

/// Permission for one request. Dropped without a result, it leaves the breaker as it is.
pub(super) struct Permit<'a> {
    service: &'a Url,
    permit: Option<circuit_breaker::Permit>,
}

/// Change of a service's state by a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// The service is suspended from now on.
    Down,
    /// The service is used again.
    Up,
}

/// Asks for permission to send a request. Returns `None` while the service is
/// suspended.
pub(super) fn permit(service: &Url) -> Option<Permit<'_>> {
    let mut breakers = breakers();
    let (breaker, now) = breakers.of(service);
    breaker.ask(now).map(|permit| Permit {
        service,
        permit: Some(permit),
    })
}

impl Permit<'_> {
    /// Reports the result of the request.
    pub(super) fn report(mut self, result: RequestResult) -> Change {
        self.end(result)
    }

    fn end(&mut self, result: RequestResult) -> Change {
        let Some(permit) = self.permit.take() else {
            return Change::None;
        };
        let mut breakers = breakers();
        let (breaker, now) = breakers.of(self.service);
        match (breaker.report(permit, result, now), breaker.is_open()) {
            (false, _) => Change::None,
            (true, true) => Change::Down,
            (true, false) => Change::Up,
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.end(RequestResult::Nothing);
    }
}

/// Drops all breakers. An empty map would keep its memory.
pub(super) fn clear() {
    breakers().all = BTreeMap::new();
}

/// Drops the breakers of all other services.
pub(super) fn retain<'a>(services: impl Iterator<Item = &'a Url>) {
    let services: BTreeSet<&str> = services.map(Url::as_str).collect();
    let mut breakers = breakers();
    breakers
        .all
        .retain(|service, _| services.contains(service.as_str()));
}
