//! `harness bench-start`: load and reload of the module with many PIN sets, in a running
//! Asterisk, beside the stock module.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use harness::{Ami, Call, Module, Outcome, Pbx};
use md5::{Digest, Md5};

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Rounds of load, reload and unload.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// PIN sets, each with a CSV file of its own.
    #[arg(long, default_value_t = 100)]
    sets: u64,
    /// Rows of all PIN sets together.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
}

/// Limits.
const MAX_DELAY: Duration = Duration::from_millis(50);

/// The PIN of the first row of each file is this and the number of the PIN set.
const FIRST_PIN: u64 = 1_000_000;

/// Files that were changed shortly before are not kept in memory.
const SETTLE: Duration = Duration::from_secs(3);

/// How long Asterisk is watched at rest.
const REST: Duration = Duration::from_secs(1);

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let sites = [Module::Theirs, Module::Ours].map(|module| Site::start(module, arguments));
    let [stock, ours] = sites;
    let sites = [stock?, ours?];
    thread::sleep(SETTLE);
    println!(
        "{} PIN sets with {} rows in all; the longest of {} rounds, in ms\n",
        arguments.sets, arguments.rows, arguments.rounds
    );
    println!("{:<44}{:>9}{:>9}{:>9}", "", "stock", "ours", "limit");
    let mut figures = [Figures::default(), Figures::default()];
    for _ in 0..arguments.rounds {
        for (site, figures) in sites.iter().zip(&mut figures) {
            figures.add(&site.round(arguments.sets)?);
        }
    }
    let [stock, ours] = figures;
    for (((name, limit), stock), ours) in ROWS.into_iter().zip(stock.0).zip(ours.0) {
        row(name, stock, ours, limit);
    }
    Ok(())
}

/// What is measured, and its limit.
const ROWS: [(&str, Option<Duration>); 9] = [
    ("AMI, Ping: at rest", None),
    ("module load", None),
    ("  Ping meanwhile", Some(MAX_DELAY)),
    (
        "  first answer after it, AuthenticateVerify",
        Some(MAX_DELAY),
    ),
    (
        "  first call after it, last digit to answer",
        Some(MAX_DELAY),
    ),
    ("module reload, files unchanged", None),
    ("  Ping meanwhile", Some(MAX_DELAY)),
    ("  AuthenticateVerify meanwhile", None),
    (
        "  first answer after it, AuthenticateVerify",
        Some(MAX_DELAY),
    ),
];

/// The longest time of each row, if it was measured.
#[derive(Default)]
struct Figures([Option<Duration>; ROWS.len()]);

impl Figures {
    fn add(&mut self, other: &Self) {
        for (longest, time) in self.0.iter_mut().zip(other.0) {
            *longest = (*longest).max(time);
        }
    }
}

fn row(name: &str, stock: Option<Duration>, ours: Option<Duration>, limit: Option<Duration>) {
    let shown = |time: Option<Duration>| match time {
        Some(time) => format!("{:.1}", time.as_secs_f64() * 1000.0),
        None => "-".to_owned(),
    };
    let missed = match (ours, limit) {
        (Some(ours), Some(limit)) if ours > limit => "  missed",
        _ => "",
    };
    let limit = limit.map_or(String::new(), |limit| shown(Some(limit)));
    println!(
        "{name:<44}{:>9}{:>9}{limit:>9}{missed}",
        shown(stock),
        shown(ours)
    );
}

/// An Asterisk with one of the modules.
struct Site {
    pbx: Pbx,
    module: Module,
}

impl Site {
    /// Starts Asterisk with the files, and the module not loaded.
    fn start(module: Module, arguments: &Arguments) -> Result<Self> {
        let mut builder = Pbx::builder().module(module);
        let mut config = "[general]\n".to_owned();
        for set in 0..arguments.sets {
            let (name, rows) = (format!("set{set}"), arguments.rows / arguments.sets);
            writeln!(
                config,
                "[{name}]\nsource = file:/pins/{name}\nhide_digits = no"
            )?;
            builder = builder.pin_file(&name, list(set, rows, module == Module::Ours)?);
        }
        let pbx = builder.file("authenticate.conf", config).start()?;
        let site = Self { pbx, module };
        site.load("unload")?;
        Ok(site)
    }

    /// Loads, reloads or unloads the module.
    fn load(&self, how: &str) -> Result<()> {
        let file = match self.module {
            Module::Theirs => "app_authenticate.so",
            _ => "app_authenticate_rs.so",
        };
        // Not by AMI: the file in the module directory is a link.
        let printed = self.pbx.cli(&format!("module {how} {file}"))?;
        let done = ["Loaded", "Unloaded", "reloaded successfully"];
        ensure!(
            done.iter().any(|done| printed.contains(done)),
            "{how}: {printed}"
        );
        Ok(())
    }

