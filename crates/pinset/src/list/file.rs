//! A list in a file, read anew for each entry.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use subtle::ConstantTimeEq;

use super::line::{read, Format, Gives};
use super::md5;
use crate::pin::Pin;
use crate::source::{PinSource, Verdict};

/// So many broken lines are named: a file that is no list at all must not fill
/// the log.
const NAMED: usize = 20;

/// An unended last line counts once nobody has written for this long.
const STILL: Duration = Duration::from_secs(1);

/// Something the administrator should hear of a list. None holds a PIN.
#[derive(Debug)]
pub enum Report {
    /// The list admits nobody.
    Unreadable(PathBuf, String),
    /// A line that is no PIN; it is skipped.
    BrokenLine(PathBuf, u64),
    /// There are more of them than are named.
    MoreBrokenLines(PathBuf),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The stock application's words.
            Self::Unreadable(path, why) => write!(
                f,
                "Unable to open file '{}' for authentication: {why}",
                path.display()
            ),
            Self::BrokenLine(path, line) => write!(
                f,
                "'{}' line {line} gives nobody a PIN and is skipped",
                path.display()
            ),
            Self::MoreBrokenLines(path) => write!(
                f,
                "'{}' has more lines that give nobody a PIN: 'pinset check' names them all",
                path.display()
            ),
        }
    }
}

/// A list in a file. `report` hears what is wrong with it.
pub struct FileSource<R: FnMut(Report)> {
    path: PathBuf,
    format: Format,
    report: R,
}

impl<R: FnMut(Report)> FileSource<R> {
    /// A list at `path`, which is opened only when an entry is judged.
    pub fn new(path: &[u8], format: Format, report: R) -> Self {
        Self {
            path: PathBuf::from(OsStr::from_bytes(path)),
            format,
            report,
        }
    }

    fn judge_by(&mut self, list: File, pin: &Pin) -> io::Result<Verdict> {
        let settled = is_still(&list)?;
        let wanted = md5::digest(pin);
        let mut broken = Vec::new();
        let right = read(BufReader::new(list), self.format, settled, |line| {
            match line.gives {
                Gives::Pin(text) if pin.is(text) => return Some(None),
                Gives::Account(account, hash) if hash.ct_eq(&wanted).into() => {
                    return Some(Some(account.to_vec()));
                }
                Gives::Nobody(_) if broken.len() <= NAMED => broken.push(line.number),
                Gives::Nobody(_) => {}
                Gives::Blank | Gives::Pin(_) | Gives::Account(..) => {}
            }
            None
        })?;
        for line in broken.iter().take(NAMED) {
            (self.report)(Report::BrokenLine(self.path.clone(), *line));
        }
        if broken.len() > NAMED {
            (self.report)(Report::MoreBrokenLines(self.path.clone()));
        }
        Ok(right.map_or(Verdict::Wrong, |account| Verdict::Right { account }))
    }
}

impl<R: FnMut(Report)> PinSource for FileSource<R> {
    fn judge(&mut self, pin: &Pin) -> Verdict {
        let verdict = open(&self.path).and_then(|list| {
            if pin.is_empty() {
                Ok(Verdict::Wrong)
            } else {
                self.judge_by(list, pin)
            }
        });
        verdict.unwrap_or_else(|error| {
            let why = Report::Unreadable(self.path.clone(), error.to_string());
            (self.report)(why);
            Verdict::Unavailable
        })
    }
}

/// Opens a regular file; a link is followed. A FIFO's or a device's `open`
/// must not block either, hence `O_NONBLOCK`.
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("not a regular file"))
    }
}

