//! Our module with our service, `pinset serve`, configured as Hipcall's guide
//! describes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{anyhow, ensure, Context, Result};
use harness::{Builder, Call, Pbx};

use super::sounds::{heard, wav};
use super::{Sets, CALLER};
use crate::pin_sets::{self, all_become, becomes, call, passed, refused, row, Want};
use crate::support::side_by_side;

const KEEPER: &str = include_str!("keeper.py");
const PROGRAM: &str = "/harness/pinset";
const PORT: u16 = 5000;
const PATH: &str = "api/external/hipcall-ingress";

const SERVE: &str = r#"
state = "/harness/serve/state.db"
audio = "/harness/audio"

[log]
file = "/harness/serve/log.db"

[numbers]
country_code = 90

[service.customers]
list = "/pins/customers.csv"
gather = { ask = "http://127.0.0.1:5000/static/audio/pin_prompt.wav" }
success = [
    { play = "http://127.0.0.1:5000/static/audio/success.wav" },
    { connect = "1091" },
]
failure = [
    { play = "http://127.0.0.1:5000/static/audio/failure.wav" },
    { connect = "1092" },
]

[service.strict]
path = "/strict"
list = "/pins/customers.csv"
lockout_caller = "2/10m/10m"
success = [{ connect = "1091" }]
failure = [{ connect = "1092" }]
locked = [{ connect = "1093" }]
"#;

const CUSTOMERS: &str = "account,secret,caller\n\
    ada,plain:1234,8508852972\n\
    bob,plain:77,5321112233\n";

const ASK: Duration = Duration::from_millis(500);
const YES: Duration = Duration::from_millis(200);
const NO: Duration = Duration::from_millis(300);

/// The service, behind a socket that outlives it.
struct Served {
    keeper: Child,
    orders: ChildStdin,
    printed: BufReader<ChildStdout>,
}

impl Served {
    fn start(pbx: &Pbx) -> Result<Self> {
        pbx.put_program(&harness::pinset()?, PROGRAM)?;
        pbx.write_file("/harness/serve/serve.toml", SERVE)?;
        for (name, length) in [("pin_prompt", ASK), ("success", YES), ("failure", NO)] {
            pbx.write_file(&format!("/harness/audio/{name}.wav"), wav(length))?;
        }
        let port = PORT.to_string();
        let command = ["python3", "-c", KEEPER, &port, PROGRAM, "serve", "--config"];
        let command = [&command[..], &["/harness/serve/serve.toml"]].concat();
        let mut keeper = pbx
            .exec_command(&command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = keeper.stdin.take().context("no input")?;
        let printed = keeper.stdout.take().context("no output")?;
        let mut served = Self {
            keeper,
            orders,
            printed: BufReader::new(printed),
        };
        served.until(listens)?;
        Ok(served)
    }

    /// Reads on to such a line.
    fn until(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let mut line = String::new();
        while !wanted(line.trim()) {
            line.clear();
            ensure!(self.printed.read_line(&mut line)? > 0, "the keeper is gone");
        }
        Ok(line.trim().to_owned())
    }

    /// Ends the service and begins another, which has begun then.
    fn restart(&mut self) -> Result<()> {
        writeln!(self.orders, "restart")?;
        let status = self.until(|line| line.parse::<i32>().is_ok())?;
        ensure!(status == "0", "the service has ended with {status}");
        // Before, it would not know how to end.
        self.until(listens)?;
        Ok(())
    }
}

fn listens(line: &str) -> bool {
    line.starts_with("listening on ")
}

impl Drop for Served {
    fn drop(&mut self) {
        // The container ends it at the latest.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

fn builder() -> Builder {
    let options = "success_destinations = 1091\ntimeout = 30";
    let url = |path: &str| format!("http://127.0.0.1:{PORT}/{path}");
    Sets::new()
        .at("customers", &url(PATH), options)
        .at("strict", &url("strict"), options)
        .builder()
        .pin_file("customers.csv", CUSTOMERS)
}

/// Runs a test on an Asterisk with our service beside it.
fn on(test: impl FnOnce(&Pbx, &mut Served) -> Result<()>) {
    pin_sets::on(builder(), |pbx| test(pbx, &mut Served::start(pbx)?));
}

fn support() -> Want {
    passed().went("agents,1091,1")
}

fn sales() -> Want {
    refused("FAILURE").went("agents,1092,1")
}

fn from(number: &str, keys: &str) -> Call {
    call("customers", keys).caller(number)
}

#[test]
fn number_and_pin_decide_the_destination() {
    on(|pbx, _| {
        let rows = [
            row("as the page has it", from(CALLER, "1234"), support()),
            row("without +", from("908508852972", "1234"), support()),
            row("national", from("08508852972", "1234"), support()),
            row("bare", from("8508852972", "1234"), support()),
            row("shorter", from("+905321112233", "77#"), support()),
            row("wrong", from(CALLER, "4321"), sales()),
            row("another's", from(CALLER, "77#"), sales()),
            row("unknown", from("+905060508160", "1234"), sales()),
            row("none", call("customers", ""), sales().attempts("0")),
        ];
        all_become(pbx, &rows)?;
        for (keys, want, sound) in [("1234", support(), YES), ("4321", sales(), NO)] {
            let report = becomes(pbx, &from(CALLER, keys), &want)?;
            let heard = heard(pbx, &report)?;
            ensure!(heard == [wav(ASK).len(), wav(sound).len()], "{heard:?}");
        }
        // In the middle of the digits; and the service goes on.
        let gone = from(CALLER, "12<hangup>");
        becomes(pbx, &gone, &refused("HANGUP"))?;
        becomes(pbx, &from(CALLER, "1234"), &support()).map(drop)
    });
}

/// After too many failures the service locks the caller out.
#[test]
fn service_locks_out_after_failures() {
    on(|pbx, _| {
        let from = |keys: &str| call("strict", keys).caller(CALLER);
        let locked = sales().went("agents,1093,1").whatever_keyed();
        becomes(pbx, &from("<now>4321"), &sales())?;
        // The one that is too many, and all from then on.
        becomes(pbx, &from("<now>4321"), &locked)?;
        becomes(pbx, &from("<now>1234"), &locked)?;
        let other = call("strict", "<now>77#").caller("+905321112233");
        becomes(pbx, &other, &support()).map(drop)
    });
}

/// The service is restarted whenever a call has ended, others being under way:
/// no caller is the worse for it.
#[test]
fn service_restart_loses_no_call() {
    const CALLS: usize = 50;
    const CONCURRENT_CALLS: usize = 6;
    on(|pbx, served| {
        let (ended, restart) = mpsc::channel();
        thread::scope(|scope| {
            let restarting =
                scope.spawn(move || restart.iter().try_for_each(|()| served.restart()));
            let called = side_by_side(CALLS, CONCURRENT_CALLS, |_| {
                becomes(pbx, &from(CALLER, "1234"), &support())?;
                // Its own error ends it.
                let _ = ended.send(());
                Ok(())
            });
            drop(ended);
            let restarted = restarting.join();
            called.and(restarted.map_err(|_| anyhow!("the restarts have panicked"))?)
        })
    });
}
