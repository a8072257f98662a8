//! `harness bench-external`: what a web service adds to a call, beside a bare POST
//! by libcurl from the same Asterisk to the same service.

use std::thread;

use anyhow::{ensure, Context, Result};
use harness::{Call, Module, Pbx};

use super::service::Service;

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Rounds, each of them in both ways in turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Requests a round, one after the other.
    #[arg(long, default_value_t = 200)]
    requests: usize,
    /// Calls at once.
    #[arg(long, default_value_t = 200)]
    at_once: usize,
}

/// The limit, as a multiple of the time of the bare POST.
const TIMES: f64 = 1.2;

/// No PIN is asked for: locked callers are sent elsewhere at once.
const SERVE: &str = r#"
listen = "127.0.0.1:5000"
state = "/harness/state.db"

[log]
file = "/harness/log.db"

[service.bench]
path = "/bench"
list = "/pins/bench.csv"
lockout_caller = "1/1h/1h"
success = [{ connect = 1091 }]
failure = [{ connect = 1092 }]
locked = [{ connect = 1093 }]
"#;

const LIST: &str = "account,secret,caller\nada,plain:1234,+905060508169\n";

/// The caller, and a wrong PIN that locks him out.
const CALLER: &str = "+905060508169";
const WRONG: &str = r#"{"caller": "+905060508169", "data": {"pin_code": "1"}}"#;

/// As an argument of CURL().
const BODY: &str = r#"{"caller": "+905060508169"}"#;

const CONF: &str = "[bench]
source = http://127.0.0.1:5000/bench
connect_context = bench-ours
";

/// Each way measures itself, in microseconds: N times, into ALL.
const DIALPLAN: &str = r#"
[bench-curl]
exten => s,1(next),Set(A=${STRFTIME(,,%s%6q)})
 same => n,Set(ANSWER=${CURL(http://127.0.0.1:5000/bench,${BODY})})
 same => n,Set(B=${STRFTIME(,,%s%6q)})
 same => n,Set(ALL=${ALL} $[${B} - ${A}])
 same => n,Set(N=$[${N} - 1])
 same => n,GotoIf($[${N} > 0]?next)
 same => n,Hangup()
include => harness-h

[bench-ours]
exten => s,1,Set(A=${STRFTIME(,,%s%6q)})
 same => n,Authenticate(pinset:bench)
 same => n,Hangup()
exten => 1093,1,Set(B=${STRFTIME(,,%s%6q)})
 same => n,Set(ANSWER=${EXTEN})
 same => n,Set(ALL=${ALL} $[${B} - ${A}])
 same => n,Set(N=$[${N} - 1])
 same => n,GotoIf($[${N} > 0]?s,1)
 same => n,Hangup()
include => harness-h
"#;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let pbx = Pbx::builder()
        .module(Module::Ours)
        .modules("load = res_curl.so\nload = func_curl.so")
        .pin_file_of_mode("bench.csv", LIST, 0o600)
        .file("authenticate.conf", CONF)
        .dialplan(DIALPLAN)
        .start()?;
    let _service = Service::start(&pbx, SERVE)?;
    lock_out(&pbx)?;
    // Connections and caches.
    for way in WAYS {
        way.times(&pbx, 20)?;
    }
    println!(
        "{} rounds of {} requests, one after the other, in turn",
        arguments.rounds, arguments.requests
    );
    let mut all: [Vec<u64>; 2] = Default::default();
    for _ in 0..arguments.rounds {
        for (way, all) in WAYS.iter().zip(&mut all) {
            all.extend(way.times(&pbx, arguments.requests)?);
        }
    }
    let middles = show(&mut all);
    println!(
        "ours takes {:.2} times as long; promised: {TIMES}\n",
        middles[1] as f64 / middles[0] as f64
    );
    println!("{} calls at once, one request each", arguments.at_once);
    let mut all: [Vec<u64>; 2] = Default::default();
    for (way, all) in WAYS.iter().zip(&mut all) {
        let times = thread::scope(|scope| {
            let call = || scope.spawn(|| way.times(&pbx, 1));
            let calls: Vec<_> = (0..arguments.at_once).map(|_| call()).collect();
            let ends = calls
                .into_iter()
                .map(|call| call.join().ok().context("a call has panicked")?);
            ends.collect::<Result<Vec<_>>>()
        })?;
        all.extend(times.into_iter().flatten());
    }
    show(&mut all);
    Ok(())
}

/// Prints a line for each way; the medians.
fn show(all: &mut [Vec<u64>; 2]) -> [u64; 2] {
    let mut middles = [0; 2];
    for ((way, times), middle) in WAYS.iter().zip(all).zip(&mut middles) {
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).copied();
        let [half, most] = [50, 95].map(|share| at(share).unwrap_or_default());
        *middle = half.max(1);
        println!(
            "{:32} {half:6} µs, 95 % within {most} µs, at most {} µs",
            way.name,
            times.last().copied().unwrap_or_default()
        );
    }
    middles
}

/// A way to ask the service.
struct Way {
    name: &'static str,
    context: &'static str,
    /// What the answer has in it.
    answer: &'static str,
}

const WAYS: [Way; 2] = [
    Way {
        name: "CURL(), libcurl alone",
        context: "bench-curl",
        answer: r#""destination":"1093""#,
    },
    Way {
        name: "Authenticate(), to the destination",
        context: "bench-ours",
        answer: "1093",
    },
];

impl Way {
    /// Returns the time of each of this many requests, in microseconds.
    fn times(&self, pbx: &Pbx, requests: usize) -> Result<Vec<u64>> {
        let call = Call::to(self.context, "s")
            .caller(CALLER)
            .variable("N", requests.to_string())
            .variable("ALL", "")
            .variable("BODY", BODY)
            .report("ALL")
            .report("ANSWER");
        let report = pbx.call(&call)?;
        let answer = report.variable("ANSWER");
        ensure!(answer.contains(self.answer), "{}: {answer}", self.name);
        let times = report.variable("ALL").split_whitespace();
        let times = times.map(|time| Ok(time.parse::<f64>()?.round() as u64));
        let times = times.collect::<Result<Vec<_>>>()?;
        ensure!(times.len() == requests, "{}: {times:?}", self.name);
        Ok(times)
    }
}

/// Has the service lock the caller out.
fn lock_out(pbx: &Pbx) -> Result<()> {
    let post = format!(
        "import urllib.request as r; \
         r.urlopen('http://127.0.0.1:5000/bench', data={WRONG:?}.encode()).read()"
    );
    pbx.exec(&["python3", "-c", &post]).map(drop)
}
