//! The files of the console: calls, PIN files, configuration.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::{must, POLL};

pub(crate) const CALLS: u64 = 1_000_000;
pub(crate) const FEW_CALLS: u64 = 100_000;
pub(crate) const SMALL_ROWS: u64 = 1_000;
pub(crate) const MANY_ROWS: u64 = 100_000;
pub(crate) const MILLION_ROWS: u64 = 1_000_000;

const IDENTITIES: u64 = 400;
/// The calls begin in November 2026, and are those of a month.
const BEGIN: u64 = 1_793_491_200;
const SECONDS: u64 = 30 * 24 * 60 * 60;

/// Returns the caller number of a row.
pub(crate) fn number(row: u64) -> String {
    format!("+90506{row:07}")
}

/// Returns the account of a call.
pub(crate) fn identity(call: u64) -> String {
    format!("id-{}", call % IDENTITIES)
}

/// Returns the time of a call, as the CDR has it.
pub(crate) fn time(call: u64) -> String {
    let at = call * SECONDS / CALLS;
    let (day, hour) = (1 + at / 86_400, at / 3600 % 24);
    format!(
        "2026-11-{day:02} {hour:02}:{:02}:{:02}",
        at / 60 % 60,
        at % 60
    )
}

/// A folder with the files.
pub(crate) struct Lab(TempDir);

impl Lab {
    pub(crate) fn new() -> Self {
        let lab = Self(must(tempfile::tempdir()));
        must(fs::create_dir(lab.path("pins")));
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn configure(&self, pbx: SocketAddr) {
        let secret = self.path("secret");
        must(fs::write(&secret, crate::live::SECRET));
        must(fs::set_permissions(&secret, Permissions::from_mode(0o600)));
        let text = "listen = \"127.0.0.1:0\"\nlists = \"LAB/pins\"\nusers = \"LAB/users\"\n\
                    database = \"LAB/console.db\"\ncdr = \"LAB/Master.csv\"\n\
                    audit_log = \"LAB/authenticate.log\"\n[pbx.main]\nsecret = \"LAB/secret\"\n";
        let text = text.replace("LAB", &self.0.path().display().to_string());
        let text = format!("{text}address = \"{pbx}\"\n");
        must(fs::write(self.path("console.toml"), text));
    }

    /// Appends calls to the CDR and to the audit log.
    pub(crate) fn append_calls(&self, calls: Range<u64>) {
        let (mut cdr, mut log) = (String::new(), String::new());
        for call in calls {
            let time = time(call);
            let result = match call % 1000 {
                0 => "FAILED",
                1..200 => "NO ANSWER",
                _ => "ANSWERED",
            };
            let id = format!("{}.{call}", BEGIN + call * SECONDS / CALLS);
            must(writeln!(
                cdr,
                "\"\",\"0506050{:04}\",\"100\",\"in\",\"\",\"PJSIP/a\",\"\",\"Dial\",\"\",\"{time}\",\
                 \"{time}\",\"{time}\",95,90,\"{result}\",\"DOCUMENTATION\",\"{id}\"",
                call % 5000
            ));
            must(writeln!(
                log,
                "[x] AUTHENTICATE[1] audit.rs: Outcome=\"SUCCESS\",PinSet=\"{}\",\
                 Identity=\"{}\",Caller=\"0506\",UniqueID=\"{id}\",LinkedID=\"{id}\"",
                if call % 2 == 0 { "doors" } else { "staff" },
                identity(call)
            ));
        }
        for (name, text) in [("authenticate.log", log), ("Master.csv", cdr)] {
            let mut options = OpenOptions::new();
            let file = options.append(true).create(true).open(self.path(name));
            must(must(file).write_all(text.as_bytes()));
        }
    }

    /// Waits until the console has read CDR and audit log to their ends, so that nothing of
    /// it is left in what is measured next.
    pub(crate) fn await_calls(&self) {
        let size = |name| must(fs::metadata(self.path(name))).len();
        let size = size("Master.csv") + size("authenticate.log");
        let database = must(Connection::open(self.path("calls.db")));
        let offsets = "SELECT coalesce(sum(offset), 0) FROM file";
        let read = || must(database.query_row(offsets, [], |row| row.get::<_, u64>(0)));
        while read() < size {
            thread::sleep(POLL);
        }
    }

    /// Returns the position of the page of calls in the middle of the month.
    pub(crate) fn middle(&self) -> String {
        format!("{}.{}", BEGIN + SECONDS / 2, CALLS / 2)
    }

    /// Writes a PIN file.
    pub(crate) fn pin_file(&self, name: &str, rows: u64) {
        let mut file = std::io::BufWriter::new(must(File::create(self.path("pins").join(name))));
        must(file.write_all(b"account,secret,caller,name,level,valid_until\n"));
        for row in 0..rows {
            // Not in the order of the file, and some have an end.
            let name = row * 7_919 % rows;
            let until = ["", "", "2099-12-31", "2020-01-01"][(row % 4) as usize];
            must(writeln!(
                file,
                "customer-{row:07},hmac-sha256:k1:{:064x},{},Customer {name},{},{until}",
                u128::from(row) * 0x9e37_79b9_7f4a_7c15_f39c,
                number(row),
                row % 4
            ));
        }
        must(file.flush());
    }
}
