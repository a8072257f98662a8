//! The PIN sets of all PBXs.

use maud::{html, Markup};

use super::{pbx, pin_set};
use crate::console::app::App;
use crate::console::pbx::{OutcomeCounts, PbxClient, PinSetSummary, RequestError};

const HEADINGS: [&str; 8] = [
    "Name",
    "Source",
    "Identified by",
    "PINs",
    "Admitted",
    "Refused",
    "Lockouts",
    "State",
];

/// Returns a table for each PBX.
pub(super) async fn tables(app: &App) -> Markup {
    let mut tables = Vec::new();
    for (name, client) in &app.pbxs {
        tables.push(match of(name, client).await {
            Ok(table) => table,
            Err(why) => pbx::failure(name, &why),
        });
    }
    html! {
        @if app.pbxs.is_empty() { (pbx::none_configured()) }
        @for table in &tables { (table) }
    }
}

async fn of(name: &str, client: &PbxClient) -> Result<Markup, RequestError> {
    let sets = client.pin_sets().await?;
    let mut others = client.stats().await?;
    others.retain(|(other, _)| sets.iter().all(|set| set.name != *other));
    Ok(html! {
        (table(name, &sets))
        @if !others.is_empty() { (others_table(name, &others)) }
    })
}

/// Calls whose PINs are in no PIN set.
fn others_table(pbx: &str, others: &[(String, OutcomeCounts)]) -> Markup {
    html! {
        div.table {
            table {
                caption { (pbx) ": calls without a PIN set, by file, family or context" }
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col".number { "Admitted" }
                        th scope="col".number { "Refused" }
                    }
                }
                tbody {
                    @for (name, counts) in others {
                        tr {
                            td { (name) }
                            td.number { (counts.success) }
                            td.number { (refused(counts)) }
                        }
                    }
                }
            }
        }
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

fn table(pbx: &str, sets: &[PinSetSummary]) -> Markup {
    html! {
        div.table {
            table {
                caption { (pbx) ": PIN sets; calls since the module was loaded" }
                thead {
                    tr { @for heading in HEADINGS { th scope="col" { (heading) } } }
                }
                tbody {
                    @for set in sets { (row(pbx, set)) }
                    @if sets.is_empty() {
                        tr {
                            td colspan=(HEADINGS.len()) {
                                "There is no PIN set. authenticate.conf of the PBX defines them."
                            }
                        }
                    }
                }
            }
        }
    }
}

fn row(pbx: &str, set: &PinSetSummary) -> Markup {
    let counts = &set.counts;
    html! {
        tr {
            td { a href=(pin_set::path(pbx, &set.name)) { (set.name) } }
            td { (set.source) }
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
