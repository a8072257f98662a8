//! Files with secrets in them, the pepper file first of all: read when the
//! configuration is.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pinset::credential::pepper::{Identity, Rights};
use pinset::list;
use pinset::permission::explain;
use pinset::Pepper;
use zeroize::Zeroizing;

use crate::asterisk::process;

/// The most bytes of such a file: hundreds of keys.
const LARGEST: u64 = 64 << 10;

/// Reads the keys. What is wrong is said without any of them.
///
/// # Errors
///
/// The file can't be read, is too large or broken, or others may read it.
pub fn read(path: &Path) -> Result<Pepper, String> {
    Pepper::parse(&contents(path)?).map_err(|broken| broken.to_string())
}

/// What stands in a file with secrets.
///
/// # Errors
///
/// It can't be read, is too large, or others may read it.
pub fn contents(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let file =
        list::open(path).map_err(|error| explain(error, path, &process::account()).to_string())?;
    let about = file.metadata().map_err(|error| error.to_string())?;
    let owner = |uid, gid| Identity { uid, gid };
    let rights = Rights {
        mode: about.mode(),
        owner: owner(about.uid(), about.gid()),
    };
    rights
        .check(process::identity())
        .map_err(|exposed| exposed.to_string())?;
    if about.size() > LARGEST {
        return Err(format!("it is over {LARGEST} bytes"));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(about.size() as usize + 1));
    file.take(about.size())
        .read_to_end(&mut text)
        .map_err(|error| error.to_string())?;
    Ok(text)
}
