//! `authenticate.conf`: its valid lines, reports of invalid ones, and reloads.

use std::fs;

use anyhow::{ensure, Context, Result};
use harness::{workspace, Call, Outcome, Pbx};

use crate::module::{load_by_ami, module_action, unload_wholly, OURS};
use crate::support::{on, Shell};

const FILE: &str = "/etc/asterisk/authenticate.conf";

const DEFAULTS: &str = "max_list_memory = 1073741824, source_timeout = 3";
const NO_MEMORY: &str = "must be a whole number of bytes, or one with K, M or G behind it, \
    above 0 and below 16 EiB";
const NO_TIMEOUT: &str = "must be a number of seconds, whole or decimal, above 0 and at most 60";
const NO_OPTION: &str = "there is no such option";

/// What our configuration says in Asterisk's log.
struct LogReader<'a> {
    pbx: &'a Pbx,
    seen: usize,
}

impl<'a> LogReader<'a> {
    fn from_start(pbx: &'a Pbx) -> Self {
        Self { pbx, seen: 0 }
    }

    /// The lines since the last time are these, each with its level, and no
    /// others.
    fn is(&mut self, expected: &[String]) -> Result<()> {
        let log = self.pbx.log()?;
        let lines: Vec<_> = log.lines().filter_map(ours).skip(self.seen).collect();
        ensure!(lines == expected, "{lines:#?} instead of {expected:#?}");
        self.seen += lines.len();
        Ok(())
    }
}

/// `LEVEL text` of a line that was logged by `src/config/mod.rs`, `parse.rs` or
/// `draft.rs`.
fn ours(line: &str) -> Option<String> {
    let of = |file| line.split_once(file);
    let files = [" config/mod.rs: ", " parse.rs: ", " draft.rs: "];
    let (head, text) = files.into_iter().find_map(of)?;
    let level = head.split_once("] ")?.1.split('[').next()?;
    Some(format!("{level} {text}"))
}

fn ignored(settings: &str) -> String {
    format!("ERROR authenticate.conf has errors, in force is {settings}")
}

fn kept(settings: &str) -> String {
    format!("ERROR authenticate.conf has errors and is not taken over, in force stays {settings}")
}

fn wrong(place: &str, option: &str, fault: &str) -> String {
    format!("ERROR {place}: [general] {option}: {fault}")
}

fn reload(pbx: &Pbx, succeeds: bool) -> Result<()> {
    let logged = pbx.cli(&format!("module reload {OURS}"))?;
    ensure!(
        logged.contains("reloaded successfully") == succeeds,
        "{logged}"
    );
    ensure!(logged.contains("reload failure") != succeeds, "{logged}");
    Ok(())
}

fn works(pbx: &Pbx) -> Result<()> {
    let report = pbx.call(&Call::new("1234,q").keys("1234#"))?;
    ensure!(report.outcome == Outcome::Passed, "{report:#?}");
    Ok(())
}

#[test]
fn missing_file_gives_the_defaults() {
    on(Pbx::builder(), |pbx| {
        let mut log = LogReader::from_start(pbx);
        reload(pbx, true)?;
        log.is(&[])?;
        let log = pbx.log()?;
        let complaint = |line: &&str| line.contains("authenticate.conf") && !harmless(line);
        let complaints: Vec<_> = log.lines().filter(complaint).collect();
        ensure!(complaints.is_empty(), "{complaints:#?}");
        works(pbx)
    });
}

/// What Asterisk writes of every file, and only if it is asked for that much.
fn harmless(line: &str) -> bool {
    line.contains("] VERBOSE[") || line.contains("] DEBUG[")
}

#[test]
fn invalid_lines_are_logged_by_place_and_ignored() {
    let file = "; Line 1\n\
        [general]\n\
        max_list_memory = 0\n\
        source_timeout = 61\n\
        no_such_option = 1\n\
        source_timeout => 2.5\n\
        \n\
        [customers]\n\
        ; Line 9\n\
        source = astdb:PINSETS/1\n\
        [partners]\n\
        [general]\n\
        Source_Timeout = 4\n";
    on(Pbx::builder().file("authenticate.conf", file), |pbx| {
        LogReader::from_start(pbx).is(&[
            wrong("authenticate.conf:3", "max_list_memory", NO_MEMORY),
            wrong("authenticate.conf:4", "source_timeout", NO_TIMEOUT),
            wrong("authenticate.conf:5", "no_such_option", NO_OPTION),
            "ERROR authenticate.conf: [partners] source: missing".to_owned(),
            "ERROR authenticate.conf: PIN sets admit nobody until [general] is right".to_owned(),
            ignored("max_list_memory = 1073741824, source_timeout = 4"),
        ])?;
        works(pbx)
    });
}

