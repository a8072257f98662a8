//! The selection of calls, from the form to the database and to links.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use pinset::permission::quoted;
use pinset::timestamp::{Moment, Zone};
use pinset::Numbering;
use serde::Deserialize;

use crate::reports::{CallFilter, CallKey, CallPart};

/// The fields of the form, as typed, and the part of the table.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct CallsQuery {
    pub from: Option<String>,
    pub to: Option<String>,
    pub identity: String,
    pub pinset: String,
    pub number: String,
    pub result: String,
    /// The column of the order, and `oldest` or `smallest` for its ascending order.
    pub sort: String,
    pub order: String,
    /// The same of the totals, and the identity before the part of them.
    pub totals: String,
    pub totals_after: String,
    /// Whether the page is for printing.
    pub print: String,
    /// The calls after or before the one with this key.
    pub after: String,
    pub before: String,
}

/// Number of calls, and of identities, on a page, and on one for printing.
const PAGE_ROWS: usize = 50;
const PRINTED_ROWS: usize = 1000;

/// An error of a field, and its remedy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FieldProblem {
    pub field: &'static str,
    pub message: &'static str,
}

/// A link to days that are often wanted.
pub(super) struct Period {
    pub name: &'static str,
    pub from: String,
    pub to: String,
}

impl CallsQuery {
    /// Fills in this month, unless the form was sent.
    pub(super) fn with_default_period(mut self, now: SystemTime) -> Self {
        if self.from.is_none() && self.to.is_none() {
            let month = periods(now).into_iter().find(|it| it.name == THIS_MONTH);
            if let Some(month) = month {
                (self.from, self.to) = (Some(month.from), Some(month.to));
            }
        }
        self
    }

    pub(super) fn from(&self) -> &str {
        self.from.as_deref().unwrap_or_default().trim()
    }

    pub(super) fn to(&self) -> &str {
        self.to.as_deref().unwrap_or_default().trim()
    }

