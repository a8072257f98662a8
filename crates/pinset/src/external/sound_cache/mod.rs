//! Sounds that were fetched from the web and are kept on disk: how long one is
//! fresh, what Asterisk can play, and which go when there are too many.
//!
//! A sound is two files in the folder: `DIGEST.wav`, and `DIGEST.about`, which
//! says what to ask the server with. `DIGEST` is of the URL.

mod id3;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::hex;

pub use id3::without_tags;

/// The largest sound in bytes: eight minutes at telephone quality.
pub const MAX_SOUND_BYTES: usize = 4 << 20;
/// The most sounds in the cache.
const MAX_SOUNDS: usize = 256;
/// The most bytes of all sounds in the cache.
const MAX_CACHE_BYTES: u64 = 64 << 20;

/// How long a sound stays fresh if the server gives no time.
const DEFAULT_FRESHNESS: Duration = Duration::from_secs(60);
/// The longest time a sound stays fresh, whatever the server says.
const MAX_FRESHNESS: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a server that did not answer is not asked again.
const RETRY_DELAY: Duration = Duration::from_secs(10);

const ABOUT: &str = "about";
const PART: &str = "part";

/// Extensions Asterisk's formats go by, and types of content that say so where a
/// URL has none of them.
const EXTENSIONS: &[(&str, &[&str])] = &[
    (
        "wav",
        &["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"],
    ),
    (
        "mp3",
        &["audio/mpeg", "audio/mp3", "audio/mpeg3", "audio/x-mpeg-3"],
    ),
    ("gsm", &["audio/gsm", "audio/x-gsm"]),
    ("ulaw", &["audio/pcmu"]),
    ("ul", &[]),
    ("pcm", &[]),
    ("mu", &[]),
    ("alaw", &["audio/pcma"]),
    ("al", &[]),
    ("g722", &["audio/g722"]),
    ("g729", &["audio/g729"]),
    ("WAV", &[]),
    ("wav49", &[]),
    ("wav16", &[]),
    ("sln", &[]),
    ("sln8", &[]),
    ("sln12", &[]),
    ("sln16", &[]),
    ("sln24", &[]),
    ("sln32", &[]),
    ("sln44", &[]),
    ("sln48", &[]),
    ("sln96", &[]),
    ("sln192", &[]),
    ("ilbc", &["audio/ilbc"]),
    ("siren7", &[]),
    ("siren14", &[]),
    ("ogg", &["audio/ogg", "application/ogg"]),
    ("opus", &["audio/opus"]),
];

/// Returns the extension by which Asterisk selects the format of a sound, from the
/// path of its URL, or from its content type if the path has none. Returns `None` if
/// Asterisk can't play it.
pub fn extension(path: &str, content_type: Option<&str>) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let of_path = name.rsplit_once('.').and_then(|(_, extension)| {
        let exactly = EXTENSIONS.iter().find(|(known, _)| *known == extension);
        let anyhow = || {
            let mut known = EXTENSIONS.iter();
            known.find(|(known, _)| known.eq_ignore_ascii_case(extension))
        };
        // WAV is another format than wav.
        exactly.or_else(anyhow)
    });
    let of_content = || {
        let named = content_type?.split(';').next()?.trim().to_ascii_lowercase();
        let mut known = EXTENSIONS.iter();
        known.find(|(_, types)| types.contains(&named.as_str()))
    };
    of_path.or_else(of_content).map(|(known, _)| *known)
}

/// How long a sound is fresh by the answer's `Cache-Control`.
pub fn fresh_for(cache_control: Option<&str>) -> Duration {
    let directives = cache_control.unwrap_or_default().split(',');
    let mut fresh = DEFAULT_FRESHNESS;
    for directive in directives.map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        if ["no-store", "no-cache"]
            .iter()
            .any(|no| name.eq_ignore_ascii_case(no))
        {
            return Duration::ZERO;
        }
        if name.eq_ignore_ascii_case("max-age") {
            let seconds = value.trim_matches('"').parse();
            fresh = seconds
                .map_or(fresh, Duration::from_secs)
                .min(MAX_FRESHNESS);
        }
    }
    fresh
}

/// The validators of a version of a sound, as the server sent them, for a conditional
/// request.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Version {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub modified: Option<String>,
}

impl Version {
    /// The headers of the question.
    pub fn headers(&self) -> impl Iterator<Item = String> + '_ {
        let etag = self
            .etag
            .as_deref()
            .map(|etag| format!("If-None-Match: {etag}"));
        let modified = self.modified.as_deref();
        let modified = modified.map(|modified| format!("If-Modified-Since: {modified}"));
        etag.into_iter().chain(modified)
    }
}

