//! Placing of calls, and the outcome of each by Asterisk's events and its audit log.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use harness::{Frame, Pbx};

use super::kinds::{End, Kind, Needs, KINDS};

/// The longest time of a call, on a machine that may stop all processes for minutes.
const CALL_TIMEOUT: Duration = Duration::from_secs(900);

/// Calls that wait for an event, by the unique ids of their callees.
type Waiting = Arc<Mutex<HashMap<String, Sender<Arc<Frame>>>>>;

/// Follows all calls.
pub(super) struct Outcomes {
    waiting: Waiting,
    /// What the audit log must have, by unique id.
    expected: Mutex<BTreeMap<String, &'static str>>,
    probes: AtomicUsize,
}

impl Outcomes {
    pub(super) fn follow(pbx: &Pbx) -> Result<Self> {
        let waiting = Waiting::default();
        let events = pbx.manager()?.events();
        let listeners = Arc::clone(&waiting);
        thread::spawn(move || {
            // Until the connection is closed.
            while let Ok(frame) = events.next_before(Instant::now() + CALL_TIMEOUT) {
                let Some(frame) = frame else { continue };
                let id = frame.get("Uniqueid").unwrap_or_default();
                let listeners = listeners.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(listener) = listeners.get(id) {
                    // The call may have been given up.
                    let _ = listener.send(frame);
                }
            }
        });
        Ok(Self {
            waiting,
            expected: Mutex::default(),
            probes: AtomicUsize::new(0),
        })
    }

    /// Places a call, which must have this end.
    pub(super) fn place(
        &self,
        pbx: &Pbx,
        number: usize,
        (kind, keys): (&Kind, &str),
        end: End,
    ) -> Result<()> {
        let id = format!("soak-{number}");
        let (frame, events) = self.run(pbx, &id, kind, keys)?;
        let has = |name, value| frame.get(name).unwrap_or_default() == value;
        ensure!(
            has("Status", end.status) && has("Passed", end.passed) && has("Account", end.account),
            "{kind:?} with {keys} ended with {frame:?}, not with {end:?}"
        );
        // One event of its outcome.
        ensure!(
            events == [end.status],
            "{kind:?} with {keys}: events {events:?}"
        );
        Ok(())
    }

    /// Places a call of the web service, whatever it ends with, and returns its status.
    pub(super) fn probe(&self, pbx: &Pbx, number: usize) -> Result<String> {
        let kind = KINDS.iter().find(|kind| kind.needs == Needs::Service);
        let kind = kind.context("no call needs the service")?;
        let probe = self.probes.fetch_add(1, Ordering::Relaxed);
        let id = format!("probe-{number}-{probe}");
        let (frame, _) = self.run(pbx, &id, kind, kind.keys)?;
        Ok(frame.get("Status").unwrap_or_default().to_owned())
    }

    /// Sees a call through. Returns its end, and the outcomes that were reported by events.
    fn run(
        &self,
        pbx: &Pbx,
        id: &str,
        kind: &Kind,
        keys: &str,
    ) -> Result<(Arc<Frame>, Vec<String>)> {
        let (caller, callee) = (format!("{id}-a"), format!("{id}-b"));
        let (sender, receiver) = mpsc::channel();
        self.waiting().insert(callee.clone(), sender);
        let channel = format!("Local/{}@callee/n", kind.name);
        let variable = format!("KEYS={keys}");
        let headers = [
            ("Channel", channel.as_str()),
            ("ChannelId", &caller),
            ("OtherChannelId", &callee),
            ("Context", "caller"),
            ("Exten", kind.caller),
            ("Priority", "1"),
            ("Async", "true"),
            ("Variable", &variable),
        ];
        pbx.manager()?.send("Originate", &headers)?;
        let end = Instant::now() + CALL_TIMEOUT;
        let mut outcomes = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let frame = receiver
                .recv_timeout(left)
                .with_context(|| format!("{kind:?} with {keys} does not end"))?;
            if frame.has("UserEvent", "Soak") {
                self.waiting().remove(&callee);
                let status = frame.get("Status").unwrap_or_default();
                let status = STATUSES.into_iter().find(|known| *known == status);
                let status = status.with_context(|| format!("{frame:?}"))?;
                let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
                expected.insert(callee, status);
                return Ok((frame, outcomes));
            }
            outcomes.extend(frame.get("Outcome").map(str::to_owned));
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<String, Sender<Arc<Frame>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that the audit log, in all files that it was rotated to, has each call once
    /// and with its outcome.
    pub(super) fn are_logged(&self, pbx: &Pbx) -> Result<()> {
        pbx.stop()?;
        let folder = pbx.outside("/var/log/asterisk/").context("no log")?;
        let mut logged = BTreeMap::new();
        for file in fs::read_dir(folder)? {
            let file = file?;
            if !file
                .file_name()
                .to_string_lossy()
                .starts_with("authenticate.log")
            {
                continue;
            }
            let text = fs::read_to_string(file.path())?;
            // Each file begins with Asterisk's version.
            for line in text.lines().filter(|line| line.contains("] AUTHENTICATE[")) {
                let (id, outcome) = (field(line, "UniqueID")?, field(line, "Outcome")?);
                let earlier = logged.insert(id.to_owned(), outcome.to_owned());
                ensure!(earlier.is_none(), "logged twice: {line}");
            }
        }
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, status) in expected.iter() {
            let outcome = logged
                .get(id)
                .with_context(|| format!("{id} is not logged"))?;
            ensure!(outcome == status, "{id}: {outcome}, not {status}");
        }
        ensure!(logged.len() == expected.len(), "more lines than calls");
        Ok(())
    }
}

const STATUSES: [&str; 7] = [
    "SUCCESS", "FAILURE", "TIMEOUT", "EXPIRED", "LOCKED", "HANGUP", "ERROR",
];

/// The value of a field of a line of the audit log.
fn field<'a>(line: &'a str, name: &str) -> Result<&'a str> {
    let value = line.split_once(&format!("{name}=\""));
    let value = value.and_then(|(_, rest)| rest.split_once('"'));
    Ok(value.with_context(|| format!("no {name}: {line}"))?.0)
}
