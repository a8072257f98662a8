//! The circuit breakers of services: a dead one does not keep every caller
//! waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pinset::external::circuit_breaker::{self, Breaker, RequestResult};
use url::Url;

use crate::sync::lock::lock;

struct Breakers {
    began: Option<Instant>,
    /// By the URLs of the services.
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

/// Permission to ask a service. Dropped without a result, it tells the breaker nothing.
pub struct Permit<'a> {
    service: &'a Url,
    permit: Option<circuit_breaker::Permit>,
}

/// What has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing.
    None,
    /// The service is down from now on.
    Down,
    /// It is there again.
    Up,
}

/// Whether a service may be asked now; `None`: it is down.
pub fn ask(service: &Url) -> Option<Permit<'_>> {
    let mut breakers = breakers();
    let (breaker, now) = breakers.of(service);
    breaker.ask(now).map(|permit| Permit {
        service,
        permit: Some(permit),
    })
}

impl Permit<'_> {
    /// Says what has come of it.
    pub fn tell(mut self, came: RequestResult) -> Change {
        self.end(came)
    }

    fn end(&mut self, came: RequestResult) -> Change {
        let Some(leave) = self.permit.take() else {
            return Change::None;
        };
        let mut breakers = breakers();
        let (breaker, now) = breakers.of(self.service);
        match (breaker.tell(leave, came, now), breaker.is_open()) {
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

/// Forgets all services but these.
pub fn keep<'a>(services: impl Iterator<Item = &'a Url>) {
    let services: BTreeSet<&str> = services.map(Url::as_str).collect();
    let mut breakers = breakers();
    breakers
        .all
        .retain(|service, _| services.contains(service.as_str()));
}
