//! `call_hangup` webhooks: a call that a service decided is reported to
//! `hangup_url` once its channel has ended.
//!
//! Nothing of it is done on a channel's thread. Reports are posted by the thread
//! for HTTP requests; at most [`MAX_CONCURRENT`] at a time, and at most
//! [`MAX_CONCURRENT`] times [`MAX_WAITING`] wait. Further ones are dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use pinset::bounded_queue::{Put, Queue};
use pinset::external::Hangup;
use pinset::timestamp::since_epoch;
use url::Url;
use zeroize::Zeroizing;

use crate::asterisk::hangup::HangupSubscription;
use crate::asterisk::log::log;
use crate::http::{
    self, url_for_log, Limits, Reply, ReplyHandler, Request, RequestError, Sending, UrlOrigin,
};
use crate::sync::lock::lock;

/// The most reports that are posted at a time, and the most that wait for each of
/// these.
const MAX_CONCURRENT: usize = 20;
const MAX_WAITING: usize = 50;

/// The most calls whose end is awaited, and the most of one channel: a dialplan may
/// run `Authenticate()` in a loop.
const MAX_PENDING: usize = 100_000;
const MAX_PER_CHANNEL: usize = 16;

/// A report of one call.
pub(super) struct Report {
    /// The name of the PIN set, for the log.
    pub pin_set: String,
    /// `hangup_url`.
    pub url: Url,
    /// The header by which the receiver knows us.
    pub credential: Option<Arc<Zeroizing<String>>>,
    /// How long the request may take.
    pub limits: Limits,
    /// The reported call.
    pub hangup: Hangup,
}

impl Report {
    /// Notes that the report is lost. The log says so once, until one is posted.
    fn lose(&self, why: &str) {
        if hangups().failing.insert(self.url.to_string()) {
            let (name, url) = (&self.pin_set, url_for_log(&self.url));
            log!(
                Warning,
                "PIN set '{name}': {url}: call_hangup is lost: {why}; further losses are not logged"
            );
        }
    }

    /// Notes that the report has been posted.
    fn arrived(&self) {
        if hangups().failing.remove(self.url.as_str()) {
            let (name, url) = (&self.pin_set, url_for_log(&self.url));
            log!(
                Notice,
                "PIN set '{name}': {url}: call_hangup is posted again"
            );
        }
    }
}

/// A report whose call has ended.
struct DueReport {
    report: Report,
    /// In seconds since 1970.
    ended: u64,
}

struct Hangups {
    /// Reports of calls that have not ended, by the unique ids of their channels.
    pending: BTreeMap<Vec<u8>, Vec<Report>>,
    due: Queue<DueReport>,
    watch: Option<HangupSubscription>,
    /// The module is about to be unloaded: nothing is posted.
    held: bool,
    /// Counts how often `held` was set. A post that began before the last time is
    /// canceled.
    round: u64,
    /// Receivers whose last report was lost.
    failing: BTreeSet<String>,
}

static HANGUPS: Mutex<Hangups> = Mutex::new(Hangups {
    pending: BTreeMap::new(),
    due: Queue::new(MAX_WAITING),
    watch: None,
    held: false,
    round: 0,
    failing: BTreeSet::new(),
});

fn hangups() -> MutexGuard<'static, Hangups> {
    lock(&HANGUPS)
}

/// Reports a call once this channel has ended.
pub(super) fn expect(unique_id: &[u8], report: Report) {
    let mut hangups = hangups();
    if hangups.watch.is_none() {
        hangups.watch = HangupSubscription::start(ended);
    }
    let of_channel = hangups.pending.get(unique_id).map_or(0, Vec::len);
    let why = if hangups.watch.is_none() {
        "Asterisk does not announce the ends of channels"
    } else if of_channel >= MAX_PER_CHANNEL || hangups.pending.len() >= MAX_PENDING {
        "too many calls are to be reported"
    } else {
        let reports = hangups.pending.entry(unique_id.to_vec()).or_default();
        return reports.push(report);
    };
    drop(hangups);
    report.lose(why);
}

/// A channel has ended: its reports are due.
fn ended(unique_id: &[u8]) {
    let Some(reports) = hangups().pending.remove(unique_id) else {
        return;
    };
    let ended = since_epoch().as_secs();
    for report in reports {
        queue(DueReport { report, ended });
    }
}

/// Queues a report, and posts it unless too many are being posted.
fn queue(due: DueReport) {
    let max_waiting = MAX_CONCURRENT * MAX_WAITING;
    let mut hangups = hangups();
    if hangups.held || hangups.due.waiting() >= max_waiting {
        let why = match hangups.held {
            true => "the module is being unloaded".to_owned(),
            false => format!("{max_waiting} wait already"),
        };
        drop(hangups);
        return due.report.lose(&why);
    }
    if hangups.due.put(due, MAX_CONCURRENT) == Put::MayBegin {
        hangups.due.begin();
        drop(hangups);
        post_next();
    }
}

/// Posts the next report that waits, if there is one.
fn post_next() {
    let mut hangups = hangups();
    let round = hangups.round;
    let Some(due) = hangups.due.take() else {
        return;
    };
    drop(hangups);
    let DueReport { report, ended } = due;
    let request = Request {
        url: report.url.clone(),
        post: Some(report.hangup.to_json(ended)),
        headers: report.credential.iter().map(|c| (**c).clone()).collect(),
        origin: UrlOrigin::Service,
        limits: report.limits,
        sending: Sending::default(),
    };
    http::start(request, Box::new(PostHandler { report, round }));
}

/// A report that is being posted.
struct PostHandler {
    report: Report,
    round: u64,
}

impl ReplyHandler for PostHandler {
    fn is_wanted(&self) -> bool {
        hangups().round == self.round
    }

    fn handle(self: Box<Self>, reply: Reply) {
        let why = match reply {
            Ok(response) if (200..=299).contains(&response.code) => None,
            Ok(response) => Some(format!("HTTP {}", response.code)),
            Err(failure) => {
                if failure.error == RequestError::NoThread {
                    // Then there is none for those that wait, either.
                    hangups().due.clear();
                }
                Some(failure.to_string())
            }
        };
        match why {
            Some(why) => self.report.lose(&why),
            None => self.report.arrived(),
        }
    }
}

impl Drop for PostHandler {
    /// Posts the next one, whether this was posted or canceled.
    fn drop(&mut self) {
        post_next();
    }
}

/// Keeps reports from being posted until it is dropped.
pub(crate) struct Held(());

/// Cancels the reports that are being posted or wait, and drops those that become
/// due while the module is about to be unloaded: an unload waits for no receiver.
pub(crate) fn hold_off() -> Held {
    let mut hangups = hangups();
    hangups.held = true;
    hangups.round += 1;
    hangups.due.clear();
    drop(hangups);
    http::wake();
    Held(())
}

impl Drop for Held {
    fn drop(&mut self) {
        hangups().held = false;
    }
}

/// Drops the reports of all calls, and unsubscribes from the ends of channels.
pub(super) fn clear() {
    let mut hangups = hangups();
    let pending = std::mem::take(&mut hangups.pending);
    hangups.due.clear();
    hangups.failing = BTreeSet::new();
    let watch = hangups.watch.take();
    drop(hangups);
    // Dropping it waits for `ended`, which takes the lock.
    drop(watch);
    if !pending.is_empty() {
        log!(
            Warning,
            "call_hangup is lost for {} channels, which go on: the module is unloaded",
            pending.len()
        );
    }
}
