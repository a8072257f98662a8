//! The PIN sets of all PBXs.

use futures_util::future::{join, join_all};
use maud::{html, Markup};

use super::pin_files::FirstQuery;
use super::sorting::{number, text, TableColumn, TableOrder};
use super::{layout, pbx, pin_file, pin_set};
use crate::console::app::App;
use crate::console::pbx::{OutcomeCounts, PbxClient, PinSetSummary, RequestError};

/// The headings of PIN sets, the words of the columns in URLs, and whether they have numbers.
const HEADINGS: [TableColumn; 8] = [
    ("Name", "name", false),
    ("Source", "source", false),
    ("Identified by", "identify", false),
    ("PINs", "pins", true),
    ("Admitted", "admitted", true),
    ("Refused", "refused", true),
    ("Lockouts", "lockouts", true),
    ("State", "state", false),
];

/// The same of calls without a PIN set.
const OTHERS_HEADINGS: [TableColumn; 3] = [
    ("Name", "name", false),
    ("Admitted", "admitted", true),
    ("Refused", "refused", true),
];

/// Returns a table for each PBX.
pub(super) async fn tables(app: &App, query: &FirstQuery) -> Markup {
    let tables = app.pbxs.iter().map(|(name, client)| async move {
        let table = of(app, name, client, query).await;
        table.unwrap_or_else(|why| pbx::failure(name, &why))
    });
    let tables = join_all(tables).await;
    html! {
        @if app.pbxs.is_empty() { (pbx::none_configured()) }
        @for table in &tables { (table) }
    }
}

async fn of(
    app: &App,
    name: &str,
    client: &PbxClient,
    query: &FirstQuery,
) -> Result<Markup, RequestError> {
    let (sets, others) = join(client.pin_sets(), client.stats()).await;
    let (sets, mut others) = (sets?, others?);
    others.retain(|(other, _)| sets.iter().all(|set| set.name != *other));
    Ok(html! {
        (table(app, name, sets, query))
        @if !others.is_empty() { (others_table(name, others, query)) }
    })
}

/// Calls whose PINs are in no PIN set.
fn others_table(pbx: &str, mut others: Vec<(String, OutcomeCounts)>, query: &FirstQuery) -> Markup {
    let order = TableOrder::read(&query.others, &OTHERS_HEADINGS);
    order.sort(&mut others, |(name, counts), word| match word {
        "name" => text(name),
        "admitted" => number(counts.success),
        _ => number(refused(counts)),
    });
    html! {
        (layout::table(&format!("{pbx}: calls without a PIN set, by file, family or context"), html! {
            (order.head(&OTHERS_HEADINGS, |order| {
                FirstQuery { others: order.to_owned(), ..query.clone() }.url()
            }))
            tbody {
                @for (name, counts) in &others {
                    tr {
                        td { (name) }
                        td.number { (counts.success) }
                        td.number { (refused(counts)) }
                    }
                }
            }
        }))
    }
}

fn refused(counts: &OutcomeCounts) -> u64 {
    let counts = [
        counts.failure,
        counts.timeout,
        counts.expired,
        counts.locked,
    ];
    // The PBX may send any numbers.
    counts.into_iter().fold(0, u64::saturating_add)
}

fn table(app: &App, pbx: &str, mut sets: Vec<PinSetSummary>, query: &FirstQuery) -> Markup {
    let order = TableOrder::read(&query.sets, &HEADINGS);
    order.sort(&mut sets, |set, word| match word {
        "name" => text(&set.name),
        "source" => text(&set.source),
        "identify" => text(&set.identify),
        "pins" => number(set.entries.unwrap_or_default()),
        "admitted" => number(set.counts.success),
        "refused" => number(refused(&set.counts)),
        "lockouts" => number(set.lockouts),
        _ => text(&set.state),
    });
    html! {
        (layout::table(&format!("{pbx}: PIN sets; calls since the module was loaded"), html! {
            (order.head(&HEADINGS, |order| {
                FirstQuery { sets: order.to_owned(), ..query.clone() }.url()
            }))
            tbody {
                @for set in &sets { (row(app, pbx, set)) }
                @if sets.is_empty() {
                    tr {
                        td colspan=(HEADINGS.len()) {
                            "There is no PIN set. authenticate.conf of the PBX defines them, or \
                             New PIN set."
                        }
                    }
                }
            }
        }))
    }
}

fn row(app: &App, pbx: &str, set: &PinSetSummary) -> Markup {
    let counts = &set.counts;
    html! {
        tr {
            td { a href=(pin_set::path(pbx, &set.name)) { (set.name) } }
            td { (pin_file::source(app, &set.source)) }
            td { (set.identify) }
            td.number { @if let Some(entries) = set.entries { (entries) } }
            td.number { (counts.success) }
            td.number { (refused(counts)) }
            td.number { (set.lockouts) }
            td class=[(!set.usable).then_some("error")] {
                @if !set.usable { "✗ " } (set.state)
            }
        }
    }
}
