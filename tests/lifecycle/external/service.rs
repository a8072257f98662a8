//! A programmable web service in the container, `service.py`, with valid and invalid
//! answers.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use base64::prelude::{Engine as _, BASE64_STANDARD};
use harness::Pbx;
use serde::Deserialize;
use serde_json::{json, Value};

const PROGRAM: &str = include_str!("service.py");
const WAIT_LIMIT: Duration = Duration::from_secs(30);

/// The default port.
pub(super) const PORT: u16 = 8080;

/// The answer to one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer(Vec<Value>);

impl Answer {
    /// These bytes.
    pub(super) fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::default().then("send", bytes.as_ref())
    }

    fn then(mut self, step: &str, bytes: &[u8]) -> Self {
        self.0.push(json!([step, BASE64_STANDARD.encode(bytes)]));
        self
    }

    /// HTTP with this status, such as `503 Service Unavailable`, these further
    /// header lines, and a body.
    pub(super) fn http(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Self {
        let mut head = format!("HTTP/1.1 {status}\r\n");
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        let body = body.as_ref();
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        Self::raw([head.as_bytes(), body].concat())
    }

    /// 200 and this body, as JSON.
    pub(super) fn json(body: impl AsRef<[u8]>) -> Self {
        Self::http("200 OK", &["Content-Type: application/json"], body)
    }

    /// 200 and this sequence of actions.
    pub(super) fn seq(actions: &[Value]) -> Self {
        Self::json(json!({"version": "1", "seq": actions}).to_string())
    }

    /// A sound, as a web server delivers it.
    pub(super) fn sound(content_type: &str, bytes: &[u8]) -> Self {
        Self::http("200 OK", &[&format!("Content-Type: {content_type}")], bytes)
    }

    /// These bytes, one a second.
    pub(super) fn drip(mut self, bytes: &[u8]) -> Self {
        self.0
            .push(json!(["drip", BASE64_STANDARD.encode(bytes), 1.0]));
        self
    }

    /// Nothing, until the other side closes.
    pub(super) fn hang(mut self) -> Self {
        self.0.push(json!(["hang"]));
        self
    }

    /// The end of the connection.
    pub(super) fn close(mut self) -> Self {
        self.0.push(json!(["close"]));
        self
    }

    /// The same after this time.
    pub(super) fn after(self, time: Duration) -> Self {
        let wait = json!(["wait", time.as_secs_f64()]);
        Self([vec![wait], self.0].concat())
    }
}

/// `gather` of digits under this name.
pub(super) fn gather(name: &str, digits: (usize, usize), ask: Option<&str>) -> Value {
    let mut args = json!({
        "min_digits": digits.0,
        "max_digits": digits.1,
        "variable_name": name,
    });
    if let Some(ask) = ask {
        args["ask"] = ask.into();
    }
    json!({"action": "gather", "args": args})
}

pub(super) fn play(url: &str) -> Value {
    json!({"action": "play", "args": {"url": url}})
}

pub(super) fn say(text: &str, language: &str) -> Value {
    json!({"action": "say", "args": {"text": text, "language": language}})
}

pub(super) fn connect(destination: &str) -> Value {
    json!({"action": "connect", "args": {"destination": destination}})
}

pub(super) fn dial(destination: &str) -> Value {
    json!({"action": "dial", "args": {"destination": destination}})
}

pub(super) fn hangup() -> Value {
    json!({"action": "hangup"})
}

/// An event at the service.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    Opened { port: u16 },
    Requested(Request),
    Closed { path: String, by: String },
    Ok,
}

/// A request that the service has received.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Request {
    pub method: String,
    pub path: String,
    /// By their names in small letters.
    pub headers: BTreeMap<String, String>,
    body: String,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body, byte for byte.
    pub(super) fn body(&self) -> Result<String> {
        Ok(String::from_utf8(BASE64_STANDARD.decode(&self.body)?)?)
    }

    /// The body's value.
    pub(super) fn post(&self) -> Result<Value> {
        let body = self.body()?;
        serde_json::from_str(&body).with_context(|| body.clone())
    }
}

#[derive(Debug, Default)]
struct EventLog {
    events: Mutex<Vec<Event>>,
    more: Condvar,
}

