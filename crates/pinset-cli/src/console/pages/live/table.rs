//! Events as rows.

use std::sync::Arc;

use maud::{html, Markup, PreEscaped};

use super::filter::LiveFilter;
use super::position::Position;
use super::PAGE_ROWS;
use crate::console::pages::layout;
use crate::console::pages::sorting::{number, text, TableColumn, TableOrder};
use crate::console::pbx::{LiveEvent, PbxClient};

/// The headings, the words of the columns in URLs, and whether they have numbers.
pub(super) const HEADINGS: [TableColumn; 10] = [
    ("Time", "time", false),
    ("PBX", "pbx", false),
    ("Event", "event", false),
    ("PIN set", "pin_set", false),
    ("Identity", "identity", false),
    ("Caller", "caller", false),
    ("Channel", "channel", false),
    ("From", "from", false),
    ("Attempts", "attempts", true),
    ("Detail", "", false),
];

/// Events that a page does not have yet.
#[derive(Default)]
pub(super) struct Update<'a> {
    /// The newest first.
    rows: Vec<(&'a str, Arc<LiveEvent>)>,
    /// Number of older ones, without a row.
    more: usize,
    /// Number of older ones that are no longer kept.
    missed: u64,
}

impl Update<'_> {
    /// Sorts the events, and leaves `limit` of them as rows.
    pub(super) fn sort(&mut self, order: TableOrder, limit: usize) {
        order.sort(&mut self.rows, |(pbx, event), word| match word {
            "pbx" => text(pbx),
            "event" => text(&event.name),
            "pin_set" => text(&event.pin_set),
            "identity" => text(&event.identity),
            "caller" => text(&event.caller),
            "channel" => text(&event.channel),
            "from" => text(&event.remote_address),
            "attempts" => number(event.attempts.map_or(0, u64::from)),
            _ => number(u64::try_from(event.received.as_microsecond()).unwrap_or_default()),
        });
        self.cut(limit);
    }

    /// Leaves `limit` events as rows.
    fn cut(&mut self, limit: usize) {
        self.more += self.rows.len().saturating_sub(limit);
        self.rows.truncate(limit);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.missed == 0
    }

    /// Returns the rows of the table.
    pub(super) fn rows(&self) -> Markup {
        html! {
            @for (pbx, event) in &self.rows { (rendered(pbx, event)) }
            @if self.more > 0 { (note(&format!("and {} more", self.more))) }
            @if self.missed > 0 {
                (note(&format!("Older ones that are no longer kept: {}", self.missed)))
            }
        }
    }
}

/// Returns the selected events after a position, at most `limit` of them as rows, and the
/// new position.
pub(super) fn update<'a>(
    pbxs: &[(&'a str, &PbxClient)],
    filter: &LiveFilter,
    position: &Position,
    limit: usize,
) -> (Update<'a>, Position) {
    let mut position = position.clone();
    let mut update = Update::default();
    for (pbx, client) in pbxs {
        let batch = client.events().after(position.of(pbx));
        if let Some(last) = batch.events.last() {
            position.set(pbx, last.id);
        }
        update.missed += batch.missed;
        let selected = batch
            .events
            .into_iter()
            .filter(|event| filter.selects(event));
        update.rows.extend(selected.map(|event| (*pbx, event)));
    }
    // The order of those of one PBX is kept, also if the clock is set back.
    update.rows.sort_by_key(|(_, event)| event.received);
    update.rows.reverse();
    update.cut(limit);
    (update, position)
}

/// Returns the table. The script adds the events of the stream to it.
pub(super) fn table(update: &Update<'_>, filter: &LiveFilter, stream: &str) -> Markup {
    html! {
        div.table role="log" aria-label="Attempts" tabindex="0" {
            table {
                caption { "The latest attempts and unlocks since the console was started" }
                (filter.order().head(&HEADINGS, |order| filter.sorted_url(order)))
                tbody id="events" data-stream=(stream) data-rows=(PAGE_ROWS) {
                    (update.rows())
                    @if update.is_empty() { (note("There was no attempt.")) }
                }
            }
        }
    }
}

fn note(text: &str) -> Markup {
    html! { tr { td colspan=(HEADINGS.len()) { (text) } } }
}

/// Returns the row of an event, which is made for the first page that shows it: an event has
/// one PBX.
fn rendered<'a>(pbx: &str, event: &'a LiveEvent) -> PreEscaped<&'a str> {
    let row = || row(pbx, event).into_string();
    PreEscaped(event.rendered.get_or_init(row))
}

fn row(pbx: &str, event: &LiveEvent) -> Markup {
    let name = event.name.strip_prefix("Authenticate");
    html! {
        tr {
            td { (layout::time(event.received.as_millisecond())) }
            td { (pbx) }
            td { (name.unwrap_or(&event.name)) }
            td { (event.pin_set) }
            td { (event.identity) }
            td { (event.caller) }
            td { (event.channel) }
            td { (event.remote_address) }
            td.number { @if let Some(attempts) = event.attempts { (attempts) } }
            td { (detail(event)) }
        }
    }
}

fn detail(event: &LiveEvent) -> Markup {
    html! {
        @if let Some(kind) = event.locked_by {
            (kind.word()) " locked: " (event.locked_seconds)
            @if event.locked_seconds.parse::<u64>().is_ok() { " s" }
        }
        @if let Some(change) = &event.change {
            @if let Some(kind) = change.kind { (kind.word()) " " }
            (change.value)
            @if let Some(count) = change.count { " (" (count) ")" }
            ", by " (change.by) " " (change.user) " " (change.address)
        }
    }
}
