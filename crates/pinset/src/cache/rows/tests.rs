use super::*;
use crate::credential::pepper::Pepper;
use crate::list::open;
use crate::pin::Pin;
use std::fs;
use std::time::Duration;

/// A cache and a csv list in a file, which is looked at a minute from now.
struct Lab {
    _folder: tempfile::TempDir,
    cache: Cache,
    list: RowList,
    rules: Arc<Rules>,
    limit: u64,
}

fn rules() -> Arc<Rules> {
    Arc::new(Rules {
        zone: Zone::utc(),
        numbering: Numbering::default(),
        keys: BTreeSet::new(),
    })
}

impl Lab {
    fn with(rows: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let list = RowList {
            path: folder.path().join("list.csv"),
            kind: FileKind::Csv,
        };
        let lab = Self {
            _folder: folder,
            cache: Cache::new(),
            list,
            rules: rules(),
            limit: u64::MAX,
        };
        lab.write(rows);
        lab
    }

    fn write(&self, rows: &str) {
        let text = format!("account,secret\n{rows}");
        fs::write(&self.list.path, text).expect("written");
    }

    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(60)
    }

    fn ask(&self, now: SystemTime) -> RowAnswer {
        let file = open(&self.list.path).expect("opened");
        let (list, rules) = (self.list.clone(), Arc::clone(&self.rules));
        let answer = self.cache.read_rows(list, file, rules, self.limit, now);
        answer.expect("read")
    }

    fn read(&self, now: SystemTime) -> (Result<Arc<Rows>, Report>, Vec<Report>) {
        match self.ask(now) {
            RowAnswer::Known(result) => (result, Vec::new()),
            RowAnswer::Unread(reading) => self.finish(reading),
        }
    }

    fn finish(&self, mut reading: Box<RowReading>) -> (Result<Arc<Rows>, Report>, Vec<Report>) {
        loop {
            if let RowProgress::Over(result, reports) = reading.step(&self.cache) {
                return (result, reports);
            }
        }
    }

    /// Whether a PIN is in the list, by what was just read of it.
    fn has(&self, pin: &str) -> bool {
        has(&self.read(Self::later()).0.expect("rows"), pin)
    }

    /// From memory alone.
    fn known(&self, now: SystemTime) -> Option<Arc<Rows>> {
        let stamp = Stamp::of(&fs::metadata(&self.list.path).expect("there"));
        self.cache.rows(&self.list, &self.rules, stamp, now)
    }
}

fn has(rows: &Rows, pin: &str) -> bool {
    let mut entered = Pin::new();
    pin.bytes().for_each(|key| entered.push(key));
    rows.by_pin(&entered, &Pepper::default()).next().is_some()
}

#[test]
fn rows_are_cached_until_the_file_changes() {
    let lab = Lab::with("alice,plain:1234\n");
    assert!(lab.known(Lab::later()).is_none());
    assert!(lab.has("1234") && !lab.has("77"));
    assert!(lab
        .known(Lab::later())
        .is_some_and(|rows| has(&rows, "1234")));
    assert!(matches!(lab.ask(Lab::later()), RowAnswer::Known(Ok(_))));
    lab.write("alice,plain:77\n");
    assert!(lab.known(Lab::later()).is_none());
    assert!(lab.has("77") && !lab.has("1234"));
    fs::remove_file(&lab.list.path).expect("removed");
    lab.write("bob,plain:8\n");
    assert!(lab.has("8") && !lab.has("77"));
}

#[test]
fn rows_read_too_soon_after_a_change_are_read_again() {
    let lab = Lab::with("alice,plain:1234\n");
    let now = SystemTime::now();
    assert!(lab.read(now).0.is_ok());
    assert!(lab.known(now).is_none());
    assert!(lab.known(Lab::later()).is_none());
    assert!(matches!(lab.ask(now), RowAnswer::Unread(_)));
    assert!(matches!(lab.ask(Lab::later()), RowAnswer::Unread(_)));
}

