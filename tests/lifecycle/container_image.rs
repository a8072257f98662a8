//! `packaging/container/`: the image, and the services of its compose file.

use std::fs;
use std::os::unix::fs::{chown, PermissionsExt};
use std::process::{Command, Stdio};

use anyhow::{ensure, Context, Result};
use harness::{our_module, pinset, workspace, Engine, Image};

/// The user in the image: `ASTERISK_ID` of the Containerfile.
const USER: u32 = 5060;

/// The services, in a network of their own that has a loopback interface only, so that
/// they take no port of this machine.
struct Services {
    engine: Engine,
    /// The project of compose, and the name of the image.
    name: String,
    folder: tempfile::TempDir,
}

impl Services {
    fn new() -> Result<Self> {
        let services = Self {
            engine: Engine::find()?,
            name: format!("authenticate-services-{}", std::process::id()),
            folder: tempfile::tempdir()?,
        };
        services.build()?;
        let pepper = services.folder.path().join("pepper");
        run(Command::new(pinset()?).args(["pepper", "new"]).arg(&pepper))?;
        fs::set_permissions(&pepper, fs::Permissions::from_mode(0o400))?;
        chown(&pepper, Some(USER), Some(USER))?;
        let run = ["run", "--detach", "--name", &services.name];
        let mut network = services.engine.command(run);
        network.args(services.engine.limits());
        network.args(["--network", "none", &services.name, "sleep", "infinity"]);
        self::run(&mut network)?;
        Ok(services)
    }

    /// Makes the image as `make image INSTALLED=FOLDER` does, of the tests' Debian.
    fn build(&self) -> Result<()> {
        let base = Image::from_env(&self.engine);
        base.ensure()?;
        let built = self.folder.path().join("image");
        let modules = format!(
            "/usr/lib/{}-linux-gnu/asterisk/modules",
            std::env::consts::ARCH
        );
        run(Command::new("sh")
            .current_dir(workspace())
            .args(["packaging/install.sh", "install"])
            .args([our_module()?, pinset()?])
            .env("DESTDIR", built.join("built"))
            .env("MODDIR", modules)
            .env("DATADIR", "/usr/share/asterisk")
            .env("ASTERISK", "/nowhere"))?;
        let mut make = Command::new("make");
        make.current_dir(workspace())
            .args(["--no-print-directory", "image"])
            .arg(format!("IMAGE={}", self.name))
            .arg(format!("BASE={}", base.tag()))
            .arg(format!("INSTALLED={}", built.display()))
            .arg(format!("BUILD={}", self.engine.build_command()));
        run(&mut make).map(drop)
    }

    fn compose(&self, arguments: &[&str]) -> Result<String> {
        let file = workspace().join("packaging/container/compose.yaml");
        let mut command = match self.engine.containers_conf() {
            Some(text) => {
                let conf = self.folder.path().join("containers.conf");
                fs::write(&conf, text)?;
                let compose = std::env::var_os("PODMAN_COMPOSE").context(
                    "PODMAN_COMPOSE is not set: run make podman-compose, which prints it",
                )?;
                // Debian's, which has the packages of Debian.
                let mut command = Command::new("/usr/bin/python3");
                command.arg(compose).env("CONTAINERS_CONF", conf);
                command
            }
            None => self.engine.command(["compose"]),
        };
        command.args(["--project-name", &self.name]);
        command.arg("--file").arg(file).args(arguments);
        command
            .env("IMAGE", &self.name)
            .env("NETWORK", format!("container:{}", self.name))
            .env("PEPPER", self.folder.path().join("pepper"));
        run(&mut command)
    }

    /// Starts both services and waits until they are healthy.
    fn up(&self) -> Result<()> {
        self.compose(&["up", "--detach"])?;
        for service in ["asterisk", "pinset"] {
            self.wait_for(service, &format!("healthy {service}"))?;
        }
        Ok(())
    }

    /// Waits in a service's container until a command of the shell succeeds. The limit
    /// ends a test that has failed.
    fn wait_for(&self, service: &str, command: &str) -> Result<()> {
        let until = format!("until {command} > /dev/null 2>&1; do sleep 0.2; done");
        let wait = ["timeout", "120", "bash", "-c", &until];
        let waited = self.inside(service, &wait);
        waited.map(drop).with_context(|| command.to_owned())
    }

