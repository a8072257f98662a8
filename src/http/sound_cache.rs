//! Sounds from the web, of services and of prompts: fetched, kept on disk as
//! `pinset::external::sound_cache` says, and played from there. Each is fetched once
//! for all callers who wait for it.
//!
//! Asterisk's own cache (`res_http_media_cache`) limits neither the size of a sound nor
//! that of its folder, and lets a caller wait for 180 s.
//!
//! Channels take the lock of [`DOWNLOADS`], so nothing is done under it that may block.
//! Threads of our own that change the folder take that of [`DISK`] before.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use pinset::external::sound_cache::{
    extension, fresh_for, without_tags, SoundDraft, SoundState, Store, Version, MAX_SOUND_BYTES,
};
use pinset::verify::ServiceChannel;
use thiserror::Error;
use url::Url;
use zeroize::Zeroizing;

use super::{Limits, Reply, ReplyHandler, Request, RequestError, Response, Sending, UrlOrigin};
use crate::asterisk::panic::guard;
use crate::asterisk::{process, thread_pool};
use crate::sync::lock::lock;

/// Most downloads at once: together, they take at most 128 MiB.
const MAX_DOWNLOADS: usize = 32;

/// How often a caller polls for the sound, in milliseconds.
const POLL_INTERVAL: i32 = 10;

/// How much longer than a download may take a caller waits for its result.
const GRACE: Duration = Duration::from_millis(500);

/// How long a caller waits for a newer version of a stored sound.
const STORED_WAIT: Duration = Duration::from_secs(1);

/// How long a sound that could not be fetched is not requested again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The folder, below Asterisk's cache folder.
const FOLDER: &str = "authenticate";

/// Why there is no sound.
#[derive(Clone, Debug, Error)]
pub(crate) enum SoundError {
    /// As many sounds as possible are being fetched.
    #[error("too many sounds are fetched at once")]
    TooManyDownloads,
    /// The request has failed.
    #[error("{0}")]
    Request(RequestError),
    /// The server has answered with an error.
    #[error("HTTP {0}")]
    Status(u32),
    /// The server has sent something else.
    #[error("neither its name nor its Content-Type is that of a sound")]
    NotASound,
    /// The cache folder can't be used.
    #[error("'{}': {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The error of the operating system.
        error: Arc<io::Error>,
    },
    /// The cache folder is not open.
    #[error("the cache folder is not open")]
    NoFolder,
    /// The sound can't be stored.
    #[error("can't be stored: {0}")]
    Write(Arc<io::Error>),
    /// The server says that the stored sound is current, but it has been deleted.
    #[error("deleted from the disk meanwhile")]
    Deleted,
    /// A panic, of which the log has more.
    #[error("internal error in the module")]
    Internal,
}

/// Path of a sound, without its extension.
type SoundResult = Result<Vec<u8>, SoundError>;
/// The result of a download, for all callers who wait for it. Not a `Oneshot`, whose
/// value goes to one waiter.
type Fetch = Arc<OnceLock<SoundResult>>;

/// State of the cache.
struct Downloads {
    began: Option<Instant>,
    store: Option<Store>,
    /// Running downloads, by the keys of their sounds.
    running: BTreeMap<String, Fetch>,
    /// Failed downloads, and until when their sounds are not requested again.
    failed: BTreeMap<String, (Duration, SoundError)>,
    /// How many sounds were downloaded.
    count: u64,
}

static DOWNLOADS: Mutex<Downloads> = Mutex::new(Downloads {
    began: None,
    store: None,
    running: BTreeMap::new(),
    failed: BTreeMap::new(),
    count: 0,
});

/// The files in the folder.
static DISK: Mutex<()> = Mutex::new(());

fn disk() -> MutexGuard<'static, ()> {
    lock(&DISK)
}

fn downloads() -> MutexGuard<'static, Downloads> {
    lock(&DOWNLOADS)
}

impl Downloads {
    /// Returns the time since some fixed moment.
    fn now(&mut self) -> Duration {
        self.began.get_or_insert_with(Instant::now).elapsed()
    }
}

