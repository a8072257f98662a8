//! Sounds from the web, of services and of prompts: fetched, kept on disk as
//! `pinset::external::sound_cache` says, and played from there. Each is fetched once for all who
//! wait for it.
//!
//! Channels take the lock of [`DESK`], so nothing is done under it that may block.
//! Threads of our own that change the folder take that of [`DISK`] before.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use pinset::external::sound_cache::{
    extension, fresh_for, without_tags, Draft, Found, Store, Version, LARGEST,
};
use pinset::verify::ServiceChannel;
use url::Url;
use zeroize::Zeroizing;

use super::{Asker, Failed, Limits, Origin, Reply, Request, Response, Sending};
use crate::asterisk::panic::guard;
use crate::asterisk::{process, thread_pool};
use crate::sync::lock::lock;

/// So many may be fetched at once: together, they take 128 MiB at most.
const MOST: usize = 32;

/// How often a caller looks whether it is there, in milliseconds.
const GLANCE: i32 = 10;

/// So much longer than a fetch may take, a caller waits for what has become of it.
const GRACE: Duration = Duration::from_millis(500);

/// How long a caller waits for a newer version than the one that is stored.
const STORED_WAIT: Duration = Duration::from_secs(1);

/// How long one that could not be had is not asked for again.
const PAUSE: Duration = Duration::from_secs(10);

/// Why there is no sound after a panic, of which the log has more.
const INTERNAL_ERROR: &str = "there was an error in the module";

/// The folder, in Asterisk's for what can be had again.
const FOLDER: &str = "authenticate";

/// Where a sound lies, without its extension, or why it does not.
type Outcome = Result<Vec<u8>, String>;
type Fetch = Arc<OnceLock<Outcome>>;

struct DownloadQueue {
    began: Option<Instant>,
    store: Option<Store>,
    fetches: BTreeMap<String, Fetch>,
    /// What could not be had, and until when that is said again.
    failed: BTreeMap<String, (Duration, String)>,
    /// How many were fetched.
    number: u64,
}

static DESK: Mutex<DownloadQueue> = Mutex::new(DownloadQueue {
    began: None,
    store: None,
    fetches: BTreeMap::new(),
    failed: BTreeMap::new(),
    number: 0,
});

/// The files in the folder.
static DISK: Mutex<()> = Mutex::new(());

fn disk() -> MutexGuard<'static, ()> {
    lock(&DISK)
}

fn desk() -> MutexGuard<'static, DownloadQueue> {
    lock(&DESK)
}

impl DownloadQueue {
    /// The time since any fixed moment.
    fn now(&mut self) -> Duration {
        self.began.get_or_insert_with(Instant::now).elapsed()
    }
}

/// Opens the folder, unless it is open: what is left half-written is removed.
///
/// # Errors
///
/// It can't be used, and why: then there are no sounds.
pub fn open() -> Result<(), String> {
    let _disk = disk();
    if desk().store.is_some() {
        return Ok(());
    }
    let folder = folder();
    let opened = Store::open(&folder, process::identity().uid);
    let store = opened.map_err(|error| format!("'{}': {error}", folder.display()))?;
    desk().store = Some(store);
    Ok(())
}

/// Lets go of everything but the files. To be called when nothing is fetched.
pub fn clear() {
    let mut desk = desk();
    desk.store = None;
    desk.fetches = BTreeMap::new();
    desk.failed = BTreeMap::new();
}

fn folder() -> PathBuf {
    process::cache_folder().join(FOLDER)
}

/// A sound that is to be played.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Where it comes from.
    pub url: &'a Url,
    /// Where the URL comes from.
    pub origin: Origin,
    /// How long a connection may take.
    pub connect: Duration,
    /// How long it may take in all.
    pub whole: Duration,
}

impl Wanted<'_> {
    /// What the store knows it by. A service gets nothing that a redirect led to.
    fn key(&self) -> String {
        match self.origin {
            Origin::Service => self.url.as_str().to_owned(),
            Origin::Dialplan => format!("dialplan {}", self.url),
        }
    }
}

/// Where a sound lies, without its extension, fetched if need be: the caller is
/// looked after meanwhile, and waits `whole` at most. If it can't be had, or not
/// soon, a copy that is stored takes its place. An error says why there is none;
/// `None`: the caller is gone.
pub fn get<H: ServiceChannel>(host: &mut H, wanted: Wanted<'_>) -> Option<Outcome> {
    let whole = wanted.whole;
    let (fetch, is_stored) = match asked(wanted) {
        Asked::There(outcome) => return Some(outcome),
        Asked::Coming { fetch, is_stored } => (fetch, is_stored),
    };
    let longest = whole + GRACE;
    let wait = if is_stored {
        longest.min(STORED_WAIT)
    } else {
        longest
    };
    let until = Instant::now() + wait;
    loop {
        if let Some(outcome) = fetch.get() {
            return Some(outcome.clone());
        }
        if !host.listen(GLANCE) {
            return None;
        }
        if Instant::now() >= until {
            let late = || Failed::Late(whole).to_string();
            return Some(stored(&wanted.key()).ok_or_else(late));
        }
    }
}

/// The copy that is stored, which is not asked for again for a while.
fn stored(key: &str) -> Option<Vec<u8>> {
    let mut desk = desk();
    let now = desk.now();
    let path = desk.store.as_mut()?.make_do(key, now);
    path.map(bytes)
}

enum Asked {
    There(Outcome),
    Coming { fetch: Fetch, is_stored: bool },
}

