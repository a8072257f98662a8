//! The thread that does HTTP requests. It runs while there are any; between requests,
//! only its connections are kept.
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
use super::request::{Reply, ReplyHandler, Request, RequestError, RequestFailure};
use crate::asterisk::panic::guard;
use crate::asterisk::thread_pool;
use crate::ffi::curl::{stay, Transfers};
use crate::sync::lock::lock;

/// Longest poll. libcurl itself knows when it has to be called again; this is for the
/// case that it is mistaken.
const MAX_POLL: Duration = Duration::from_secs(1);

/// Most connections that are kept between requests.
const MAX_CONNECTIONS: usize = 256;

struct TransferJob {
    request: Request,
    handler: Box<dyn ReplyHandler>,
}

struct Driver {
    waiting: Vec<TransferJob>,
    /// The thread runs, and looks for more requests before it ends.
    runs: bool,
    /// Set while no thread uses them.
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

/// Queues a request, and starts the thread unless it runs.
pub(super) fn put(request: Request, handler: Box<dyn ReplyHandler>) {
    let mut driver = driver();
    driver.waiting.push(TransferJob { request, handler });
    if driver.runs {
        wake_thread(&driver);
        return;
    }
    driver.runs = true;
    // A caller who waits for an answer keeps the module loaded; the report of a call
    // that has ended does not.
    if thread_pool::start_unheld(run) {
        return;
    }
    driver.runs = false;
    let unsent = std::mem::take(&mut driver.waiting);
    drop(driver);
    for job in unsent {
        job.handler.handle(Err(RequestError::NoThread.into()));
    }
}

/// Lets the thread drop requests that are no longer wanted.
pub(crate) fn wake() {
    wake_thread(&driver());
}

fn wake_thread(driver: &Driver) {
    if let Some(waker) = &driver.waker {
        // It fails if there are no transfers, and then no thread waits.
        let _ = waker.wakeup();
    }
}

/// Closes all connections when the module is unloaded and there are no requests. To
/// be called before the threads of the pool end.
pub(crate) fn close_connections() {
    let transfers = {
        let mut driver = driver();
        driver.waiting = Vec::new();
        driver.waker = None;
        driver.transfers.take()
    };
    // Closing leaves thread-locals behind: they end with a thread of ours. If there is
    // no free one, it is done here.
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
        // Callers who wait for a running request get a timeout.
        let unsent = {
            let mut driver = driver();
            driver.runs = false;
            std::mem::take(&mut driver.waiting)
        };
        drop(unsent);
    }
}

fn drive() {
    let transfers = driver().transfers.take().unwrap_or_else(fresh);
    driver().waker = Some(transfers.waker());
    let mut running = Running::default();
    loop {
        let waiting = {
            let mut driver = driver();
            if driver.waiting.is_empty() && running.0.is_empty() {
                driver.transfers = Some(transfers);
                driver.runs = false;
                return;
            }
            std::mem::take(&mut driver.waiting)
        };
        for job in waiting {
            running.begin(&transfers, job);
        }
        if let Err(error) = running.advance(&transfers) {
            running.fail(&error);
        }
    }
}

fn fresh() -> Transfers {
    let mut transfers = Transfers::new();
    transfers.keep_connections(MAX_CONNECTIONS);
    transfers
}

/// Running exchanges, by their tokens in libcurl.
#[derive(Default)]
struct Running(BTreeMap<usize, RunningExchange>);

struct RunningExchange {
    handle: Easy2Handle<Exchange>,
    handler: Box<dyn ReplyHandler>,
}

impl Running {
    fn begin(&mut self, transfers: &Transfers, job: TransferJob) {
        let TransferJob { request, handler } = job;
        let begun = Exchange::prepare(request).and_then(|easy| add(transfers, easy));
        let mut handle = match begun {
            Ok(handle) => handle,
            Err(failed) => return handler.handle(Err(failed.into())),
        };
        let token = self.0.last_key_value().map_or(0, |(last, _)| last + 1);
        match handle.set_token(token) {
            Ok(()) => {
                self.0.insert(token, RunningExchange { handle, handler });
            }
            Err(error) => handler.handle(Err(RequestError::Transfer(error.to_string()).into())),
        }
    }

    /// Advances all exchanges, then waits until one can go on, or a request is
    /// queued or canceled.
    fn advance(&mut self, transfers: &Transfers) -> Result<(), MultiError> {
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
        self.0.retain(|_, entry| entry.handler.is_wanted());
        if none && !self.0.is_empty() {
            transfers.poll(&mut [], MAX_POLL)?;
        }
        Ok(())
    }

    fn fail(&mut self, error: &MultiError) {
        for entry in std::mem::take(&mut self.0).into_values() {
            let failure = RequestError::Transfer(error.description().to_owned());
            // What has been received by then is not known.
            let answered = entry.handle.get_ref().is_sent();
            entry.handler.handle(Err(RequestFailure {
                error: failure,
                answered,
            }));
        }
    }
}

impl RunningExchange {
    fn end(self, transfers: &Transfers, result: Result<(), Error>) {
        let Self {
            mut handle,
            handler,
        } = self;
        let reply = reply(&mut handle, result);
        // The connection is free for other requests before the caller goes on.
        let _ = transfers.remove2(handle);
        handler.handle(reply);
    }
}

fn add(
    transfers: &Transfers,
    easy: Easy2<Exchange>,
) -> Result<Easy2Handle<Exchange>, RequestError> {
    transfers
        .add2(easy)
        .map_err(|error| RequestError::Transfer(error.description().to_owned()))
}

fn reply(handle: &mut Easy2Handle<Exchange>, result: Result<(), Error>) -> Reply {
    let code = handle.response_code().unwrap_or_default();
    // The time at which the connection was ready, TLS included; zero while it is not.
    let connected = handle.pretransfer_time().is_ok_and(|time| !time.is_zero());
    handle.get_mut().reply(result, code, connected)
}
