//! Runs of `pinset` in a temporary folder.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod http;
pub(crate) mod server;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A PIN that occurs in no path and no number, and that nothing may print.
pub(crate) const PIN: &str = "836490217";
pub(crate) const OTHER: &str = "572048163";
pub(crate) const MD5_OF_PIN: &str = "ac55dc4b65d339d141385c7284720e66";

pub(crate) struct Lab(tempfile::TempDir);

/// The output and exit code of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub out: String,
    pub err: String,
    pub code: i32,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let lab = Self(tempfile::tempdir().unwrap());
        lab.give_a_group();
        lab
    }

    /// Gives the folder a group other than root's, as Asterisk's folders have.
    pub(crate) fn give_a_group(&self) {
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(self.0.path(), None, Some(12_345)).unwrap();
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    pub(crate) fn list(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        self.file(name, text, 0o640)
    }

    pub(crate) fn pepper(&self) -> PathBuf {
        let path = self.path("pepper");
        if !path.exists() {
            assert_eq!(
                self.run(&["pepper", "new", "pepper", "--id", "main"], "")
                    .code,
                0
            );
        }
        path
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    /// Lets other users enter the folder.
    pub(crate) fn open_to_all(&self) {
        fs::set_permissions(self.0.path(), Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinset"));
        command.args(arguments).current_dir(self.0.path());
        command
    }

    /// Runs a command in the folder with this standard input. Its standard error must
    /// not contain a PIN.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The command may end before it has read everything.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        for pin in [PIN, OTHER] {
            assert!(!err.contains(pin), "{err}");
        }
        Ran {
            out: String::from_utf8(output.stdout).unwrap(),
            err,
            code: output.status.code().unwrap(),
        }
    }

    /// Runs `pinset verify` and returns its exit code.
    pub(crate) fn verify(&self, list: &str, more: &[&str], pin: &str) -> i32 {
        self.run(&[&["verify", list], more].concat(), &format!("{pin}\n"))
            .code
    }

    /// Returns the files in the folder, which include temporary files if any are left.
    pub(crate) fn files(&self) -> Vec<String> {
        names(self.0.path())
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