    /// Loads, reloads and unloads the module.
    fn round(&self, sets: u64) -> Result<Figures> {
        let mut figures = Figures::default();
        let [rest, load, ping, first, call, reload, ping_2, verify, first_2] = &mut figures.0;
        let sleep = || {
            thread::sleep(REST);
            Ok(())
        };
        *rest = Some(self.watch("Ping", &[], sleep)?.1);
        let (time, delay) = self.watch("Ping", &[], || self.load("load"))?;
        (*load, *ping) = (Some(time), Some(delay));
        let pin = (FIRST_PIN + sets - 1).to_string();
        let set = format!("set{}", sets - 1);
        let entry = [
            ("PinSet", set.as_str()),
            ("Secret", pin.as_str()),
            ("Caller", "5551234"),
        ];
        if self.module == Module::Ours {
            *first = Some(self.verify(&entry)?);
        }
        *call = Some(self.call(sets / 2)?);
        // The stock module has nothing to read again.
        if self.module == Module::Ours {
            let (time, delay) = self.watch("Ping", &[], || self.load("reload"))?;
            (*reload, *ping_2) = (Some(time), Some(delay));
            *first_2 = Some(self.verify(&entry)?);
            let verified = self.watch("AuthenticateVerify", &entry, || self.load("reload"))?;
            *verify = Some(verified.1);
        }
        self.load("unload")?;
        Ok(figures)
    }

    /// Returns the time of some work, and the longest answer to an AMI action of another
    /// session meanwhile.
    fn watch(
        &self,
        action: &str,
        headers: &[(&str, &str)],
        work: impl FnOnce() -> Result<()>,
    ) -> Result<(Duration, Duration)> {
        let session = self.pbx.ami()?;
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let mut longest = Duration::ZERO;
                while !is_over.load(Ordering::Relaxed) {
                    longest = longest.max(time_of(&session, action, headers)?);
                }
                Ok::<_, anyhow::Error>(longest)
            });
            let begin = Instant::now();
            let worked = work();
            let time = begin.elapsed();
            is_over.store(true, Ordering::Relaxed);
            let longest = watching.join().ok().context("the session has panicked")??;
            worked.map(|()| (time, longest))
        })
    }

    /// Verifies a PIN by AMI, and returns the time.
    fn verify(&self, entry: &[(&str, &str)]) -> Result<Duration> {
        time_of(&*self.pbx.manager()?, "AuthenticateVerify", entry)
    }

    /// Places a call, and returns the time from the last digit to the answer.
    fn call(&self, set: u64) -> Result<Duration> {
        let args = match self.module {
            Module::Theirs => format!("/pins/set{set},m"),
            _ => format!("pinset:set{set}"),
        };
        let keys = format!("{}#", FIRST_PIN + set);
        let call = Call::new(args).keys(&keys).hidden_digits(false);
        let report = self.pbx.call(&call)?;
        ensure!(
            report.outcome == Outcome::Passed,
            "a call failed: {report:#?}"
        );
        let seconds = report.last_key_to_answer.context("no answer seen")?;
        Ok(Duration::from_secs_f64(seconds))
    }
}

/// Returns the time of an AMI action, which must succeed.
fn time_of(session: &Ami, action: &str, headers: &[(&str, &str)]) -> Result<Duration> {
    let begin = Instant::now();
    let answer = session.action(action, headers)?;
    let time = begin.elapsed();
    let is_right = action != "AuthenticateVerify" || answer.has("Status", "SUCCESS");
    ensure!(is_right, "{action}: {answer:?}");
    Ok(time)
}

/// The secret of a row, as MD5.
fn digest(set: u64, row: u64) -> u128 {
    let pin = match row {
        0 => (FIRST_PIN + set).to_string(),
        _ => format!("{set:03}{row:09}"),
    };
    u128::from_be_bytes(Md5::digest(pin).into())
}

/// A list for a PIN set, or with the same PINs for the stock module.
fn list(set: u64, rows: u64, is_csv: bool) -> Result<String> {
    let mut list = match is_csv {
        true => "account,secret,caller\n".to_owned(),
        false => String::new(),
    };
    for row in 0..rows {
        let digest = digest(set, row);
        match is_csv {
            true => writeln!(
                list,
                "user{set:03}{row:07},md5:{digest:032x},+90506{row:07}"
            )?,
            false => writeln!(list, "user{set:03}{row:07}:{digest:032x}")?,
        }
    }
    Ok(list)
}
