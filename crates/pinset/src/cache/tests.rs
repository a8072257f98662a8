use super::*;
use crate::list::index::MAX_REPORTED_LINES;
use crate::list::open;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

const NO_LIMIT: u64 = u64::MAX;
const RIGHT: Verdict = Verdict::Right(Grant {
    account: None,
    level: None,
    context: None,
});

fn entered(pin: &str) -> Pin {
    let mut entered = Pin::new();
    pin.bytes().for_each(|key| entered.push(key));
    entered
}

/// A cache and a list in a file. Nobody can set a file's `ctime`, so it is the
/// clock that is set.
struct Lab {
    folder: tempfile::TempDir,
    cache: Cache,
    list: List,
    limit: u64,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let list = List {
            path: folder.path().join("list"),
            format: Format::Plain,
        };
        Self {
            folder,
            cache: Cache::new(),
            list,
            limit: NO_LIMIT,
        }
    }

    fn with(text: &str) -> Self {
        let lab = Self::new();
        lab.write(text);
        lab
    }

    fn write(&self, text: &str) {
        fs::write(&self.list.path, text).expect("written");
    }

    fn path(&self) -> &Path {
        &self.list.path
    }

    fn verify_at(&self, pin: &str, now: SystemTime) -> Lookup {
        let file = open(self.path());
        self.cache
            .verify(&self.list, file, &entered(pin), self.limit, now)
    }

    /// Verifies a minute from now: no change is recent.
    fn verify(&self, pin: &str) -> Lookup {
        self.verify_at(pin, SystemTime::now() + Duration::from_secs(60))
    }

    fn verdict(&self, pin: &str) -> Verdict {
        self.verify(pin).verdict
    }

    fn index(&self) -> Option<Arc<Index>> {
        match self
            .cache
            .lock()
            .lists
            .get(&CacheKey::Pins(self.list.clone()))?
            .state
            .clone()
        {
            EntryState::Index(index) => Some(index),
            _ => None,
        }
    }

    fn finish(&self, mut rebuild: Rebuild) -> Vec<Report> {
        loop {
            if let Progress::Over(reports) = rebuild.step(&self.cache) {
                return reports;
            }
        }
    }
}

/// Over the size that is read at once: PINs of six digits from `first`.
fn large(first: u32) -> String {
    let pins: String = (first..first + 50_000)
        .map(|pin| format!("{pin:06}\n"))
        .collect();
    assert!(pins.len() as u64 > MAX_UNCACHED_BYTES);
    pins
}

#[test]
fn small_list_is_indexed_at_once() {
    let lab = Lab::with("1111\n2222\n");
    assert_eq!(lab.verdict("1111"), RIGHT);
    let index = lab.index().expect("an index");
    assert_eq!(lab.verdict("3333"), Verdict::Wrong);
    assert!(Arc::ptr_eq(&index, &lab.index().expect("an index")));
    lab.write("3333\n");
    assert_eq!(lab.verdict("1111"), Verdict::Wrong);
    assert_eq!(lab.verdict("3333"), RIGHT);
}

#[test]
fn memory_answers_only_for_what_is_on_the_disk() {
    let lab = Lab::with("1111\n");
    let stamp = || Stamp::of(&fs::metadata(lab.path()).expect("its times"));
    let later = SystemTime::now() + Duration::from_secs(60);
    let ask = |stamp, pin, now| {
        let verified = lab.cache.ask(&lab.list, stamp, &entered(pin), now);
        verified.map(|verified| verified.verdict)
    };
    assert_eq!(ask(stamp(), "1111", later), None);
    assert_eq!(lab.verify_at("1111", SystemTime::now()).verdict, RIGHT);
    // Another change might have had the same time.
    assert_eq!(ask(stamp(), "1111", later), None);
    assert_eq!(lab.verdict("1111"), RIGHT);
    assert_eq!(ask(stamp(), "1111", later), Some(RIGHT));
    assert_eq!(ask(stamp(), "2222", later), Some(Verdict::Wrong));
    assert_eq!(ask(stamp(), "", later), Some(Verdict::Wrong));
    lab.write("2222\n");
    assert_eq!(ask(stamp(), "1111", later), None);
    assert_eq!(ask(stamp(), "2222", later), None);
}

#[test]
fn md5_of_an_entry_with_a_line_end_is_reported() {
    let mut lab = Lab::with("eve:e7df7cd2ca07f4f1ab415d457a6e1c13\n");
    lab.list.format = Format::Md5;
    let report = Report::LineEnd(lab.path().to_owned(), b"eve".to_vec());
    let verified = lab.verify("1234");
    assert_eq!(verified.verdict, Verdict::Wrong);
    assert_eq!(verified.reports, [report]);
    assert_eq!(lab.verify("1235").reports, []);
}

