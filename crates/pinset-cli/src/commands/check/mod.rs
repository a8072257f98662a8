//! `pinset check`: checking of PIN files.

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
use pinset::list::{open, read, sniff, FileKind, Format, Gives};
use pinset::Settings;

use crate::common::atomic_file::contents;
use crate::common::config_file::{ConfigFileArgs, PinSets};
use crate::common::error::CommandError;
use crate::common::numbering_args::NumberingArgs;
use crate::common::weak_pins::weakness;
use duplicates::{PinIndex, PinKey};
use findings::{
    Duplicate, Findings, InvalidLine, List, ListReport, Objection, Reason, Reports, Weak,
};
use md5_search::Finding;
use odds::{Alphabet, Odds};

pub(crate) use findings::Verdict;
use pin_sets::CheckedPinSets;
use rules::Rules;

/// Checks PIN files as the module reads them.
///
/// Lines are reported by number. No PIN and no line of a file is ever printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Weak PINs: repeated patterns, runs (up or down by one or two), years from 1900 to
2099, dates of eight digits, and the most common PINs. In an MD5 file, weak PINs of
up to six digits are found, and all PINs of up to six digits that were hashed with a
line end (echo without -n).

Odds: assumes that all PINs of a length are equally likely. Warns if, at three
attempts per call, fewer than 10000 calls admit every second fraudster. The lengths
in an MD5 file are unknown, so there are no odds.

CSV files: invalid rows, weak PINs that are not hashed, rows with the same account
and caller, and Argon2id rows that nobody can use because they have no caller and
an account that can't be entered on a telephone. The numbering options determine
whether a caller is a usable number.

With --config: reports PIN sets that admit nobody, or not all callers, because of
the file.

Exit code: 0 clean; 1 warnings only: weak or duplicate PINs, rows that nobody can
use, PIN sets that can't admit all callers, odds, a last line without a line end,
an empty file, a world-writable file; 2 invalid lines, or a file that can't be
read; 3 a wrong command line. For several files, the worst.")]
pub(crate) struct Check {
    /// PIN files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Format of the files; auto: by the first line that is not blank, which in a
    /// CSV file is a header with account and secret
    #[arg(long, value_enum, default_value_t)]
    format: FormatArg,
    /// Print JSON (the fields are in docs/pin-lists.md)
    #[arg(long)]
    json: bool,
    /// Number of lines of each kind to report; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    show: usize,
    #[command(flatten)]
    config: ConfigFileArgs,
    #[command(flatten)]
    numbers: NumberingArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum FormatArg {
    Plain,
    Md5,
    #[default]
    Auto,
}

impl FormatArg {
    fn format(self) -> Option<Format> {
        match self {
            Self::Plain => Some(Format::Plain),
            Self::Md5 => Some(Format::Md5),
            Self::Auto => None,
        }
    }
}

/// Smallest size of a list with a progress bar, in bytes.
const MIN_BYTES_FOR_PROGRESS: u64 = 16 << 20;

/// The permission of others to write.
const OTHERS_WRITE: u32 = 0o002;

pub(crate) fn run(arguments: &Check) -> Result<Verdict, CommandError> {
    let (settings, pin_sets) = arguments.config.settings_and_pin_sets()?;
    let rules = Rules {
        format: arguments.format.format(),
        numbering: arguments.numbers.numbering(&settings)?,
        pin_sets: CheckedPinSets::new(pin_sets, &settings),
        show: arguments.show,
    };
    let paths = arguments.files.iter();
    let reports = paths.map(|path| check(path, &rules)).collect();
    print(reports, arguments.json).map_err(CommandError::Output)
}

/// Checks the PIN files of PIN sets for other commands.
pub(crate) struct Examiner(Rules);

/// The numbers of findings in a PIN file.
pub(crate) struct Examined {
    pub entries: u64,
    pub invalid: u64,
    pub weak: u64,
    /// The reasons why PIN sets can't admit all callers in the file.
    pub objections: Vec<String>,
}

impl Examiner {
    pub(crate) fn new(pin_sets: &PinSets, settings: &Settings) -> Result<Self, CommandError> {
        settings.numbering.check().map_err(CommandError::new)?;
        Ok(Self(Rules {
            format: None,
            numbering: settings.numbering.clone(),
            pin_sets: CheckedPinSets::new(pin_sets.clone(), settings),
            show: 0,
        }))
    }