#[test]
fn unreadable_file_gives_the_defaults() {
    for (file, fault) in [
        (
            "[general]\nsource_timeout = 5\n[general\n",
            "ERROR authenticate.conf can't be parsed: the line above this one says where",
        ),
        (
            "[general]\nsource_timeout = 5\n#include nowhere.conf\n",
            "ERROR authenticate.conf can't be parsed: the line above this one says where",
        ),
    ] {
        on(Pbx::builder().file("authenticate.conf", file), |pbx| {
            LogReader::from_start(pbx).is(&[fault.to_owned(), ignored(DEFAULTS)])?;
            works(pbx)
        });
    }
}

#[test]
fn reload_accepts_the_whole_file_or_nothing() {
    let good = "[general]\nmax_list_memory = 2G\nsource_timeout = 1\n";
    on(Pbx::builder().file("authenticate.conf", good), |pbx| {
        let mut log = LogReader::from_start(pbx);
        log.is(&[])?;
        let first = "max_list_memory = 2147483648, source_timeout = 1";

        // One line of two is right; without a change, the error is logged again.
        pbx.write_file(FILE, "[general]\nsource_timeout = 5\npin = 1\n")?;
        let fault = wrong("authenticate.conf:3", "pin", NO_OPTION);
        for _ in 0..2 {
            reload(pbx, false)?;
            log.is(&[fault.clone(), kept(first)])?;
        }

        pbx.write_file(FILE, "[general]\nsource_timeout = 6\n[general\n")?;
        let fault = "ERROR authenticate.conf can't be parsed: the line above this one says where";
        for _ in 0..2 {
            reload(pbx, false)?;
            log.is(&[fault.to_owned(), kept(first)])?;
        }

        // Asterisk says of neither that it can't be read but that it is not there.
        let outside = pbx.outside(FILE).context("no way in")?;
        let fault = "ERROR authenticate.conf can't be opened or is no regular file: \
                     Asterisk runs as user root, group root";
        fs::remove_file(&outside)?;
        std::os::unix::fs::symlink("nowhere", &outside)?;
        reload(pbx, false)?;
        log.is(&[fault.to_owned(), kept(first)])?;
        fs::remove_file(&outside)?;
        fs::create_dir(&outside)?;
        reload(pbx, false)?;
        log.is(&[fault.to_owned(), kept(first)])?;
        fs::remove_dir(&outside)?;

        // Taken over, as the next error shows.
        pbx.write_file(FILE, "[general]\nsource_timeout = 7\n")?;
        reload(pbx, true)?;
        reload(pbx, true)?;
        log.is(&[])?;
        pbx.write_file(FILE, "[general]\nmax_list_memory = -1\n")?;
        let fault = wrong("authenticate.conf:2", "max_list_memory", NO_MEMORY);
        reload(pbx, false)?;
        let second = "max_list_memory = 1073741824, source_timeout = 7";
        log.is(&[fault.clone(), kept(second)])?;

        // A file that is taken away is the defaults.
        fs::remove_file(&outside)?;
        reload(pbx, true)?;
        log.is(&[])?;
        pbx.write_file(FILE, "[general]\nmax_list_memory = -1\n")?;
        reload(pbx, false)?;
        log.is(&[fault, kept(DEFAULTS)])?;
        works(pbx)
    });
}

