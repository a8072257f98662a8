//! An AMI client over the pipe of a command in the container.
//!
//! The AMI client crates speak TCP to a host and bring an asynchronous
//! runtime; our Asterisk has no network but its own loopback, so that any
//! number of them run side by side with the same ports. A thread that reads,
//! and channels, are all this needs.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use ami::{Decoder, Limits};
use anyhow::{anyhow, bail, Context, Result};

use crate::ami_frame::Frame;
use crate::container::{until, Container};
use crate::container_engine::wait_within;
use crate::valgrind;

/// How long an action may take to be answered.
const ANSWER_TIME: Duration = Duration::from_secs(20);
/// The longest time until Asterisk is fully booted.
const BOOT_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest message: commands print long tables.
const LIMITS: Limits = Limits {
    message_bytes: 64 * 1024 * 1024,
    headers: 1_000_000,
};
/// The longest time for a logoff.
const LOGOFF_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct AmiShared {
    /// Requests waiting for their response; empty and `closed` after the end.
    pending: HashMap<String, Sender<Frame>>,
    listeners: Vec<Listener>,
    closed: bool,
}

#[derive(Debug)]
struct Listener {
    sender: Sender<Arc<Frame>>,
    /// The unique ids of the calls it is for; empty: all.
    calls: Vec<String>,
    /// Of its [`Events`]: sending tells only those that get something.
    alive: Weak<()>,
}

impl Listener {
    /// Sends it the event about these calls if it is for it; whether there is still
    /// somebody who listens. One about no call is for all.
    fn send(&self, frame: &Arc<Frame>, calls: &[&str]) -> bool {
        let wanted = self.calls.is_empty()
            || calls.is_empty()
            || self.calls.iter().any(|own| calls.contains(&own.as_str()));
        if wanted {
            return self.sender.send(Arc::clone(frame)).is_ok();
        }
        self.alive.strong_count() > 0
    }
}

/// One AMI connection, logged in. Many threads may use it at once.
#[derive(Debug)]
pub struct Ami {
    client: Child,
    /// None once we are leaving.
    input: Mutex<Option<ChildStdin>>,
    shared: Arc<Mutex<AmiShared>>,
    next: AtomicU64,
}

impl Ami {
    /// Connects, logs in and waits until Asterisk is fully booted.
    pub(crate) fn connect(container: &Container, port: u16, secret: &str) -> Result<Self> {
        // Asterisk opens the port some time after it has started.
        let script = format!(
            "until {{ exec 3<>/dev/tcp/127.0.0.1/{port}; }} 2>/dev/null; do \
                 kill -0 {pid} 2>/dev/null || exit 1; sleep 0.02; \
             done; cat <&3 & exec cat >&3",
            pid = container.pid()?
        );
        let mut command = container.exec(&["bash", "-c", &script]);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut client = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("can't run a command inside")?;
        let (Some(input), Some(stdout)) = (client.stdin.take(), client.stdout.take()) else {
            bail!("the command inside has no pipes");
        };
        let shared = Arc::new(Mutex::new(AmiShared::default()));
        let reader = Arc::clone(&shared);
        std::thread::spawn(move || read(stdout, &reader));
        let ami = Self {
            client,
            input: Mutex::new(Some(input)),
            shared,
            next: AtomicU64::new(1),
        };
        let events = ami.events();
        ami.action("Login", &[("Username", "harness"), ("Secret", secret)])
            .context("can't log in to AMI")?;
        events
            .wait("FullyBooted", valgrind::limit(BOOT_TIMEOUT), |frame| {
                frame.event() == Some("FullyBooted")
            })
            .context("Asterisk did not come up")?;
        Ok(ami)
    }

    fn lock(&self) -> MutexGuard<'_, AmiShared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All events from now on.
    pub fn events(&self) -> Events {
        self.events_of(&[])
    }

    /// The events of calls with these unique ids from now on, and those of no call:
    /// that a hundred calls at once do not wake each other.
    pub(crate) fn events_of(&self, calls: &[&str]) -> Events {
        let (sender, receiver) = mpsc::channel();
        let calls = calls.iter().map(|id| (*id).to_owned()).collect();
        let alive = Arc::new(());
        let mut shared = self.lock();
        // After the end the sender is dropped here and the listener told so.
        if !shared.closed {
            shared.listeners.push(Listener {
                sender,
                calls,
                alive: Arc::downgrade(&alive),
            });
        }
        Events {
            receiver,
            _alive: alive,
        }
    }

    /// Sends an action and returns without waiting for its response.
    pub fn send(&self, action: &str, headers: &[(&str, &str)]) -> Result<()> {
        self.write(action, None, headers)
    }

    fn write(&self, action: &str, id: Option<&str>, headers: &[(&str, &str)]) -> Result<()> {
        let id = id.map(|id| ("ActionID", id.as_bytes()));
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        let headers: Vec<_> = id.into_iter().chain(headers).collect();
        let encoded = ami::encode(action, &headers)?;
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(input) = input.as_mut() else {
            bail!("AMI connection is closing");
        };
        input
            .write_all(&encoded)
            .with_context(|| format!("AMI connection lost before {action}"))
    }

