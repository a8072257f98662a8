//! `harness soak`: many calls in one Asterisk, each with the right outcome, while PIN files
//! are replaced, the configuration is read again, a web service comes and goes, and logs are
//! rotated; and no memory or descriptor is lost.

mod kinds;
mod outcomes;
mod setup;
mod usage;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use harness::Pbx;

use super::service::Service;
use kinds::{Kind, Needs, CONNECTED, UNAVAILABLE};
use outcomes::Outcomes;
use usage::Usage;

/// How much to try.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Calls.
    #[arg(long, default_value_t = 100_000)]
    calls: usize,
    /// Calls at once.
    #[arg(long, default_value_t = 50)]
    at_once: usize,
}

/// Between rounds no call goes on, and memory and descriptors are counted.
const MAX_ROUNDS: usize = 20;
/// The calls of a round at least.
const ROUND: usize = 50;

/// After how many calls each happens.
const REPLACEMENT: usize = 100;
const RELOAD: usize = 500;
const ROTATION: usize = 1000;
const SERVICE_CHANGE: usize = 2000;

/// How many times each happens at least.
const LEAST: usize = 2;

/// The longest time until the service is asked again after it was down.
const PROBES: usize = 240;
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

struct Soak<'a> {
    pbx: &'a Pbx,
    calls: usize,
    outcomes: Outcomes,
    order: Vec<Kind>,
    next: AtomicUsize,
    /// The number of the content of the PIN file that is replaced.
    content: RwLock<usize>,
    service: RwLock<Option<Service>>,
    /// A one-time PIN that has admitted a call.
    used: Mutex<Option<String>>,
    slowest_reload: Mutex<Duration>,
    placed: Mutex<BTreeMap<(&'static str, &'static str), usize>>,
    happened: Mutex<BTreeMap<&'static str, usize>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let began = Instant::now();
    let pbx = setup::start()?;
    let soak = Soak {
        pbx: &pbx,
        calls: arguments.calls,
        outcomes: Outcomes::follow(&pbx)?,
        order: kinds::order(),
        next: AtomicUsize::new(0),
        content: RwLock::new(0),
        service: RwLock::new(Some(Service::start(&pbx, setup::SERVE)?)),
        used: Mutex::default(),
        slowest_reload: Mutex::default(),
        placed: Mutex::default(),
        happened: Mutex::default(),
    };
    let mut usage = Usage::default();
    let rounds = (arguments.calls / ROUND).clamp(1, MAX_ROUNDS);
    for round in 1..=rounds {
        soak.round(arguments.calls * round / rounds, arguments.at_once)?;
        usage.take(&pbx)?;
        println!("{round:2} of {rounds}: {} calls, {usage}", soak.placed());
    }
    soak.outcomes.are_logged(&pbx)?;
    soak.summary(began.elapsed());
    usage.is_flat()
}

