//! PIN sets with a web service: `source = https://…`.

mod caller;
mod connections;
mod counting;
mod failures;
mod hangups;
mod mp3;
mod ours;
mod prompts;
mod sequence;
mod service;
mod sounds;
mod tls;

use harness::{seconds, Builder, Call, Pbx};
use serde_json::Value;

use crate::pin_sets::{self, call, Want};
use service::{Answer, Service, PORT};

/// The number that calls, as Hipcall's page has it, and the
/// number it calls.
const CALLER: &str = "+908508852972";
const CALLEE: &str = "908508851980";

/// Where a service sends calls.
const PLACES: &str = "
[agents]
exten => _X.,1,NoOp(an agent)
 same => n,Hangup()
exten => t,1,NoOp(of no service's business)
exten => i,1,NoOp(of no service's business)
exten => s,1,NoOp(of no service's business)
exten => e,1,NoOp(of no service's business)
include => harness-h

[outside]
exten => _X.,1,NoOp(an outside line)
 same => n,Hangup()
include => harness-h
";

/// Short limits; calls go to agents, and not outside.
const GENERAL: &str = "
[general]
timeout = 1
connect_timeout = 1
connect_context = agents
attempts = 2
first_digit_timeout = 2
digit_timeout = 2
lockout_caller = no
lockout_account = no
lockout_pinset = no
";

/// PIN sets of services.
#[derive(Debug)]
struct Sets(String);

impl Sets {
    fn new() -> Self {
        // A service that answers does so within this time, also under valgrind.
        let timeout = format!("timeout = {}\n", seconds(1));
        Self(GENERAL.replace("timeout = 1\n", &timeout))
    }

    /// One more, whose service is asked at the path `/NAME`; with these further
    /// options.
    fn set(self, name: &str, options: &str) -> Self {
        self.at(name, &format!("http://127.0.0.1:{PORT}/{name}"), options)
    }

    /// One more, whose service is asked there.
    fn at(mut self, name: &str, url: &str, options: &str) -> Self {
        let set = format!("\n[{name}]\nsource = {url}\n{options}\n");
        self.0.push_str(&set);
        self
    }

    fn builder(&self) -> Builder {
        Pbx::builder()
            .file("authenticate.conf", self.0.as_str())
            .dialplan(PLACES)
    }
}

/// Runs a test on an Asterisk with these PIN sets, and a service beside it.
fn on(builder: Builder, test: impl FnOnce(&Pbx, &Service) -> anyhow::Result<()>) {
    pin_sets::on(builder, |pbx| {
        let service = Service::start(pbx)?;
        test(pbx, &service)
    });
}

/// A call of a set from the caller of Hipcall's guide to its callee.
fn from_outside(set: &str, keys: &str) -> Call {
    call(set, keys)
        .caller(CALLER)
        .variable("CALLERID(dnid)", CALLEE)
}

/// Refused by an error, with any digits.
fn error() -> Want {
    pin_sets::refused("ERROR").whatever_keyed()
}

/// The path a set's service is asked at.
fn path(set: &str) -> String {
    format!("/{set}")
}

/// All that was posted for a set, and its answers beforehand.
fn answers(service: &Service, set: &str, sequences: &[&[Value]]) -> anyhow::Result<()> {
    let answers: Vec<Answer> = sequences.iter().map(|seq| Answer::seq(seq)).collect();
    service.answers(&path(set), &answers)
}
