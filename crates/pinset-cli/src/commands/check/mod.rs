//! Reads a list and says what is wrong with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

mod csv;
mod duplicates;
mod findings;
mod md5_search;
mod odds;
mod pin_sets;
mod rules;
mod text;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use pinset::list::{open, read, sniff, Format, Gives, Kind};

use crate::common::atomic_file::contents;
use crate::common::config_file::ConfigFile;
use crate::common::error::CommandError;
use crate::common::numbering_args::Numbers;
use crate::common::weak_pins::weakness;
use duplicates::{Index, Key};
use findings::{Broken, Duplicate, Findings, List, Reason, Report, Reports, Weak};
use md5_search::Finding;
use odds::{Alphabet, Odds};

pub use findings::Verdict;
use pin_sets::PinSets;
use rules::Rules;

/// Reads PIN lists as the module would, and tells what is wrong with them.
///
/// Lines are named by number. No PIN and no line of a list is ever printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Weak PINs: the same keys over and over, runs (up or down by one or two), years
from 1900 to 2099, dates of eight digits, and those that everybody tries. In an
md5 list, those of up to six digits are found, and every PIN of up to six
digits whose MD5 was taken with a line end (echo without -n).

Odds: as if every PIN of a length were equally likely to be guessed. A warning
comes where, at three tries a call, fewer than 10000 calls let every second
fraudster in. Of an md5 list the lengths are not known, so there are no odds.

Of csv lists: broken rows, weak PINs that are not hashed, rows with the same account
and caller, and Argon2id rows that nobody can use, as they have no caller and an
account that can't be entered on a telephone. Whether a caller is a usable number
depends on the numbering options.

With --config: what the PIN sets whose source is the list can't do with it, so that
nobody, or not everybody, is admitted.

Exit code: 0 clean; 1 warnings only: weak or duplicate PINs, rows that nobody can
use, a PIN set that can't admit all, odds, a last line without an end, an empty list, one that everybody may write
to; 2 broken lines, or a list that can't be read; 3 a wrong command line. Of several
lists, the worst.")]
pub struct Check {
    /// The lists
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the lists are; auto: by the first line that is not blank, which of
    /// a csv list is a header with account and secret
    #[arg(long, value_enum, default_value_t)]
    format: Wanted,
    /// Print JSON (the fields are in docs/pin-lists.md)
    #[arg(long)]
    json: bool,
    /// How many lines of each kind are named; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    show: usize,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    numbers: Numbers,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Wanted {
    Plain,
    Md5,
    #[default]
    Auto,
}

impl Wanted {
    fn format(self) -> Option<Format> {
        match self {
            Self::Plain => Some(Format::Plain),
            Self::Md5 => Some(Format::Md5),
            Self::Auto => None,
        }
    }
}

/// A list of so many bytes takes long enough for a progress bar.
const LARGE: u64 = 16 << 20;

/// The right of everybody to write.
const OTHERS_WRITE: u32 = 0o002;

pub fn run(arguments: &Check) -> Result<Verdict, CommandError> {
    let (settings, pin_sets) = arguments.config.settings_and_pin_sets()?;
    let rules = Rules {
        format: arguments.format.format(),
        numbering: arguments.numbers.numbering(&settings)?,
        pin_sets: PinSets::new(pin_sets, &settings),
        show: arguments.show,
    };
    let paths = arguments.files.iter();
    let reports = paths.map(|path| check(path, &rules)).collect();
    print(reports, arguments.json).map_err(CommandError::Output)
}

/// Prints the reports; returns the worst verdict.
fn print(reports: Vec<Report>, json: bool) -> io::Result<Verdict> {
    let verdicts = reports.iter().map(|report| report.verdict);
    let worst = verdicts.max().unwrap_or(Verdict::Clean);
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &Reports::new(worst, reports))?;
        writeln!(out)?;
    } else {
        for report in &reports {
            write!(out, "{report}")?;
        }
    }
    out.flush()?;
    Ok(worst)
}

/// Checks the list at `path`.
fn check(path: &Path, rules: &Rules) -> Report {
    let file = path.display().to_string();
    match examine(path, rules) {
        Ok(list) => Report {
            file,
            verdict: list.verdict(),
            error: None,
            list: Some(list),
        },
        Err(error) => Report {
            file,
            verdict: Verdict::Broken,
            error: Some(error.to_string()),
            list: None,
        },
    }
}

fn examine(path: &Path, rules: &Rules) -> io::Result<List> {
    let mut file = open(path)?;
    let about = file.metadata()?;
    let kind = match rules.format {
        Some(format) => Kind::Lines(format),
        None => sniff(&file, true)?,
    };
    file.rewind()?;
    let mut list = match kind {
        Kind::Lines(format) => examine_lines(&file, about.len(), format, rules.show)?,
        Kind::Csv => csv::examine(&contents(&file)?, rules)?,
    };
    list.world_writable = about.permissions().mode() & OTHERS_WRITE != 0;
    list.pin_sets = rules.pin_sets.objections(path, kind, &rules.numbering)?;
    Ok(list)
}

