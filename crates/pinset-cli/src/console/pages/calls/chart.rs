//! Minutes per hour, day or month, as a chart and as a table.

use jiff::civil::Date;
use jiff::ToSpan;
use maud::{html, Markup};
use pinset::timestamp::{Moment, Zone};

use super::query::clock;
use super::tables::{duration, grouped};
use crate::console::pages::layout;
use crate::reports::{CallFilter, SlotTotals};

/// Longest period with a bar per hour, and per day.
const MAX_HOURS_SECS: i64 = 25 * HOUR_SECS;
const MAX_DAYS_SECS: i64 = 93 * 24 * HOUR_SECS;

const HOUR_SECS: i64 = 60 * 60;
/// Seconds of a slot of the sums.
const SLOT_SECS: i64 = 15 * 60;

/// Size of the chart, in units of its own.
const WIDTH: usize = 960;
const HEIGHT: usize = 120;
/// Height of the labels below the axis.
const LABEL_HEIGHT: usize = 20;

/// The calls that began in a part of the period.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Bar {
    pub label: String,
    pub calls: u64,
    pub answered: u64,
    /// In seconds.
    pub billed: u64,
}

/// The unit of a bar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    Hour,
    Day,
    Month,
}

impl Unit {
    fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// Bars of a period.
pub(super) struct Chart {
    pub unit: Unit,
    pub bars: Vec<Bar>,
}

impl Chart {
    /// Returns the bars of the selected period. A period without a beginning or end is
    /// that of the calls.
    pub(super) fn new(filter: &CallFilter, slots: &[SlotTotals], zone: &Zone) -> Self {
        let first = slots.first().map_or(0, |slot| slot.start);
        let last = slots.last().map_or(0, |slot| slot.start + SLOT_SECS);
        let from = filter.from.map_or(first, Moment::seconds);
        let to = filter.to.map_or(last, Moment::seconds).max(from);
        let length = to - from;
        let (unit, starts) = if length <= MAX_HOURS_SECS {
            (Unit::Hour, hours(from, to, zone))
        } else if length <= MAX_DAYS_SECS {
            (Unit::Day, days(from, to, zone))
        } else {
            // Months without calls at both ends need no bar.
            let (from, to) = (from.max(first), to.min(last).max(first));
            (Unit::Month, months(from, to, zone))
        };
        let mut slots = slots.iter().peekable();
        let ends = starts.iter().skip(1).map(|(start, _)| *start);
        let ends = ends.chain([i64::MAX]);
        let bars = starts.iter().zip(ends).map(|((_, label), end)| {
            let mut bar = Bar {
                label: label.clone(),
                calls: 0,
                answered: 0,
                billed: 0,
            };
            while let Some(slot) = slots.next_if(|slot| slot.start < end) {
                bar.calls += slot.calls;
                bar.answered += slot.answered;
                bar.billed += slot.billed;
            }
            bar
        });
        Self {
            unit,
            bars: bars.collect(),
        }
    }

    /// Returns the chart, and its numbers in a table.
    pub(super) fn markup(&self) -> Markup {
        let unit = self.unit.word();
        let caption = format!("Billed minutes per {unit}, by the start of the calls");
        html! {
            figure.chart {
                figcaption { (caption) }
                (self.svg(&caption))
            }
            details {
                summary { "The numbers of the chart" }
                (layout::table(&caption, html! {
                    thead {
                        tr {
                            th scope="col" { @match self.unit {
                                Unit::Hour => "Hour", Unit::Day => "Day", Unit::Month => "Month",
                            } }
                            th.number scope="col" { "Calls" }
                            th.number scope="col" { "Answered" }
                            th.number scope="col" { "Billed" }
                        }
                    }
                    tbody {
                        @for bar in &self.bars {
                            tr {
                                th scope="row" { (bar.label) }
                                td.number { (grouped(bar.calls)) }
                                td.number { (grouped(bar.answered)) }
                                td.number { (duration(bar.billed)) }
                            }
                        }
                    }
                }))
            }
        }
    }

    fn svg(&self, caption: &str) -> Markup {
        let most = self.bars.iter().map(|bar| bar.billed).max().unwrap_or(0);
        let width = WIDTH / self.bars.len().max(1);
        // A small value is still seen, and one of zero is not.
        let height = |billed: u64| match billed {
            0 => 0,
            billed => {
                let scaled = u128::from(billed) * HEIGHT as u128 / u128::from(most.max(1));
                usize::try_from(scaled).unwrap_or(HEIGHT).max(1)
            }
        };
        let last = self.bars.last().filter(|_| self.bars.len() > 1);
        html! {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT + LABEL_HEIGHT) } role="img" aria-label=(caption) {
                @for (at, bar) in self.bars.iter().enumerate() {
                    rect.bar x=(at * width + 1) y=(HEIGHT - height(bar.billed))
                        width=(width.saturating_sub(2).max(1)) height=(height(bar.billed)) {
                        title { (bar.label) ": " (grouped(bar.calls)) " calls, " (duration(bar.billed)) }
                    }
                }
                line.axis x1="0" y1=(HEIGHT) x2=(WIDTH) y2=(HEIGHT) {}
                @if let Some(first) = self.bars.first() {
                    text.label x="0" y=(HEIGHT + LABEL_HEIGHT - 4) { (first.label) }
                }
                @if let Some(last) = last {
                    text.label.end x=(WIDTH) y=(HEIGHT + LABEL_HEIGHT - 4) { (last.label) }
                }
            }
        }
    }
}

/// Returns the starts and labels of hours.
fn hours(from: i64, to: i64, zone: &Zone) -> Vec<(i64, String)> {
    let start = from - from.rem_euclid(HOUR_SECS);
    let starts = (0..).map(|hour| start + hour * HOUR_SECS);
    let starts = starts.take_while(|start| *start < to);
    starts
        .map(|start| {
            (
                start,
                local(start, zone).get(..16).unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

/// Returns the starts and labels of days.
fn days(from: i64, to: i64, zone: &Zone) -> Vec<(i64, String)> {
    let next = |day: Date| day.checked_add(1.day()).ok();
    dates(date(from, zone), to, zone, next, 10)
}

/// Returns the starts and labels of months.
fn months(from: i64, to: i64, zone: &Zone) -> Vec<(i64, String)> {
    let next = |day: Date| day.checked_add(1.month()).ok();
    let first = date(from, zone).map(Date::first_of_month);
    dates(first, to, zone, next, 7)
}

/// Returns the starts of dates until a time, and the first letters of them as labels.
fn dates(
    first: Option<Date>,
    to: i64,
    zone: &Zone,
    next: fn(Date) -> Option<Date>,
    letters: usize,
) -> Vec<(i64, String)> {
    let all = std::iter::successors(first, |day| next(*day));
    let starts = all.map_while(|day| {
        let day = day.to_string();
        let start = Moment::from_which(&day, zone)?.seconds();
        Some((start, day.get(..letters)?.to_owned())).filter(|(start, _)| *start < to)
    });
    starts.collect()
}

fn date(time: i64, zone: &Zone) -> Option<Date> {
    local(time, zone).get(..10)?.parse().ok()
}

fn local(time: i64, zone: &Zone) -> String {
    zone.text(clock(time))
}

#[cfg(test)]
mod tests;
