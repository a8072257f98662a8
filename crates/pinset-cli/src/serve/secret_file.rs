//! Files with a secret: credentials, the pepper, the key of a certificate.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pinset::credential::pepper::{Exposed, Identity, Rights};
use pinset::list;
use rustix::process::{getegid, geteuid};
use zeroize::Zeroizing;

/// The most bytes of one.
const LARGEST: u64 = 64 << 10;

/// Reads it, if nobody else may: by the rules of the pepper file, for the user
/// that the service runs as.
///
/// # Errors
///
/// It can't be read, is too large, or others may read it.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let file = list::open(path).map_err(|error| error.to_string())?;
    let about = file.metadata().map_err(|error| error.to_string())?;
    let (uid, gid) = (about.uid(), about.gid());
    let rights = Rights {
        mode: about.mode(),
        owner: Identity { uid, gid },
    };
    let ours = Identity {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
    };
    rights
        .check(ours)
        .map_err(|exposed| said(exposed).to_owned())?;
    if about.size() > LARGEST {
        return Err(format!("it is over {LARGEST} bytes"));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(about.size() as usize + 1));
    let mut file = file.take(about.size());
    file.read_to_end(&mut text)
        .map_err(|error| error.to_string())?;
    Ok(text)
}

/// Reads the one line of it.
///
/// # Errors
///
/// Likewise, or there is nothing in it, or more.
pub fn read_line(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let text = read(path)?;
    let line = text.trim_ascii();
    if line.is_empty() || line.contains(&b'\n') {
        return Err("it must be one line".to_owned());
    }
    Ok(Zeroizing::new(line.to_vec()))
}

fn said(exposed: Exposed) -> &'static str {
    match exposed {
        Exposed::NotRegular => "it is not a regular file",
        Exposed::Owner => "it must belong to root or to the user that serves",
        Exposed::Others => "others have rights to it: chmod o= takes them away",
        Exposed::Group => {
            "a group that is not the one that serves has rights to it: chmod g= takes them away"
        }
        Exposed::GroupWrites => "its group may do more than read it: chmod g=r takes that away",
    }
}
