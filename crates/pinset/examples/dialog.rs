//! One call of `Authenticate()` without Asterisk: arguments → plan → run.
//!
//! The host is a script of DTMF digits; it prints what a channel would do. The PIN
//! stands in the arguments, as in `Authenticate(1234)`:
//!
//! ```sh
//! cargo run -p pinset --example dialog -- 1234 4711# 1234#    # admitted at the second attempt
//! cargo run -p pinset --example dialog -- 1234,,4 4711 0000   # the caller hangs up
//! ```

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;

use pinset::verdict::Literal;
use pinset::{run, Credential, Host, Input, Next, Opening, Request, Settlement, Started, Wait};

/// A caller who enters the digits of a script, and then hangs up.
struct Script {
    digits: VecDeque<u8>,
    now: Duration,
}

impl Host for Script {
    fn open(&mut self, how: Opening) -> bool {
        println!("channel: {how:?}");
        true
    }

    fn start_sound(&mut self, sound: &[u8]) -> Started {
        println!("playing: {}", sound.escape_ascii());
        Started::Playing
    }

    fn stop_sound(&mut self) {}

    fn next_key(&mut self, wait: Wait) -> Input {
        self.now += Duration::from_millis(200);
        match self.digits.pop_front() {
            Some(digit) => {
                println!("digit:   {}", char::from(digit));
                Input::Key(digit)
            }
            None if wait == Wait::Sound => Input::SoundEnded,
            None => {
                println!("channel: hung up");
                Input::Gone
            }
        }
    }

    fn settle(&mut self, settlement: Settlement<'_>) {
        let status = settlement.status.word();
        let attempts = settlement.attempts;
        println!("AUTHENTICATESTATUS={status}, attempts: {attempts}");
    }

    fn jump(&mut self) -> bool {
        false
    }

    fn now(&self) -> Duration {
        self.now
    }
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let arguments = words.next().unwrap_or_else(|| "1234".to_owned());
    let mut digits: VecDeque<u8> = words.flat_map(String::into_bytes).collect();
    if digits.is_empty() {
        digits.extend(b"4711#1234#");
    }

    let request = Request::parse(arguments.as_bytes());
    for warning in &request.warnings {
        println!("warning: {warning}");
    }
    let plan = request.plan();
    let mut source = match request.credential {
        Ok(Credential::Literal(pin)) => Literal(pin),
        Ok(_) => {
            eprintln!("this example verifies a literal PIN only");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut host = Script {
        digits,
        now: Duration::ZERO,
    };
    match run(plan, &mut host, &mut source) {
        Next::Continue => println!("dialplan: next priority"),
        Next::Goto(place) => println!("dialplan: {},{}", place.context, place.exten),
        Next::HangUp => println!("dialplan: hang up"),
    }
    ExitCode::SUCCESS
}
