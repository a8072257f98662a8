//! The thread that asks. It is there while there is anything to ask; between
//! requests, only its connections are kept.
//!
//! Callbacks of crate `curl` leave a thread-local behind, which keeps the library
//! mapped until the thread ends: so they are called on our own threads alone.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, Once};
use std::time::Duration;

use curl::easy::Easy2;
use curl::multi::{Easy2Handle, MultiWaker};
use curl::{Error, MultiError};

use super::exchange::Exchange;
use super::{Asker, Failed, Failure, Reply, Request};
use crate::asterisk::panic::guard;
use crate::asterisk::thread_pool;
use crate::ffi::curl::{stay, Transfers};
use crate::sync::lock::lock;

/// libcurl knows itself when it has to look again; should it err, it looks then.
const GLANCE: Duration = Duration::from_secs(1);

/// So many connections are kept between requests.
const KEPT: usize = 256;

struct Job {
    request: Request,
    asker: Box<dyn Asker>,
}

struct Driver {
    waiting: Vec<Job>,
    /// The thread is there, and looks for more before it goes.
    runs: bool,
    /// While no thread has them.
    transfers: Option<Transfers>,
    waker: Option<MultiWaker>,
}

static DRIVER: Mutex<Driver> = Mutex::new(Driver {
    waiting: Vec::new(),
    runs: false,
    transfers: None,
    waker: None,
});

fn driver() -> MutexGuard<'static, Driver> {
    lock(&DRIVER)
}

/// Has a request asked.
pub fn put(request: Request, asker: Box<dyn Asker>) {
    let mut driver = driver();
    driver.waiting.push(Job { request, asker });
    if driver.runs {
        rouse(&driver);
        return;
    }
    driver.runs = true;
    // Whoever waits for an answer keeps the module from going; a report of a call that
    // has ended does not.
    if thread_pool::start_unheld(run) {
        return;
    }
    driver.runs = false;
    let unasked = std::mem::take(&mut driver.waiting);
    drop(driver);
    for job in unasked {
        job.asker.take(Err(Failed::NoThread.into()));
    }
}

/// Has the thread look who still waits.
pub fn wake() {
    rouse(&driver());
}

fn rouse(driver: &Driver) {
    if let Some(waker) = &driver.waker {
        // Without transfers there is nobody to wake.
        let _ = waker.wakeup();
    }
}

/// Closes all connections, when the module is unloaded: nobody asks then. To be
/// called before the workers end.
pub fn close_connections() {
    let transfers = {
        let mut driver = driver();
        driver.waiting = Vec::new();
        driver.waker = None;
        driver.transfers.take()
    };
    // What closing leaves behind on a thread ends with ours. If there is none to be
    // had, it is done here.
    if let Some(transfers) = transfers {
        thread_pool::start(move || drop(transfers));
    }
}

fn run() {
    static ONCE: Once = Once::new();
    ONCE.call_once(stay);
    let whole = guard(false, || {
        drive();
        true
    });
    if !whole {
        // Who waits on is told by the time.
        let unasked = {
            let mut driver = driver();
            driver.runs = false;
            std::mem::take(&mut driver.waiting)
        };
        drop(unasked);
    }
}

fn drive() {
    let transfers = driver().transfers.take().unwrap_or_else(fresh);
    driver().waker = Some(transfers.waker());
    let mut under_way = UnderWay::default();
    loop {
        let waiting = {
            let mut driver = driver();
            if driver.waiting.is_empty() && under_way.0.is_empty() {
                driver.transfers = Some(transfers);
                driver.runs = false;
                return;
            }
            std::mem::take(&mut driver.waiting)
        };
        for job in waiting {
            under_way.begin(&transfers, job);
        }
        if let Err(error) = under_way.go_on(&transfers) {
            under_way.fail(&error);
        }
    }
}

fn fresh() -> Transfers {
    let mut transfers = Transfers::new();
    transfers.keep_connections(KEPT);
    transfers
}

/// Exchanges by the tokens libcurl knows them by.
#[derive(Default)]
struct UnderWay(BTreeMap<usize, Entry>);

struct Entry {
    handle: Easy2Handle<Exchange>,
    asker: Box<dyn Asker>,
}

impl UnderWay {
    fn begin(&mut self, transfers: &Transfers, job: Job) {
        let Job { request, asker } = job;
        let begun = Exchange::prepare(request).and_then(|easy| add(transfers, easy));
        let mut handle = match begun {
            Ok(handle) => handle,
            Err(failed) => return asker.take(Err(failed.into())),
        };
        let token = self.0.last_key_value().map_or(0, |(last, _)| last + 1);
        match handle.set_token(token) {
            Ok(()) => {
                self.0.insert(token, Entry { handle, asker });
            }
            Err(error) => asker.take(Err(Failed::Broken(error.to_string()).into())),
        }
    }

    /// Does what there is to do, then waits until there is more, or a
    /// request has come or is given up.
    fn go_on(&mut self, transfers: &Transfers) -> Result<(), MultiError> {
        transfers.perform()?;
        let mut over: Vec<(usize, Result<(), Error>)> = Vec::new();
        transfers.messages(|message| {
            let Ok(token) = message.token() else { return };
            let entry = self.0.get(&token);
            let result = entry.and_then(|entry| message.result_for2(&entry.handle));
            over.extend(result.map(|result| (token, result)));
        });
        let none = over.is_empty();
        for (token, result) in over {
            if let Some(entry) = self.0.remove(&token) {
                entry.end(transfers, result);
            }
        }
        self.0.retain(|_, entry| entry.asker.waits());
        if none && !self.0.is_empty() {
            transfers.poll(&mut [], GLANCE)?;
        }
        Ok(())
    }

    fn fail(&mut self, error: &MultiError) {
        for entry in std::mem::take(&mut self.0).into_values() {
            let why = Failed::Broken(error.description().to_owned());
            // What has come by then is not known.
            let answered = entry.handle.get_ref().is_sent();
            entry.asker.take(Err(Failure { why, answered }));
        }
    }
}

impl Entry {
    fn end(self, transfers: &Transfers, result: Result<(), Error>) {
        let Self { mut handle, asker } = self;
        let reply = reply(&mut handle, result);
        // The connection is free for others before the caller goes on.
        let _ = transfers.remove2(handle);
        asker.take(reply);
    }
}

fn add(transfers: &Transfers, easy: Easy2<Exchange>) -> Result<Easy2Handle<Exchange>, Failed> {
    transfers
        .add2(easy)
        .map_err(|error| Failed::Broken(error.description().to_owned()))
}

fn reply(handle: &mut Easy2Handle<Exchange>, result: Result<(), Error>) -> Reply {
    let code = handle.response_code().unwrap_or_default();
    // The moment all of it was there, TLS included; zero while it is not.
    let connected = handle.pretransfer_time().is_ok_and(|time| !time.is_zero());
    handle.get_mut().reply(result, code, connected)
}
