//! AMI sessions that send one action after the other: one for each entry at a time.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use harness::Pbx;

use super::setup::AMI_PORT;
use super::{Way, FIRST_PIN, PINS};

/// Not counted at first: connections are made, and caches are filled.
const WARM_UP: Duration = Duration::from_millis(500);

/// A clock tick of `/proc/PID/stat`, in microseconds.
const TICK: f64 = 10_000.0;

/// What was measured.
pub(super) struct Figures {
    /// A second.
    pub(super) rate: f64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    /// Of Asterisk for each, in microseconds.
    pub(super) cpu: Option<f64>,
}

impl Figures {
    pub(super) fn of(mut times: Vec<Duration>, within: Duration) -> Result<Self> {
        times.sort_unstable();
        let at = |percent: usize| times.get(times.len() * percent / 100).copied();
        Ok(Self {
            rate: times.len() as f64 / within.as_secs_f64(),
            p50: at(50).context("nothing was measured")?,
            p99: at(99).context("nothing was measured")?,
            cpu: None,
        })
    }
}

/// What is sent.
#[derive(Clone, Copy)]
pub(super) struct Load {
    /// Sessions.
    pub(super) at_once: usize,
    /// The least time from one action of a session to its next.
    pub(super) pace: Duration,
    /// How long.
    pub(super) time: Duration,
}

/// Sends actions.
pub(super) fn drive(pbx: &Pbx, way: &Way, load: Load) -> Result<Figures> {
    let Load { at_once, time, .. } = load;
    let sessions = (0..at_once).map(|_| Session::open(pbx));
    let sessions = sessions.collect::<Result<Vec<_>>>()?;
    let begun = Instant::now() + WARM_UP;
    let (ends, ticks) = thread::scope(|scope| {
        let threads: Vec<_> = sessions
            .into_iter()
            .zip(0..)
            .map(|(session, seed)| scope.spawn(move || session.run(way, seed, begun, load)))
            .collect();
        thread::sleep(begun.saturating_duration_since(Instant::now()));
        let before = pbx.cpu_time()?;
        thread::sleep((begun + time).saturating_duration_since(Instant::now()));
        let ticks = pbx.cpu_time()? - before;
        let ends = threads
            .into_iter()
            .map(|end| end.join().ok().context("a session has panicked")?);
        Ok::<_, anyhow::Error>((ends.collect::<Result<Vec<_>>>()?, ticks))
    })?;
    let times = ends.concat();
    let cpu = ticks as f64 * TICK / times.len() as f64;
    Ok(Figures {
        cpu: Some(cpu),
        ..Figures::of(times, time)?
    })
}

struct Session(BufReader<TcpStream>);

impl Session {
    fn open(pbx: &Pbx) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", AMI_PORT)).context("AMI")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut session = Self(BufReader::new(stream));
        let (user, secret) = pbx.ami_login();
        let login = format!("Login\r\nUsername: {user}\r\nSecret: {secret}\r\nEvents: off");
        let response = session.action(&login)?;
        ensure!(response.contains("Success"), "{response}");
        Ok(session)
    }

    /// The times of the actions that ended within `time` from `begun` on.
    fn run(
        mut self,
        way: &Way,
        seed: u64,
        begun: Instant,
        Load { pace, time, .. }: Load,
    ) -> Result<Vec<Duration>> {
        let mut random = seed;
        let mut times = Vec::new();
        loop {
            // Any order will do that is not the one of the rows.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(seed * 2 + 1);
            let number = random >> 33;
            let pin = (FIRST_PIN + number % PINS).to_string();
            let action = way.action.replace("NUMBER", &pin);
            let action = action.replace("CALLER", &number.to_string());
            let asked = Instant::now();
            let response = self.action(&action)?;
            let answered = Instant::now();
            ensure!(response.contains(way.answer), "{}: {response}", way.name);
            if answered > begun + time {
                return Ok(times);
            }
            if asked >= begun {
                times.push(answered - asked);
            }
            thread::sleep((asked + pace).saturating_duration_since(answered));
        }
    }

    /// Sends an action, and returns the response.
    fn action(&mut self, action: &str) -> Result<String> {
        let request = format!("Action: {action}\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut message = String::new();
        loop {
            let begin = message.len();
            let count = self.0.read_line(&mut message).context("AMI")?;
            ensure!(count > 0, "AMI has ended");
            if message.get(begin..) == Some("\r\n") {
                // Not an event: there are some after the login.
                if message.contains("Response: ") {
                    return Ok(message);
                }
                message.clear();
            }
        }
    }
}