fn examine_lines(file: &File, bytes: u64, format: Format, show: usize) -> io::Result<List> {
    let bar = progress(bytes);
    let seen = Seen::read(bar.wrap_read(file), format, show);
    bar.set_message("sorting");
    let list = seen.map(|seen| seen.judge(format, show));
    bar.finish_and_clear();
    list
}

/// A bar on standard error, if that is a terminal and the list is large.
fn progress(bytes: u64) -> ProgressBar {
    if bytes < LARGE {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(bytes).with_message("reading");
    match ProgressStyle::with_template("{msg} {wide_bar} {percent}%") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What reading a list once tells.
struct Seen {
    pins: Vec<(Key, u64)>,
    broken: Findings<Broken>,
    weak: Findings<Weak>,
    alphabet: Alphabet,
    unended: bool,
}

impl Seen {
    fn read(list: impl Read, format: Format, show: usize) -> io::Result<Self> {
        let mut seen = Self {
            pins: Vec::new(),
            broken: Findings::new(show),
            weak: Findings::new(show),
            alphabet: Alphabet::default(),
            unended: false,
        };
        // As if nobody had written to it for long: an unended line counts.
        read(list, format, true, |line| {
            let number = line.number;
            seen.unended = !line.ended && !matches!(line.gives, Gives::Blank);
            match line.gives {
                Gives::Blank => {}
                Gives::Pin(pin) => {
                    seen.pins.push((Key::of_pin(pin), number));
                    seen.alphabet.add(pin);
                    if let Some(reason) = weakness(pin) {
                        seen.weak.add(Weak {
                            line: number,
                            reason,
                        });
                    }
                }
                Gives::Account(_, digest) => seen.pins.push((Key::of_digest(digest), number)),
                Gives::Invalid(error) => seen.broken.add(Broken {
                    line: number,
                    reason: Reason::Line(error),
                }),
            }
            None::<()>
        })?;
        Ok(seen)
    }

    fn judge(self, format: Format, show: usize) -> List {
        let Self {
            pins,
            mut broken,
            mut weak,
            alphabet,
            unended,
        } = self;
        let mut entries = pins.len() as u64;
        let index = Index::new(pins);
        let plain = format == Format::Plain;
        if !plain {
            md5_search::search(&index, |line, finding| match finding {
                Finding::Weak(reason) => weak.add(Weak { line, reason }),
                Finding::LineEnd => {
                    entries -= 1;
                    broken.add(Broken {
                        line,
                        reason: Reason::LineEnd,
                    });
                }
            });
        }
        let mut duplicates = Findings::new(show);
        let mut lengths = BTreeMap::new();
        for group in index.groups() {
            let Some(((key, first), others)) = group.split_first() else {
                continue;
            };
            if let (true, Some(length)) = (plain, key.length()) {
                *lengths.entry(length).or_insert(0) += 1;
            }
            for (_, line) in others {
                duplicates.add(Duplicate {
                    line: *line,
                    first: *first,
                });
            }
        }
        broken.settle();
        weak.settle();
        duplicates.settle();
        List {
            format: if plain { "plain" } else { "md5" },
            entries,
            broken,
            duplicates,
            weak,
            unreachable: Findings::new(show),
            alphabet: plain.then(|| alphabet.name()),
            odds: lengths
                .into_iter()
                .map(|(length, pins)| Odds::new(length, pins, alphabet.size()))
                .collect(),
            unended,
            empty: entries == 0,
            world_writable: false,
            pin_sets: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged(list: &str, format: Format) -> List {
        let seen = Seen::read(list.as_bytes(), format, usize::MAX);
        seen.expect("read").judge(format, usize::MAX)
    }

    #[test]
    fn duplicates_name_the_first_line() {
        let list = judged("8364\n7295\n8364\n\n8364 \n08364\n", Format::Plain);
        let found: Vec<_> = list
            .duplicates
            .lines
            .iter()
            .map(|d| (d.line, d.first))
            .collect();
        assert_eq!(found, [(3, 1), (5, 1)]);
        // The odds do not count them twice.
        assert_eq!(list.odds, [Odds::new(4, 2, 10), Odds::new(5, 1, 10)]);
        assert_eq!(list.entries, 5);
    }

    #[test]
    fn the_last_line_end() {
        for (list, unended) in [
            ("8364\n", false),
            ("8364", true),
            ("8364\n  ", false),
            ("", false),
        ] {
            assert_eq!(judged(list, Format::Plain).unended, unended, "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn every_line_is_counted_once(
            lines in prop::collection::vec("[0-9*A-D]{0,6}|[a-z:]{1,3}", 0..40)
        ) {
            let list = judged(&lines.join("\n"), Format::Plain);
            let blank = lines.iter().filter(|line| line.is_empty()).count() as u64;
            let different: u64 = list.odds.iter().map(|odds| odds.pins).sum();
            prop_assert_eq!(list.entries + list.broken.count + blank, lines.len() as u64);
            prop_assert_eq!(different + list.duplicates.count, list.entries);
            prop_assert_eq!(list.empty, list.entries == 0);
        }
    }
}
