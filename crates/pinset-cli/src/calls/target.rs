//! Where a report goes.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use crate::change::{Draft, OF_A_SECRET};
use crate::failure::{At, Failure};

/// Standard output, or a new file.
pub enum Target {
    Screen(BufWriter<StdoutLock<'static>>),
    File(PathBuf, BufWriter<Draft>),
}

impl Target {
    pub fn screen() -> Self {
        Self::Screen(BufWriter::new(io::stdout().lock()))
    }

    /// There must be no such file yet. It appears when it is whole.
    pub fn file(path: &Path) -> Result<Self, Failure> {
        if path.symlink_metadata().is_ok() {
            return Err(there(path));
        }
        let draft = Draft::new(path).at(path)?;
        Ok(Self::File(path.to_owned(), BufWriter::new(draft)))
    }

    pub fn write(&mut self, text: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Screen(out) => out.write_all(text).map_err(Failure::Output),
            Self::File(path, draft) => draft.write_all(text).at(path),
        }
    }

    /// All is written.
    pub fn end(self) -> Result<(), Failure> {
        match self {
            Self::Screen(mut out) => out.flush().map_err(Failure::Output),
            Self::File(path, draft) => {
                let draft = draft.into_inner().at(&path)?;
                if draft.keep(OF_A_SECRET).at(&path)? {
                    Ok(())
                } else {
                    Err(there(&path))
                }
            }
        }
    }
}

fn there(path: &Path) -> Failure {
    Failure::at(path, "there is such a file already")
}
