use std::os::unix::fs::PermissionsExt;

use super::*;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A folder, and the time.
struct Disk {
    folder: tempfile::TempDir,
    store: Store,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        Self { folder, store }
    }

    fn keep(&mut self, url: &str, extension: &str, body: &[u8], now: Duration) -> PathBuf {
        let folder = self.folder.path().join("sounds");
        let draft = SoundDraft::write(&folder, url, 1, body).unwrap();
        let version = Version {
            etag: Some(format!("\"{url}\"")),
            modified: None,
        };
        let filed = draft.file(extension, version).unwrap();
        let (path, leftovers) = self.store.adopt(filed, Duration::from_secs(60), now);
        leftovers.remove();
        path
    }

    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.path().join("sounds")).unwrap();
        let name = |file: io::Result<fs::DirEntry>| file.unwrap().file_name();
        let mut names: Vec<_> = files
            .map(|file| name(file).into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn open(folder: &Path) -> Store {
    // Whose the folder is: root's, or that of whoever runs the tests.
    let owner = fs::metadata(folder).unwrap().uid();
    Store::open(&folder.join("sounds"), owner).unwrap()
}

#[test]
fn a_sound_is_fresh_for_its_time_and_then_asked_for_by_its_version() {
    let mut disk = Disk::new();
    let url = "https://h/a.wav";
    assert_eq!(disk.store.find(url, HOUR), SoundState::Missing);
    let path = disk.keep(url, "wav", b"RIFF", HOUR);
    assert_eq!(fs::read(path.with_extension("wav")).unwrap(), b"RIFF");
    let then = |seconds| HOUR + Duration::from_secs(seconds);
    assert_eq!(
        disk.store.find(url, then(59)),
        SoundState::Fresh(path.clone())
    );
    let version = Version {
        etag: Some("\"https://h/a.wav\"".to_owned()),
        modified: None,
    };
    let headers: Vec<_> = version.headers().collect();
    assert_eq!(headers, ["If-None-Match: \"https://h/a.wav\""]);
    assert_eq!(disk.store.find(url, then(60)), SoundState::Stale(version));
    // It is still the same; then the server does not answer.
    let renewed = disk.store.renew(url, Duration::from_secs(5), then(60));
    assert_eq!(renewed, Some(path.clone()));
    assert_eq!(
        disk.store.find(url, then(64)),
        SoundState::Fresh(path.clone())
    );
    assert!(matches!(
        disk.store.find(url, then(65)),
        SoundState::Stale(_)
    ));
    assert_eq!(disk.store.make_do(url, then(65)), Some(path.clone()));
    assert_eq!(disk.store.find(url, then(74)), SoundState::Fresh(path));
    assert!(matches!(
        disk.store.find(url, then(75)),
        SoundState::Stale(_)
    ));
    assert_eq!(disk.store.make_do("https://h/b.wav", HOUR), None);
}

#[test]
fn sound_in_another_format_replaces_the_first() {
    let mut disk = Disk::new();
    disk.keep("u", "wav", b"first", HOUR);
    let path = disk.keep("u", "mp3", b"second", HOUR);
    assert_eq!(disk.files().len(), 2, "{:?}", disk.files());
    assert_eq!(fs::read(path.with_extension("mp3")).unwrap(), b"second");
}

#[test]
fn other_users_can_not_read_the_sounds() {
    let mut disk = Disk::new();
    let path = disk.keep("u", "wav", b"sound", HOUR);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path.with_extension("wav")), 0o600);
    assert_eq!(mode(&path.with_extension(ABOUT)), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[test]
fn folder_of_another_user_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let owner = fs::metadata(folder.path()).unwrap().uid();
    assert!(Store::open(folder.path(), owner + 1).is_err());
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(Store::open(&folder.path().join("file"), owner).is_err());
    std::os::unix::fs::symlink(folder.path(), folder.path().join("link")).unwrap();
    assert!(Store::open(&folder.path().join("link"), owner).is_err());
}

