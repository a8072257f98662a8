//! Where a report goes.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use crate::common::atomic_file::{Access, Draft};
use crate::common::error::{At, CommandError};

/// Standard output, or a file.
pub enum Target {
    Screen(BufWriter<StdoutLock<'static>>),
    File {
        path: PathBuf,
        draft: BufWriter<Draft>,
        /// Whether it takes the place of an older one.
        replaced: bool,
    },
}

impl Target {
    pub fn screen() -> Self {
        Self::Screen(BufWriter::new(io::stdout().lock()))
    }

    /// A file that appears when it is whole. There must be no such file yet,
    /// unless it may be `replaced`.
    pub fn file(path: &Path, replaced: bool) -> Result<Self, CommandError> {
        let there_is = path.symlink_metadata().ok();
        if let Some(about) = there_is {
            if !replaced {
                return Err(there(path));
            }
            // Not a device, nor the file that a link leads to.
            if !about.is_file() {
                return Err(CommandError::at(path, "--force: it is no regular file"));
            }
        }
        let draft = Draft::new(path).at(path)?;
        Ok(Self::File {
            path: path.to_owned(),
            draft: BufWriter::new(draft),
            replaced,
        })
    }

    pub fn write(&mut self, text: &[u8]) -> Result<(), CommandError> {
        match self {
            Self::Screen(out) => out.write_all(text).map_err(CommandError::Output),
            Self::File { path, draft, .. } => draft.write_all(text).at(path),
        }
    }

    /// All is written.
    pub fn end(self) -> Result<(), CommandError> {
        match self {
            Self::Screen(mut out) => out.flush().map_err(CommandError::Output),
            Self::File {
                path,
                draft,
                replaced,
            } => {
                let draft = draft.into_inner().at(&path)?;
                if replaced {
                    draft.replace(Access::Owner).at(&path)
                } else if draft.keep(Access::Owner).at(&path)? {
                    Ok(())
                } else {
                    Err(there(&path))
                }
            }
        }
    }
}

fn there(path: &Path) -> CommandError {
    CommandError::at(path, "there is such a file already: --force replaces it")
}
