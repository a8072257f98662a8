//! The time until Chromium has painted a page, by its own figure.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{json, Value};

use crate::must;

/// Number of browsers, each with nothing in its cache. The one in the middle counts.
const BROWSERS: usize = 5;

const FIGURE: &str = "return performance.getEntriesByName('first-contentful-paint')\
                      .map(entry => entry.startTime)[0] ?? null";

/// Returns the time until the first paint of a page, or why there is none.
pub(crate) fn first_paint(url: &str) -> Result<Duration, String> {
    let driver = Driver::start()?;
    let mut found = (0..BROWSERS)
        .map(|_| driver.first_paint(url))
        .collect::<Result<Vec<_>, _>>()?;
    found.sort_unstable();
    found.get(BROWSERS / 2).copied().ok_or_else(String::new)
}

/// A `chromedriver`, which speaks WebDriver.
struct Driver {
    child: Child,
    address: String,
}

impl Driver {
    fn start() -> Result<Self, String> {
        let mut command = Command::new("chromedriver");
        command.args(["--port=0", "--log-level=SEVERE"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let missing = |error| format!("chromedriver (Debian: chromium-driver): {error}");
        let mut child = child.map_err(missing)?;
        let output = child.stdout.take().map(BufReader::new);
        let lines = output.into_iter().flat_map(BufRead::lines);
        let mut lines = lines.map_while(Result::ok);
        let begun = lines.find(|line| line.contains("started successfully"));
        let port = begun.as_deref().unwrap_or_default().trim_end_matches('.');
        let port = port.rsplit(' ').next().unwrap_or_default();
        let address = format!("127.0.0.1:{port}");
        Ok(Self { child, address })
    }

    /// Starts a browser, opens the page, and asks it for its figure.
    fn first_paint(&self, url: &str) -> Result<Duration, String> {
        // Its sandbox is not for root, and /dev/shm is small in a container.
        let arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"];
        let wanted = json!({"browserName": "chrome", "goog:chromeOptions": {"args": arguments}});
        let wanted = json!({"capabilities": {"alwaysMatch": wanted}});
        let session = self.send("POST", "/session", &wanted);
        let id = session["sessionId"].as_str();
        let id = id.ok_or_else(|| format!("no Chromium: {session}"))?;
        let session = format!("/session/{id}");
        self.send("POST", &format!("{session}/url"), &json!({"url": url}));
        let script = json!({"script": FIGURE, "args": []});
        let mut found = Value::Null;
        // It is painted after it is loaded.
        for _ in 0..500 {
            found = self.send("POST", &format!("{session}/execute/sync"), &script);
            if found.is_number() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.send("DELETE", &session, &json!({}));
        let milliseconds = found.as_f64();
        let milliseconds = milliseconds.ok_or_else(|| format!("no figure: {found}"))?;
        Ok(Duration::from_secs_f64(milliseconds / 1000.0))
    }

    /// Sends a command. Returns its value.
    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = must(TcpStream::connect(&self.address));
        must(write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: \
             {}\r\n\r\n{body}",
            self.address,
            body.len()
        ));
        // The driver keeps the connection open.
        let mut stream = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while must(stream.read_line(&mut line)) > 2 {
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = must(value.trim().parse());
            }
            line.clear();
        }
        let mut answer = vec![0; length];
        must(stream.read_exact(&mut answer));
        let mut answer: Value = must(serde_json::from_slice(&answer));
        answer["value"].take()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
