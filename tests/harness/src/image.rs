//! The image: Debian with Asterisk, its sounds and `sipp`, built once and
//! named after its recipe.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{bail, Context, Result};
use fd_lock::RwLock;

use crate::container_engine::{in_path, wait_within, Engine};
use crate::module::workspace;
use crate::valgrind;

/// The environment variable that names the Debian suite; `sid` without it.
pub(crate) const SUITE_VAR: &str = "ASTERISK_SUITE";

const NAME: &str = "localhost/authenticate-asterisk";

/// What is installed on top of the minimal system.
const PACKAGES: &[&str] = &[
    "asterisk",
    "asterisk-modules",
    "asterisk-core-sounds-en",
    "asterisk-core-sounds-en-gsm",
    "asterisk-mp3",
    "sip-tester",
    "fail2ban",
    "postgresql",
    "pgbouncer",
    "odbc-postgresql",
    "bash",
    "ca-certificates",
    "python3",
];

/// What is installed for these tests.
fn packages() -> Vec<&'static str> {
    let more = valgrind::folder().map_or(&[][..], |_| valgrind::PACKAGES);
    PACKAGES.iter().chain(more).copied().collect()
}

/// A suite that has few packages, Asterisk's among them; the others come from sid.
const EXPERIMENTAL: &str = "experimental";

/// What apt prefers in an image of it, nothing else of which is wanted.
const PREFERENCES: &str = "Package: src:asterisk\nPin: release a=experimental\nPin-Priority: 990\n";

/// Run in the system once the packages are there.
const SHORTEN_DOCUMENTATION: &str = include_str!("shorten_documentation.py");

/// An image whose downloads hang must not hang the tests: no answer from the
/// registry within this time, and we build the root file system ourselves.
const PULL_TIME: Duration = Duration::from_secs(60);

/// The image of one Debian suite.
#[derive(Debug)]
pub struct Image {
    engine: Engine,
    suite: String,
    tag: String,
}

impl Image {
    /// The image for the suite in `ASTERISK_SUITE`, or `sid`. Nothing is
    /// built yet.
    pub fn from_env(engine: &Engine) -> Self {
        let suite = std::env::var(SUITE_VAR)
            .ok()
            .filter(|suite| !suite.is_empty())
            .unwrap_or_else(|| "sid".into());
        Self::of_suite(engine, &suite)
    }

    /// The image for a suite. Nothing is built yet.
    pub fn of_suite(engine: &Engine, suite: &str) -> Self {
        // The version of the headers the module was built with, if they were
        // fetched: another version, another image.
        let version = std::env::var("ASTERISK_VERSION")
            .or_else(|_| {
                let file = workspace()
                    .join("asterisk-headers")
                    .join(suite)
                    .join("VERSION");
                fs::read_to_string(file)
            })
            .unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        (PACKAGES, SHORTEN_DOCUMENTATION, suite, version.trim()).hash(&mut hasher);
        if valgrind::folder().is_some() {
            valgrind::PACKAGES.hash(&mut hasher);
        }
        if suite == EXPERIMENTAL {
            PREFERENCES.hash(&mut hasher);
        }
        let tag = format!("{NAME}:{suite}-{:016x}", hasher.finish());
        Self {
            engine: engine.clone(),
            suite: suite.to_owned(),
            tag,
        }
    }

    /// The image's name and tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Whether the engine has it.
    pub fn exists(&self) -> bool {
        self.engine
            .output(["image", "inspect", "--format", "{{.Id}}", &self.tag])
            .is_ok()
    }

