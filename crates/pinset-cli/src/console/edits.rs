//! Changes of PIN files: under the lock of the command line, recorded in the trail before
//! they are saved, and kept for an undo.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pinset::timestamp::since_epoch;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::access::CurrentUser;
use super::app::App;
use super::lists::{self, ListError, ListFile};
use super::sessions::SessionId;
use super::trail::{Change, TrailError};
use crate::common::atomic_file::contents;
use crate::common::error::note;
use crate::pin_files::tags::{FileTag, TagKey};

/// Maximum number of files that are read at a time, and of those that are changed. Other
/// requests wait.
const MAX_FILES: usize = 4;

/// Time for which a change can be undone.
pub(super) const UNDO_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Maximum number of bytes that are kept for all undos together.
const MAX_UNDO_BYTES: usize = 256 << 20;

/// The changed text of a file.
pub(super) struct NewText<T> {
    pub text: Zeroizing<Vec<u8>>,
    /// What the trail says of it, without the name and the tags of the file.
    pub change: Change,
    /// What the page needs to know about it.
    pub result: T,
}

/// The reason why a file is unchanged.
#[derive(Debug, Error)]
pub(super) enum EditError<E> {
    #[error(transparent)]
    List(ListError),
    /// The console may not replace the file. The text is the remedy.
    #[error("not the console's own file: {0}")]
    Denied(String),
    #[error("{0}")]
    Save(io::Error),
    /// By an editor that takes no lock.
    #[error("changed by another program meanwhile")]
    Changed,
    #[error(transparent)]
    Trail(#[from] TrailError),
    #[error("the change has failed")]
    Panicked,
    /// What the operation itself says.
    #[error("{0}")]
    Refused(E),
}

/// Changes of PIN files, and what is kept of them.
pub(super) struct Edits {
    pub tags: Arc<TagKey>,
    reads: Arc<Semaphore>,
    /// Apart from reads, because a change may wait for the lock of a command.
    changes: Arc<Semaphore>,
    undos: Mutex<Vec<Undo>>,
}

/// The text of a file before a change, for the session that has changed it.
struct Undo {
    session: SessionId,
    user: String,
    name: String,
    action: &'static str,
    text: Zeroizing<Vec<u8>>,
    /// The tag of the file after the change: an undo must not take back what others have
    /// changed since.
    tag_after: FileTag,
    saved: Instant,
}

impl Edits {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self {
            tags: Arc::new(TagKey::new()?),
            reads: Arc::new(Semaphore::new(MAX_FILES)),
            changes: Arc::new(Semaphore::new(MAX_FILES)),
            undos: Mutex::default(),
        })
    }

    /// Returns the last change of a file with this tag, and the tag, if this session has
    /// made it and can undo it.
    pub(super) fn undoable(
        &self,
        session: SessionId,
        name: &str,
        tag: FileTag,
    ) -> Option<(&'static str, FileTag)> {
        let undos = self.undos.lock();
        let undo = undos.iter().find(|undo| undo.is_of(session, name))?;
        (undo.tag_after == tag).then_some((undo.action, tag))
    }

    /// Returns the text before the last change, if this session can undo it.
    fn old_text(&self, session: SessionId, name: &str, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let tag = self.tags.file(text);
        let undos = self.undos.lock();
        let undo = undos.iter().find(|undo| undo.is_of(session, name))?;
        (undo.tag_after == tag).then(|| undo.text.clone())
    }

    /// Keeps a text for an undo, in the place of an earlier one of the session and file.
    fn keep(&self, undo: Undo) {
        let mut undos = self.undos.lock();
        undos.retain(|other| !other.is_of(undo.session, &undo.name));
        undos.push(undo);
        let bytes = |undos: &[Undo]| undos.iter().map(|undo| undo.text.len()).sum::<usize>();
        while bytes(&undos) > MAX_UNDO_BYTES {
            undos.remove(0);
        }
    }

    /// Wipes the texts of a session.
    pub(super) fn end(&self, session: SessionId) {
        self.undos.lock().retain(|undo| undo.session != session);
    }

    /// Wipes the texts of all sessions of a user.
    pub(super) fn end_all(&self, user: &str) {
        self.undos.lock().retain(|undo| undo.user != user);
    }

    /// Wipes the texts whose time is over.
    fn expire(&self, now: Instant) {
        let is_over = |undo: &Undo| now.saturating_duration_since(undo.saved) >= UNDO_TIMEOUT;
        self.undos.lock().retain(|undo| !is_over(undo));
    }
}

