//! What PBXs know about the rows of a file: uses, and lockouts.

use std::collections::HashMap;

use futures_util::future::{join, join_all};
use pinset::escape::escape;

use super::locks::FileLocks;
use crate::console::app::App;
use crate::console::pbx::{ListPart, PbxClient, PinSetSummary, RowUses};
use crate::console::rows::{RowView, UseCounts};

/// The uses of the rows of a file by one PIN set.
pub(super) struct FileUses {
    pub pbx: String,
    pub pin_set: String,
    /// By line.
    uses: HashMap<u64, RowUses>,
}

impl FileUses {
    /// Returns the uses of a row. Line and account must be the same: the PBX may have an
    /// older file.
    pub(super) fn of(&self, line: u64, account: &str) -> Option<&str> {
        // The module escapes what it sends.
        let found = self.uses.get(&line);
        let found = found.filter(|uses| uses.account == escape(account.as_bytes()));
        found.map(|uses| uses.uses.as_str())
    }

    /// Returns the uses of these rows.
    pub(super) fn counts(&self, rows: &[RowView]) -> UseCounts {
        let count =
            |row: &RowView| Some((row.line, self.of(row.line, &row.account)?.parse().ok()?));
        rows.iter().filter_map(count).collect()
    }
}

/// A PIN set that has the file as its source.
pub(super) struct FileSet<'a> {
    pub pbx: &'a str,
    pub client: &'a PbxClient,
    pub summary: PinSetSummary,
}

/// What PBXs know about the rows of a file.
#[derive(Default)]
pub(super) struct FileState {
    pub uses: Option<FileUses>,
    pub locks: FileLocks,
}

/// Asks the PBXs, each once.
pub(super) async fn of(app: &App, name: &str) -> FileState {
    let sets = sets(app, name).await;
    let (uses, locks) = join(uses(&sets), FileLocks::of(&sets, &app.config.numbering)).await;
    FileState { uses, locks }
}

/// Returns the PIN sets that have the file as their source, of PBXs that answer.
async fn sets<'a>(app: &'a App, name: &str) -> Vec<FileSet<'a>> {
    let source = format!("file:{}", app.config.lists.join(name).display());
    let answers = join_all(app.pbxs.values().map(PbxClient::pin_sets)).await;
    let mut found = Vec::new();
    for ((pbx, client), sets) in app.pbxs.iter().zip(answers) {
        let sets = sets.unwrap_or_default().into_iter();
        found.extend(
            sets.filter(|set| set.source == source)
                .map(|summary| FileSet {
                    pbx,
                    client,
                    summary,
                }),
        );
    }
    found
}

/// Returns the uses by the first of these PIN sets of which a PBX tells them.
async fn uses(sets: &[FileSet<'_>]) -> Option<FileUses> {
    for FileSet {
        pbx,
        client,
        summary,
    } in sets
    {
        if let Ok(uses) = client.uses(&summary.name, &ListPart::default()).await {
            let uses = uses.rows.into_iter();
            return Some(FileUses {
                pbx: (*pbx).to_owned(),
                pin_set: summary.name.clone(),
                uses: uses.filter_map(|uses| Some((uses.line?, uses))).collect(),
            });
        }
    }
    None
}