/// Whether the last write is long enough ago. A time in the future is not.
fn is_still(file: &File) -> io::Result<bool> {
    let written = file.metadata()?.modified()?;
    Ok(SystemTime::now()
        .duration_since(written)
        .is_ok_and(|age| age >= STILL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Lab(tempfile::TempDir);

    impl Lab {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a temporary directory"))
        }

        fn write(&self, list: &[u8]) -> PathBuf {
            let path = self.0.path().join("list");
            fs::write(&path, list).expect("written");
            let file = File::options().write(true).open(&path).expect("opened");
            let then = SystemTime::now() - STILL;
            file.set_modified(then).expect("the time set");
            path
        }
    }

    fn judge(path: &Path, format: Format, pin: &str) -> (Verdict, Vec<String>) {
        let mut keyed = Pin::new();
        pin.bytes().for_each(|key| keyed.push(key));
        let mut reports = Vec::new();
        let path = path.as_os_str().as_bytes();
        let verdict =
            FileSource::new(path, format, |report| reports.push(report.to_string())).judge(&keyed);
        (verdict, reports)
    }

    const RIGHT: Verdict = Verdict::Right { account: None };

    #[test]
    fn plain_lists() {
        let lab = Lab::new();
        let path = lab.write(b"\xef\xbb\xbf1111\r\n 2222 \nsecret\n\n3333");
        for pin in ["1111", "2222", "3333"] {
            assert_eq!(judge(&path, Format::Plain, pin).0, RIGHT, "{pin}");
        }
        let (verdict, reports) = judge(&path, Format::Plain, "4444");
        assert_eq!(verdict, Verdict::Wrong);
        assert_eq!(reports.len(), 1);
        assert!(reports[0].ends_with("line 3 gives nobody a PIN and is skipped"));
        assert_eq!(judge(&path, Format::Plain, "").0, Verdict::Wrong);
    }

    #[test]
    fn the_tail_of_a_long_line_is_no_pin() {
        let lab = Lab::new();
        let path = lab.write(format!("{}1234\n", "x".repeat(255)).as_bytes());
        assert_eq!(judge(&path, Format::Plain, "1234").0, Verdict::Wrong);
        let path = lab.write(format!("{}1234\n", "x".repeat(9000)).as_bytes());
        assert_eq!(judge(&path, Format::Plain, "1234").0, Verdict::Wrong);
    }

    #[test]
    fn md5_lists() {
        let lab = Lab::new();
        let path = lab.write(
            b"bob:d41d8cd98f00b204e9800998ecf8427e\n\
              :b59c67bf196a4758191e42f76670ceba\n\
              alice:81DC9BDB52D04DC20036DBD8313ED055  -\r\n",
        );
        let right = Verdict::Right {
            account: Some(b"alice".to_vec()),
        };
        let (verdict, reports) = judge(&path, Format::Md5, "1234");
        assert_eq!(verdict, right);
        assert_eq!(reports.len(), 2);
        // A line without an account admits nobody.
        assert_eq!(judge(&path, Format::Md5, "1111").0, Verdict::Wrong);
        assert_eq!(judge(&path, Format::Md5, "").0, Verdict::Wrong);
    }

    #[test]
    fn a_file_that_is_no_list_does_not_fill_the_log() {
        let lab = Lab::new();
        let path = lab.write("not a PIN\n".repeat(5000).as_bytes());
        let (verdict, reports) = judge(&path, Format::Plain, "1234");
        assert_eq!(verdict, Verdict::Wrong);
        assert_eq!(reports.len(), NAMED + 1);
        assert!(reports[NAMED].contains("has more lines that give nobody a PIN"));
        let path = lab.write("not a PIN\n".repeat(NAMED).as_bytes());
        assert_eq!(judge(&path, Format::Plain, "1234").1.len(), NAMED);
    }

    #[test]
    fn an_unended_line_waits_until_the_file_is_still() {
        let lab = Lab::new();
        let path = lab.write(b"1111\n22");
        assert_eq!(judge(&path, Format::Plain, "22").0, RIGHT);
        fs::write(&path, b"1111\n22").expect("written");
        assert_eq!(judge(&path, Format::Plain, "22").0, Verdict::Wrong);
        assert_eq!(judge(&path, Format::Plain, "1111").0, RIGHT);
    }

    #[test]
    fn what_is_no_regular_file_admits_nobody() {
        let lab = Lab::new();
        let fifo = lab.0.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.is_ok_and(|status| status.success()));
        let missing = lab.0.path().join("missing");
        for path in [lab.0.path(), &fifo, &missing, Path::new("/dev/zero")] {
            for pin in ["1234", ""] {
                let (verdict, reports) = judge(path, Format::Plain, pin);
                assert_eq!(verdict, Verdict::Unavailable, "{}", path.display());
                assert_eq!(reports.len(), 1);
                assert!(reports[0].starts_with("Unable to open file '"));
            }
        }
    }

    #[test]
    fn an_empty_list_admits_nobody() {
        let lab = Lab::new();
        let path = lab.write(b"");
        assert_eq!(judge(&path, Format::Plain, "1234").0, Verdict::Wrong);
        assert_eq!(judge(&path, Format::Plain, "").0, Verdict::Wrong);
    }
}