    /// Builds the image unless it is there. Processes that ask at the same
    /// time wait for the first.
    pub fn ensure(&self) -> Result<()> {
        if self.exists() {
            return Ok(());
        }
        let path = std::env::temp_dir().join("authenticate-image.lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("can't open the lock {}", path.display()))?;
        let mut lock = RwLock::new(file);
        let _guard = lock.write().context("can't lock the image build")?;
        if self.exists() {
            return Ok(());
        }
        eprintln!("harness: building the Asterisk image, once, about a minute");
        match self.pull().and_then(|base| self.build(&base)) {
            Ok(()) => Ok(()),
            Err(error) => {
                eprintln!("harness: {error:#}; building with mmdebstrap instead");
                self.bootstrap()
            }
        }
        .context("can't build the Asterisk image")?;
        eprintln!("harness: {} is ready", self.tag);
        Ok(())
    }

    /// Removes the image.
    pub fn remove(&self) -> Result<()> {
        self.engine.output(["rmi", "--force", &self.tag]).map(drop)
    }

    /// The suites that packages come from, the complete one first.
    fn suites(&self) -> Vec<&str> {
        if self.suite == EXPERIMENTAL {
            vec!["sid", EXPERIMENTAL]
        } else {
            vec![&self.suite]
        }
    }

    /// The lines of `sources.list`, from one archive: the headers come from it too.
    fn sources(&self) -> Vec<String> {
        let mirror = std::env::var("DEBIAN_MIRROR")
            .ok()
            .filter(|mirror| !mirror.is_empty())
            .unwrap_or_else(|| "http://deb.debian.org/debian".into());
        let line = |suite| format!("deb {mirror} {suite} main");
        self.suites().into_iter().map(line).collect()
    }

    /// What apt prefers, if it is to prefer anything.
    fn preferences(&self) -> &'static str {
        if self.suite == EXPERIMENTAL {
            PREFERENCES
        } else {
            ""
        }
    }

    fn pull(&self) -> Result<String> {
        let base = format!("docker.io/library/debian:{}", self.suites()[0]);
        let mut command = self.engine.command(["pull", "--quiet", &base]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command
            .stderr(Stdio::null())
            .spawn()
            .context("can't start the pull")?;
        match wait_within(&mut child, PULL_TIME)? {
            Some(status) if status.success() => {}
            _ => bail!("can't pull {base}"),
        }
        Ok(base)
    }

    fn build(&self, base: &str) -> Result<()> {
        let dir = tempfile::tempdir()?;
        let recipe = dir.path().join("Containerfile");
        fs::write(dir.path().join("shorten.py"), SHORTEN_DOCUMENTATION)?;
        fs::write(
            dir.path().join("sources.list"),
            self.sources().join("\n") + "\n",
        )?;
        fs::write(dir.path().join("preferences"), self.preferences())?;
        fs::write(
            &recipe,
            format!(
                "FROM {base}\n\
                 RUN rm -rf /etc/apt/sources.list.d/*\n\
                 COPY sources.list preferences /etc/apt/\n\
                 RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes \
                 --no-install-recommends {} && apt-get clean && rm -rf /var/lib/apt/lists/*\n\
                 COPY shorten.py /tmp/\n\
                 RUN python3 /tmp/shorten.py && rm /tmp/shorten.py\n",
                packages().join(" ")
            ),
        )?;
        let mut command = self.engine.command(["build", "--tag", &self.tag]);
        command.arg("--file").arg(&recipe).arg(dir.path());
        loud(command)
    }

    fn bootstrap(&self) -> Result<()> {
        if !in_path("mmdebstrap") {
            bail!("mmdebstrap is not installed (on Debian: apt-get install mmdebstrap)");
        }
        let dir = tempfile::tempdir()?;
        let tar: PathBuf = dir.path().join("root.tar");
        let script = dir.path().join("shorten.py");
        fs::write(&script, SHORTEN_DOCUMENTATION)?;
        let shorten = format!(r#"chroot "$1" python3 - < '{}'"#, script.display());
        let preferences = dir.path().join("preferences");
        fs::write(&preferences, self.preferences())?;
        let prefer = format!(r#"cp '{}' "$1/etc/apt/preferences""#, preferences.display());
        let mut command = Command::new("mmdebstrap");
        command
            .arg("--quiet")
            .arg("--variant=minbase")
            .arg(format!("--include={}", packages().join(",")))
            // A mirror that lags behind is good enough here.
            .arg("--aptopt=Acquire::Check-Valid-Until \"false\"")
            .arg(format!("--setup-hook={prefer}"))
            .arg(format!("--customize-hook={shorten}"))
            .arg(self.suites()[0])
            .arg(&tar)
            .args(self.sources());
        loud(command)?;
        let mut import = self.engine.command(["import"]);
        import.arg(&tar).arg(&self.tag);
        loud(import)
    }
}

/// Runs a command whose output the user sees (on stderr: stdout is for
/// results).
fn loud(mut command: Command) -> Result<()> {
    let shown = format!("{:?}", command.get_program());
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("can't run {shown}"))?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}
