//! Removal of what a killed harness has left: containers and directories whose names
//! contain the process id of their creator.

use std::fs;
use std::path::{Path, PathBuf};

use crate::container_engine::Engine;

/// The label of every container of ours.
pub(crate) const LABEL: &str = "authenticate-harness";

/// How the names of our containers and directories begin.
pub(crate) fn prefix() -> String {
    format!("{LABEL}-{}-", std::process::id())
}

/// Removes the containers and directories of harnesses that are no more;
/// returns their names.
pub fn remove_dead(engine: &Engine) -> Vec<String> {
    remove(engine, is_dead)
}

/// Removes this process's own containers and directories: for the end by a
/// signal, when no destructor runs.
pub fn remove_own(engine: &Engine) {
    let prefix = prefix();
    remove(engine, |name| name.starts_with(&prefix));
}

fn remove(engine: &Engine, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let filter = format!("label={LABEL}");
    let list = ["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"];
    let listed = engine.output(list).unwrap_or_default();
    let mut removed = Vec::new();
    for name in String::from_utf8_lossy(&listed).split_whitespace() {
        if wanted(name) {
            // Killed, it removes itself; else it was dead already.
            let killed = engine.output(["kill", name]).is_ok();
            if killed || engine.output(["rm", "--force", name]).is_ok() {
                removed.push(name.to_owned());
            }
        }
    }
    for (name, path) in directories() {
        if wanted(&name) && fs::remove_dir_all(path).is_ok() {
            removed.push(name);
        }
    }
    removed
}

fn directories() -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            )
        })
        .filter(|(name, _)| name.starts_with(LABEL))
        .collect()
}

/// Whether the name is one of ours and its maker's process is gone.
fn is_dead(name: &str) -> bool {
    maker(name).is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

fn maker(name: &str) -> Option<u32> {
    let rest = name.strip_prefix(LABEL)?.strip_prefix('-')?;
    rest.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{is_dead, maker};

    #[test]
    fn process_id_is_parsed_from_the_name() {
        assert_eq!(maker("authenticate-harness-123-4"), Some(123));
        assert_eq!(maker("authenticate-harness-x"), None);
        assert_eq!(maker("postgres-123-4"), None);
        assert!(!is_dead(&format!(
            "authenticate-harness-{}-1",
            std::process::id()
        )));
    }
}