impl Soak<'_> {
    fn placed(&self) -> usize {
        lock(&self.placed).values().sum()
    }

    /// Places calls, many at once, until there were this many.
    fn round(&self, until: usize, at_once: usize) -> Result<()> {
        let work = || -> Result<()> {
            loop {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                if number >= until {
                    self.next.fetch_sub(1, Ordering::Relaxed);
                    return Ok(());
                }
                let done = self.call(number).and_then(|()| self.disturb(number));
                if let Err(error) = done {
                    // The others end, too.
                    self.next.store(usize::MAX / 2, Ordering::Relaxed);
                    return Err(error.context(format!("call {number}")));
                }
            }
        };
        thread::scope(|scope| {
            let callers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
            let ends = callers
                .into_iter()
                .map(|caller| caller.join().ok().context("a caller has panicked")?);
            ends.collect()
        })
    }

    /// Places the call of this number. If what it needs is just being changed, one that
    /// needs nothing takes its place.
    fn call(&self, number: usize) -> Result<()> {
        let kind = self.order[number % self.order.len()];
        match kind.needs {
            Needs::Nothing => {}
            Needs::Replaced { present } => {
                if let Ok(content) = self.content.try_read() {
                    let pin = match present {
                        true => setup::pin_of(*content),
                        // No content before the first one.
                        false => setup::pin_of(*content + 999),
                    };
                    let keys = if present { pin } else { pin.repeat(3) };
                    return self.place(number, &kind, &keys, kind.end);
                }
            }
            Needs::Service => {
                if let Ok(service) = self.service.try_read() {
                    let end = service.as_ref().map_or(UNAVAILABLE, |_| CONNECTED);
                    return self.place(number, &kind, kind.keys, end);
                }
            }
            Needs::OneTime { used: false } => {
                let pin = (10_000_000 + number).to_string();
                self.pbx.db_put("once", &pin, "1")?;
                self.place(number, &kind, &pin, kind.end)?;
                *lock(&self.used) = Some(pin);
                return Ok(());
            }
            Needs::OneTime { used: true } => {
                let used = lock(&self.used).clone();
                if let Some(pin) = used {
                    return self.place(number, &kind, &pin.repeat(3), kind.end);
                }
            }
        }
        let kind = match kind.needs {
            Needs::Nothing => kind,
            _ => kinds::KINDS[0],
        };
        self.place(number, &kind, kind.keys, kind.end)
    }

    fn place(&self, number: usize, kind: &Kind, keys: &str, end: kinds::End) -> Result<()> {
        self.outcomes.place(self.pbx, number, (kind, keys), end)?;
        *lock(&self.placed)
            .entry((kind.name, end.status))
            .or_default() += 1;
        Ok(())
    }

    /// Does what is due after the call of this number.
    fn disturb(&self, number: usize) -> Result<()> {
        let is_due = |each: usize| {
            let times = (self.calls / each).max(LEAST);
            let count = |calls: usize| calls * times / self.calls;
            count(number + 1) > count(number)
        };
        if is_due(REPLACEMENT) {
            let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
            *content += 1;
            self.pbx.pin_file("replaced", setup::replaced(*content))?;
            self.happens("PIN file replaced");
        }
        if is_due(RELOAD) {
            // Asterisk refuses a second one at the same time.
            let mut slowest = lock(&self.slowest_reload);
            let began = Instant::now();
            setup::reload(self.pbx, number)?;
            *slowest = began.elapsed().max(*slowest);
            self.happens("configuration reloaded");
        }
        if is_due(ROTATION) {
            self.pbx.cli("logger rotate")?;
            self.happens("logs rotated");
        }
        if is_due(SERVICE_CHANGE) {
            self.change_service(number)?;
        }
        Ok(())
    }

    fn happens(&self, what: &'static str) {
        *lock(&self.happened).entry(what).or_default() += 1;
    }

    /// Stops the web service, or starts it and waits until it is asked again.
    fn change_service(&self, number: usize) -> Result<()> {
        let mut service = self.service.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(service) = service.take() {
            service.stop(self.pbx)?;
            self.happens("service stopped");
            return Ok(());
        }
        let started = Service::start(self.pbx, setup::SERVE)?;
        for _ in 0..PROBES {
            if self.outcomes.probe(self.pbx, number)? == CONNECTED.status {
                *service = Some(started);
                self.happens("service started");
                return Ok(());
            }
            thread::sleep(PROBE_INTERVAL);
        }
        ensure!(false, "the service is not asked again");
        Ok(())
    }

    fn summary(&self, took: Duration) {
        println!("\n{} calls in {} s", self.placed(), took.as_secs());
        for ((name, status), count) in lock(&self.placed).iter() {
            println!("  {name:8} {status:8} {count:7}");
        }
        for (what, times) in lock(&self.happened).iter() {
            println!("  {what} {times} times");
        }
        let slowest = lock(&self.slowest_reload).as_secs_f64();
        println!("  the slowest reload took {slowest:.1} s");
    }
}