fn asked(wanted: Wanted<'_>) -> Asked {
    let key = wanted.key();
    let (download, is_stored) = {
        let mut desk = desk();
        let now = desk.now();
        let found = desk.store.as_mut().map(|store| store.find(&key, now));
        if let Some(Found::Fresh(path)) = found {
            return Asked::There(Ok(bytes(path)));
        }
        let is_stored = matches!(found, Some(Found::Stale(_)));
        if let Some(fetch) = desk.fetches.get(&key) {
            let fetch = Arc::clone(fetch);
            return Asked::Coming { fetch, is_stored };
        }
        desk.failed.retain(|_, (until, _)| now < *until);
        if let Some((_, why)) = desk.failed.get(&key) {
            return Asked::There(Err(why.clone()));
        }
        if desk.fetches.len() >= MOST {
            let why = "too many sounds are fetched at once".to_owned();
            return Asked::There(Err(why));
        }
        let fetch = Fetch::default();
        desk.fetches.insert(key.clone(), Arc::clone(&fetch));
        let download = Download {
            key,
            url: wanted.url.clone(),
            origin: wanted.origin,
            limits: Limits {
                connect: wanted.connect,
                whole: wanted.whole,
                largest: LARGEST,
            },
            fetch,
        };
        (download, is_stored)
    };
    let fetch = Arc::clone(&download.fetch);
    if is_stored || desk().store.is_some() {
        download.begin();
    } else {
        // The first sound opens the folder.
        thread_pool::start(move || {
            let opened = guard(Err(INTERNAL_ERROR.to_owned()), open);
            match opened {
                Ok(()) => download.begin(),
                Err(why) => download.conclude(Err(why)),
            }
        });
    }
    Asked::Coming { fetch, is_stored }
}

/// A sound on its way. Dropped, it has failed.
struct Download {
    key: String,
    url: Url,
    origin: Origin,
    limits: Limits,
    fetch: Fetch,
}

impl Asker for Download {
    /// Others may want it, and the next caller.
    fn waits(&self) -> bool {
        true
    }

    fn take(self: Box<Self>, reply: Reply) {
        // The disk is slow: others wait for the thread that asks.
        thread_pool::start(move || {
            let outcome = guard(Err(INTERNAL_ERROR.to_owned()), || self.kept(reply));
            self.conclude(outcome);
        });
    }
}

impl Download {
    /// Asks for the sound, or whether it is still the one that is stored.
    fn begin(self) {
        let found = {
            let mut desk = desk();
            let now = desk.now();
            desk.store.as_mut().map(|store| store.find(&self.key, now))
        };
        let version = match found {
            Some(Found::Fresh(path)) => return self.conclude(Ok(bytes(path))),
            Some(Found::Stale(version)) => version,
            Some(Found::Missing) | None => Version::default(),
        };
        let request = Request {
            url: self.url.clone(),
            post: None,
            headers: version.headers().map(Zeroizing::new).collect(),
            origin: self.origin,
            limits: self.limits,
            sending: Sending::default(),
        };
        super::start(request, Box::new(self));
    }

    fn kept(&self, reply: Reply) -> Outcome {
        let answered = reply.map_err(|failed| failed.to_string());
        let outcome = answered.and_then(|response| match response.code {
            200 => self.keep(response),
            304 => {
                let fresh = fresh_for(response.headers.cache_control.as_deref());
                let mut desk = desk();
                let now = desk.now();
                let store = desk.store.as_mut();
                let renewed = store.and_then(|store| store.renew(&self.key, fresh, now));
                renewed
                    .map(bytes)
                    .ok_or_else(|| "it is gone from the disk".to_owned())
            }
            code => Err(format!("HTTP {code}")),
        });
        outcome.or_else(|why| stored(&self.key).ok_or(why))
    }

    fn keep(&self, response: Response) -> Outcome {
        let Response { body, headers, .. } = response;
        let content_type = headers.content_type.as_deref();
        let extension = extension(self.url.path(), content_type);
        let extension = extension.ok_or("it is no sound by its name or its Content-Type")?;
        let sound = match extension {
            "mp3" => without_tags(&body),
            _ => &body,
        };
        let fresh = fresh_for(headers.cache_control.as_deref());
        let version = Version {
            etag: headers.etag,
            modified: headers.last_modified,
        };
        let number = {
            let mut desk = desk();
            desk.number += 1;
            desk.number
        };
        let text = |error: std::io::Error| format!("it can't be written: {error}");
        let draft = Draft::write(&folder(), &self.key, number, sound).map_err(text)?;
        let _disk = disk();
        let filed = draft.file(extension, version).map_err(text)?;
        let (path, leftovers) = {
            let mut desk = desk();
            let now = desk.now();
            let store = desk.store.as_mut();
            let store = store.ok_or("there is no folder to keep it in")?;
            store.adopt(filed, fresh, now)
        };
        leftovers.remove();
        Ok(bytes(path))
    }

    fn conclude(&self, outcome: Outcome) {
        let mut desk = desk();
        let now = desk.now();
        if desk
            .fetches
            .get(&self.key)
            .is_some_and(|fetch| Arc::ptr_eq(fetch, &self.fetch))
        {
            desk.fetches.remove(&self.key);
            if let Err(why) = &outcome {
                let until = now.saturating_add(PAUSE);
                desk.failed.insert(self.key.clone(), (until, why.clone()));
            }
        }
        // The first answer counts.
        let _ = self.fetch.set(outcome);
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if self.fetch.get().is_none() {
            self.conclude(Err(Failed::NoThread.to_string()));
        }
    }
}

fn bytes(path: PathBuf) -> Vec<u8> {
    path.into_os_string().as_encoded_bytes().to_vec()
}
