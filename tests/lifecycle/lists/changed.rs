//! Changing PIN files: the next attempt is verified by the current content.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{anyhow, ensure, Context, Result};
use harness::{Module, Pbx};

use super::mount::Mount;
use super::{heard, hears, one_entry, Format, Heard, ONE, OTHER};
use crate::support::{eventually, on, side_by_side};

const FORMATS: [Format; 2] = [Format::Plain, Format::Md5];

fn outside(pbx: &Pbx, list: &str) -> Result<PathBuf> {
    pbx.outside(list).context("no way to the list")
}

/// Writes in place, as an editor may, or `>` in a shell.
fn rewrite(pbx: &Pbx, list: &str, contents: &str) -> Result<()> {
    fs::write(outside(pbx, list)?, contents).context(list.to_owned())
}

/// Ways to make one list of another, as long as the old one and as fast as
/// can be. `$1` is the list, and `$2` a new file beside it.
const WAYS: &[(&str, &str)] = &[
    ("renamed over it", "mv $2 $1"),
    ("written in place", "cat $2 >$1"),
    ("deleted and made again", "rm $1; cat $2 >$1"),
    ("with the time of the old one", "touch -r $1 $2; mv $2 $1"),
    (
        "in place, and the time put back",
        "touch -r $1 $1.t; cat $2 >$1; touch -r $1.t $1",
    ),
    (
        "without its directory meanwhile",
        "mv $2 ${1%/*}.new; rm -r ${1%/*}; mkdir ${1%/*}; mv ${1%/*}.new $1",
    ),
    (
        "a link that leads elsewhere",
        "t=$(mktemp $2.XXXX); mv $2 $t; ln -s $t $1.l; mv -T $1.l $1",
    ),
    (
        "below a link that leads elsewhere",
        "d=$(mktemp -d ${1%/*}-XXXX); mv $2 $d/list; [ -L ${1%/*} ] || rm -r ${1%/*}; \
         ln -sfnT $d ${1%/*}",
    ),
];

#[test]
fn pin_file_replaced_in_any_way_counts_at_once() {
    const CHANGES: usize = 6;
    on(Pbx::builder().module(Module::Ours), |pbx| {
        side_by_side(WAYS.len() * 2, 8, |number| {
            let format = FORMATS[number % 2];
            let (way, script) = WAYS[number / 2];
            let list = &format!("/pins/way-{number}/list");
            let hears = |pin, wanted| hears(pbx, list, format, pin, wanted);
            pbx.write_file(list, format.list(ONE))?;
            let (mut pin, mut removed) = (ONE, OTHER);
            for change in 0..CHANGES {
                hears(pin, Heard::Welcome)
                    .and_then(|()| hears(removed, Heard::Wrong))
                    .with_context(|| format!("{way}, after {change} changes"))?;
                (pin, removed) = (removed, pin);
                let new = &format!("/pins/new-{number}");
                pbx.write_file(new, format.list(pin))?;
                pbx.exec(&["bash", "-ec", script, "bash", list, new])?;
            }
            Ok(())
        })
    });
}

/// The second time while a call is being admitted by the first content.
#[test]
fn pin_file_written_twice_quickly_is_current() {
    const ROUNDS: usize = 8;
    on(Pbx::builder().module(Module::Ours), |pbx| {
        side_by_side(8, 8, |number| {
            let format = FORMATS[number % 2];
            let list = &format!("/pins/twice-{number}");
            for _ in 0..ROUNDS {
                rewrite(pbx, list, &format.list(ONE))?;
                let mut call = pbx.place(&one_entry(list, format, ONE))?;
                call.until("success", |frame| {
                    frame.has("Variable", "AUTHENTICATESTATUS") && frame.has("Value", "SUCCESS")
                })?;
                rewrite(pbx, list, &format.list(OTHER))?;
                call.finish()?;
                hears(pbx, list, format, ONE, Heard::Wrong)?;
                hears(pbx, list, format, OTHER, Heard::Welcome)?;
            }
            Ok(())
        })
    });
}

/// Both writes leave the same time and size: nothing tells that there were
/// two. Kernels with fine-grained times do not do that any more, other file
/// systems do.
#[test]
fn pin_file_written_twice_within_a_tick_is_current() {
    const LISTS: usize = 12;
    const ROUNDS: usize = 4;
    on(Pbx::builder().module(Module::Ours).file_systems(), |pbx| {
        let mount = Mutex::new(Mount::at(pbx, "/mnt/ticks")?);
        side_by_side(LISTS, LISTS, |number| {
            let format = FORMATS[number % 2];
            let list = &format!("/mnt/ticks/list-{number}");
            for round in 0..ROUNDS {
                mount
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .put_twice(
                        &list["/mnt/ticks/".len()..],
                        &format.list(ONE),
                        &format.list(OTHER),
                    )?;
                hears(pbx, list, format, ONE, Heard::Welcome)?;
                if round == 1 {
                    // Till the time of the last write looks old enough to be
                    // trusted: it was not when the list was read.
                    thread::sleep(Duration::from_secs(3));
                }
                hears(pbx, list, format, ONE, Heard::Wrong)?;
                hears(pbx, list, format, OTHER, Heard::Welcome)?;
            }
            Ok(())
        })
    });
}