impl Undo {
    fn is_of(&self, session: SessionId, name: &str) -> bool {
        self.session == session && self.name == name
    }
}

/// Reads a file in the folder of lists and calls `view` with it, on a thread that may block.
///
/// # Errors
///
/// Fails as [`lists::open`] does.
pub(super) async fn read<T: Send + 'static>(
    app: &Arc<App>,
    name: &str,
    view: impl FnOnce(&App, ListFile, Zeroizing<Vec<u8>>) -> T + Send + 'static,
) -> Result<T, ListError> {
    open(app, name, |app, listed, file| {
        Ok(view(app, listed, contents(&file)?))
    })
    .await
}

/// Opens a file in the folder of lists and calls `view` with it, on a thread that may block.
///
/// # Errors
///
/// Fails as [`lists::open`] and `view` do.
pub(super) async fn open<T: Send + 'static>(
    app: &Arc<App>,
    name: &str,
    view: impl FnOnce(&App, ListFile, File) -> Result<T, ListError> + Send + 'static,
) -> Result<T, ListError> {
    let stopped = |_| ListError::Io(io::Error::other("the read has failed"));
    let permit = Arc::clone(&app.edits.reads).acquire_owned().await;
    let permit = permit.map_err(|_| ListError::Io(io::Error::other("stopped")))?;
    let (app, name) = (Arc::clone(app), name.to_owned());
    let read = tokio::task::spawn_blocking(move || {
        let opened = lists::open(&app.config.lists, &name);
        let viewed = opened.and_then(|(listed, file)| view(&app, listed, file));
        drop(permit);
        viewed
    });
    read.await.map_err(stopped)?
}

/// Changes a file in the folder of lists: `edit` gets its text and returns the new one.
/// The trail has the change before it is saved. Owner and permissions stay.
///
/// # Errors
///
/// Then the file is unchanged.
pub(super) async fn edit<T, E>(
    app: &Arc<App>,
    user: &CurrentUser,
    name: &str,
    edit: impl FnOnce(Zeroizing<Vec<u8>>) -> Result<NewText<T>, E> + Send + 'static,
) -> Result<T, EditError<E>>
where
    T: Send + 'static,
    E: Send + 'static,
{
    let permit = Arc::clone(&app.edits.changes).acquire_owned().await;
    let permit = permit.map_err(|_| EditError::Panicked)?;
    let (app, user, name) = (Arc::clone(app), user.clone(), name.to_owned());
    // It goes on if the browser leaves.
    let saved = tokio::task::spawn_blocking(move || {
        let saved = save(&app, &user, &name, edit);
        drop(permit);
        saved
    });
    saved.await.unwrap_or(Err(EditError::Panicked))
}

/// Takes back the last change of a file if this session has made it, and the file still
/// has the tag that it had after it. The undo can be undone, but not by the same form sent
/// twice, because the file has another tag then.
///
/// # Errors
///
/// The file is unchanged; [`EditError::Refused`] if there is nothing to undo.
pub(super) async fn undo(
    app: &Arc<App>,
    user: &CurrentUser,
    name: &str,
    tag_after: &str,
) -> Result<(), EditError<()>> {
    let (own_app, session, own_name) = (Arc::clone(app), user.session, name.to_owned());
    let tag_after = tag_after.to_owned();
    edit(app, user, name, move |text| {
        let edits = &own_app.edits;
        if edits.tags.file(&text).to_string() != tag_after {
            return Err(());
        }
        let old = edits.old_text(session, &own_name, &text);
        Ok(NewText {
            text: old.ok_or(())?,
            change: Change::of("undo"),
            result: (),
        })
    })
    .await
}

