//! Asterisk under valgrind: `AUTHENTICATE_VALGRIND=FOLDER`.
//!
//! Each Asterisk's errors and leaks are judged when it has ended: one with our module in its
//! stack fails the test. The others are Asterisk's own; they are counted in the folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

const VARIABLE: &str = "AUTHENTICATE_VALGRIND";

/// What the image has in addition.
pub(crate) const PACKAGES: &[&str] = &["valgrind", "libc6-dbg"];

/// What the supervisor runs Asterisk with. The names of functions of a module stay known after
/// its unload.
pub(crate) const COMMAND: (&str, &str) = (
    "ASTERISK_UNDER",
    "valgrind --tool=memcheck --leak-check=full --show-leak-kinds=definite \
     --errors-for-leak-kinds=definite --keep-debuginfo=yes --num-callers=40 --fair-sched=try \
     --child-silent-after-fork=yes --xml=yes --xml-file=/var/log/asterisk/valgrind.%p.xml",
);

/// How many times as long all takes.
const SLOWNESS: u32 = 15;

/// A function's file or name is one of ours if it begins so, or has it as a part.
const OURS: &[&str] = &["app_authenticate_rs", "authrs_", "pinset::", "libpq::"];

/// The folder for what was found, if Asterisk is to run under valgrind.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty())?;
    Some(folder.into())
}

/// A time limit, which is longer under valgrind.
pub(crate) fn limit(time: Duration) -> Duration {
    match folder() {
        Some(_) => time * SLOWNESS,
        None => time,
    }
}

/// A number of seconds for the configuration of a test, which is larger under valgrind.
pub fn seconds(number: u64) -> u64 {
    limit(Duration::from_secs(number)).as_secs()
}

/// The errors and leaks of one Asterisk.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// With our module in the stack: their kinds and stacks.
    pub(crate) ours: Vec<String>,
    /// The others, by kind.
    others: BTreeMap<String, u32>,
    /// Processes that have ended in a way that lets valgrind look for leaks.
    ended: u32,
    /// All processes.
    processes: u32,
}

impl Findings {
    /// Reads and removes the reports in a folder, one for each process.
    pub(crate) fn take(log: &Path) -> Result<Self> {
        let mut findings = Self::default();
        for entry in fs::read_dir(log)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("valgrind.") {
                let text = fs::read(&path).with_context(|| path.display().to_string())?;
                findings.add(&String::from_utf8_lossy(&text));
                fs::remove_file(&path)?;
            }
        }
        Ok(findings)
    }

    fn add(&mut self, report: &str) {
        self.processes += 1;
        self.ended += u32::from(report.contains("<state>FINISHED</state>"));
        for error in elements(report, "error") {
            let kind = elements(error, "kind").next().unwrap_or_default();
            let is_ours = ["obj", "fn", "file"]
                .iter()
                .flat_map(|name| elements(error, name))
                .any(|text| OURS.iter().any(|ours| text.contains(ours)));
            if is_ours {
                self.ours.push(shown(kind, error));
            } else {
                *self.others.entry(kind.to_owned()).or_default() += 1;
            }
        }
    }

    /// Writes them to a file of the folder. In its first line are the numbers of those that
    /// are ours, of the others, of the processes that have looked for leaks and of all; and
    /// the test.
    pub(crate) fn note(&self, folder: &Path) -> Result<()> {
        if self.processes == 0 {
            return Ok(());
        }
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = folder.join(format!("{}-{number}", std::process::id()));
        let others: u32 = self.others.values().sum();
        let test = std::thread::current().name().unwrap_or("?").to_owned();
        let mut text = format!(
            "{} {others} {} {} {test}\n",
            self.ours.len(),
            self.ended,
            self.processes
        );
        for (kind, count) in &self.others {
            text += &format!("{kind} without the module: {count}\n");
        }
        fs::create_dir_all(folder)?;
        fs::write(file, text + &self.ours.concat())?;
        Ok(())
    }
}

/// The texts of all elements of a name, which hold none of the same name.
fn elements<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    text.split(&begin)
        .skip(1)
        .filter_map(|rest| rest.split(&end).next())
        .collect::<Vec<_>>()
        .into_iter()
}

fn shown(kind: &str, error: &str) -> String {
    let what = elements(error, "text").chain(elements(error, "what"));
    let mut text = format!("{kind}: {}\n", what.collect::<Vec<_>>().join(" "));
    for frame in elements(error, "frame") {
        let part = |name| elements(frame, name).next().unwrap_or("?").to_owned();
        text += &format!("    {} ({}:{})\n", part("fn"), part("file"), part("line"));
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}