struct CachedSound {
    extension: String,
    size: u64,
    version: Version,
    fresh_until: Duration,
    /// The higher, the later it was asked for.
    used: u64,
}

/// The state of a sound in the cache.
#[derive(PartialEq, Eq, Debug)]
pub enum SoundState {
    /// It can be played: its file, without the extension.
    Fresh(PathBuf),
    /// The server has to be asked whether this version is still current.
    Stale(Version),
    /// Nothing.
    Missing,
}

/// A sound that is on disk, but not where the store looks for it.
pub struct SoundDraft {
    digest: String,
    path: PathBuf,
    size: u64,
}

/// A sound whose files are in place, but which the store does not know yet.
pub struct FiledSound {
    digest: String,
    sound: CachedSound,
}

/// Files that the store does not know any more.
#[must_use = "they are to be removed from the disk"]
pub struct Leftovers(Vec<PathBuf>);

impl Leftovers {
    /// Removes them. A call that plays one has it open.
    pub fn remove(self) {
        self.0.iter().for_each(|path| drop(fs::remove_file(path)));
    }
}

impl Drop for SoundDraft {
    fn drop(&mut self) {
        // The file is gone if it has been adopted.
        let _ = fs::remove_file(&self.path);
    }
}

/// The sounds of one folder. It has no clock: methods take the time since any fixed
/// moment. Only [`Store::open`], [`SoundDraft`] and [`Leftovers`] touch the
/// disk; the caller sees to it that one thread at a time does.
pub struct Store {
    folder: PathBuf,
    sounds: BTreeMap<String, CachedSound>,
    turn: u64,
    most: usize,
    most_bytes: u64,
}

impl Store {
    /// Opens a folder, which is made if it is not there. What is left of an earlier
    /// time is kept, stale, and what is left half-written is removed.
    ///
    /// # Errors
    ///
    /// It can't be made or read, is none, or belongs to another user than `owner`.
    pub fn open(folder: &Path, owner: u32) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let about = fs::symlink_metadata(folder)?;
        if !about.is_dir() || about.uid() != owner {
            let why = "not a folder of Asterisk's user";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let mut store = Self {
            folder: folder.to_owned(),
            sounds: BTreeMap::new(),
            turn: 0,
            most: MAX_SOUNDS,
            most_bytes: MAX_CACHE_BYTES,
        };
        store.read()?;
        Ok(store)
    }

    fn read(&mut self) -> io::Result<()> {
        let mut others = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let Some((digest, kind)) = parts(&path) else {
                continue;
            };
            match kind {
                ABOUT => {
                    let sound = CachedSound::read(&path).filter(|sound| {
                        let there = fs::metadata(path.with_extension(&sound.extension));
                        there.is_ok_and(|there| there.is_file() && there.len() == sound.size)
                    });
                    match sound {
                        Some(sound) => drop(self.sounds.insert(digest.to_owned(), sound)),
                        None => others.push(path),
                    }
                }
                _ => others.push(path),
            }
        }
        others.retain(|path| {
            let of = parts(path).and_then(|(digest, kind)| Some((self.sounds.get(digest)?, kind)));
            of.is_none_or(|(sound, kind)| sound.extension != kind)
        });
        others.iter().for_each(|path| drop(fs::remove_file(path)));
        self.make_room().remove();
        Ok(())
    }

    /// Looks up the sound of this URL.
    pub fn find(&mut self, url: &str, now: Duration) -> SoundState {
        let digest = digest_of(url);
        self.turn += 1;
        let Some(sound) = self.sounds.get_mut(&digest) else {
            return SoundState::Missing;
        };
        sound.used = self.turn;
        if now < sound.fresh_until {
            SoundState::Fresh(self.folder.join(digest))
        } else {
            SoundState::Stale(sound.version.clone())
        }
    }

    /// Makes an unchanged sound fresh again, for the time `fresh`. Returns `None` if the
    /// sound has been removed meanwhile.
    pub fn renew(&mut self, url: &str, fresh: Duration, now: Duration) -> Option<PathBuf> {
        let digest = digest_of(url);
        let sound = self.sounds.get_mut(&digest)?;
        sound.fresh_until = now.saturating_add(fresh);
        Some(self.folder.join(digest))
    }

    /// Makes a stale sound fresh for a while, because the server does not respond.
    pub fn make_do(&mut self, url: &str, now: Duration) -> Option<PathBuf> {
        self.renew(url, RETRY_DELAY, now)
    }

    /// Takes a sound over: its file, without the extension, and the files whose
    /// place it takes.
    pub fn adopt(
        &mut self,
        filed: FiledSound,
        fresh: Duration,
        now: Duration,
    ) -> (PathBuf, Leftovers) {
        let FiledSound { digest, mut sound } = filed;
        self.turn += 1;
        sound.used = self.turn;
        sound.fresh_until = now.saturating_add(fresh);
        let path = self.folder.join(&digest);
        let extension = sound.extension.clone();
        let replaced = self.sounds.insert(digest, sound);
        let mut leftovers = self.make_room();
        let other = replaced.filter(|replaced| replaced.extension != extension);
        leftovers
            .0
            .extend(other.map(|other| path.with_extension(other.extension)));
        (path, leftovers)
    }

    /// The last ones asked for stay.
    fn make_room(&mut self) -> Leftovers {
        let bytes =
            |sounds: &BTreeMap<_, CachedSound>| sounds.values().map(|sound| sound.size).sum();
        let mut leftovers = Vec::new();
        let mut all: u64 = bytes(&self.sounds);
        while self.sounds.len() > self.most || all > self.most_bytes {
            let oldest = self.sounds.iter().min_by_key(|(_, sound)| sound.used);
            let Some(digest) = oldest.map(|(digest, _)| digest.clone()) else {
                break;
            };
            if let Some(sound) = self.sounds.remove(&digest) {
                let path = self.folder.join(digest);
                leftovers.push(path.with_extension(ABOUT));
                leftovers.push(path.with_extension(sound.extension));
            }
            all = bytes(&self.sounds);
        }
        Leftovers(leftovers)
    }
}

