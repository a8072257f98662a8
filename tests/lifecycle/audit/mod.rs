//! Outcomes of calls in the audit log and in AMI events.

mod changes;
mod hostile;
mod level;
mod locked;
mod lost;
mod outcomes;
mod phones;
mod refused;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use harness::{Builder, Events, Frame, Pbx};

const LOG: &str = "/var/log/asterisk/authenticate.log";
const JSON: &str = "/var/log/asterisk/authenticate.json";

/// What `docs/audit.md` says to put into `logger.conf`, and the same as JSON.
const LOGGER: &str = "[general]\n\
    dateformat = %F %T.%3q\n\
    [logfiles]\n\
    full => notice,warning,error,verbose(5),debug,security\n\
    authenticate.log => authenticate\n\
    authenticate.json => [json]authenticate\n";

/// The fields of a line, and what the event calls them.
const FIELDS: [(&str, &str); 11] = [
    ("Outcome", "Outcome"),
    ("PinSet", "PinSet"),
    ("Identity", "Identity"),
    ("Caller", "CallerIDNum"),
    ("Channel", "Channel"),
    ("UniqueID", "Uniqueid"),
    ("LinkedID", "Linkedid"),
    ("Attempts", "Attempts"),
    ("LockedBy", "LockedBy"),
    ("LockedSeconds", "LockedSeconds"),
    ("RemoteAddress", "RemoteAddress"),
];

/// The fields of one outcome, by their names in the log line.
type OutcomeFields = BTreeMap<String, String>;

fn builder(conf: &str) -> Builder {
    Pbx::builder()
        .file("logger.conf", LOGGER)
        .file("authenticate.conf", conf)
}

/// Reads all outcomes that are reported after it is opened.
struct OutcomeReader<'a> {
    pbx: &'a Pbx,
    events: Events,
    marks: u32,
}

impl<'a> OutcomeReader<'a> {
    fn open(pbx: &'a Pbx) -> Result<Self> {
        Ok(Self {
            pbx,
            events: pbx.manager()?.events(),
            marks: 0,
        })
    }

    /// The events since the last time.
    fn events(&mut self) -> Result<Vec<OutcomeFields>> {
        const WAIT_LIMIT: Duration = Duration::from_secs(20);
        self.marks += 1;
        let mark = self.marks.to_string();
        // Asterisk keeps them in order: with this one there, so are the others.
        let headers = [("Variable", "H_HEARD"), ("Value", mark.as_str())];
        self.pbx.manager()?.action("Setvar", &headers)?;
        let (end, mut fields) = (Instant::now() + WAIT_LIMIT, Vec::new());
        loop {
            let frame = self.events.next_before(end)?;
            let frame = frame.with_context(|| format!("no end of events in {WAIT_LIMIT:?}"))?;
            if frame.has("Variable", "H_HEARD") && frame.has("Value", &mark) {
                return Ok(fields);
            }
            fields.extend(parse_event(&frame)?);
        }
    }
}

fn parse_event(frame: &Arc<Frame>) -> Result<Option<OutcomeFields>> {
    let name = frame.event().unwrap_or_default();
    if !["Success", "Failure", "Locked"]
        .iter()
        .any(|kind| name == format!("Authenticate{kind}"))
    {
        return Ok(None);
    }
    let outcome = frame.get("Outcome").context("no outcome")?;
    let wanted = match outcome {
        "SUCCESS" => "AuthenticateSuccess",
        "LOCKED" => "AuthenticateLocked",
        _ => "AuthenticateFailure",
    };
    ensure!(
        name == wanted && frame.has("Privilege", "security,all"),
        "{frame:?}"
    );
    let fields = FIELDS
        .iter()
        .filter_map(|(key, header)| Some(((*key).to_owned(), frame.get(header)?.to_owned())));
    Ok(Some(fields.collect()))
}

/// All lines of the level, whose every byte is looked at.
fn lines(pbx: &Pbx) -> Result<Vec<OutcomeFields>> {
    // With a mark after it, the log is complete.
    pbx.log()?;
    let text = fs::read(pbx.outside(LOG).context("no log")?)?;
    let text = String::from_utf8(text).context("the log is not UTF-8")?;
    let own = text.lines().filter(|line| !line.contains(" built by "));
    own.map(parse_line).collect()
}

fn parse_line(line: &str) -> Result<OutcomeFields> {
    ensure!(!line.chars().any(char::is_control), "{line:?}");
    let (head, text) = line.split_once(": ").with_context(|| line.to_owned())?;
    ensure!(
        head.starts_with('[') && head.contains("] AUTHENTICATE[") && head.ends_with(" audit.rs"),
        "{line}"
    );
    parse_text(text)
}

/// `Outcome="…",PinSet="…",…`: what stands between one `"` and the next is a
/// value.
fn parse_text(text: &str) -> Result<OutcomeFields> {
    let parts: Vec<&str> = text.split('"').collect();
    let mut order = FIELDS.iter().map(|(key, _)| *key);
    let mut fields = OutcomeFields::new();
    for (number, pair) in parts.chunks_exact(2).enumerate() {
        let key = pair[0].strip_suffix('=').with_context(|| text.to_owned())?;
        let key = if number == 0 {
            Some(key)
        } else {
            key.strip_prefix(',')
        };
        let key = key.with_context(|| text.to_owned())?;
        ensure!(order.any(|known| known == key), "{key}: {text}");
        fields.insert(key.to_owned(), pair[1].to_owned());
    }
    ensure!(parts.len() % 2 == 1 && parts.last() == Some(&""), "{text}");
    ensure!(text.starts_with("Outcome="), "{text}");
    Ok(fields)
}

/// The one of a channel; an error if there are several, or none.
fn of_channel<'a>(fields: &'a [OutcomeFields], channel: &str) -> Result<&'a OutcomeFields> {
    let mut of = fields
        .iter()
        .filter(|fields| fields.get("UniqueID").is_some_and(|id| id == channel));
    let first = of
        .next()
        .with_context(|| format!("{channel}: {fields:#?}"))?;
    ensure!(of.next().is_none(), "{channel}, twice: {fields:#?}");
    Ok(first)
}