#[test]
fn reopened_store_keeps_complete_sounds_only() {
    let mut disk = Disk::new();
    let whole = disk.keep("whole", "wav", b"whole", HOUR);
    let cut = disk.keep("cut", "wav", b"whole", HOUR);
    let bare = disk.keep("bare", "wav", b"whole", HOUR);
    let strange = disk.keep("strange", "wav", b"whole", HOUR);
    fs::write(cut.with_extension("wav"), "who").unwrap();
    fs::remove_file(bare.with_extension(ABOUT)).unwrap();
    fs::write(strange.with_extension(ABOUT), "../x\n5\n\n\n").unwrap();
    let folder = whole.parent().unwrap();
    std::mem::forget(SoundDraft::write(folder, "part", 7, b"half").unwrap());
    fs::write(folder.join("README"), "of somebody's").unwrap();
    let mut store = open(disk.folder.path());
    let name = whole.file_name().unwrap().to_str().unwrap();
    let left = [format!("{name}.about"), format!("{name}.wav")];
    let mut expected = vec!["README".to_owned()];
    expected.extend(left);
    expected.sort();
    assert_eq!(disk.files(), expected);
    // After an hour of another clock, it is not known how old it is.
    assert!(matches!(
        store.find("whole", Duration::ZERO),
        SoundState::Stale(_)
    ));
    assert_eq!(store.make_do("whole", Duration::ZERO), Some(whole));
    assert_eq!(store.find("cut", HOUR), SoundState::Missing);
}

#[test]
fn a_draft_that_is_dropped_is_gone() {
    let disk = Disk::new();
    drop(SoundDraft::write(&disk.store.folder, "u", 1, b"sound").unwrap());
    assert!(disk.files().is_empty());
}

#[test]
fn least_recently_used_sounds_are_evicted() {
    let mut disk = Disk::new();
    (disk.store.most, disk.store.most_bytes) = (3, 100);
    for url in ["a", "b", "c"] {
        disk.keep(url, "wav", &[0; 10], HOUR);
    }
    disk.store.find("a", HOUR);
    disk.keep("d", "wav", &[0; 10], HOUR);
    assert_eq!(disk.store.find("b", HOUR), SoundState::Missing);
    // By their size: only one that fits beside it stays.
    disk.keep("e", "wav", &[0; 85], HOUR);
    let there = ["a", "c", "d", "e"].map(|url| disk.store.find(url, HOUR) != SoundState::Missing);
    assert_eq!(there, [false, false, true, true]);
    assert_eq!(disk.files().len(), 4);
}

#[test]
fn formats_are_known_by_path_or_content() {
    for (path, content, expected) in [
        ("/static/a.mp3", None, Some("mp3")),
        ("/a.MP3", Some("text/html"), Some("mp3")),
        ("/a.WAV", None, Some("WAV")),
        ("/a.wav", Some("audio/mpeg"), Some("wav")),
        ("/a.b.sln16", None, Some("sln16")),
        ("/say", Some("audio/mpeg"), Some("mp3")),
        ("/say.php", Some("Audio/X-WAV; rate=8000"), Some("wav")),
        ("/say.php", Some("text/html"), None),
        ("/dir.wav/say", None, None),
        ("/", None, None),
    ] {
        assert_eq!(extension(path, content), expected, "{path} {content:?}");
    }
}

#[test]
fn freshness_follows_cache_control() {
    for (said, seconds) in [
        (None, 60),
        (Some(""), 60),
        (Some("public, max-age=300"), 300),
        (Some("MAX-AGE=\"5\""), 5),
        (Some("max-age=0"), 0),
        (Some("max-age=soon"), 60),
        (Some("max-age=99999999"), 86_400),
        (Some("max-age=300, no-cache"), 0),
        (Some("no-store"), 0),
    ] {
        assert_eq!(fresh_for(said).as_secs(), seconds, "{said:?}");
    }
}
