//! Outputs of a report.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use crate::common::atomic_file::{Access, Draft};
use crate::common::error::{At, CommandError};

/// Standard output, or a file.
pub(super) enum Output {
    Screen(BufWriter<StdoutLock<'static>>),
    File {
        path: PathBuf,
        draft: BufWriter<Draft>,
        /// Whether it may replace an existing file.
        replaced: bool,
    },
}

impl Output {
    pub(super) fn screen() -> Self {
        Self::Screen(BufWriter::new(io::stdout().lock()))
    }

    /// Creates a file that appears when it is complete. Fails if the file exists, unless
    /// it may be `replaced`.
    pub(super) fn file(path: &Path, replaced: bool) -> Result<Self, CommandError> {
        let there_is = path.symlink_metadata().ok();
        if let Some(about) = there_is {
            if !replaced {
                return Err(there(path));
            }
            // A device or the target of a link is never replaced.
            if !about.is_file() {
                return Err(CommandError::at(path, "--force: not a regular file"));
            }
        }
        let draft = Draft::new(path).at(path)?;
        Ok(Self::File {
            path: path.to_owned(),
            draft: BufWriter::new(draft),
            replaced,
        })
    }

    pub(super) fn write(&mut self, text: &[u8]) -> Result<(), CommandError> {
        match self {
            Self::Screen(out) => out.write_all(text).map_err(CommandError::Output),
            Self::File { path, draft, .. } => draft.write_all(text).at(path),
        }
    }

    /// Completes the output.
    pub(super) fn end(self) -> Result<(), CommandError> {
        match self {
            Self::Screen(mut out) => out.flush().map_err(CommandError::Output),
            Self::File {
                path,
                draft,
                replaced,
            } => {
                let draft = draft.into_inner().at(&path)?;
                if replaced {
                    draft.persist(Access::Owner).at(&path)
                } else if draft.persist_new(Access::Owner).at(&path)? {
                    Ok(())
                } else {
                    Err(there(&path))
                }
            }
        }
    }
}

fn there(path: &Path) -> CommandError {
    CommandError::at(path, "file exists already: --force replaces it")
}