/// Opens the folder, unless it is open, and removes partly written files.
///
/// # Errors
///
/// Fails if the folder can't be used: then there are no sounds.
pub(crate) fn open() -> Result<(), SoundError> {
    let _disk = disk();
    if downloads().store.is_some() {
        return Ok(());
    }
    let folder = folder();
    match Store::open(&folder, process::identity().uid) {
        Ok(store) => {
            downloads().store = Some(store);
            Ok(())
        }
        Err(error) => Err(SoundError::Folder {
            folder,
            error: Arc::new(error),
        }),
    }
}

/// Clears the state; the files stay. To be called when no download runs.
pub(crate) fn clear() {
    let mut downloads = downloads();
    downloads.store = None;
    downloads.running = BTreeMap::new();
    downloads.failed = BTreeMap::new();
}

fn folder() -> PathBuf {
    process::cache_folder().join(FOLDER)
}

/// A sound to be played.
#[derive(Clone, Copy)]
pub(crate) struct SoundRequest<'a> {
    /// Its URL.
    pub url: &'a Url,
    /// Where the URL comes from.
    pub origin: UrlOrigin,
    /// How long a connection may take.
    pub connect: Duration,
    /// How long the download may take.
    pub whole: Duration,
}

impl SoundRequest<'_> {
    /// Returns the key of the sound in the store. A service gets nothing that a
    /// redirect of the dialplan's led to.
    fn key(&self) -> String {
        match self.origin {
            UrlOrigin::Service => self.url.as_str().to_owned(),
            UrlOrigin::Dialplan => format!("dialplan {}", self.url),
        }
    }
}

/// Returns the path of a sound, without its extension, and downloads it if need be
/// while servicing the channel, for at most `whole`. If the download fails or takes
/// long, a stored copy is used. Returns `None` if the caller has hung up.
///
/// # Errors
///
/// Fails if there is neither a download nor a stored copy.
pub(crate) fn get<H: ServiceChannel>(
    host: &mut H,
    request: SoundRequest<'_>,
) -> Option<SoundResult> {
    let whole = request.whole;
    let (fetch, is_stored) = match fetch(request) {
        FetchState::Done(result) => return Some(result),
        FetchState::Running { fetch, is_stored } => (fetch, is_stored),
    };
    let longest = whole + GRACE;
    let wait = if is_stored {
        longest.min(STORED_WAIT)
    } else {
        longest
    };
    let deadline = Instant::now() + wait;
    loop {
        if let Some(result) = fetch.get() {
            return Some(result.clone());
        }
        if !host.listen(POLL_INTERVAL) {
            return None;
        }
        if Instant::now() >= deadline {
            let late = || SoundError::Request(RequestError::Timeout(whole));
            return Some(stored(&request.key()).ok_or_else(late));
        }
    }
}

/// Returns the stored copy, which then is not requested again for a while.
fn stored(key: &str) -> Option<Vec<u8>> {
    let mut downloads = downloads();
    let now = downloads.now();
    let path = downloads.store.as_mut()?.make_do(key, now);
    path.map(bytes)
}

enum FetchState {
    Done(SoundResult),
    Running { fetch: Fetch, is_stored: bool },
}

/// Returns the sound if it is stored and fresh, else starts or joins its download.
fn fetch(request: SoundRequest<'_>) -> FetchState {
    let key = request.key();
    let (download, is_stored) = {
        let mut downloads = downloads();
        let now = downloads.now();
        let found = downloads.store.as_mut().map(|store| store.find(&key, now));
        if let Some(SoundState::Fresh(path)) = found {
            return FetchState::Done(Ok(bytes(path)));
        }
        let is_stored = matches!(found, Some(SoundState::Stale(_)));
        if let Some(fetch) = downloads.running.get(&key) {
            let fetch = Arc::clone(fetch);
            return FetchState::Running { fetch, is_stored };
        }
        downloads.failed.retain(|_, (until, _)| now < *until);
        if let Some((_, error)) = downloads.failed.get(&key) {
            return FetchState::Done(Err(error.clone()));
        }
        if downloads.running.len() >= MAX_DOWNLOADS {
            return FetchState::Done(Err(SoundError::TooManyDownloads));
        }
        let fetch = Fetch::default();
        downloads.running.insert(key.clone(), Arc::clone(&fetch));
        let download = Download {
            key,
            url: request.url.clone(),
            origin: request.origin,
            limits: Limits {
                connect: request.connect,
                whole: request.whole,
                max_bytes: MAX_SOUND_BYTES,
            },
            fetch,
        };
        (download, is_stored)
    };
    let fetch = Arc::clone(&download.fetch);
    if is_stored || downloads().store.is_some() {
        download.begin();
    } else {
        // The first sound opens the folder.
        thread_pool::start(move || match guard(Err(SoundError::Internal), open) {
            Ok(()) => download.begin(),
            Err(error) => download.conclude(Err(error)),
        });
    }
    FetchState::Running { fetch, is_stored }
}

