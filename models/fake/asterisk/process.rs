//! The process of Asterisk: its folder.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct Identity {
    pub(crate) uid: u32,
}

thread_local! {
    static FOLDER: RefCell<Option<Folder>> = const { RefCell::new(None) };
}

/// Of this thread, and removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        // In memory: a model syncs thousands of times.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let thread = format!("{:?}", std::thread::current().id());
        let name = format!("authenticate-models-{}-{thread}", std::process::id());
        let folder = parent.join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn version() -> String {
    "22.0.0".to_owned()
}

pub(crate) fn cache_folder() -> PathBuf {
    FOLDER.with_borrow_mut(|folder| folder.get_or_insert_with(Folder::new).0.clone())
}

pub(crate) fn identity() -> Identity {
    // SAFETY: it only returns a number.
    Identity {
        uid: unsafe { libc::geteuid() },
    }
}

pub(crate) fn clear_account() {}

pub(crate) fn register_at_exit(_: fn()) {}

pub(crate) fn unregister_at_exit() {}

pub(super) fn reset() {
    let folder = cache_folder();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let _ = if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
    }
}
