//! Sounds of web services: fetched, kept on disk as `pinset::sounds` says, and
//! played from there. Each is fetched once for all who wait for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pinset::judging::Patient;
use pinset::sounds::{extension, fresh_for, Draft, Found, Store, Version, LARGEST};
use url::Url;
use zeroize::Zeroizing;

use super::{Asker, Failed, Limits, Reply, Request, Response, Sending};
use crate::asterisk::boundary::guard;
use crate::asterisk::{process, worker};

/// So many may be fetched at once: together, they take 128 MiB at most.
const MOST: usize = 32;

/// How often a caller looks whether it is there, in milliseconds.
const GLANCE: i32 = 10;

/// So much longer than a fetch may take, a caller waits for what has become of it.
const GRACE: Duration = Duration::from_millis(500);

/// How long one that could not be had is not asked for again.
const PAUSE: Duration = Duration::from_secs(10);

/// The folder, in Asterisk's for what can be had again.
const FOLDER: &str = "authenticate";

/// Where a sound lies, without its extension, or why it does not.
type Outcome = Result<Vec<u8>, String>;
type Fetch = Arc<OnceLock<Outcome>>;

struct Desk {
    began: Option<Instant>,
    store: Option<Store>,
    fetches: BTreeMap<String, Fetch>,
    /// What could not be had, and until when that is said again.
    failed: BTreeMap<String, (Duration, String)>,
    /// How many were fetched.
    number: u64,
}

static DESK: Mutex<Desk> = Mutex::new(Desk {
    began: None,
    store: None,
    fetches: BTreeMap::new(),
    failed: BTreeMap::new(),
    number: 0,
});

fn desk() -> MutexGuard<'static, Desk> {
    DESK.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
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
    let mut desk = desk();
    if desk.store.is_none() {
        let folder = folder();
        let opened = Store::open(&folder, process::identity().uid);
        desk.store = Some(opened.map_err(|error| format!("'{}': {error}", folder.display()))?);
    }
    Ok(())
}

/// Lets go of everything but the files. To be called when nothing is fetched.
pub fn forget() {
    let mut desk = desk();
    desk.store = None;
    desk.fetches = BTreeMap::new();
    desk.failed = BTreeMap::new();
}

fn folder() -> PathBuf {
    process::cache_folder().join(FOLDER)
}

/// Where the sound of this URL lies, without its extension, fetched if need be:
/// the caller is looked after meanwhile, and waits so long at most. An error says
/// why it can't be had; `None`: the caller is gone.
pub fn get<H: Patient>(
    host: &mut H,
    url: &Url,
    connect: Duration,
    whole: Duration,
) -> Option<Outcome> {
    let limits = Limits {
        connect,
        whole,
        largest: LARGEST,
    };
    let fetch = match asked(url, limits) {
        Asked::There(outcome) => return Some(outcome),
        Asked::Coming(fetch) => fetch,
    };
    let until = Instant::now() + whole + GRACE;
    loop {
        if let Some(outcome) = fetch.get() {
            return Some(outcome.clone());
        }
        if !host.listen(GLANCE) {
            return None;
        }
        if Instant::now() >= until {
            return Some(Err(Failed::Late(whole).to_string()));
        }
    }
}

enum Asked {
    There(Outcome),
    Coming(Fetch),
}

fn asked(url: &Url, limits: Limits) -> Asked {
    let name = url.as_str();
    let (version, fetch) = {
        let mut desk = desk();
        let now = desk.now();
        let Some(store) = &mut desk.store else {
            let why = "there is no folder to keep it in".to_owned();
            return Asked::There(Err(why));
        };
        let version = match store.find(name, now) {
            Found::Fresh(path) => return Asked::There(Ok(bytes(path))),
            Found::Stale(version) => version,
            Found::Missing => Version::default(),
        };
        if let Some(fetch) = desk.fetches.get(name) {
            return Asked::Coming(Arc::clone(fetch));
        }
        desk.failed.retain(|_, (until, _)| now < *until);
        if let Some((_, why)) = desk.failed.get(name) {
            return Asked::There(Err(why.clone()));
        }
        if desk.fetches.len() >= MOST {
            let why = "too many sounds are fetched at once".to_owned();
            return Asked::There(Err(why));
        }
        let fetch = Fetch::default();
        desk.fetches.insert(name.to_owned(), Arc::clone(&fetch));
        (version, fetch)
    };
    let download = Download {
        url: url.clone(),
        fetch: Arc::clone(&fetch),
    };
    let request = Request {
        url: url.clone(),
        post: None,
        headers: version.headers().map(Zeroizing::new).collect(),
        limits,
        sending: Sending::default(),
    };
    super::start(request, Box::new(download));
    Asked::Coming(fetch)
}

/// A sound on its way. Dropped, it has failed.
struct Download {
    url: Url,
    fetch: Fetch,
}

impl Asker for Download {
    /// Others may want it, and the next caller.
    fn waits(&self) -> bool {
        true
    }

    fn take(self: Box<Self>, reply: Reply) {
        // The disk is slow: others wait for the thread that asks.
        worker::start(move || {
            let outcome = guard(Err("there was an error in the module".to_owned()), || {
                self.kept(reply)
            });
            self.conclude(outcome);
        });
    }
}

impl Download {
    fn kept(&self, reply: Reply) -> Outcome {
        let name = self.url.as_str();
        let answered = reply.map_err(|failed| failed.to_string());
        let outcome = answered.and_then(|response| match response.code {
            200 => self.keep(response),
            304 => {
                let fresh = fresh_for(response.headers.cache_control.as_deref());
                let mut desk = desk();
                let now = desk.now();
                let store = desk.store.as_mut();
                let renewed = store.and_then(|store| store.renew(name, fresh, now));
                renewed
                    .map(bytes)
                    .ok_or_else(|| "it is gone from the disk".to_owned())
            }
            code => Err(format!("HTTP {code}")),
        });
        outcome.or_else(|why| {
            let mut desk = desk();
            let now = desk.now();
            let store = desk.store.as_mut();
            let old = store.and_then(|store| store.make_do(name, now));
            old.map(bytes).ok_or(why)
        })
    }

    fn keep(&self, response: Response) -> Outcome {
        let Response { body, headers, .. } = response;
        let content_type = headers.content_type.as_deref();
        let extension = extension(self.url.path(), content_type);
        let extension = extension.ok_or("it is no sound by its name or its Content-Type")?;
        let fresh = fresh_for(headers.cache_control.as_deref());
        let version = Version {
            etag: headers.etag,
            modified: headers.last_modified,
        };
        let name = self.url.as_str();
        let number = {
            let mut desk = desk();
            desk.number += 1;
            desk.number
        };
        let text = |error: std::io::Error| format!("it can't be written: {error}");
        let draft = Draft::write(&folder(), name, number, &body).map_err(text)?;
        let mut desk = desk();
        let now = desk.now();
        let store = desk
            .store
            .as_mut()
            .ok_or("there is no folder to keep it in")?;
        let path = store.adopt(name, draft, extension, version, fresh, now);
        path.map(bytes).map_err(text)
    }

    fn conclude(&self, outcome: Outcome) {
        let name = self.url.as_str();
        let mut desk = desk();
        let now = desk.now();
        if desk
            .fetches
            .get(name)
            .is_some_and(|fetch| Arc::ptr_eq(fetch, &self.fetch))
        {
            desk.fetches.remove(name);
            if let Err(why) = &outcome {
                let until = now.saturating_add(PAUSE);
                desk.failed.insert(name.to_owned(), (until, why.clone()));
            }
        }
        // What is said first counts.
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