#[test]
fn large_list_is_searched_once_and_then_indexed() {
    let lab = Lab::with(&large(0));
    let verified = lab.verify("049999");
    assert_eq!(verified.verdict, RIGHT);
    // Many callers, one rebuild.
    let other = lab.verify("050000");
    assert_eq!(other.verdict, Verdict::Wrong);
    assert!(other.rebuild.is_none());
    let rebuild = verified.rebuild.expect("a rebuild");
    assert!(lab.index().is_none());
    assert_eq!(lab.finish(rebuild), []);
    assert!(lab.index().is_some());
    for (pin, verdict) in [
        ("000000", RIGHT),
        ("049999", RIGHT),
        ("050000", Verdict::Wrong),
    ] {
        let verified = lab.verify(pin);
        assert_eq!(verified.verdict, verdict);
        assert!(verified.rebuild.is_none());
    }
}

#[test]
fn outdated_index_is_never_used() {
    let lab = Lab::with(&large(0));
    lab.finish(lab.verify("0").rebuild.expect("a rebuild"));
    lab.write(&large(100_000));
    let verified = lab.verify("000000");
    assert_eq!(verified.verdict, Verdict::Wrong);
    assert_eq!(lab.verdict("100000"), RIGHT);
    lab.finish(verified.rebuild.expect("another rebuild"));
    assert_eq!(lab.verdict("000000"), Verdict::Wrong);
    assert_eq!(lab.verdict("100000"), RIGHT);
}

#[test]
fn rebuild_of_a_changed_list_is_abandoned() {
    let lab = Lab::with(&large(0));
    let mut first = lab.verify("0").rebuild.expect("a rebuild");
    assert_eq!(first.step(&lab.cache), Progress::More);
    // Noticed at the end of the file.
    lab.write(&large(100_000));
    assert_eq!(lab.finish(first), []);
    assert!(lab.index().is_none());
    // Noticed by somebody else.
    let mut second = lab.verify("0").rebuild.expect("a rebuild");
    assert_eq!(second.step(&lab.cache), Progress::More);
    lab.write(&large(200_000));
    let third = lab.verify("0").rebuild.expect("a rebuild");
    assert_eq!(second.step(&lab.cache), Progress::Over(Vec::new()));
    // The rebuild is abandoned.
    drop(third);
    let fourth = lab.verify("0").rebuild.expect("a rebuild");
    lab.finish(fourth);
    assert_eq!(lab.verdict("200000"), RIGHT);
    assert!(lab.index().is_some());
}

#[test]
fn change_within_the_same_tick_is_noticed() {
    for size in [MAX_UNCACHED_BYTES + 7, 14] {
        let lab = Lab::new();
        let old = "111111\n".repeat(size as usize / 7);
        lab.write(&old);
        let now = SystemTime::now();
        assert_eq!(lab.verify_at("111111", now).verdict, RIGHT);
        assert!(
            lab.verify_at("0", now).rebuild.is_none(),
            "too soon for an index"
        );
        // As if the times had stood still: the stamp kept is that of the new
        // content.
        lab.write(&old.replace('1', "2"));
        let stamp = Stamp::of(&fs::metadata(lab.path()).expect("its times"));
        if let Some(entry) = lab
            .cache
            .lock()
            .lists
            .get_mut(&CacheKey::Pins(lab.list.clone()))
        {
            entry.seen.stamp = stamp;
        }
        assert_eq!(lab.verify_at("111111", now).verdict, Verdict::Wrong);
        assert_eq!(lab.verify_at("222222", now).verdict, RIGHT);
        assert_eq!(lab.verdict("111111"), Verdict::Wrong);
    }
}

#[test]
fn unended_line_counts_once_the_file_is_settled() {
    let lab = Lab::with("1111\n22");
    let written = SystemTime::now();
    assert_eq!(lab.verify_at("22", written).verdict, Verdict::Wrong);
    assert_eq!(lab.verify_at("1111", written).verdict, RIGHT);
    let later = written + Duration::from_millis(1500);
    assert_eq!(lab.verify_at("22", later).verdict, RIGHT);
    // A time to come is no time ago.
    let file = File::options()
        .write(true)
        .open(lab.path())
        .expect("opened");
    file.set_modified(written + Duration::from_secs(3600))
        .expect("set");
    assert_eq!(lab.verdict("22"), Verdict::Wrong);
    // It comes to pass, and the stamp is the same.
    let then = written + Duration::from_secs(3700);
    assert_eq!(lab.verify_at("22", then).verdict, RIGHT);
}

#[test]
fn broken_lines_are_reported_once_for_each_content() {
    let broken = |lab: &Lab, line| vec![Report::BrokenLine(lab.path().to_owned(), line)];
    let lab = Lab::with("1111\nsecret\n");
    let now = SystemTime::now();
    assert_eq!(lab.verify_at("1111", now).reports, broken(&lab, 2));
    assert_eq!(lab.verify_at("1111", now).reports, []);
    assert_eq!(lab.verify("1111").reports, []);
    lab.write("1111\n2222\nsecret\n");
    assert_eq!(lab.verify("1111").reports, broken(&lab, 3));
    let text = large(0) + "secret\n";
    lab.write(&text);
    let verified = lab.verify("000000");
    assert_eq!(verified.reports, []);
    assert_eq!(
        lab.finish(verified.rebuild.expect("a rebuild")),
        broken(&lab, 50_001)
    );
    lab.write(&"no\n".repeat(MAX_REPORTED_LINES + 5));
    let reports = lab.verify("1").reports;
    assert_eq!(reports.len(), MAX_REPORTED_LINES + 1);
    assert_eq!(
        reports[MAX_REPORTED_LINES],
        Report::MoreBrokenLines(lab.path().to_owned())
    );
}

