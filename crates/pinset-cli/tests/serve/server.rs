//! A service for one test, on a port of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{kill_process, Pid, Signal};

use crate::client::{basic, request, Connection, Response, PATIENCE};
use crate::lab::Lab;

/// The path in Hipcall's guide.
pub(crate) const INGRESS: &str = "/api/external/hipcall-ingress";
pub(crate) const LOGS_AUTH: &str = "admin:look-at-logs";

/// The service of Hipcall's guide, to which tests add options.
pub(crate) const HIPCALL: &str = r#"
list = "LAB/list.csv"
success = [{ play = "https://your-server.example.com/static/audio/success.mp3" }, { connect = "1091" }]
failure = [{ play = "https://your-server.example.com/static/audio/failure.mp3" }, { connect = "1092" }]
gather.ask = "https://your-server.example.com/static/audio/pin_prompt.mp3"
"#;

/// The list of the service.
pub(crate) const LIST: &str = "account,secret,caller\nalice,plain:1234,+905060508169\n";

/// Creates a folder with a list and credential files.
pub(crate) fn lab() -> Lab {
    let lab = Lab::new();
    lab.list("list.csv", LIST);
    lab.file("logs.cred", LOGS_AUTH, 0o600);
    lab
}

/// Writes a configuration, in which `LAB` stands for the folder.
pub(crate) fn configure(lab: &Lab, general: &str, service: &str) {
    let text = format!(
        "listen = \"127.0.0.1:0\"\nstate = \"LAB/state.db\"\n{general}\n\
         [numbers]\ncountry_code = \"90\"\n\
         [log]\nfile = \"LAB/log.db\"\nlogs_auth = \"basic:LAB/logs.cred\"\n\
         [service.hipcall]\n{service}"
    );
    write(lab, &text);
}

/// Writes a configuration unchanged.
pub(crate) fn write(lab: &Lab, text: &str) {
    let folder = lab.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    lab.file("serve.toml", text.replace("LAB", folder), 0o640);
}

pub(crate) struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts the service of Hipcall's guide in this folder.
    pub(crate) fn hipcall(lab: &Lab) -> Self {
        configure(lab, "", HIPCALL);
        Self::start(lab)
    }

    /// Starts the service with the configuration in the folder.
    pub(crate) fn start(lab: &Lab) -> Self {
        Self::run(lab, lab.command(&["serve", "--config", "serve.toml"]))
    }

    /// Starts a command that becomes the service.
    pub(crate) fn run(lab: &Lab, command: Command) -> Self {
        let mut err = File::options();
        let err = err.create(true).append(true).open(lab.path("err"));
        Self::run_with(lab, command, err.unwrap())
    }

    /// Starts a command that becomes the service, with this standard error.
    pub(crate) fn run_with(lab: &Lab, mut command: Command, err: File) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(err).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.trim().rsplit("//").next().unwrap().parse();
        let address = address.unwrap_or_else(|_| panic!("{}", lab.text("err")));
        Self { child, address }
    }

    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut connection = Connection::new(self.address);
        connection.send(&request(method, path, headers, body));
        connection.response().unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.ask("GET", path, &[], "")
    }

    pub(crate) fn post(&self, body: &str) -> Response {
        self.ask("POST", INGRESS, &[], body)
    }

    /// Returns the destination of a new call with this PIN.
    pub(crate) fn call(&self, caller: &str, pin: &str) -> String {
        let body = format!(r#"{{"caller":"{caller}","data":{{"pin_code":"{pin}"}}}}"#);
        self.post(&body).destination()
    }

    /// Requests a page of the log with valid credentials.
    pub(crate) fn logs(&self, page: &str) -> Response {
        let (name, value) = basic(LOGS_AUTH);
        self.ask("GET", page, &[(name, &value)], "")
    }

    /// Returns rows of the log, newest first.
    pub(crate) fn rows(&self, query: &str) -> Vec<serde_json::Value> {
        let found = self.logs(&format!("/logs.json{query}"));
        assert_eq!(found.status, 200, "{}", found.text());
        found.json()["rows"].as_array().unwrap().clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Waits until the service has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("its end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The service may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a message on standard error, which the service writes asynchronously.
pub(crate) fn noted(lab: &Lab, text: &str) {
    until(text, || lab.text("err").contains(text));
}

/// Waits until a condition is true.
pub(crate) fn until(what: &str, mut has: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !has() {
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}
