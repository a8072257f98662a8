//! Placing a call and seeing it through.
//!
//! A call is a `Local` channel made by AMI's `Originate`: its second half
//! runs the dialplan with the application under test, its first half is the
//! caller, whose digits are `PlayDTMF` actions. We choose the unique ids of both, and so
//! know the events of every call among those of all others.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use base64::prelude::{Engine as _, BASE64_STANDARD};

use crate::keys::Keys;
use crate::live_call::Ongoing;
use crate::pbx::Pbx;
use crate::report::{template, Report, EXPRESSIONS};

/// A call to place.
#[derive(Debug, Clone)]
pub struct Call {
    goto: String,
    args: Vec<u8>,
    pub(crate) keys: String,
    caller: String,
    steps: Vec<Vec<u8>>,
    pub(crate) expressions: Vec<String>,
    pub(crate) application: String,
    pub(crate) gap: Duration,
    pub(crate) hidden: bool,
    pub(crate) deadline: Duration,
}

impl Call {
    /// A call of `Authenticate(args)`; `args` can hold any bytes but NUL.
    pub fn new(args: impl Into<Vec<u8>>) -> Self {
        let args = args.into();
        let exten = if args.is_empty() { "bare" } else { "plain" };
        Self {
            hidden: args.starts_with(b"pinset:"),
            args,
            ..Self::to("harness-call", exten)
        }
    }

    /// A call of an extension of the test's own dialplan.
    pub fn to(context: &str, extension: &str) -> Self {
        Self {
            goto: format!("{context},{extension},1"),
            args: Vec::new(),
            keys: String::new(),
            caller: String::new(),
            steps: Vec::new(),
            expressions: EXPRESSIONS.iter().map(|name| (*name).to_owned()).collect(),
            application: "Authenticate".into(),
            gap: Duration::from_millis(100),
            hidden: false,
            deadline: Duration::from_secs(90),
        }
    }

    /// What the caller keys: a script as `Keys` reads it.
    pub fn keys(mut self, script: &str) -> Self {
        self.keys = script.to_owned();
        self
    }

    /// Gives the dialplan a priority n+101 for option `j` to go to.
    pub fn with_jump_target(mut self) -> Self {
        self.goto = "harness-call,jump,1".into();
        self
    }

    /// The caller's number; none unless told.
    pub fn caller(mut self, number: &str) -> Self {
        self.caller = number.to_owned();
        self
    }

    /// Sets a channel variable or a function, such as `CHANNEL(language)`,
    /// before the application; the value is taken as it is.
    pub fn variable(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = BASE64_STANDARD.encode(value);
        let step = if value.is_empty() {
            format!("Set({name}=)")
        } else {
            format!("Set({name}=${{BASE64_DECODE({value})}})")
        };
        self.steps.push(step.into_bytes());
        self
    }

    /// The channel's timeouts for the first digit and between digits.
    pub fn timeouts(self, response: Duration, digit: Duration) -> Self {
        self.variable("TIMEOUT(response)", response.as_secs_f64().to_string())
            .variable("TIMEOUT(digit)", digit.as_secs_f64().to_string())
    }

    /// Runs an application before the one under test, such as `Answer()`.
    pub fn before(mut self, application: &str) -> Self {
        self.steps.push(application.as_bytes().to_vec());
        self
    }

    /// Reports one more variable or function.
    pub fn report(mut self, expression: &str) -> Self {
        self.expressions.push(expression.to_owned());
        self
    }

    /// The application in the dialplan whose verdict counts, if it is not
    /// `Authenticate`.
    pub fn application(mut self, name: &str) -> Self {
        self.application = name.to_owned();
        self
    }

    /// The time between keys; 100 ms unless told.
    pub fn key_gap(mut self, gap: Duration) -> Self {
        self.gap = gap;
        self
    }

    /// Whether the PBX hides digits: no event then reports that a digit has
    /// arrived, and the next one does not wait for it. PIN sets hide digits.
    pub fn hidden_digits(mut self, hidden: bool) -> Self {
        self.hidden = hidden;
        self
    }

    /// When to give up; 90 s unless told.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

impl Pbx {
    /// Places a call and sees it through.
    pub fn call(&self, call: &Call) -> Result<Report> {
        self.place(call)?.finish()
    }

    /// Places a call and returns while it goes on.
    pub fn place(&self, call: &Call) -> Result<Ongoing<'_>> {
        let ami = self.manager()?;
        let number = self.next_number();
        let (caller, callee) = (format!("call-{number}-a"), format!("call-{number}-b"));
        let events = ami.events_of(&[&caller, &callee]);
        let mut steps = call.steps.clone();
        if call.keys.parse::<Keys>()?.begin_at_once() {
            // A key in the middle of answering is held up: until an
            // application listens, Asterisk plays each out in real time.
            steps.push(b"Answer()".to_vec());
        }
        let mut variables = vec![
            format!("H_GOTO={}", BASE64_STANDARD.encode(&call.goto)),
            format!("H_ARGS={}", BASE64_STANDARD.encode(&call.args)),
            format!("H_REPORT={}", template(&call.expressions)),
            format!("H_STEPS={}", steps.len()),
        ];
        for (index, step) in steps.iter().enumerate() {
            variables.push(format!("H_STEP_{index}={}", BASE64_STANDARD.encode(step)));
        }
        let timeout = call.deadline.as_millis().to_string();
        let mut headers = vec![
            ("Channel", "Local/start@harness/n"),
            ("ChannelId", &caller),
            ("OtherChannelId", &callee),
            ("Application", "Wait"),
            ("Data", "3600"),
            ("Async", "true"),
            ("Timeout", &timeout),
        ];
        if !call.caller.is_empty() {
            headers.push(("CallerID", &call.caller));
        }
        headers.extend(variables.iter().map(|text| ("Variable", text.as_str())));
        let ids = (caller.clone(), callee.clone());
        let ongoing = Ongoing::new(self, Arc::clone(&ami), events, ids, call)?;
        ami.action("Originate", &headers)?;
        Ok(ongoing)
    }
}
