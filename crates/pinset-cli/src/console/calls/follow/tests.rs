use super::*;
use crate::common::error::CommandError;
use crate::reports::{CallFilter, HistoryReader};
use pinset::Numbering;
use std::io::Write;
use std::time::Duration;
use tempfile::TempDir;

const KEPT: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

struct Lab {
    folder: TempDir,
    follower: Follower,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("Master.csv");
        Self {
            folder,
            follower: Follower {
                source: HistorySource::Cdr,
                path,
            },
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Appends text to a file.
    fn write(&self, name: &str, text: &str) {
        let file = File::options()
            .append(true)
            .create(true)
            .open(self.path(name));
        file.expect("a file")
            .write_all(text.as_bytes())
            .expect("written");
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renamed");
    }

    /// Opens the database and reads what is new, as after a start of the console.
    fn poll(&self) {
        let history = CallHistory::open(&self.path("calls.db"), KEPT, &Numbering::default());
        let mut history: CallHistory = history.map_err(|e: CommandError| e).expect("a database");
        let polled = self.follower.poll(&mut history, &mut || false);
        polled.expect("followed");
    }

    /// Returns the account codes of the calls, in order.
    fn found(&self) -> String {
        let reader = HistoryReader::open(&self.path("calls.db"), None, &Numbering::default())
            .expect("a reader");
        let mut found = String::new();
        let each = |row: &crate::reports::ReportRow<'_>| {
            found.push_str(row.identity);
            Ok::<_, rusqlite::Error>(())
        };
        reader.each(&CallFilter::default(), each).expect("rows");
        found
    }

    fn gap(&self) -> bool {
        let reader = HistoryReader::open(&self.path("calls.db"), None, &Numbering::default())
            .expect("a reader");
        let state = reader.state(HistorySource::Cdr).expect("a state");
        state.expect("a state").gap.is_some()
    }
}

fn record(account: &str) -> String {
    format!(
        "\"{account}\",\"<b>\",\"100\",\"in\",\"\",\"PJSIP/a\",\"\",\"Authenticate\",\"1\",\
         \"2026-11-01 08:00:00\",\"\",\"2026-11-01 08:00:09\",9,0,\"NO ANSWER\",\
         \"DOCUMENTATION\",\"1793520000.{account}\"\n"
    )
}

#[test]
fn half_line_and_half_record_wait_for_their_end() {
    let lab = Lab::new();
    let lines = record("a") + &record("b");
    let (half, rest) = lines.split_at(lines.len() - 20);
    lab.write("Master.csv", half);
    lab.poll();
    assert_eq!(lab.found(), "a");
    lab.write("Master.csv", rest);
    lab.poll();
    // A line feed within a value.
    let broken = record("c").replace("\"<b>\"", "\"<\nb>\"");
    let (half, rest) = broken.split_at(broken.find('\n').expect("a line feed") + 1);
    lab.write("Master.csv", half);
    lab.poll();
    assert_eq!(lab.found(), "ab");
    lab.poll();
    lab.write("Master.csv", &(rest.to_owned() + &record("d")));
    lab.poll();
    lab.poll();
    assert_eq!(lab.found(), "abcd");
}

/// A quote without end makes all that follows one record, until it is longer than any.
#[test]
fn lines_after_an_unclosed_quote_are_read_once() {
    let lab = Lab::new();
    lab.write("Master.csv", &(record("a") + "\"oops\n" + &record("b")));
    lab.poll();
    for name in ["c", "d", "e", "f", "g", "h", "i"] {
        lab.write("Master.csv", &record(name));
        lab.poll();
    }
    assert_eq!(lab.found(), "abcdefghi");
}

#[test]
fn renamed_file_is_read_to_its_end() {
    let lab = Lab::new();
    lab.write("Master.csv", &record("a"));
    lab.poll();
    lab.write("Master.csv", &record("b"));
    lab.rename("Master.csv", "Master.csv.1");
    lab.write("Master.csv", "");
    lab.poll();
    assert_eq!(lab.found(), "ab");
    // The logger has the old file open until it is reloaded.
    lab.write("Master.csv.1", &record("c"));
    lab.poll();
    lab.write("Master.csv.1", &record("d"));
    lab.write("Master.csv", &record("e"));
    lab.poll();
    lab.poll();
    assert_eq!((lab.found().as_str(), lab.gap()), ("abcde", false));
}

