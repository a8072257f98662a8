//! `pinset serve` on this machine, on its own port.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use anyhow::{ensure, Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use ureq::Agent;

/// The user for `/logs`.
pub(crate) const USER: &str = "admin";
pub(crate) const PASSWORD: &str = "Swordfish-2";

const PATH: &str = "/api/external/hipcall-ingress";

/// The service. It ends when it is dropped.
pub(crate) struct Served {
    service: Child,
    address: String,
    agent: Agent,
    _dir: TempDir,
}

impl Served {
    /// Starts it with this list.
    pub(crate) fn start(list: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let path = |name: &str| dir.path().join(name);
        fs::write(path("list.csv"), list)?;
        fs::write(path("admin"), format!("{USER}:{PASSWORD}\n"))?;
        fs::set_permissions(path("admin"), fs::Permissions::from_mode(0o600))?;
        let config = format!(
            r#"
                listen = "127.0.0.1:0"
                state = "{dir}/state.db"
                [log]
                file = "{dir}/log.db"
                logs_auth = "basic:{dir}/admin"
                [numbers]
                country_code = 90
                [service.customers]
                list = "{dir}/list.csv"
                hangup_path = "/hangup"
                lockout_caller = "no"
                lockout_pinset = "no"
                success = [{{ connect = "1091" }}]
                failure = [{{ connect = "1092" }}]
            "#,
            dir = dir.path().display()
        );
        fs::write(path("serve.toml"), config)?;
        let mut service = Command::new(harness::pinset()?)
            .args(["serve", "--config"])
            .arg(path("serve.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let printed = BufReader::new(service.stdout.take().context("no output")?);
        let mut lines = printed.lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let (_, address) = line.split_once("127.0.0.1:")?;
            let digits = address.find(|c: char| !c.is_ascii_digit());
            Some(format!(
                "127.0.0.1:{}",
                &address[..digits.unwrap_or(address.len())]
            ))
        });
        Ok(Self {
            service,
            address: address.context("the service does not say where it listens")?,
            agent: Agent::config_builder()
                .http_status_as_error(false)
                .build()
                .into(),
            _dir: dir,
        })
    }

    /// Posts a call; what it is answered with.
    pub(crate) fn post(&self, call: &Value) -> Result<Value> {
        let url = format!("http://{}{PATH}", self.address);
        let mut answer = self.agent.post(&url).send_json(call)?;
        ensure!(answer.status() == 200, "{call}: {}", answer.status());
        Ok(answer.body_mut().read_json()?)
    }

    /// Reports the end of a call.
    pub(crate) fn hangup(&self, report: &Value) -> Result<()> {
        let url = format!("http://{}/hangup", self.address);
        let answer = self.agent.post(&url).send_json(report)?;
        ensure!(answer.status() == 200, "{report}: {}", answer.status());
        Ok(())
    }

    /// The status of a page without credentials.
    pub(crate) fn status(&self, path: &str) -> Result<u16> {
        let url = format!("http://{}{path}", self.address);
        Ok(self.agent.get(&url).call()?.status().as_u16())
    }

    /// The address of a page, with the credentials in it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{USER}:{PASSWORD}@{}{path}", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}