/// A running download. Dropped without a result, it has failed.
struct Download {
    key: String,
    url: Url,
    origin: UrlOrigin,
    limits: Limits,
    fetch: Fetch,
}

impl ReplyHandler for Download {
    /// Other callers may want the sound, and the next one.
    fn is_wanted(&self) -> bool {
        true
    }

    fn handle(self: Box<Self>, reply: Reply) {
        // Not on the transfer thread: the disk is slow, and others wait.
        thread_pool::start(move || {
            let result = guard(Err(SoundError::Internal), || self.store_reply(reply));
            self.conclude(result);
        });
    }
}

impl Download {
    /// Requests the sound, or whether the stored one is still current.
    fn begin(self) {
        let found = {
            let mut downloads = downloads();
            let now = downloads.now();
            let store = downloads.store.as_mut();
            store.map(|store| store.find(&self.key, now))
        };
        let version = match found {
            Some(SoundState::Fresh(path)) => return self.conclude(Ok(bytes(path))),
            Some(SoundState::Stale(version)) => version,
            Some(SoundState::Missing) | None => Version::default(),
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

    /// Stores the sound of a reply; if there is none, falls back to the stored copy.
    fn store_reply(&self, reply: Reply) -> SoundResult {
        let response = reply.map_err(|failure| SoundError::Request(failure.error));
        let result = response.and_then(|response| match response.code {
            200 => self.store_sound(response),
            304 => {
                let fresh = fresh_for(response.headers.cache_control.as_deref());
                let mut downloads = downloads();
                let now = downloads.now();
                let store = downloads.store.as_mut();
                let renewed = store.and_then(|store| store.renew(&self.key, fresh, now));
                renewed.map(bytes).ok_or(SoundError::Deleted)
            }
            code => Err(SoundError::Status(code)),
        });
        result.or_else(|error| stored(&self.key).ok_or(error))
    }

    fn store_sound(&self, response: Response) -> SoundResult {
        let Response { body, headers, .. } = response;
        let content_type = headers.content_type.as_deref();
        let extension = extension(self.url.path(), content_type);
        let extension = extension.ok_or(SoundError::NotASound)?;
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
            let mut downloads = downloads();
            downloads.count += 1;
            downloads.count
        };
        let unwritten = |error| SoundError::Write(Arc::new(error));
        let draft = SoundDraft::write(&folder(), &self.key, number, sound).map_err(unwritten)?;
        let _disk = disk();
        let filed = draft.file(extension, version).map_err(unwritten)?;
        let (path, leftovers) = {
            let mut downloads = downloads();
            let now = downloads.now();
            let store = downloads.store.as_mut();
            let store = store.ok_or(SoundError::NoFolder)?;
            store.adopt(filed, fresh, now)
        };
        leftovers.remove();
        Ok(bytes(path))
    }

    fn conclude(&self, result: SoundResult) {
        let mut downloads = downloads();
        let now = downloads.now();
        if downloads
            .running
            .get(&self.key)
            .is_some_and(|fetch| Arc::ptr_eq(fetch, &self.fetch))
        {
            downloads.running.remove(&self.key);
            if let Err(error) = &result {
                let until = now.saturating_add(RETRY_AFTER);
                downloads
                    .failed
                    .insert(self.key.clone(), (until, error.clone()));
            }
        }
        // The first result counts.
        let _ = self.fetch.set(result);
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if self.fetch.get().is_none() {
            self.conclude(Err(SoundError::Request(RequestError::NoThread)));
        }
    }
}

fn bytes(path: PathBuf) -> Vec<u8> {
    path.into_os_string().as_encoded_bytes().to_vec()
}