#[test]
fn several_rotations_while_the_console_was_stopped_lose_nothing() {
    let lab = Lab::new();
    lab.write("Master.csv", &record("a"));
    lab.poll();
    for (at, name) in ["b", "c", "d"].into_iter().enumerate() {
        lab.write("Master.csv", &record(name));
        for older in (1..=at).rev() {
            lab.rename(
                &format!("Master.csv.{older}"),
                &format!("Master.csv.{}", older + 1),
            );
        }
        // The times of the files must differ.
        let file = File::options()
            .append(true)
            .open(lab.path("Master.csv"))
            .expect("a file");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_600_000 + at as u64);
        file.set_modified(time).expect("a time");
        lab.rename("Master.csv", "Master.csv.1");
    }
    lab.write("Master.csv", &record("e"));
    // A copy that somebody made is no rotated file.
    lab.write("Master.csv.bak", &record("x"));
    for _ in 0..4 {
        lab.poll();
    }
    assert_eq!((lab.found().as_str(), lab.gap()), ("abcde", false));
}

#[test]
fn copied_and_truncated_file_goes_on_in_the_copy() {
    let lab = Lab::new();
    lab.write("Master.csv", &(record("a") + &record("b")));
    lab.poll();
    lab.write("Master.csv", &record("c"));
    fs::copy(lab.path("Master.csv"), lab.path("Master.csv.1")).expect("copied");
    fs::write(lab.path("Master.csv"), "").expect("truncated");
    lab.poll();
    assert_eq!(lab.found(), "abc");
    // Longer than before.
    let more: String = ["d", "e", "f", "g"].map(record).concat();
    lab.write("Master.csv", &more);
    lab.poll();
    fs::copy(lab.path("Master.csv"), lab.path("Master.csv.1")).expect("copied");
    fs::write(
        lab.path("Master.csv"),
        ["h", "i", "j", "k", "l"].map(record).concat(),
    )
    .expect("written");
    lab.poll();
    lab.poll();
    assert_eq!((lab.found().as_str(), lab.gap()), ("abcdefghijkl", false));
}

#[test]
fn file_whose_rest_is_gone_is_a_gap() {
    let lab = Lab::new();
    lab.write("Master.csv", &record("a"));
    lab.poll();
    lab.write("Master.csv", &record("b"));
    fs::remove_file(lab.path("Master.csv")).expect("removed");
    // Its number may be that of the old one.
    lab.write("Master.csv", &(record("c") + &record("d") + &record("e")));
    lab.poll();
    assert_eq!((lab.found().as_str(), lab.gap()), ("acde", true));
}

#[test]
fn rotated_files_are_read_first_at_the_first_start() {
    let lab = Lab::new();
    lab.write("Master.csv.2", &record("a"));
    lab.write("Master.csv-20261101", &record("b"));
    for (name, at) in [("Master.csv.2", 1), ("Master.csv-20261101", 2)] {
        let file = File::options()
            .append(true)
            .open(lab.path(name))
            .expect("a file");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
        file.set_modified(time).expect("a time");
    }
    lab.write("Master.csv.3.gz", "\x1f");
    lab.write("Master.csv", &record("c"));
    for _ in 0..3 {
        lab.poll();
    }
    assert_eq!((lab.found().as_str(), lab.gap()), ("abc", false));
}

#[test]
fn file_of_another_kind_is_refused() {
    let lab = Lab::new();
    lab.write("Master.csv", "account,secret\nada,plain:1234\n");
    let history = CallHistory::open(&lab.path("calls.db"), KEPT, &Numbering::default());
    let mut history = history.expect("a database");
    let polled = lab.follower.poll(&mut history, &mut || false);
    let why = polled.expect_err("refused").to_string();
    assert!(why.contains("neither a CDR file"), "{why}");
}

/// A transaction that is not committed leaves lines and position as they were.
#[test]
fn stop_between_two_parts_neither_loses_nor_doubles_a_call() {
    let lab = Lab::new();
    // More than one block.
    let names: Vec<String> = (0..4000).map(|at| format!("{at};")).collect();
    lab.write(
        "Master.csv",
        &names.iter().map(|name| record(name)).collect::<String>(),
    );
    let mut parts = 0;
    loop {
        let history = CallHistory::open(&lab.path("calls.db"), KEPT, &Numbering::default());
        let mut history = history.expect("a database");
        let mut asked = 0;
        let mut stop = || {
            asked += 1;
            asked > 1
        };
        lab.follower
            .poll(&mut history, &mut stop)
            .expect("followed");
        parts += 1;
        if lab.found().len() == names.concat().len() {
            break;
        }
        assert!(parts < 50);
    }
    assert!(parts > 2, "{parts}");
    assert_eq!(lab.found(), names.concat());
}
