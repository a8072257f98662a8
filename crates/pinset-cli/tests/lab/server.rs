//! A service for one test, on a port of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{kill_process, Pid, Signal};

use crate::lab::http::{request, Connection, Response, PATIENCE};
use crate::lab::Lab;

pub(crate) struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
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