#[test]
fn templates_and_includes_work_as_in_asterisk() {
    let included = "/etc/asterisk/authenticate.d/more.conf";
    let file = |timeout| {
        format!(
            "[small](!)\n\
             max_list_memory = 1M\n\
             source_timeout = {timeout}\n\
             [general](small)\n\
             #include authenticate.d/more.conf\n\
             #tryinclude authenticate.d/none.conf\n\
             [set](!)\n\
             attempts = {timeout}\n\
             [customers](set)\n\
             source = astdb:PINSETS/1\n"
        )
    };
    on(Pbx::builder(), |pbx| {
        let mut log = LogReader::from_start(pbx);
        pbx.write_file(FILE, file("0"))?;
        pbx.write_file(included, "; Line 1\nsource_timeout = 9\nnothing = here\n")?;
        pbx.restart()?;
        log.is(&[
            wrong("authenticate.conf:3", "source_timeout", NO_TIMEOUT),
            wrong(&format!("{included}:3"), "nothing", NO_OPTION),
            "ERROR authenticate.conf:8: [customers] attempts: must be a whole number from 1 to 99"
                .to_owned(),
            "ERROR authenticate.conf: PIN sets admit nobody until [general] is right".to_owned(),
            ignored("max_list_memory = 1048576, source_timeout = 9"),
        ])?;
        pbx.write_file(FILE, file("2"))?;
        pbx.write_file(included, "max_list_memory = 3K\n")?;
        reload(pbx, true)?;
        log.is(&[])?;
        // A change of the included file alone is one.
        pbx.write_file(included, "max_list_memory = 3T\n")?;
        reload(pbx, false)?;
        log.is(&[
            wrong(&format!("{included}:1"), "max_list_memory", NO_MEMORY),
            kept("max_list_memory = 3072, source_timeout = 2, PIN sets: customers"),
        ])
    });
}

#[test]
fn sample_is_valid_as_installed_and_with_all_options() -> Result<()> {
    let sample = workspace().join("packaging/samples/authenticate.conf.sample");
    // As it is installed, and with its options taken for what they say.
    let sample = fs::read_to_string(sample)?;
    let logged = sample
        .lines()
        .map(|line| match line.strip_prefix(';') {
            Some(option) if is_option(option) || option.starts_with('[') => option,
            _ => line,
        })
        .fold(String::new(), |text, line| text + line + "\n");
    on(Pbx::builder().file("authenticate.conf", sample), |pbx| {
        let mut log = LogReader::from_start(pbx);
        log.is(&[])?;
        pbx.write_file(FILE, &logged)?;
        pbx.write_file(
            "/etc/asterisk/pins/customers.csv",
            "account,secret\nalice,plain:1234\n",
        )?;
        reload(pbx, true)?;
        let report = pbx.call(&Call::new("pinset:customers").keys("1234#"))?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        pbx.write_file(FILE, "[general]\npin = 1\n")?;
        reload(pbx, false)?;
        log.is(&[
            wrong("authenticate.conf:2", "pin", NO_OPTION),
            kept(&format!("{DEFAULTS}, PIN sets: customers")),
        ])
    });
    Ok(())
}

/// Whether a line of the sample, without its semicolon, is `option = value`.
fn is_option(line: &str) -> bool {
    line.split_once(" =").is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    })
}

/// What is read is freed, and an unload leaves nothing, on a thread that
/// stays.
#[test]
fn configuration_is_freed_at_reload_and_unload() {
    const LINES: usize = 20_000;
    const READ: usize = 20;
    /// KiB. What is not freed would be some 100 bytes a line: 40 MB in all.
    const GROWTH: u64 = 10_000;
    let long = format!("[general]\n{}", "source_timeout = 4\n".repeat(LINES));
    on(Pbx::builder().file("authenticate.conf", &*long), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        load_by_ami(&ami, &mut shell)?;
        let memory = format!("grep RssAnon /proc/{}/status | tr -dc 0-9", pbx.pid()?);
        let mut before = 0;
        for number in 0..READ + 2 {
            if number == 2 {
                before = shell.number(&memory)?;
            }
            pbx.write_file(FILE, &long)?;
            module_action(&ami, "reload", OURS)?;
        }
        let growth = shell.number(&memory)?.saturating_sub(before);
        ensure!(growth <= GROWTH, "{growth} KiB");
        module_action(&ami, "reload", OURS)?;
        pbx.write_file(FILE, "[general]\npin = 1\n[later]\n")?;
        ensure!(module_action(&ami, "reload", OURS).is_err());
        unload_wholly(pbx, &ami, &mut shell)?;
        // Not changed since it was read before, it is read all the same.
        let mut log = LogReader::from_start(pbx);
        log.seen = pbx.log()?.lines().filter_map(ours).count();
        module_action(&ami, "load", OURS)?;
        log.is(&[
            wrong("authenticate.conf:2", "pin", NO_OPTION),
            "ERROR authenticate.conf: [later] source: missing".to_owned(),
            "ERROR authenticate.conf: PIN sets admit nobody until [general] is right".to_owned(),
            ignored(DEFAULTS),
        ])?;
        unload_wholly(pbx, &ami, &mut shell)
    });
}
