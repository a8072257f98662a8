//! What is promised of large lists: what was measured, the limit, and what the
//! limit is made of, on the same file in the same run. `make bench-lists`.
//!
//! Every figure of ours is of a process of its own. All run on one core, in
//! turn.
#![forbid(unsafe_code)]

mod common;
mod made;

use std::fs;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{build, entered, entries, index, must, verify, write};
use pinset::cache::List;
use pinset::list::{open, pass, Format};
use pinset::verdict::Verdict;
use pinset::Pin;

/// How often two things are measured, in turn.
const RUNS: usize = 9;

/// How many entries are looked up, and how many of them are made at a time:
/// so few that they leave the processor's cache to the index.
const LOOK_UPS: usize = 1_000_000;
const AT_A_TIME: usize = 1000;

/// How long the account names of our lists are.
const NAME: f64 = 11.0;

/// What we are compared with, of a file and a PIN.
const GREP: &str = "grep -c '' \"$1\" | cat";
const RG: &str = "rg -xF \"$2\" \"$1\"";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["process", task, format, path, argument] = arguments[..] {
        let list = List {
            path: path.into(),
            format: match format {
                "Md5" => Format::Md5,
                _ => Format::Plain,
            },
        };
        match task {
            "build" => make(&list),
            "pass" => go_over(&list, argument),
            _ => look_up(&list, must(argument.parse())),
        }
    } else {
        // Cargo adds `--bench`.
        let size = arguments.iter().find_map(|size| size.parse().ok());
        table(size.unwrap_or(10_000_000));
    }
}

/// Prints the table.
fn table(size: u64) {
    let folder = must(tempfile::tempdir());
    let plain = write(folder.path(), Format::Plain, size);
    let md5 = write(folder.path(), Format::Md5, size);
    let core = last_core();
    let ours = |task: &str, list: &List, argument: &str| {
        let program = must(std::env::current_exe());
        let mut process = on_core(&core);
        process.arg(program).args(["process", task]);
        process.arg(format!("{:?}", list.format));
        process.arg(&list.path).arg(argument);
        String::from_utf8_lossy(&must(process.output()).stdout).into_owned()
    };
    let theirs = |what: &str, pin: &str| {
        let timed = format!("TIMEFORMAT='%R %U %S'; time {what}");
        let mut process = on_core(&core);
        process.args(["bash", "-c", &timed, "bash"]);
        process.arg(&plain.path).arg(pin);
        // The time is on the standard error, with what went wrong.
        let printed = must(process.output()).stderr;
        let [wall, user, system] = figures(&String::from_utf8_lossy(&printed));
        [wall, user + system]
    };

    println!("{size} entries, core {core}, load {}\n", load());
    println!("{:<42}{:>9}{:>9}", "", "measured", "limit");
    for (list, limit, names) in [(&plain, 12.0, 0.0), (&md5, 32.0, NAME)] {
        let [_, _, held, peak] = figures(&ours("build", list, ""));
        let of_each = |bytes: f64| bytes / size as f64 - names;
        let format = list.format;
        row(&format!("{format:?}: bytes an entry"), of_each(held), limit);
        row("  at most, while it is made", of_each(peak), f64::NAN);
    }
    println!("  (md5: names not counted)");
    for (list, limit) in [(&plain, 1000.0), (&md5, 2000.0)] {
        let [there, missing, file_there, file_missing] =
            figures(&ours("look-up", list, &size.to_string()));
        let format = list.format;
        row(&format!("{format:?}: ns to look up a PIN"), there, limit);
        row("  that is not there", missing, limit);
        row("  with the look at the file", file_there, f64::NAN);
        row("  that is not there", file_missing, f64::NAN);
    }

    let building = || {
        let [wall, cpu, _, _] = figures(&ours("build", &plain, ""));
        [wall, cpu]
    };
    compare("index", GREP, building, || theirs(GREP, ""));
    let last = made::pin(size - 1);
    let missing = made::pin(size);
    for (name, pin) in [
        ("PIN is not there", missing),
        ("PIN in the last line", last),
    ] {
        let passing = || figures(&ours("pass", &plain, &pin));
        compare(&format!("pass, {name}"), RG, passing, || theirs(RG, &pin));
    }
}

fn row(name: &str, measured: f64, limit: f64) {
    let limit = match limit.is_nan() {
        true => String::new(),
        false if measured <= limit => format!("{limit:>9.1}"),
        false => format!("{limit:>9.1}  missed"),
    };
    println!("{name:<42}{measured:>9.1}{limit}");
}