fn save<T, E>(
    app: &Arc<App>,
    user: &CurrentUser,
    name: &str,
    edit: impl FnOnce(Zeroizing<Vec<u8>>) -> Result<NewText<T>, E>,
) -> Result<T, EditError<E>> {
    let (file, denied) = lists::lock(&app.config.lists, name).map_err(EditError::List)?;
    if let Some(remedy) = denied {
        return Err(EditError::Denied(remedy));
    }
    let old = file
        .contents()
        .map_err(|error| EditError::List(error.into()))?;
    let new = edit(old.clone()).map_err(EditError::Refused)?;
    let edits = &app.edits;
    let tag_after = edits.tags.file(&new.text);
    let change = Change {
        pin_set: name.to_owned(),
        tag_before: edits.tags.file(&old).to_string(),
        tag_after: tag_after.to_string(),
        ..new.change
    };
    let record = |change: &Change| {
        let now = since_epoch();
        app.trail.record(&user.name, user.client, change, now)
    };
    record(&change)?;
    let replaced = file.replace_unchanged(&old, &new.text);
    let failed = match replaced {
        Ok(true) => None,
        Ok(false) => Some(EditError::Changed),
        Err(error) => Some(EditError::Save(error)),
    };
    if let Some(failed) = failed {
        let not_saved = Change {
            action: "not saved",
            after: change.action.to_owned(),
            before: String::new(),
            ..change
        };
        // The file is unchanged, whether or not this is recorded.
        if let Err(error) = record(&not_saved) {
            note(error);
        }
        return Err(failed);
    }
    edits.keep(Undo {
        session: user.session,
        user: user.name.clone(),
        name: name.to_owned(),
        action: change.action,
        text: old,
        tag_after,
        saved: Instant::now(),
    });
    expire_later(app);
    Ok(new.result)
}

/// Wipes the text of an undo in time, also if nobody comes back for it.
fn expire_later(app: &Arc<App>) {
    let app = Arc::downgrade(app);
    Handle::current().spawn(async move {
        tokio::time::sleep(UNDO_TIMEOUT).await;
        if let Some(app) = app.upgrade() {
            app.edits.expire(Instant::now());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undo(edits: &Edits, name: &str, saved: Instant, bytes: usize) -> Undo {
        Undo {
            session: SessionId::of("one"),
            user: "ada".to_owned(),
            name: name.to_owned(),
            action: "change row",
            text: Zeroizing::new(vec![b'x'; bytes]),
            tag_after: edits.tags.file(b"new"),
            saved,
        }
    }

    fn has(edits: &Edits, name: &str) -> bool {
        let session = SessionId::of("one");
        edits
            .undoable(session, name, edits.tags.file(b"new"))
            .is_some()
    }

    #[test]
    fn old_texts_are_wiped_in_time_and_bounded() {
        let edits = Edits::new().expect("a key");
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        edits.keep(undo(&edits, "a", start, 1));
        edits.keep(undo(&edits, "b", start + second, 1));
        edits.expire(start + UNDO_TIMEOUT - second);
        assert!(has(&edits, "a") && has(&edits, "b"));
        edits.expire(start + UNDO_TIMEOUT);
        assert!(!has(&edits, "a") && has(&edits, "b"));
        // The newest ones stay.
        edits.keep(undo(&edits, "c", start, MAX_UNDO_BYTES));
        assert!(!has(&edits, "b") && has(&edits, "c"));
        // One for each session and file.
        edits.keep(undo(&edits, "c", start, 1));
        assert_eq!(edits.undos.lock().len(), 1);
    }

    #[test]
    fn old_texts_are_wiped_with_their_session() {
        let edits = Edits::new().expect("a key");
        let now = Instant::now();
        let other = || Undo {
            session: SessionId::of("two"),
            user: "bob".to_owned(),
            ..undo(&edits, "a", now, 1)
        };
        edits.keep(undo(&edits, "a", now, 1));
        edits.keep(other());
        edits.end(SessionId::of("two"));
        let left = || {
            edits
                .undos
                .lock()
                .iter()
                .map(|undo| undo.user.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(left(), ["ada"]);
        edits.keep(other());
        edits.end_all("ada");
        assert_eq!(left(), ["bob"]);
    }
}
