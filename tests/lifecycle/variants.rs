//! Other builds of the module, and its build script, made once.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{bail, ensure, Context, Result};
use cargo_metadata::{Message, MetadataCommand, TargetKind};
use harness::workspace;
use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::{Endianness, Object, ObjectSymbol};
use tempfile::TempDir;

/// The stand-ins' source, in the workspace.
pub(crate) const STAND_INS: &str = "tests/lifecycle/stand_ins.c";

/// What a build has made.
#[derive(Clone)]
pub(crate) struct Built {
    pub module: PathBuf,
    pub build_script: PathBuf,
}

/// A build kind, built when first asked for.
pub(crate) struct Variant {
    name: &'static str,
    headers: Headers,
    built: OnceLock<std::result::Result<Built, String>>,
}

/// The headers that a module is built with.
enum Headers {
    /// Those of this suite of Debian's.
    Suite(&'static str),
    /// Those of the Asterisk under test without these lines, and
    /// `stand_ins.c` in place of some of its functions.
    Without(&'static [Line]),
}

/// The only line of a header that holds this text.
struct Line {
    header: &'static str,
    text: &'static str,
}

const DB_EXISTS: Line = Line {
    header: "astdb.h",
    text: "int ast_db_exists(",
};
/// The end of `struct ast_custom_function`, which has grown twice within 22.
const FUNCTION_SINCE: Line = Line {
    header: "pbx.h",
    text: "AST_STRING_FIELD_EXTENDED(since); /*!< Since text for 'show functions'",
};
const FUNCTION_PROVIDED_BY: Line = Line {
    header: "pbx.h",
    text: "AST_STRING_FIELD_EXTENDED(provided_by);  /*!< Provided-by text for 'show functions'",
};

/// Has a panic in `Authenticate(panic!)`, and is built as for an Asterisk that
/// has no `ast_db_exists`: before 18.22, 20.7, 21.2 and 22.0.
pub(crate) static TEST_BUILD: Variant = Variant {
    name: "test-build",
    headers: Headers::Without(&[DB_EXISTS]),
    built: OnceLock::new(),
};

/// Built for Asterisk 22.0.
pub(crate) static ASTERISK_22_0: Variant = Variant {
    name: "asterisk-22.0",
    headers: Headers::Without(&[FUNCTION_SINCE, FUNCTION_PROVIDED_BY]),
    built: OnceLock::new(),
};

/// Built for Asterisk 16.
pub(crate) static ASTERISK_16: Variant = Variant {
    name: "asterisk-16",
    headers: Headers::Suite("bullseye"),
    built: OnceLock::new(),
};

impl Variant {
    pub(crate) fn get(&self) -> Result<Built> {
        let built = self
            .built
            .get_or_init(|| self.build().map_err(|error| format!("{error:#}")));
        match built {
            Ok(built) => Ok(built.clone()),
            Err(error) => bail!("the build {}: {error}", self.name),
        }
    }

    fn build(&self) -> Result<Built> {
        // Without optimization, and where the tests were built, so that little
        // is compiled again; the module's file is copied before the next build.
        static BUILDING: Mutex<()> = Mutex::new(());
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        let copies = target_directory()?.join("variants");
        std::fs::create_dir_all(&copies)?;
        let made = TempDir::new()?;
        let (headers, linked) = match self.headers {
            Headers::Suite(suite) => (headers_of(suite)?, Vec::new()),
            Headers::Without(lines) => {
                let headers = without(lines, made.path())?;
                let linked = stand_ins(&headers, made.path())?;
                (headers, linked)
            }
        };
        let output = cargo()
            .args(["build", "--locked", "--lib"])
            // As the tests were built: cargo compiles each package for the features
            // that all these need.
            .args(["-p", "app_authenticate_rs", "-p", "pinset"])
            .args(["-p", "pinset-cli", "-p", "harness"])
            .args(["--features", "app_authenticate_rs/test-build"])
            .arg("--message-format=json-render-diagnostics")
            .current_dir(workspace())
            .env("ASTERISK_INCLUDE_DIR", headers)
            .env("AUTHENTICATE_LINK_ARGS", linked.join("\n"))
            .stderr(Stdio::inherit())
            .output()
            .context("can't run cargo")?;
        ensure!(output.status.success(), "{}", output.status);
        let (mut module, mut build_script) = (None, None);
        for message in Message::parse_stream(output.stdout.as_slice()) {
            let Message::CompilerArtifact(artifact) = message? else {
                continue;
            };
            let target = &artifact.target;
            let file = artifact.filenames.first().cloned();
            if target.name == "app_authenticate_rs" && target.is_cdylib() {
                module = file;
            } else if target.kind == [TargetKind::CustomBuild]
                && target.src_path == workspace().join("build.rs")
            {
                build_script = file;
            }
        }
        let module = module.context("cargo names no module")?;
        let copy = copies.join(format!("{}.so", self.name));
        std::fs::copy(&module, &copy).with_context(|| module.to_string())?;
        Ok(Built {
            module: copy,
            build_script: build_script.context("cargo names no build script")?.into(),
        })
    }
}

fn fetched(suite: &str) -> PathBuf {
    let headers = workspace().join("asterisk-headers");
    headers.join(suite).join("usr/include")
}

/// The headers of a suite, fetched if they are not there.
fn headers_of(suite: &str) -> Result<PathBuf> {
    let headers = fetched(suite);
    if !headers.join("asterisk.h").is_file() {
        let script = workspace().join("asterisk-headers/fetch.sh");
        let status = Command::new(script).arg(suite).status()?;
        ensure!(
            status.success(),
            "fetching the headers of {suite}: {status}"
        );
    }
    Ok(headers)
}

/// Copies the headers of the Asterisk under test without these lines.
fn without(lines: &[Line], folder: &Path) -> Result<PathBuf> {
    let named = std::env::var_os("ASTERISK_INCLUDE_DIR");
    let from = named.map_or_else(|| fetched("sid"), PathBuf::from);
    let to = folder.join("include");
    std::fs::create_dir(&to)?;
    let copied = Command::new("cp")
        .arg("-r")
        .args([from.join("asterisk"), from.join("asterisk.h")])
        .arg(&to)
        .status()?;
    ensure!(copied.success(), "copying {}: {copied}", from.display());
    for line in lines {
        let path = to.join("asterisk").join(line.header);
        let text = std::fs::read_to_string(&path)?;
        let (taken, kept): (Vec<_>, Vec<_>) = text
            .lines()
            .partition(|candidate| candidate.contains(line.text));
        ensure!(
            taken.len() == 1,
            "{} lines of {} hold {}",
            taken.len(),
            line.header,
            line.text
        );
        std::fs::write(&path, kept.join("\n") + "\n")?;
    }
    Ok(to)
}

/// Compiles the stand-ins; returns what the linker needs to take them.
fn stand_ins(headers: &Path, folder: &Path) -> Result<Vec<String>> {
    let object = folder.join("stand_ins.o");
    let compiled = Command::new("cc")
        .args(["-c", "-O1", "-fPIC", "-std=gnu11"])
        .args(["-Wall", "-Wextra", "-Werror"])
        // What the module does not call is left out: the linker knows no __real_
        // of it.
        .arg("-ffunction-sections")
        .args(["-DAST_MODULE=\"app_authenticate_rs\""])
        .args(["-DAST_MODULE_SELF_SYM=__internal_app_authenticate_rs_self"])
        .arg("-isystem")
        .arg(headers)
        .arg(workspace().join(STAND_INS))
        .arg("-o")
        .arg(&object)
        .status()
        .context("can't run cc")?;
    ensure!(compiled.success(), "cc: {compiled}");
    let bytes = std::fs::read(&object)?;
    let mut arguments = vec![object.to_string_lossy().into_owned()];
    for symbol in ElfFile::<FileHeader64<Endianness>>::parse(bytes.as_slice())?.symbols() {
        if let Some(name) = symbol.name()?.strip_prefix("__wrap_") {
            arguments.push(format!("-Wl,--wrap={name}"));
        }
    }
    Ok(arguments)
}

/// The cargo that runs the tests.
fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The test programs print their times with it, nothing is to be built so.
    cargo.env_remove("RUSTC_BOOTSTRAP");
    cargo
}

/// The workspace as cargo sees it, with the dependencies of this platform.
fn metadata() -> Result<cargo_metadata::Metadata> {
    let host = Command::new("rustc").arg("-vV").output()?;
    let host = String::from_utf8(host.stdout)?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    MetadataCommand::new()
        .manifest_path(workspace().join("Cargo.toml"))
        .other_options(vec![
            "--locked".into(),
            "--filter-platform".into(),
            host.context("rustc names no host")?.into(),
        ])
        .exec()
        .context("cargo metadata")
}

fn target_directory() -> Result<PathBuf> {
    Ok(metadata()?.target_directory.into())
}