    /// Sends an action and returns its response, whatever that says.
    pub fn ask(&self, action: &str, headers: &[(&str, &str)]) -> Result<Frame> {
        let id = self.next_id();
        self.ask_as(&id, action, headers)
    }

    fn next_id(&self) -> String {
        format!("h{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn ask_as(&self, id: &str, action: &str, headers: &[(&str, &str)]) -> Result<Frame> {
        let (sender, receiver) = mpsc::channel();
        {
            let mut shared = self.lock();
            if shared.closed {
                bail!("AMI connection lost before {action}");
            }
            shared.pending.insert(id.to_owned(), sender);
        }
        self.write(action, Some(id), headers)?;
        let answer = receiver.recv_timeout(valgrind::limit(ANSWER_TIME));
        self.lock().pending.remove(id);
        answer.map_err(|error| match error {
            RecvTimeoutError::Timeout => anyhow!("no response to {action} in {ANSWER_TIME:?}"),
            RecvTimeoutError::Disconnected => anyhow!("AMI connection lost during {action}"),
        })
    }

    /// Sends an action; a response other than success is an error.
    pub fn action(&self, action: &str, headers: &[(&str, &str)]) -> Result<Frame> {
        accepted(action, self.ask(action, headers)?)
    }

    /// Sends an action that is answered with a list of events; returns them,
    /// without the one that ends the list.
    pub fn list(&self, action: &str, headers: &[(&str, &str)]) -> Result<Vec<Arc<Frame>>> {
        let id = self.next_id();
        let events = self.events();
        accepted(action, self.ask_as(&id, action, headers)?)?;
        let mut list = Vec::new();
        loop {
            let frame = events.wait(action, valgrind::limit(ANSWER_TIME), |frame| {
                frame.has("ActionID", &id)
            })?;
            if frame.has("EventList", "Complete") {
                return Ok(list);
            }
            list.push(frame);
        }
    }

    /// Runs a CLI command and returns what it printed, whether or not it
    /// succeeded.
    pub fn command(&self, command: &str) -> Result<String> {
        let response = self.ask("Command", &[("Command", command)])?;
        if response.get("Output").is_none() && !response.has("Response", "Success") {
            bail!("{command}: {}", response.get("Message").unwrap_or("failed"));
        }
        Ok(response.all("Output").collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for Ami {
    fn drop(&mut self) {
        // Asterisk closes its end after this; if it is gone there is nothing
        // to log off from. Ours ends with its input.
        let _ = self.send("Logoff", &[]);
        let input = self.input.get_mut();
        drop(input.unwrap_or_else(PoisonError::into_inner).take());
        let _ = wait_within(&mut self.client, LOGOFF_TIMEOUT);
    }
}

fn accepted(action: &str, response: Frame) -> Result<Frame> {
    if response.has("Response", "Error") {
        bail!("{action}: {}", response.get("Message").unwrap_or("refused"));
    }
    Ok(response)
}

fn read(input: impl Read, shared: &Mutex<AmiShared>) {
    if let Err(error) = read_messages(input, shared) {
        eprintln!("AMI connection lost: {error}");
    }
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    *shared = AmiShared {
        closed: true,
        ..AmiShared::default()
    };
}

/// Reads until the end of the stream.
fn read_messages(mut input: impl Read, shared: &Mutex<AmiShared>) -> io::Result<()> {
    let mut decoder = Decoder::new(LIMITS);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut read = match input.read(&mut buffer)? {
            0 => return Ok(()),
            length => &buffer[..length],
        };
        while let Some(message) = decoder.decode(&mut read).map_err(io::Error::other)? {
            deliver(Frame::from(&message), shared);
        }
    }
}

/// Gives a response to whoever asked, and an event to all who listen.
fn deliver(frame: Frame, shared: &Mutex<AmiShared>) {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    if frame.event().is_some() {
        let frame = Arc::new(frame);
        let calls: Vec<_> = frame.calls().collect();
        shared
            .listeners
            .retain(|listener| listener.send(&frame, &calls));
    } else if let Some(asker) = frame
        .get("ActionID")
        .and_then(|id| shared.pending.remove(id))
    {
        // Whoever asked may have given up.
        let _ = asker.send(frame);
    }
}

/// The events of a connection since `Ami::events` was called.
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<Arc<Frame>>,
    _alive: Arc<()>,
}

impl Events {
    /// The next event, if one comes before `end`; an error if the connection
    /// is lost.
    pub fn next_before(&self, end: Instant) -> Result<Option<Arc<Frame>>> {
        match self.receiver.recv_timeout(until(end)) {
            Ok(frame) => Ok(Some(frame)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("AMI connection lost"),
        }
    }

    /// Waits for an event, dropping those before it; `what` names it in the
    /// error.
    pub fn wait(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Frame) -> bool,
    ) -> Result<Arc<Frame>> {
        let end = Instant::now() + limit;
        while let Some(frame) = self
            .next_before(end)
            .with_context(|| format!("while waiting for {what}"))?
        {
            if wanted(&frame) {
                return Ok(frame);
            }
        }
        bail!("no {what} in {limit:?}")
    }
}
