//! Lists in files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

use super::*;
use crate::cache::{Cache, List};
use crate::list::Stamp;

/// A list in a folder of its own, old enough that its time tells.
struct OnDisk {
    _folder: tempfile::TempDir,
    path: PathBuf,
    cache: Cache,
}

impl OnDisk {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pins");
        fs::write(&path, text).expect("a list");
        Self {
            _folder: folder,
            path,
            cache: Cache::new(),
        }
    }

    /// Some time after it was written.
    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(60)
    }

    fn wanted(options: &[(&str, &str)]) -> FileQuery {
        let mut set = PinSet::default();
        for (name, value) in options {
            let set = set.set(name.as_bytes(), value.as_bytes());
            set.unwrap_or_else(|fault| panic!("{name} = {value}: {fault}"));
        }
        FileQuery {
            set: Arc::new(set),
            rules: Arc::new(Rules {
                zone: Zone::utc(),
                numbering: turkey(),
                keys: BTreeSet::new(),
            }),
        }
    }

    fn ask(&self, wanted: &FileQuery, entry: &str) -> String {
        let pin = entered(entry);
        let asking = QueryContext {
            cache: &self.cache,
            path: &self.path,
            pin: &pin,
            now: Self::later(),
        };
        let mut heard = Vec::new();
        let answer = wanted.ask(&asking, 1 << 20, |report| heard.push(report.to_string()));
        self.summary(wanted, answer, &heard)
    }

    fn known(&self, wanted: &FileQuery, entry: &str) -> Option<String> {
        let pin = entered(entry);
        let asking = QueryContext {
            cache: &self.cache,
            path: &self.path,
            pin: &pin,
            now: Self::later(),
        };
        let stamp = Stamp::of(&fs::metadata(&self.path).expect("a list"));
        let mut heard = Vec::new();
        let answer = wanted.known(&asking, stamp, |report| heard.push(report.to_string()))?;
        Some(self.summary(wanted, answer, &heard))
    }

    fn summary(&self, wanted: &FileQuery, answer: Answer, heard: &[String]) -> String {
        let objection = wanted.objection(&answer);
        let answer = match objection.map_or(answer, Answer::Refused) {
            Answer::Entry(verdict, entries) => format!("{} {entries:?}", said(Some(verdict))),
            Answer::Rows(rows, kind) => format!("{} rows {kind:?}", rows.len()),
            Answer::Family(_) | Answer::Stored(_) => "a family".to_owned(),
            Answer::Refused(why) => format!("refused: {why}"),
        };
        let path = self.path.display().to_string();
        let heard = heard.iter().map(|report| format!("; {report}"));
        (answer + &heard.collect::<String>()).replace(&path, "PATH")
    }
}

#[test]
fn answer_depends_on_the_list_and_on_identify() {
    let by_pin = OnDisk::wanted(&[]);
    let by_account = OnDisk::wanted(&[("identify", "account")]);
    let md5 = "alice:81dc9bdb52d04dc20036dbd8313ed055\n";
    for (text, wanted, entry, answer) in [
        ("1234\n", &by_pin, "1234", "right - - - Lines(Plain)"),
        ("1234\n", &by_pin, "4321", "wrong Lines(Plain)"),
        (md5, &by_pin, "1234", "right alice - - Lines(Md5)"),
        (md5, &by_account, "1234", "1 rows Lines(Md5)"),
        ("account,secret\na,plain:1\n", &by_pin, "1", "1 rows Csv"),
        (
            "account,secret\na,plain:1\n",
            &by_account,
            "1",
            "1 rows Csv",
        ),
        ("", &by_pin, "1", "wrong Lines(Plain)"),
    ] {
        let list = OnDisk::new(text);
        // Nothing is cached before the first lookup.
        assert_eq!(list.known(wanted, entry), None, "{text}");
        assert_eq!(list.ask(wanted, entry), answer, "{text}");
        assert_eq!(list.known(wanted, entry).as_deref(), Some(answer), "{text}");
        assert_eq!(list.ask(wanted, entry), answer, "{text}");
    }
}

