//! The choice of events.

use maud::{html, Markup};
use pinset::Status;
use serde::Deserialize;

use super::position::Position;
use super::table::HEADINGS;
use crate::console::app::App;
use crate::console::pages::sorting::TableOrder;
use crate::console::pbx::LiveEvent;

/// The order in which events come.
const NEWEST_FIRST: &str = "-time";

/// The events that the user wants to see. An empty field selects all.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct LiveFilter {
    pbx: String,
    pin_set: String,
    outcome: String,
    /// The order of the page; the newest are first without one.
    sort: String,
    /// The position that the page has.
    after: String,
}

impl LiveFilter {
    /// Returns the name of the only PBX.
    pub(super) fn pbx(&self) -> Option<&str> {
        Some(self.pbx.as_str()).filter(|name| !name.is_empty())
    }

    pub(super) fn selects(&self, event: &LiveEvent) -> bool {
        let outcome = event.outcome.map(Status::word);
        (self.pin_set.is_empty() || self.pin_set == event.pin_set)
            && (self.outcome.is_empty() || Some(self.outcome.as_str()) == outcome)
    }

    /// Returns the order of the page.
    pub(super) fn order(&self) -> TableOrder {
        match TableOrder::read(&self.sort, &HEADINGS) {
            order if order.text().is_empty() => TableOrder::read(NEWEST_FIRST, &HEADINGS),
            order => order,
        }
    }

    /// Returns whether new events belong on top of the page.
    pub(super) fn is_newest_first(&self) -> bool {
        self.order().text() == NEWEST_FIRST
    }

    /// Returns the URL of the page in an order.
    pub(super) fn sorted_url(&self, order: &str) -> String {
        let sorted = Self {
            sort: order.to_owned(),
            ..self.clone()
        };
        sorted.url("/live", None)
    }

    /// Returns the position from which a stream begins. It is empty unless the page has one.
    pub(super) fn after(&self) -> Position {
        Position::parse(&self.after)
    }

    /// Returns the URL of a page or a stream with this choice.
    pub(super) fn url(&self, path: &str, after: Option<&Position>) -> String {
        let after = after.map_or_else(String::new, Position::to_string);
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("pbx", &self.pbx),
            ("pin_set", &self.pin_set),
            ("outcome", &self.outcome),
            ("sort", &self.sort),
            ("after", &after),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    pub(super) fn form(&self, app: &App) -> Markup {
        let pbxs = app.pbxs.keys().map(String::as_str);
        let outcomes = Status::ALL.into_iter().map(Status::word);
        html! {
            form.filters method="get" action="/live" {
                @if app.pbxs.len() > 1 { (select("PBX", "pbx", &self.pbx, pbxs)) }
                label { "PIN set" input name="pin_set" value=(self.pin_set); }
                (select("Outcome", "outcome", &self.outcome, outcomes))
                @if !self.sort.is_empty() { input type="hidden" name="sort" value=(self.sort); }
                button type="submit" { "Show" }
            }
        }
    }
}

fn select<'a>(
    label: &str,
    name: &str,
    chosen: &str,
    values: impl Iterator<Item = &'a str>,
) -> Markup {
    html! {
        label {
            (label)
            select name=(name) {
                option value="" { "all" }
                @for value in values {
                    option selected[value == chosen] { (value) }
                }
            }
        }
    }
}