/// A last line without an end is no PIN while somebody writes, and one when
/// nobody has for a second, though the file is the same.
#[test]
fn half_written_pin_file_admits_complete_lines() {
    const SETTLE_TIME: Duration = Duration::from_secs(1);
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let list = "/pins/half";
        let hears = |pin, wanted| hears(pbx, list, Format::Plain, pin, wanted);
        rewrite(pbx, list, "8\n12")?;
        let file = File::options().append(true).open(outside(pbx, list)?)?;
        let (over, last_write) = (AtomicBool::new(false), Mutex::new(Instant::now()));
        thread::scope(|scope| -> Result<()> {
            let writer = scope.spawn(|| -> Result<()> {
                while !over.load(Ordering::Relaxed) {
                    *last_write.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                    file.set_modified(SystemTime::now())?;
                    thread::sleep(SETTLE_TIME / 20);
                }
                Ok(())
            });
            let refused = (|| {
                for _ in 0..8 {
                    hears("12", Heard::Wrong)?;
                    hears("8", Heard::Welcome)?;
                }
                Ok(())
            })();
            over.store(true, Ordering::Relaxed);
            let written = writer.join().map_err(|_| anyhow!("the writer panicked"))?;
            refused.and(written)
        })?;
        let last_write = last_write
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        eventually("the last line", || {
            Ok(heard(pbx, list, Format::Plain, "12")? == Heard::Welcome)
        })?;
        ensure!(
            last_write.elapsed() >= SETTLE_TIME,
            "{:?}",
            last_write.elapsed()
        );
        (&file).write_all(b"34\n")?;
        hears("12", Heard::Wrong)?;
        hears(ONE, Heard::Welcome)
    });
}

#[test]
fn truncated_pin_file_admits_nobody() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        side_by_side(2, 2, |number| {
            let format = FORMATS[number];
            let list = &format!("/pins/truncated-{number}");
            let hears = |pin, wanted| hears(pbx, list, format, pin, wanted);
            for _ in 0..6 {
                rewrite(pbx, list, &format.list(ONE))?;
                hears(ONE, Heard::Welcome)?;
                File::options()
                    .write(true)
                    .open(outside(pbx, list)?)?
                    .set_len(0)?;
                hears(ONE, Heard::Wrong)?;
            }
            Ok(())
        })
    });
}

/// One file may be a list of either format, at the same time.
#[test]
fn pin_file_is_read_in_both_formats() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let list = "/pins/both";
        let both = Format::Plain.list(ONE) + &Format::Md5.list(OTHER);
        pbx.write_file(list, both)?;
        for _ in 0..3 {
            hears(pbx, list, Format::Plain, ONE, Heard::Welcome)?;
            hears(pbx, list, Format::Md5, ONE, Heard::Wrong)?;
            hears(pbx, list, Format::Md5, OTHER, Heard::Welcome)?;
            hears(pbx, list, Format::Plain, OTHER, Heard::Wrong)?;
        }
        Ok(())
    });
}

/// A PIN in both files always admits and a PIN in neither never does, at whatever
/// moment one file replaces the other.
#[test]
fn pin_file_replaced_under_load_is_old_or_new() {
    const CALLS: usize = 64;
    const LINES: usize = 20_000;
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let list = "/pins/busy";
        // The one PIN that is in both comes last; it is missing where the
        // start of the long list has the end of the short one.
        let lists = [("777777\n", LINES), ("888888\n", 3 * LINES)]
            .map(|(line, lines)| line.repeat(lines) + "1234\n");
        pbx.write_file(list, &lists[0])?;
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let writer = scope.spawn(|| -> Result<()> {
                for list_now in lists.iter().cycle() {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    pbx.write_file(list, list_now)?;
                    // There are two processors, and callers.
                    thread::sleep(Duration::from_millis(5));
                }
                Ok(())
            });
            let judged = side_by_side(CALLS, 8, |number| {
                let (pin, wanted) = [(ONE, Heard::Welcome), (OTHER, Heard::Wrong)][number % 2];
                hears(pbx, list, Format::Plain, pin, wanted)
            });
            over.store(true, Ordering::Relaxed);
            let written = writer.join().map_err(|_| anyhow!("the writer panicked"))?;
            judged.and(written)
        })
    });
}