    /// Returns the selection, or the errors of the fields.
    pub(super) fn filter(&self) -> Result<CallFilter, Vec<FieldProblem>> {
        let zone = Zone::of_the_machine();
        let mut problems = Vec::new();
        let mut time = |field, text: &str, read: fn(&str, &Zone) -> Option<Moment>| {
            let time = read(text, &zone);
            if time.is_none() && !text.is_empty() {
                let message = "there is no such day or time; write 2026-11-01 or 2026-11-01 08:00";
                problems.push(FieldProblem { field, message });
            }
            time
        };
        let from = time("from", self.from(), Moment::from_which);
        let to = time("to", self.to(), Moment::until_which);
        if from.is_some_and(|from| to.is_some_and(|to| from >= to)) {
            problems.push(FieldProblem {
                field: "to",
                message: "the end must be after the beginning",
            });
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(CallFilter {
            from,
            to,
            identity: text(&self.identity),
            pin_set: text(&self.pinset),
            caller: text(&self.number),
            disposition: text(&self.result),
        })
    }

    /// Returns the part of the table; the first one if there is no such key.
    pub(super) fn part(&self) -> CallPart {
        let key = |text: &str| {
            let (began, first) = text.split_once('.')?;
            Some(CallKey {
                began: began.parse().ok()?,
                first: first.parse().ok()?,
            })
        };
        match (key(&self.after), key(&self.before)) {
            (Some(key), _) => CallPart::After(key),
            (None, Some(key)) => CallPart::Before(key),
            (None, None) => CallPart::First,
        }
    }

    /// Returns the selected time, in words.
    pub(super) fn period(&self) -> String {
        match (self.from(), self.to()) {
            ("", "") => "at any time".to_owned(),
            (from, "") => format!("from {from}"),
            ("", to) => format!("until {to}"),
            (from, to) => format!("from {from} to {to}"),
        }
    }

    /// Returns whether the page is for printing: without form and links, and longer.
    pub(super) fn is_for_print(&self) -> bool {
        !self.print.is_empty()
    }

    /// Returns the number of calls, and of identities, on the page.
    pub(super) fn page_rows(&self) -> usize {
        match self.is_for_print() {
            true => PRINTED_ROWS,
            false => PAGE_ROWS,
        }
    }

    /// Returns a link with this selection, and with other or more values.
    pub(super) fn link(&self, path: &str, changed: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let values = [
            ("from", self.from()),
            ("to", self.to()),
            ("identity", &self.identity),
            ("pinset", &self.pinset),
            ("number", &self.number),
            ("result", &self.result),
            ("sort", &self.sort),
            ("order", &self.order),
            ("totals", &self.totals),
        ];
        for (name, value) in values {
            let is_kept = !changed.iter().any(|(changed, _)| *changed == name);
            // Without both times, the period would be this month.
            if is_kept && (!value.is_empty() || name == "from") {
                query.append_pair(name, value);
            }
        }
        query.extend_pairs(changed);
        format!("{path}?{}", query.finish())
    }

    /// Returns the command that reports the same calls.
    pub(super) fn command(&self, numbering: &Numbering, cdr: &Path, audit_log: &Path) -> String {
        let mut command = "pinset report".to_owned();
        let defaults = Numbering::default().options();
        for (option, default) in numbering.options().into_iter().zip(defaults) {
            if option != default {
                let (name, value) = (option.0.replace('_', "-"), option.1);
                command += &format!(" --{name}={}", quoted(&value));
            }
        }
        for (option, value) in [
            ("from", self.from()),
            ("to", self.to()),
            ("account", self.identity.trim()),
            ("pinset", self.pinset.trim()),
            ("caller", self.number.trim()),
            ("disposition", self.result.trim()),
        ] {
            if !value.is_empty() {
                command += &format!(" --{option}={}", quoted(value));
            }
        }
        for path in [cdr, audit_log] {
            command += &format!(" {}", quoted(&path.display().to_string()));
        }
        command
    }
}

const THIS_MONTH: &str = "This month";

/// Returns today, yesterday, this month and the last one, in the zone of the machine.
pub(super) fn periods(now: SystemTime) -> Vec<Period> {
    let zone = Zone::of_the_machine();
    let day = zone.text(now);
    let Some(today) = day.get(..10).and_then(|day| day.parse::<Date>().ok()) else {
        return Vec::new();
    };
    let before = |date: Date, span: Span| date.checked_sub(span).unwrap_or(date);
    let yesterday = before(today, 1.day());
    let last_month = before(today.first_of_month(), 1.day());
    [
        ("Today", today, today),
        ("Yesterday", yesterday, yesterday),
        (THIS_MONTH, today.first_of_month(), today),
        ("Last month", last_month.first_of_month(), last_month),
    ]
    .map(|(name, from, to)| Period {
        name,
        from: from.to_string(),
        to: to.to_string(),
    })
    .into()
}

/// Returns a time in seconds since 1970 as a time of the clock.
pub(super) fn clock(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(values: [&str; 6]) -> CallsQuery {
        let [from, to, identity, pinset, number, result] = values.map(str::to_owned);
        CallsQuery {
            from: Some(from),
            to: Some(to),
            identity,
            pinset,
            number,
            result,
            ..CallsQuery::default()
        }
    }

    #[test]
    fn command_is_quoted_for_a_shell() {
        let (cdr, log) = (Path::new("/var/log/Master.csv"), Path::new("/tmp/a b"));
        for (values, options) in [
            (["", "", "", "", "", ""], ""),
            (
                ["2026-11-01", "2026-11-30", "ada", "", "", ""],
                " --from=2026-11-01 --to=2026-11-30 --account=ada",
            ),
            (
                [
                    "2026-11-01 08:00",
                    "",
                    "$(reboot)'; x",
                    "-doors",
                    "+90",
                    "NO ANSWER",
                ],
                " --from='2026-11-01 08:00' --account='$(reboot)'\\''; x' --pinset=-doors \
                 --caller='+90' --disposition='NO ANSWER'",
            ),
        ] {
            let command = query(values).command(&Numbering::default(), cdr, log);
            assert_eq!(
                command,
                format!("pinset report{options} /var/log/Master.csv '/tmp/a b'")
            );
        }
    }

    #[test]
    fn periods_are_whole_days_and_months() {
        let zone = Zone::of_the_machine();
        let day = |text| {
            let time = Moment::from_which(text, &zone).expect("a day").seconds();
            let all = periods(clock(time));
            all.iter()
                .map(|it| format!("{}..{}", it.from, it.to))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            day("2026-01-01 00:00"),
            [
                "2026-01-01..2026-01-01",
                "2025-12-31..2025-12-31",
                "2026-01-01..2026-01-01",
                "2025-12-01..2025-12-31"
            ]
        );
        assert_eq!(day("2024-03-31 23:59:59")[3], "2024-02-01..2024-02-29");
    }
}
