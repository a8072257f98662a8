//! The version that a build carries, for build scripts: the package's, and the
//! commit that is checked out.

use std::env;
use std::path::Path;
use std::process::Command;

/// Names the commit where there is no repository, as in an unpacked archive.
const VARIABLE: &str = "AUTHENTICATE_COMMIT";

/// Returns `VERSION (COMMIT)`. The commit is `AUTHENTICATE_COMMIT`, else the
/// repository's, else `unknown`. Cargo runs the build script again only if the
/// variable or the commit has changed.
pub(crate) fn version() -> String {
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    let named = env::var(VARIABLE).ok().filter(|named| !named.is_empty());
    let commit = named.or_else(checked_out);
    let package = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    format!("{package} ({})", commit.as_deref().unwrap_or("unknown"))
}

fn checked_out() -> Option<String> {
    // An archive may have been unpacked inside a repository of something else.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    // A commit, a checkout and a reset each change one of them. Of a file that
    // does not exist cargo would run the build script every time.
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=8", "HEAD"])
}

/// Returns what git prints, or `None` if it fails or is not installed.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
