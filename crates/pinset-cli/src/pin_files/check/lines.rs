//! Checks of files with one PIN in a line.

use std::collections::BTreeMap;
use std::io::{self, Read};

use pinset::list::{read, Format, Gives};

use super::duplicates::{PinIndex, PinKey};
use super::findings::{Duplicate, Findings, InvalidLine, List, Reason, Weak};
use super::md5_search::{self, Finding};
use super::odds::{Alphabet, Odds};
use crate::common::weak_pins::weakness;

/// Checks a list of this format, and keeps `show` lines of each kind of finding.
pub(super) fn examine(list: impl Read, format: Format, show: usize) -> io::Result<List> {
    Ok(LineScan::read(list, format, show)?.into_list(format, show))
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