#[test]
fn other_rules_have_the_rows_read_again() {
    let mut lab = Lab::with("alice,plain:1234\n");
    assert!(lab.has("1234"));
    lab.rules = rules();
    assert!(lab.known(Lab::later()).is_none());
    assert!(matches!(lab.ask(Lab::later()), RowAnswer::Unread(_)));
    assert!(lab.has("1234"));
    assert!(lab.known(Lab::later()).is_some());
    lab.cache.clear();
    assert!(lab.known(Lab::later()).is_none());
}

#[test]
fn broken_list_is_cached_until_it_changes() {
    let lab = Lab::with("alice,plain:1234,5\n");
    let broken = Report::Broken(
        lab.list.path.clone(),
        "line 2: more or fewer fields than the header".to_owned(),
    );
    for known in [false, true] {
        let answer = lab.ask(Lab::later());
        assert_eq!(matches!(answer, RowAnswer::Known(Err(_))), known);
        assert_eq!(lab.read(Lab::later()).0.err(), Some(broken.clone()));
    }
    lab.write("alice,plain:1234\n");
    assert!(lab.has("1234"));
}

#[test]
fn list_over_the_limit_admits_nobody() {
    let mut lab = Lab::with("alice,plain:1234\n");
    lab.limit = 10;
    let (result, _) = lab.read(Lab::later());
    assert!(matches!(result, Err(Report::Broken(..))));
    lab.limit = u64::MAX;
    lab.rules = rules();
    assert!(lab.has("1234"));
}

#[test]
fn broken_rows_are_reported_once_for_each_content() {
    let lab = Lab::with("alice,1234\nbob,plain:5\n");
    let (_, reports) = lab.read(SystemTime::now());
    let why = "line 2, secret: the secret must begin with plain:, md5:, hmac-sha256: or $argon2id$";
    let report = Report::BrokenRow(lab.list.path.clone(), why.to_owned());
    assert_eq!(reports, [report]);
    assert_eq!(lab.read(Lab::later()).1, []);
    lab.write(&"alice,1234\n".repeat(MAX_REPORTED_LINES + 5));
    let (_, reports) = lab.read(Lab::later());
    assert_eq!(reports.len(), MAX_REPORTED_LINES + 1);
    let more = Report::MoreBrokenLines(lab.list.path.clone());
    assert_eq!(reports.last(), Some(&more));
}

#[test]
fn list_changed_while_it_is_read_is_read_again() {
    let lab = Lab::with("alice,plain:1234\n");
    let RowAnswer::Unread(mut reading) = lab.ask(Lab::later()) else {
        panic!("it was never read");
    };
    // Read to its end, but not yet taken for rows.
    assert!(matches!(reading.step(&lab.cache), RowProgress::More));
    lab.write("alice,plain:99\n");
    let (result, _) = lab.finish(reading);
    let rows = result.expect("rows");
    assert!(has(&rows, "99") && !has(&rows, "1234"));

    // Again and again.
    let RowAnswer::Unread(mut reading) = lab.ask(SystemTime::now()) else {
        panic!("too soon to be known");
    };
    for number in 0..100 {
        lab.write(&format!("alice,plain:{number}{}\n", "0".repeat(number)));
        if let RowProgress::Over(result, _) = reading.step(&lab.cache) {
            assert_eq!(result.err(), Some(Report::Unsteady(lab.list.path.clone())));
            return;
        }
    }
    panic!("it never ended");
}

#[test]
fn kind_of_a_list_is_cached_until_it_changes() {
    let lab = Lab::with("alice,plain:1234\n");
    let path = &lab.list.path;
    let now = Lab::later();
    let kind = || {
        let stamp = Stamp::of(&fs::metadata(path).expect("there"));
        lab.cache.kind(path, stamp, now)
    };
    let sniff = |now| {
        let file = open(path).expect("opened");
        lab.cache.sniff(path, &file, now).expect("read")
    };
    assert_eq!(kind(), None);
    assert_eq!(sniff(SystemTime::now()), FileKind::Csv);
    assert_eq!(kind(), None, "too soon to tell");
    assert_eq!(sniff(now), FileKind::Csv);
    assert_eq!(kind(), Some(FileKind::Csv));
    fs::write(path, "1234\n").expect("written");
    assert_eq!(kind(), None);
    assert_eq!(sniff(now), FileKind::Lines(crate::list::Format::Plain));
}
