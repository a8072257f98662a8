//! Log lines quoted in `docs/troubleshooting.md` are those of the sources.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The files that contain log lines and messages.
const SOURCES: [&str; 5] = [
    "src",
    "crates/pinset/src",
    "build.rs",
    "packaging/install.sh",
    "packaging/deps.sh",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Appends the text of all files in a folder, or of one file.
fn read_into(text: &mut String, path: &Path) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            read_into(text, &entry?.path())?;
        }
    } else {
        let file = fs::read_to_string(path)?;
        // A string that continues on the next line is one line of the log.
        for part in file.split("\\\n") {
            text.push_str(part.trim_start());
        }
    }
    Ok(())
}

/// Returns the log lines in the second column of the tables.
fn quoted(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split(" | ").nth(1));
    cells
        .map(|cell| cell.strip_suffix(" (verbose 3)").unwrap_or(cell))
        .filter_map(|cell| cell.strip_prefix('`')?.strip_suffix('`'))
        .collect()
}

#[test]
fn quoted_log_lines_are_in_the_sources() {
    let mut sources = String::new();
    for path in SOURCES {
        read_into(&mut sources, &repository().join(path)).unwrap();
    }
    let page = fs::read_to_string(repository().join("docs/troubleshooting.md")).unwrap();
    let quoted = quoted(&page);
    assert!(quoted.len() > 20, "{quoted:?}");
    for line in quoted {
        for part in line.split('…').filter(|part| part.len() > 3) {
            assert!(
                sources.contains(part),
                "not in the sources: {part:?} of {line:?}"
            );
        }
    }
}