impl SoundDraft {
    /// Writes a sound into the folder of a store; readable by nobody else. `number`
    /// is another one for each that is written at once.
    ///
    /// # Errors
    ///
    /// It can't be written.
    pub fn write(folder: &Path, url: &str, number: u64, body: &[u8]) -> io::Result<Self> {
        let digest = digest_of(url);
        let path = folder.join(format!("{digest}.{number}.{PART}"));
        let draft = Self {
            digest,
            path,
            size: body.len().try_into().unwrap_or(u64::MAX),
        };
        create(&draft.path)?.write_all(body)?;
        Ok(draft)
    }

    /// Puts the sound in its place, with the extension Asterisk knows its format by.
    ///
    /// # Errors
    ///
    /// The files can't be written.
    pub fn file(self, extension: &str, version: Version) -> io::Result<FiledSound> {
        let sound = CachedSound {
            extension: extension.to_owned(),
            size: self.size,
            version,
            fresh_until: Duration::ZERO,
            used: 0,
        };
        let path = self.path.with_file_name(&self.digest);
        fs::rename(&self.path, path.with_extension(extension))?;
        sound.write(&path.with_extension(ABOUT))?;
        let digest = self.digest.clone();
        Ok(FiledSound { digest, sound })
    }
}

impl CachedSound {
    fn write(&self, path: &Path) -> io::Result<()> {
        // A header's value is on one line.
        let text = format!(
            "{}\n{}\n{}\n{}\n",
            self.extension,
            self.size,
            self.version.etag.as_deref().unwrap_or_default(),
            self.version.modified.as_deref().unwrap_or_default(),
        );
        create(path)?.write_all(text.as_bytes())
    }

    fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let mut lines = text.split('\n');
        let extension = lines.next()?;
        let known = EXTENSIONS.iter().any(|(known, _)| *known == extension);
        let size = lines.next()?.parse().ok()?;
        let mut line = || {
            lines
                .next()
                .map(|line| (!line.is_empty()).then(|| line.to_owned()))
        };
        let version = Version {
            etag: line()?,
            modified: line()?,
        };
        known.then(|| Self {
            extension: extension.to_owned(),
            size,
            version,
            fresh_until: Duration::ZERO,
            used: 0,
        })
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

fn digest_of(url: &str) -> String {
    let mut digest = String::with_capacity(64);
    hex::append(&mut digest, &Sha256::digest(url.as_bytes()));
    digest
}

/// The digest and the last extension of a file of ours.
fn parts(path: &Path) -> Option<(&str, &str)> {
    let (digest, rest) = path.file_name()?.to_str()?.split_once('.')?;
    let ours = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let kind = rest.rsplit('.').next()?;
    ours.then_some((digest, kind))
}

#[cfg(test)]
mod tests;