    /// Runs a command in a service's container.
    fn inside(&self, service: &str, command: &[&str]) -> Result<String> {
        let label = "label=com.docker.compose";
        let project = format!("{label}.project={}", self.name);
        let service = format!("{label}.service={service}");
        let list = ["ps", "--quiet", "--filter", &project, "--filter", &service];
        let container = run(&mut self.engine.command(list))?;
        let mut exec = self.engine.command(["exec", container.trim()]);
        run(exec.args(command))
    }

    fn cli(&self, command: &str) -> Result<String> {
        self.inside("asterisk", &["asterisk", "-rx", command])
    }

    /// Places the call of the sample dialplan as `docs/install.md` does, with this PIN.
    fn call(&self, pin: &str, successes: u32) -> Result<()> {
        let page = fs::read_to_string(workspace().join("docs/install.md"))?;
        let documented = page.lines().find_map(|line| {
            line.strip_prefix("docker compose exec asterisk asterisk -rx '")?
                .strip_suffix('\'')
        });
        let documented = documented.context("docs/install.md places no call")?;
        self.cli(&documented.replace("482913", pin))?;
        let admitted = format!("grep -q '^people  *{successes} '");
        let stats = "asterisk -rx 'authenticate show stats'";
        self.wait_for("asterisk", &format!("{stats} | {admitted}"))
    }

    /// The answer of `pinset serve` to a call with this `data`.
    fn ask(&self, data: &str) -> Result<String> {
        let body = format!(r#"{{"caller": "+905060508169", "data": {data}}}"#);
        let request = format!(
            "POST /api/external/people HTTP/1.0\\r\\nHost: localhost\\r\\n\
             Content-Type: application/json\\r\\nContent-Length: {}\\r\\n\\r\\n",
            body.len()
        );
        let script = format!(
            "exec 3<> /dev/tcp/127.0.0.1/5000; printf '{request}' >&3; printf %s '{body}' >&3; cat <&3"
        );
        self.inside("pinset", &["bash", "-c", &script])
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // What is not there is no error worth a word.
        let _ = self.compose(&["down", "--volumes"]);
        // A volume of a container that was just starting again is still there.
        let project = format!("label=com.docker.compose.project={}", self.name);
        let list = ["volume", "ls", "--quiet", "--filter", &project];
        let volumes = self.engine.output(list).unwrap_or_default();
        for volume in String::from_utf8_lossy(&volumes).split_whitespace() {
            let _ = self.engine.output(["volume", "rm", "--force", volume]);
        }
        let network = ["rm", "--force", "--time", "0", &self.name];
        let _ = self.engine.output(network);
        let _ = self.engine.output(["rmi", "--force", &self.name]);
    }
}

/// Runs a command to its end; returns what it printed.
fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}\n{printed}\n{errors}");
    Ok(printed)
}

fn check(services: &Services) -> Result<()> {
    services.up()?;
    services.call("482913", 1)?;
    for service in ["asterisk", "pinset"] {
        let status = services.inside(service, &["cat", "/proc/1/status"])?;
        let has = |line: String| status.lines().any(|other| other.trim() == line);
        ensure!(
            has(format!("Uid:\t{USER}\t{USER}\t{USER}\t{USER}")),
            "{status}"
        );
        ensure!(has("CapEff:\t0000000000000000".to_owned()), "{status}");
    }
    let first = services.ask("{}")?;
    ensure!(first.contains(r#""gather""#), "{first}");
    let right = services.ask(r#"{"pin_code": "482913"}"#)?;
    ensure!(right.contains("1091"), "{right}");
    let wrong = services.ask(r#"{"pin_code": "482914"}"#)?;
    ensure!(wrong.contains("1092"), "{wrong}");

    // Configuration, PIN files and the database are in volumes.
    services.cli("database put kept key value")?;
    let add = "echo bob,plain:100200, >> /etc/asterisk/pins/people.csv; \
               echo '; kept' >> /etc/asterisk/authenticate.conf";
    services.inside("asterisk", &["bash", "-c", add])?;
    services.compose(&["down"])?;
    services.up()?;
    let kept = services.cli("database get kept key")?;
    ensure!(kept.contains("value"), "{kept}");
    let conf = services.inside(
        "asterisk",
        &["tail", "-n", "1", "/etc/asterisk/authenticate.conf"],
    )?;
    ensure!(conf.trim() == "; kept", "{conf}");
    services.call("100200", 1)
}

#[test]
fn services_of_the_compose_file_verify_pins() {
    let services = match Services::new() {
        Ok(services) => services,
        Err(error) => panic!("{error:#}"),
    };
    if let Err(error) = check(&services) {
        let log = services.compose(&["logs"]).unwrap_or_default();
        panic!("{error:#}\n{log}");
    }
}