    pub(crate) fn examine(&self, path: &Path) -> io::Result<Examined> {
        let list = examine(path, &self.0)?;
        let objections = list.pin_sets.iter();
        let objections = objections.map(|objection| {
            let Objection {
                pin_set,
                option,
                reason,
            } = objection;
            format!("[{pin_set}] {option}: {reason}")
        });
        Ok(Examined {
            entries: list.entries,
            invalid: list.broken.count,
            weak: list.weak.count,
            objections: objections.collect(),
        })
    }
}

/// Prints the reports and returns the worst verdict.
fn print(reports: Vec<ListReport>, json: bool) -> io::Result<Verdict> {
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
fn check(path: &Path, rules: &Rules) -> ListReport {
    let file = path.display().to_string();
    match examine(path, rules) {
        Ok(list) => ListReport {
            file,
            verdict: list.verdict(),
            error: None,
            list: Some(list),
        },
        Err(error) => ListReport {
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
        Some(format) => FileKind::Lines(format),
        None => sniff(&file, true)?,
    };
    file.rewind()?;
    let mut list = match kind {
        FileKind::Lines(format) => examine_lines(&file, about.len(), format, rules.show)?,
        FileKind::Csv => csv::examine(&contents(&file)?, rules)?,
    };
    list.world_writable = about.permissions().mode() & OTHERS_WRITE != 0;
    list.pin_sets = rules.pin_sets.objections(path, kind, &rules.numbering)?;
    Ok(list)
}

fn examine_lines(file: &File, bytes: u64, format: Format, show: usize) -> io::Result<List> {
    let bar = progress(bytes);
    let seen = LineScan::read(bar.wrap_read(file), format, show);
    bar.set_message("sorting");
    let list = seen.map(|seen| seen.into_list(format, show));
    bar.finish_and_clear();
    list
}

/// Returns a progress bar, visible on a terminal if the list is large.
fn progress(bytes: u64) -> ProgressBar {
    if bytes < MIN_BYTES_FOR_PROGRESS {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(bytes).with_message("reading");
    match ProgressStyle::with_template("{msg} {wide_bar} {percent}%") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The result of reading a list once.
struct LineScan {
    pins: Vec<(PinKey, u64)>,
    broken: Findings<InvalidLine>,
    weak: Findings<Weak>,
    alphabet: Alphabet,
    unended: bool,
}

impl LineScan {
    fn read(list: impl Read, format: Format, show: usize) -> io::Result<Self> {
        let mut seen = Self {
            pins: Vec::new(),
            broken: Findings::new(show),
            weak: Findings::new(show),
            alphabet: Alphabet::default(),
            unended: false,
        };
        // Reads the file as unchanged for long, so that a line without a line end counts.
        read(list, format, true, |line| {
            let number = line.number;
            seen.unended = !line.ended && !matches!(line.gives, Gives::Blank);
            match line.gives {
                Gives::Blank => {}
                Gives::Pin(pin) => {
                    seen.pins.push((PinKey::of_pin(pin), number));
                    seen.alphabet.add(pin);
                    if let Some(reason) = weakness(pin) {
                        seen.weak.add(Weak {
                            line: number,
                            reason,
                        });
                    }
                }
                Gives::Account(_, digest) => seen.pins.push((PinKey::of_digest(digest), number)),
                Gives::Invalid(error) => seen.broken.add(InvalidLine {
                    line: number,
                    reason: Reason::Line(error),
                }),
            }
            None::<()>
        })?;
        Ok(seen)
    }

    fn into_list(self, format: Format, show: usize) -> List {
        let Self {
            pins,
            mut broken,
            mut weak,
            alphabet,
            unended,
        } = self;
        let mut entries = pins.len() as u64;
        let index = PinIndex::new(pins);
        let plain = format == Format::Plain;
        if !plain {
            md5_search::search(&index, |line, finding| match finding {
                Finding::Weak(reason) => weak.add(Weak { line, reason }),
                Finding::LineEnd => {
                    entries -= 1;
                    broken.add(InvalidLine {
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
        broken.finish();
        weak.finish();
        duplicates.finish();
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

    fn checked(list: &str, format: Format) -> List {
        let seen = LineScan::read(list.as_bytes(), format, usize::MAX);
        seen.expect("read").into_list(format, usize::MAX)
    }

    #[test]
    fn duplicates_report_first_line() {
        let list = checked("8364\n7295\n8364\n\n8364 \n08364\n", Format::Plain);
        let found: Vec<_> = list
            .duplicates
            .lines
            .iter()
            .map(|d| (d.line, d.first))
            .collect();
        assert_eq!(found, [(3, 1), (5, 1)]);
        // Odds count them once.
        assert_eq!(list.odds, [Odds::new(4, 2, 10), Odds::new(5, 1, 10)]);
        assert_eq!(list.entries, 5);
    }

    #[test]
    fn missing_line_end_is_detected_unless_line_is_blank() {
        for (list, unended) in [
            ("8364\n", false),
            ("8364", true),
            ("8364\n  ", false),
            ("", false),
        ] {
            assert_eq!(checked(list, Format::Plain).unended, unended, "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn every_line_is_counted_once(
            lines in prop::collection::vec("[0-9*A-D]{0,6}|[a-z:]{1,3}", 0..40)
        ) {
            let list = checked(&lines.join("\n"), Format::Plain);
            let blank = lines.iter().filter(|line| line.is_empty()).count() as u64;
            let different: u64 = list.odds.iter().map(|odds| odds.pins).sum();
            prop_assert_eq!(list.entries + list.broken.count + blank, lines.len() as u64);
            prop_assert_eq!(different + list.duplicates.count, list.entries);
            prop_assert_eq!(list.empty, list.entries == 0);
        }
    }
}
