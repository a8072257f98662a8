//! PIN files too large to be read for each attempt, their index, and its memory limit.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure, Result};
use harness::{Ami, Call, Module, Outcome, Pbx};

use super::{hears, threads, Format, Heard};
use crate::module::OURS;
use crate::support::{eventually, on, side_by_side, PATIENT};

const PINS: u32 = 300_000;
/// The first line gives nobody a PIN, and an index says so, once.
const BROKEN: &str = "line 1 gives nobody a PIN";
const CALLERS: usize = 20;

/// `PINS` PINs of six digits after an invalid line, without the PIN `without`.
fn pins(without: u32) -> String {
    let pins = (0..PINS).filter(|pin| *pin != without);
    let lines: String = pins.map(|pin| format!("{pin:06}\n")).collect();
    format!("no PIN\n{lines}")
}

/// How many indexes of the list have been made.
fn indexes(pbx: &Pbx) -> Result<usize> {
    Ok(pbx.log()?.matches(BROKEN).count())
}

/// So long after a change a list gets an index.
const OLD: Duration = Duration::from_secs(2);

/// Only what was changed [`OLD`] ago gets an index.
fn until_old(pbx: &Pbx, path: &str) -> Result<()> {
    eventually("a list two seconds old", || {
        let age = format!("[ $(($(date +%s) - $(stat -c %Z {path}))) -gt 2 ] && echo old || true");
        Ok(pbx.exec(&["bash", "-c", &age])?.contains("old"))
    })
}

fn call(pbx: &Pbx, pin: u32, outcome: Outcome) -> Result<()> {
    let keys = format!("{pin:06} {pin:06} {pin:06}");
    let report = pbx.call(&Call::new("/pins/large,q,6").keys(&keys))?;
    ensure!(report.outcome == outcome, "{pin}: {report:#?}");
    Ok(())
}

/// Any number of callers causes one index for each content of the file, and a
/// removed PIN is refused at once, with and without an index.
#[test]
fn many_callers_cause_one_index() {
    let builder = Pbx::builder().module(Module::Ours);
    on(builder.file("authenticate.conf", PATIENT), |pbx| {
        let many = |gone: u32| {
            side_by_side(CALLERS, CALLERS, |number| {
                let pin = u32::try_from(number)?;
                if pin % 4 == 0 {
                    call(pbx, gone, Outcome::HungUp)
                } else {
                    call(pbx, PINS - pin, Outcome::Passed)
                }
            })
        };
        for (made, gone) in [7, PINS / 2, PINS - CALLERS as u32 - 1]
            .into_iter()
            .enumerate()
        {
            pbx.pin_file("next", pins(gone))?;
            let began = Instant::now();
            pbx.exec(&["mv", "/pins/next", "/pins/large"])?;
            // Too new for an index, unless the call took its time.
            call(pbx, gone, Outcome::HungUp)?;
            let early = indexes(pbx)? > made;
            ensure!(!early || began.elapsed() >= OLD, "an index too soon");
            until_old(pbx, "/pins/large")?;
            many(gone)?;
            eventually("an index", || Ok(indexes(pbx)? == made + 1))?;
            many(gone)?;
            ensure!(indexes(pbx)? == made + 1, "more than one index");
        }
        Ok(())
    });
}

/// `max_list_memory`: a list over it admits nobody, others work; a reload that
/// allows more lets its callers in.
#[test]
fn pin_file_over_the_memory_limit_admits_nobody() {
    let conf = |limit: &str| format!("{PATIENT}max_list_memory = {limit}\n");
    let builder = Pbx::builder().module(Module::Ours);
    on(builder.file("authenticate.conf", conf("1M")), |pbx| {
        pbx.pin_file("large", pins(7))?;
        pbx.pin_file("small", "1234\n")?;
        let hears = |list, pin, wanted| hears(pbx, list, Format::Plain, pin, wanted);
        let refused = "'/pins/large' admits nobody: it takes more memory than max_list_memory";
        let complaints = || Ok::<_, anyhow::Error>(pbx.log()?.matches(refused).count());
        // Passed over, and known to be too large.
        hears("/pins/large", "000001", Heard::Prompt)?;
        until_old(pbx, "/pins/large")?;
        for complained in [1, 2, 3] {
            ensure!(complaints()? == complained);
            hears("/pins/large", "000001", Heard::Prompt)?;
            hears("/pins/small", "1234", Heard::Welcome)?;
        }
        let report = pbx.call(&Call::new("/pins/large,q,1").keys("1 1 1"))?;
        ensure!(report.status() == "ERROR", "{report:#?}");
        pbx.write_file("/etc/asterisk/authenticate.conf", conf("3M"))?;
        let printed = pbx.cli(&format!("module reload {OURS}"))?;
        ensure!(printed.contains("reloaded successfully"), "{printed}");
        hears("/pins/large", "000001", Heard::Welcome)?;
        hears("/pins/large", "000007", Heard::Wrong)
    });
}

/// What everybody may write to is warned of, once.
#[test]
fn world_writable_pin_file_is_warned_of() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        pbx.pin_file("open", "1234\n")?;
        pbx.exec(&["chmod", "666", "/pins/open"])?;
        for _ in 0..2 {
            hears(pbx, "/pins/open", Format::Plain, "1234", Heard::Welcome)?;
        }
        let warning = "'/pins/open' can be written to by everybody";
        let warnings = pbx.log()?.matches(warning).count();
        ensure!(warnings == 1, "{warnings} warnings");
        Ok(())
    });
}

/// What is in memory, and current, is answered by the call's own thread, as
/// long as the list lies where the kernel knows its files.
#[test]
fn cached_pin_file_needs_no_thread() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let ami = pbx.ami()?;
        let list = "/dev/shm/list";
        pbx.write_file(list, "1234\n")?;
        until_old(pbx, list)?;
        let threads_of =
            |pin, heard| max_threads(&ami, || hears(pbx, list, Format::Plain, pin, heard));
        ensure!(
            threads_of("1234", Heard::Welcome)? > 0,
            "no thread has read it"
        );
        eventually("the end of the thread", || Ok(threads(&ami)? == 0))?;
        ensure!(
            threads_of("1234", Heard::Welcome)? == 0,
            "it was read again"
        );
        ensure!(threads_of("4321", Heard::Wrong)? == 0, "it was read again");
        pbx.write_file(list, "4321\n")?;
        ensure!(
            threads_of("1234", Heard::Wrong)? > 0,
            "it was not read again"
        );
        hears(pbx, list, Format::Plain, "4321", Heard::Welcome)
    });
}

/// Returns the most threads of ours that there were at a time during a call and right
/// after it.
fn max_threads(ami: &Ami, call: impl FnOnce() -> Result<()> + Send) -> Result<usize> {
    thread::scope(|scope| {
        let call = scope.spawn(call);
        let mut most = 0;
        loop {
            let finished = call.is_finished();
            most = most.max(threads(ami)?);
            if finished {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        call.join().map_err(|_| anyhow!("the call panicked"))??;
        Ok(most)
    })
}
