//! What `packaging/release.sh` refuses: a commit that is no release.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{ensure, Context, Result};
use harness::workspace;

/// Runs git in a repository; it must succeed.
fn git(repository: &Path, arguments: &[&str]) -> Result<()> {
    let options = ["-c", "user.name=test", "-c", "user.email=test@example.org"];
    let output = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(options)
        .args(arguments)
        .output()?;
    ensure!(output.status.success(), "git {arguments:?}: {output:?}");
    Ok(())
}

fn commit(repository: &Path) -> Result<()> {
    git(repository, &["add", "--all"])?;
    git(repository, &["commit", "--quiet", "--message", "test"])
}

/// A repository with the script and what it reads first, at version 7.1.0.
fn repository(folder: &Path, changelog: &str) -> Result<()> {
    fs::create_dir(folder.join("packaging"))?;
    let script = "packaging/release.sh";
    fs::copy(workspace().join(script), folder.join(script))?;
    fs::write(folder.join("Cargo.toml"), "version = \"7.1.0\"\n")?;
    fs::write(folder.join("CHANGELOG.md"), changelog)?;
    git(folder, &["init", "--quiet"])?;
    commit(folder)
}

fn release(repository: &Path) -> Result<Output> {
    let script = repository.join("packaging/release.sh");
    Ok(Command::new(script).arg(repository.join("made")).output()?)
}

/// Fails unless the script refuses with this message before it makes anything.
fn is_refused(repository: &Path, message: &str) -> Result<()> {
    let output = release(repository)?;
    let errors = String::from_utf8(output.stderr)?;
    ensure!(errors.contains(message), "expected {message}: {errors}");
    ensure!(!output.status.success() && !repository.join("made").exists());
    Ok(())
}

#[test]
fn release_of_an_inconsistent_commit_is_refused() -> Result<()> {
    for (changelog, message) in [
        (
            "## [Unreleased]\n\n## [7.1.0] - 2026-01-31\n",
            "the newest section is '[Unreleased]'",
        ),
        ("## [7.1.0]\n", "expected '[7.1.0] - YYYY-MM-DD'"),
        (
            "## [7.0.0] - 2026-01-31\n",
            "but Cargo.toml has version 7.1.0",
        ),
    ] {
        let folder = tempfile::tempdir()?;
        repository(folder.path(), changelog)?;
        is_refused(folder.path(), message)?;
    }
    Ok(())
}

#[test]
fn release_of_uncommitted_changes_or_a_moved_tag_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    repository(folder, "## [7.1.0] - 2026-01-31\n")?;
    git(folder, &["tag", "v7.1.0"])?;
    fs::write(folder.join("new"), "")?;
    is_refused(folder, "commit these changes first:\n?? new")?;
    commit(folder)?;
    is_refused(folder, "tag v7.1.0 is commit")?;
    git(folder, &["tag", "--force", "v7.1.0"])?;
    // It goes on to the build, whose script is not here.
    let errors = String::from_utf8(release(folder)?.stderr).context("not UTF-8")?;
    ensure!(errors.contains("reproducible.sh"), "{errors}");
    Ok(())
}
