//! PIN files as pages read them: the text of small ones, the index of large ones.

use std::fs::File;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::app::App;
use super::edits;
use super::indexes::{needs_index, FoundIndex, MAX_AWAITED_BYTES, MAX_READ_ROWS};
use super::lists::{ListError, ListFile};
use super::rows::{FileVersion, RowIndex};
use crate::common::atomic_file::contents;
use crate::pin_files::tags::FileTag;

/// What a page has of a PIN file.
pub(super) enum FileContents {
    Text(Zeroizing<Vec<u8>>),
    Index(Box<RowIndex>),
    /// Its index is being made.
    BeingRead,
    /// There is no index, for this reason.
    Failed(String),
}

/// Reads a file in the folder of lists, or opens its index, and calls `view` with it and the
/// tag of the file if that is known, on a thread that may block. A large CSV file without an
/// index gets one in the background.
///
/// # Errors
///
/// Fails as [`super::lists::open`] does.
pub(super) async fn read<T: Send + 'static>(
    app: &Arc<App>,
    name: &str,
    view: impl FnOnce(&App, ListFile, FileContents, Option<FileTag>) -> T + Send + 'static,
) -> Result<T, ListError> {
    edits::open(app, name, |app, listed, file| {
        let (contents, tag) = of(app, &listed, file)?;
        Ok(view(app, listed, contents, tag))
    })
    .await
}

fn of(
    app: &App,
    listed: &ListFile,
    file: File,
) -> Result<(FileContents, Option<FileTag>), ListError> {
    let (name, numbering) = (&listed.name, &app.config.numbering);
    let version = FileVersion::of(&file.metadata()?, numbering);
    // Each row has at least one byte. The header is a line, too.
    if listed.bytes > MAX_READ_ROWS as u64 {
        match app
            .indexes
            .find(name, file.try_clone()?, &version, numbering)
        {
            FoundIndex::Made(index, tag) => return Ok((FileContents::Index(index), tag)),
            FoundIndex::Running => return Ok((FileContents::BeingRead, None)),
            FoundIndex::Failed(why) => return Ok((FileContents::Failed(why), None)),
            FoundIndex::NotNeeded => {}
            // Reading it takes longer than a page may.
            FoundIndex::Missing if listed.bytes > MAX_AWAITED_BYTES => {
                return Ok((make_index(app, name, version, file), None));
            }
            FoundIndex::Missing => {
                let text = contents(&file)?;
                if needs_index(&text) {
                    return Ok((make_index(app, name, version, file), None));
                }
                app.indexes.remove(name);
                return Ok(read_text(app, text));
            }
        }
    }
    Ok(read_text(app, contents(&file)?))
}

fn read_text(app: &App, text: Zeroizing<Vec<u8>>) -> (FileContents, Option<FileTag>) {
    let tag = app.edits.tags.file(&text);
    (FileContents::Text(text), Some(tag))
}

/// Begins to make the index of a file.
fn make_index(app: &App, name: &str, version: FileVersion, file: File) -> FileContents {
    let (tags, numbering) = (Arc::clone(&app.edits.tags), &app.config.numbering);
    match app.indexes.make(name, version, file, tags, numbering) {
        Ok(()) => FileContents::BeingRead,
        Err(why) => FileContents::Failed(why.to_string()),
    }
}