impl EventLog {
    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The service. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Service {
    server: Mutex<Child>,
    log: Arc<EventLog>,
}

impl Service {
    /// Starts it; it listens on `PORT`.
    pub(super) fn start(pbx: &Pbx) -> Result<Self> {
        let mut server = pbx
            .exec_command(&["python3", "-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = server.stdout.take().context("no output")?;
        let log = Arc::new(EventLog::default());
        let ours = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                match serde_json::from_str(&line) {
                    Ok(event) => ours.lock().push(event),
                    Err(error) => eprintln!("the service said {line}: {error}"),
                }
                ours.more.notify_all();
            }
        });
        let service = Self {
            server: Mutex::new(server),
            log,
        };
        service.listen(PORT)?;
        Ok(service)
    }

    /// Takes connections on one more port.
    pub(super) fn listen(&self, port: u16) -> Result<()> {
        self.order(&json!({"listen": port, "tls": null, "mute": false}))
    }

    /// The same over TLS, with the certificate and key of these files of the
    /// container.
    pub(super) fn listen_tls(&self, port: u16, certificate: &str, key: &str) -> Result<()> {
        self.order(&json!({"listen": port, "tls": [certificate, key], "mute": false}))
    }

    /// Accepts connections and never answers.
    pub(super) fn listen_mute(&self, port: u16) -> Result<()> {
        self.order(&json!({"listen": port, "tls": null, "mute": true}))
    }

    /// Closes the port and its connections.
    pub(super) fn deafen(&self, port: u16) -> Result<()> {
        self.order(&json!({ "deafen": port }))
    }

    /// Sets the answers to requests of this path, in turn; the last one is repeated.
    pub(super) fn answers(&self, path: &str, answers: &[Answer]) -> Result<()> {
        let answers: Vec<&Vec<Value>> = answers.iter().map(|answer| &answer.0).collect();
        self.order(&json!({"path": path, "answers": answers}))
    }

    fn order(&self, order: &Value) -> Result<()> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.count(|event| matches!(event, Event::Ok));
        let input = server.stdin.as_mut().context("no input")?;
        writeln!(input, "{order}").context("the service is gone")?;
        let obeyed = |event: &Event| matches!(event, Event::Ok);
        self.until(&order.to_string(), |events| {
            (events.iter().filter(|event| obeyed(event)).count() > done).then_some(())
        })
    }

    fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.log.lock().iter().filter(|event| wanted(event)).count()
    }

    /// Waits for something to have happened; `what` names it in the error.
    pub(super) fn until<T>(&self, what: &str, find: impl Fn(&[Event]) -> Option<T>) -> Result<T> {
        let mut found = None;
        let (events, _) = self
            .log
            .more
            .wait_timeout_while(self.log.lock(), WAIT_LIMIT, |events| {
                found = find(events);
                found.is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        match found {
            Some(found) => Ok(found),
            None => bail!("{what}: not within {WAIT_LIMIT:?}; {events:#?}"),
        }
    }

    /// Waits until all events so far have been read.
    fn heard(&self) -> Result<()> {
        self.order(&json!({}))
    }

    /// The requests of a path so far.
    pub(super) fn asked(&self, path: &str) -> Result<Vec<Request>> {
        self.heard()?;
        let events = self.log.lock();
        let requests = events.iter().filter_map(|event| match event {
            Event::Requested(request) if request.path == path => Some(request.clone()),
            _ => None,
        });
        Ok(requests.collect())
    }

    /// The values posted to a path so far.
    pub(super) fn posts(&self, path: &str) -> Result<Vec<Value>> {
        let asked = self.asked(path)?;
        for request in &asked {
            ensure!(request.method == "POST", "{request:?}");
        }
        asked.iter().map(Request::post).collect()
    }

    /// Waits for this many requests of a path.
    pub(super) fn until_asked(&self, path: &str, count: usize) -> Result<()> {
        self.until(&format!("{count} requests of {path}"), |events| {
            let asked = events
                .iter()
                .filter(|event| matches!(event, Event::Requested(request) if request.path == path));
            (asked.count() >= count).then_some(())
        })
    }

    /// Waits until the other side has closed the connection of the last
    /// request of this path.
    pub(super) fn until_closed(&self, path: &str) -> Result<()> {
        self.until(&format!("the end of the request of {path}"), |events| {
            let closed = events.iter().find_map(|event| match event {
                Event::Closed { path: last, by } if last == path => Some(by == "peer"),
                _ => None,
            })?;
            closed.then_some(())
        })
    }

    /// How many connections were made to a port so far.
    pub(super) fn connections(&self, port: u16) -> Result<usize> {
        self.heard()?;
        Ok(self.count(|event| matches!(event, Event::Opened { port: of } if *of == port)))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let server = self
            .server
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        // The end of its input is the end of it.
        drop(server.stdin.take());
        let _ = server.wait();
    }
}