#[test]
fn unusable_lists_are_refused() {
    let wanted = OnDisk::wanted(&[]);
    let list = OnDisk::new("1234\n");
    let open = fs::Permissions::from_mode(0o666);
    fs::set_permissions(&list.path, open).expect("new rights");
    let why =
        "refused: 'PATH' can be written to by everybody on this machine: chmod o-w takes that away";
    assert_eq!(list.ask(&wanted, "1234"), why);
    assert_eq!(list.known(&wanted, "1234"), None);

    // Without a PIN set it admits, and is in memory then.
    let pin = entered("1234");
    let plain = List {
        path: list.path.clone(),
        format: Format::Plain,
    };
    let file = fs::File::open(&list.path);
    list.cache
        .verify(&plain, file, &pin, 1 << 20, OnDisk::later());
    let said_plain = OnDisk::wanted(&[("format", "plain")]);
    assert_eq!(list.known(&said_plain, "1234"), None);
    assert_eq!(list.ask(&said_plain, "1234"), why);

    let list = OnDisk::new("1234\n");
    let by_account = OnDisk::wanted(&[("identify", "account")]);
    let reported = list.ask(&by_account, "1234");
    assert!(
        reported.starts_with("refused: it can't be used: "),
        "{reported}"
    );

    let list = OnDisk::new("account,secret,colour\na,plain:1,red\n");
    let reported = list.ask(&wanted, "1");
    assert!(
        reported.starts_with("refused: 'PATH' can't be used: "),
        "{reported}"
    );
    assert_eq!(list.ask(&wanted, "1"), reported);

    let list = OnDisk::new("");
    fs::remove_file(&list.path).expect("no list");
    let why = "refused: 'PATH' can't be read: No such file or directory (os error 2)";
    assert_eq!(list.ask(&wanted, "1"), why);
}

#[test]
fn conflict_is_found_in_what_another_pin_set_has_read() {
    let md5 = "alice:81dc9bdb52d04dc20036dbd8313ed055\n";
    for (text, options, conflict) in [
        (
            "1234\n",
            ("required_level", "5"),
            "required_level above 0 needs a csv list",
        ),
        (
            md5,
            ("required_level", "5"),
            "required_level above 0 needs a csv list",
        ),
        (
            md5,
            ("account_code", "pin"),
            "account_code = pin is for lists without accounts",
        ),
        (
            "account,secret\na,plain:1234\n",
            ("account_code", "pin"),
            "account_code = pin is for lists without accounts",
        ),
    ] {
        let list = OnDisk::new(text);
        let why = format!("refused: 'PATH' can't be used: {conflict}");
        let conflicting = |answer: Option<String>| {
            let is_refused = |answer: &str| answer.starts_with(&why);
            assert!(answer.as_deref().is_some_and(is_refused), "{answer:?}");
        };
        let source = format!("file:{}", list.path.display());
        let wanted = OnDisk::wanted(&[("source", &source), options]);
        conflicting(Some(list.ask(&wanted, "1234")));
        let other = FileQuery {
            rules: Arc::clone(&wanted.rules),
            ..OnDisk::wanted(&[])
        };
        assert!(!list.ask(&other, "1234").starts_with("refused"));
        conflicting(list.known(&wanted, "1234"));
        conflicting(Some(list.ask(&wanted, "1234")));
    }
}

#[test]
fn broken_rows_are_reported_once() {
    let list = OnDisk::new("account,secret\na,plain:1\nb,plain:x\n");
    let wanted = OnDisk::wanted(&[]);
    let reported = list.ask(&wanted, "1");
    assert!(
        reported.starts_with("1 rows Csv; 'PATH' line 3"),
        "{reported}"
    );
    assert_eq!(list.ask(&wanted, "1"), "1 rows Csv");
}

/// A list too large to be read while the caller waits is searched, and an index is
/// made.
#[test]
fn large_list_has_an_index_after_a_lookup() {
    let lines: String = (0..100_000)
        .map(|line| format!("{:08}\n", line * 7))
        .collect();
    let list = OnDisk::new(&lines);
    let wanted = OnDisk::wanted(&[]);
    let right = "right - - - Lines(Plain)";
    assert_eq!(list.ask(&wanted, "00000049"), right);
    assert_eq!(list.known(&wanted, "00000049").as_deref(), Some(right));
    let wrong = Some("wrong Lines(Plain)");
    assert_eq!(list.known(&wanted, "00000048").as_deref(), wrong);
}
