//! Faults of the machine during calls: `kill -9`, disks that fail, a clock that is set, no
//! threads, no processor time. `docs/testing.md` has the table of what is promised.

mod clock;
mod disk;
mod kill;
mod log;
mod processor;
mod threads;

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{bail, ensure, Context, Result};
use harness::{workspace, Builder, Call, Module, Outcome, Pbx, Report};
use tempfile::TempDir;

use crate::support::UNLIMITED;

/// The source of the library that is preloaded into Asterisk.
const SOURCE: &str = "tests/lifecycle/faults/faults.c";

/// The places of its switches in the file that it maps: `struct switches`.
const CLOCK: u64 = 0;
const NO_THREADS: u64 = 8;
const ERROR: u64 = 12;
const KILL_AT: u64 = 16;
const WRITES: u64 = 20;
const KILLED: u64 = 24;
const KIND: u64 = 28;
const FAILING: u64 = 84;
const SIZE: u64 = 124;

/// The faults of one Asterisk, none at first.
struct Faults {
    folder: TempDir,
    switches: File,
}

impl Faults {
    fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        fs::write(folder.path().join("faults.so"), library()?)?;
        let mut options = File::options();
        let options = options.read(true).write(true).create_new(true);
        let switches = options.open(folder.path().join("switches"))?;
        switches.set_len(SIZE)?;
        Ok(Self { folder, switches })
    }

    /// An Asterisk with these faults.
    fn builder(&self) -> Builder {
        Pbx::builder()
            .module(Module::Ours)
            .volume(self.folder.path(), "/faults")
            .environment("ASTERISK_UNDER", "env LD_PRELOAD=/faults/faults.so")
    }

    fn set(&self, place: u64, value: &[u8]) -> Result<()> {
        self.switches.write_all_at(value, place)?;
        Ok(())
    }

    /// Sets the clock this many seconds ahead.
    fn set_clock(&self, ahead: i64) -> Result<()> {
        self.set(CLOCK, &ahead.to_ne_bytes())
    }

    /// Whether the module can't start threads.
    fn no_threads(&self, none: bool) -> Result<()> {
        self.set(NO_THREADS, &u32::from(none).to_ne_bytes())
    }

    /// Has writes fail to the files in the database's folder whose names begin like this.
    fn fail_writes(&self, names: &str, error: u32) -> Result<()> {
        self.set_text(FAILING..SIZE, names)?;
        self.set(ERROR, &error.to_ne_bytes())
    }

    /// Has the process killed before the `number`th write of this kind from now on.
    fn kill_before(&self, kind: &str, number: u32) -> Result<()> {
        self.set(KILL_AT, &number.to_ne_bytes())?;
        self.set(WRITES, &0_u32.to_ne_bytes())?;
        self.set(KILLED, &0_u32.to_ne_bytes())?;
        self.set_text(KIND..FAILING, kind)
    }

    /// Ends that; whether it was killed is still known.
    fn kill_never(&self) -> Result<()> {
        self.set_text(KIND..FAILING, "")
    }

    /// Whether the process was killed since then.
    fn has_killed(&self) -> Result<bool> {
        let mut killed = [0; 4];
        self.switches.read_exact_at(&mut killed, KILLED)?;
        Ok(u32::from_ne_bytes(killed) != 0)
    }

    fn set_text(&self, place: Range<u64>, text: &str) -> Result<()> {
        let mut bytes = vec![0; usize::try_from(place.end - place.start)?];
        let start = bytes.get_mut(..text.len()).context("a long text")?;
        start.copy_from_slice(text.as_bytes());
        self.set(place.start, &bytes)
    }

    /// The writes since the last time, while a kill is awaited.
    fn trace(&self) -> Result<Vec<String>> {
        let path = self.folder.path().join("trace");
        let text = fs::read_to_string(&path)?;
        File::options().write(true).open(&path)?.set_len(0)?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// The compiled library.
fn library() -> Result<Vec<u8>> {
    static COMPILED: OnceLock<std::result::Result<Vec<u8>, String>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| compile().map_err(|error| format!("{error:#}")));
    match compiled {
        Ok(library) => Ok(library.clone()),
        Err(error) => bail!("{error}"),
    }
}

fn compile() -> Result<Vec<u8>> {
    let folder = TempDir::new()?;
    let library = folder.path().join("faults.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-std=gnu11"])
        .args(["-Wall", "-Wextra", "-Werror"])
        .arg(workspace().join(SOURCE))
        .arg("-o")
        .arg(&library)
        .status()
        .context("can't run cc")?;
    ensure!(compiled.success(), "cc: {compiled}");
    Ok(fs::read(library)?)
}

/// One of the two kinds of PINs whose uses are counted.
#[derive(Clone, Copy, Debug)]
enum Counted {
    /// Option `r`.
    OneTime,
    /// `max_uses = 1` of a row.
    Row,
}

const COUNTED: [Counted; 2] = [Counted::OneTime, Counted::Row];

/// The PIN file of [`Counted::Row`].
const ROWS: &str = "counted.csv";

/// A PIN set whose rows admit once, and one without such a limit.
const CONF: &str = "
[counted]
source = file:/pins/counted.csv
format = csv

[plain]
source = file:/pins/plain
";

/// A PIN file of one PIN.
const PLAIN: &str = "4711\n";

/// The PIN file with this number of rows, which admit once.
fn rows(pins: usize) -> String {
    let rows = (1000..1000 + pins).map(|pin| format!("a{pin},plain:{pin},1\n"));
    format!("account,secret,max_uses\n{}", rows.collect::<String>())
}

/// An Asterisk with PINs that admit once, of both kinds, from 1000 on.
fn with_counted_pins(faults: &Faults, pins: usize) -> Result<Pbx> {
    let pbx = faults
        .builder()
        .file("authenticate.conf", format!("{CONF}{UNLIMITED}"))
        .pin_file(ROWS, rows(pins))
        .pin_file("plain", PLAIN)
        .start()?;
    for pin in 1000..1000 + pins {
        pbx.db_put("once", &pin.to_string(), "1")?;
    }
    // On disk, so that what is missing later was removed, not lost.
    pbx.stop()?;
    pbx.start_again()?;
    Ok(pbx)
}

impl Counted {
    /// What the application gets; the fourth digit ends the entry.
    fn arguments(self) -> &'static str {
        match self {
            Self::OneTime => "/once,drq,4",
            Self::Row => "pinset:counted,q,4",
        }
    }

    /// A call by a caller who enters the PIN at once, and hangs up at the next prompt,
    /// which only a refused one hears.
    fn call(self, pin: &str) -> Call {
        Call::new(format!("{},&", self.arguments())).keys(&format!("<now>{pin} <hangup>"))
    }
}

/// Whether a call was admitted; an error if it was neither admitted nor refused as with a
/// wrong PIN.
fn is_admitted(report: &Report) -> Result<bool> {
    if report.outcome == Outcome::Passed {
        ensure!(report.status() == "SUCCESS", "{report:#?}");
        return Ok(true);
    }
    ensure!(report.sounds == ["auth-incorrect"], "{report:#?}");
    ensure!(report.status() == "HANGUP", "{report:#?}");
    Ok(false)
}
