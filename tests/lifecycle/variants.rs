//! Other builds of the module, and its build script, made once.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{bail, ensure, Context, Result};
use cargo_metadata::{Message, MetadataCommand, TargetKind};
use harness::workspace;

/// What a build has made.
#[derive(Clone)]
pub struct Built {
    pub module: PathBuf,
    pub build_script: PathBuf,
}

/// A build kind, built when first asked for.
pub struct Variant {
    name: &'static str,
    features: &'static str,
    /// The suite whose headers are taken, if not those of the Asterisk under
    /// test.
    suite: Option<&'static str>,
    built: OnceLock<std::result::Result<Built, String>>,
}

/// `Authenticate(panic!)` panics, and keys are looked up as on an Asterisk
/// before 22.
pub static TEST_BUILD: Variant = Variant {
    name: "test-build",
    features: "deliberate-panic,no-db-exists",
    suite: None,
    built: OnceLock::new(),
};

/// Built for Asterisk 16.
pub static ASTERISK_16: Variant = Variant {
    name: "asterisk-16",
    features: "",
    suite: Some("bullseye"),
    built: OnceLock::new(),
};

impl Variant {
    pub fn get(&self) -> Result<Built> {
        let built = self
            .built
            .get_or_init(|| self.build().map_err(|error| format!("{error:#}")));
        match built {
            Ok(built) => Ok(built.clone()),
            Err(error) => bail!("the build {}: {error}", self.name),
        }
    }

    fn build(&self) -> Result<Built> {
        // One folder for all, so that what they share is compiled once; the
        // module's file is copied out of it before the next build.
        static BUILDING: Mutex<()> = Mutex::new(());
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        let target = target_directory()?.join("variants");
        let output = Command::new(cargo())
            .args([
                "build",
                "--release",
                "--locked",
                "-p",
                "app_authenticate_rs",
            ])
            .args(["--features", self.features])
            .arg("--message-format=json-render-diagnostics")
            .arg("--target-dir")
            .arg(&target)
            .current_dir(workspace())
            .env("ASTERISK_INCLUDE_DIR", self.headers()?)
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
        let copy = target.join(format!("{}.so", self.name));
        std::fs::copy(&module, &copy).with_context(|| module.to_string())?;
        Ok(Built {
            module: copy,
            build_script: build_script.context("cargo names no build script")?.into(),
        })
    }

    fn headers(&self) -> Result<PathBuf> {
        let headers = workspace().join("asterisk-headers");
        let of = |suite: &str| headers.join(suite).join("usr/include");
        let Some(suite) = self.suite else {
            let named = std::env::var_os("ASTERISK_INCLUDE_DIR");
            return Ok(named.map_or_else(|| of("sid"), PathBuf::from));
        };
        if !of(suite).join("asterisk.h").is_file() {
            let fetched = Command::new(headers.join("fetch.sh")).arg(suite).status()?;
            ensure!(
                fetched.success(),
                "fetching the headers of {suite}: {fetched}"
            );
        }
        Ok(of(suite))
    }
}

/// The cargo that runs the tests.
pub fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// The workspace as cargo sees it, with the dependencies of this platform.
pub fn metadata() -> Result<cargo_metadata::Metadata> {
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