/// Prints the times of two that take turns: on the clock, and of the processor.
fn compare(name: &str, command: &str, ours: impl Fn() -> [f64; 2], theirs: impl Fn() -> [f64; 2]) {
    let runs: Vec<_> = (0..RUNS).map(|_| (ours(), theirs())).collect();
    println!("Plain: {name}; the limit is twice {command}");
    for (unit, which) in [("ms", 0), ("ms of CPU", 1)] {
        let ours = median(runs.iter().map(|run| run.0[which] * 1000.0).collect());
        let theirs = median(runs.iter().map(|run| run.1[which] * 1000.0).collect());
        row(&format!("  {unit}, beside {theirs:.1}"), ours, 2.0 * theirs);
    }
}

/// Makes the index, and prints what it took.
fn make(list: &List) {
    let before = [status("RssAnon"), status("VmRSS")];
    let (begun, used) = (Instant::now(), cpu());
    let cache = build(list);
    let (wall, used) = (begun.elapsed().as_secs_f64(), cpu() - used);
    let held = status("RssAnon") - before[0];
    let peak = status("VmHWM") - before[1];
    println!("{wall} {used} {held} {peak}");
    drop(cache);
}

/// Looks for a PIN in the file, and prints what it took.
fn go_over(list: &List, pin: &str) {
    let file = must(open(&list.path));
    let pin = entered(pin);
    let (begun, used) = (Instant::now(), cpu());
    let passed = must(pass(file, list.format, true, &pin));
    println!("{} {}", begun.elapsed().as_secs_f64(), cpu() - used);
    drop(passed);
}

/// Looks many PINs up, and prints what each took.
fn look_up(list: &List, size: u64) {
    let index = index(list.format, size);
    let cache = build(list);
    for there in [true, false] {
        print!("{} ", nanoseconds(size, there, |pin| index.verify(pin)));
    }
    for there in [true, false] {
        let verify = |pin: &Pin| verify(&cache, list, pin).verdict;
        print!("{} ", nanoseconds(size, there, verify));
    }
    println!();
}

/// What a look-up takes: the median of many at a time.
fn nanoseconds(size: u64, there: bool, verify: impl Fn(&Pin) -> Verdict) -> f64 {
    let mut entries = entries(size, there);
    let taken = (0..LOOK_UPS / AT_A_TIME).map(|_| {
        let pins: Vec<Pin> = entries.by_ref().take(AT_A_TIME).collect();
        let begun = Instant::now();
        let right = pins
            .iter()
            .filter(|pin| matches!(verify(black_box(pin)), Verdict::Right(..)));
        let right = right.count();
        let taken = begun.elapsed().as_secs_f64();
        assert_eq!(right, if there { AT_A_TIME } else { 0 });
        taken / AT_A_TIME as f64 * 1e9
    });
    median(taken.collect())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Runs on this core only.
fn on_core(core: &str) -> Command {
    let mut process = Command::new("taskset");
    process.args(["-c", core]).stdin(Stdio::null());
    process
}

/// The numbers in a line, all there are.
fn figures<const N: usize>(line: &str) -> [f64; N] {
    let figures: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
    match figures.map(<[f64; N]>::try_from) {
        Ok(Ok(figures)) => figures,
        _ => panic!("{line}"),
    }
}

/// Seconds of processor time so far.
fn cpu() -> f64 {
    let times = must(fs::read_to_string("/proc/self/schedstat"));
    let time = times.split_whitespace().next().unwrap_or_default();
    must(time.parse::<f64>()) / 1e9
}

/// Bytes of memory, from `/proc/self/status`.
fn status(field: &str) -> f64 {
    let status = must(fs::read_to_string("/proc/self/status"));
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    must(kilobytes.unwrap_or_default().parse::<f64>()) * 1024.0
}

/// The last of the cores we may run on: the first has most of the interrupts.
fn last_core() -> String {
    let status = must(fs::read_to_string("/proc/self/status"));
    let mut lines = status.lines();
    let cores = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let last = cores.and_then(|cores| cores.rsplit([',', '-', '\t']).next());
    last.unwrap_or("0").trim().to_owned()
}

/// How busy the machine is.
fn load() -> String {
    let load = must(fs::read_to_string("/proc/loadavg"));
    load.split(' ').next().unwrap_or_default().to_owned()
}