#[test]
fn list_over_the_limit_admits_nobody() {
    for text in [large(0), "000000\n1\n2\n".into()] {
        let mut lab = Lab::with(&text);
        let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
        let needed = memory(Format::Plain, lines + 1, text.len() as u64);
        lab.limit = needed / 2;
        for _ in 0..2 {
            let verified = lab.verify("000000");
            assert_eq!(verified.verdict, Verdict::Unavailable);
            assert_eq!(
                verified.reports,
                [Report::TooLarge(lab.path().to_owned(), lab.limit)]
            );
            assert!(verified.rebuild.is_none());
        }
        // More is allowed: what was refused is looked at again.
        lab.limit = needed;
        assert_eq!(lab.verdict("000000"), RIGHT);
    }
}

#[test]
fn lists_that_are_being_read_count_for_the_limit() {
    let text = large(0);
    let mut lab = Lab::with(&text);
    let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
    // Room for one of two.
    lab.limit = memory(Format::Plain, lines + 1, text.len() as u64) * 3 / 2;
    assert!(lab.verify("000000").rebuild.is_some());
    lab.list.path = lab.folder.path().join("other");
    lab.write(&text);
    assert!(lab.verify("000000").rebuild.is_some());
    let kept = lab.cache.lock();
    assert_eq!(kept.lists.len(), 1);
    assert!(kept.lists.contains_key(&CacheKey::Pins(lab.list.clone())));
}

#[test]
fn least_recently_used_list_is_evicted() {
    let mut lab = Lab::with("1\n");
    lab.limit = 70;
    let verify = |lab: &mut Lab, name: &str| {
        lab.list.path = lab.folder.path().join(name);
        lab.write("1\n");
        assert_eq!(lab.verdict("1"), RIGHT);
        lab.cache.lock().lists.len()
    };
    // 16 bytes each, and 24 while they are made.
    for (name, lists) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        assert_eq!(verify(&mut lab, name), lists);
    }
    lab.list.path = lab.folder.path().join("a");
    assert_eq!(lab.verdict("1"), RIGHT);
    assert_eq!(verify(&mut lab, "e"), 4);
    let kept: Vec<_> = lab
        .cache
        .lock()
        .lists
        .keys()
        .map(|list| match list {
            CacheKey::Pins(list) => list.path.clone(),
            CacheKey::Rows(list) => list.path.clone(),
        })
        .collect();
    let names = ["a", "c", "d", "e"].map(|name| lab.folder.path().join(name));
    assert_eq!(kept, names);
}

#[test]
fn world_writable_list_is_reported() {
    let lab = Lab::with("1\n");
    fs::set_permissions(lab.path(), fs::Permissions::from_mode(0o666)).expect("set");
    let verified = lab.verify("1");
    assert_eq!(verified.verdict, RIGHT);
    assert_eq!(
        verified.reports,
        [Report::WorldWritable(lab.path().to_owned())]
    );
}

#[test]
fn missing_file_makes_the_verdict_unavailable() {
    let lab = Lab::new();
    for pin in ["1234", ""] {
        let verified = lab.verify(pin);
        assert_eq!(verified.verdict, Verdict::Unavailable);
        assert_eq!(verified.reports.len(), 1);
        let text = verified.reports[0].to_string();
        assert!(text.starts_with("Unable to open file '"), "{text}");
    }
    lab.write("");
    assert_eq!(lab.verdict("1234"), Verdict::Wrong);
    assert_eq!(lab.verdict(""), Verdict::Wrong);
}

/// Two lists in turn, each written in place: a reader may see the start of a
/// line of one and the end of a line of the other. What neither list has is
/// never right.
#[test]
fn mixture_of_two_lists_admits_nobody() {
    // Lines of different length, so that any start meets any end.
    let texts = ["111111111\n", "22222\n"].map(|line| line.repeat(MAX_UNCACHED_BYTES as usize / 2));
    let lab = Lab::with(&texts[0]);
    // What meets where a block of one ends and a block of the other begins.
    let mixtures = ["222211111", "11112"];
    let looking = Arc::new(());
    let looked_at = Arc::downgrade(&looking);
    let admitted = std::thread::scope(|scope| {
        // Dropped after a panic, too, or the thread would write for ever.
        let _looking = looking;
        scope.spawn(|| {
            while looked_at.strong_count() > 0 {
                texts.iter().for_each(|text| lab.write(text));
            }
        });
        let mut pins = mixtures.iter().cycle().take(MIXTURES);
        pins.find(|pin| lab.verify_at(pin, SystemTime::now()).verdict == RIGHT)
    });
    assert_eq!(admitted, None);
}

const MIXTURES: usize = 6000;
