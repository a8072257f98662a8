//! A headless Chromium, driven by `chromedriver` over WebDriver
//! (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use serde_json::{json, Value};
use ureq::Agent;

/// How WebDriver calls the reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Longest wait for the page after a click, and how often it is polled.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A browser with one window. It ends when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    agent: Agent,
    /// The session's address.
    session: String,
}

impl Browser {
    pub(crate) fn start() -> Result<Self> {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("no chromedriver (on Debian: apt-get install chromium-driver)")?;
        let printed = BufReader::new(driver.stdout.take().context("no output")?);
        let mut browser = Self {
            driver,
            agent: Agent::config_builder()
                .http_status_as_error(false)
                .build()
                .into(),
            session: String::new(),
        };
        let begun = |line: &String| line.contains("started successfully");
        let mut lines = printed.lines().map_while(Result::ok);
        let line = lines.find(begun).context("chromedriver did not start")?;
        let port = line.trim_end_matches('.').rsplit(' ').next();
        browser.session = format!("http://127.0.0.1:{}/session", port.unwrap_or_default());
        // Its sandbox is not for root, and /dev/shm is small in a container.
        let arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"];
        let chrome = json!({"args": arguments});
        let wanted = json!({"browserName": "chrome", "goog:chromeOptions": chrome});
        let capabilities = json!({"capabilities": {"alwaysMatch": wanted}});
        let session = browser.post("", &capabilities)?;
        let id = session["sessionId"].as_str().context("no session")?;
        browser.session = format!("{}/{id}", browser.session);
        Ok(browser)
    }

    /// Goes to an address, and waits for the page.
    pub(crate) fn open(&self, url: &str) -> Result<()> {
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    /// Goes to the page before, as the button of the browser does.
    pub(crate) fn back(&self) -> Result<()> {
        self.post("/back", &json!({})).map(drop)
    }

    /// Sends a command of Chromium's own protocol.
    pub(crate) fn command(&self, command: &str, parameters: &Value) -> Result<Value> {
        let body = json!({"cmd": command, "params": parameters});
        self.post("/goog/cdp/execute", &body)
    }

    /// Presses and releases keys, one after the other, wherever the focus is.
    pub(crate) fn press(&self, keys: &str) -> Result<()> {
        let strokes = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
        });
        let strokes: Vec<Value> = strokes.collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": strokes});
        self.post("/actions", &json!({"actions": [keyboard]}))
            .map(drop)
    }

    /// Runs a script that calls its last argument with a result.
    pub(crate) fn result(&self, script: &str) -> Result<Value> {
        let body = json!({"script": script, "args": []});
        self.post("/execute/async", &body)
    }

    /// Returns a picture of the window, as PNG.
    pub(crate) fn screenshot(&self) -> Result<Vec<u8>> {
        let picture = self.command("Page.captureScreenshot", &json!({}))?;
        let picture = picture["data"].as_str().context("no picture")?;
        Ok(STANDARD.decode(picture)?)
    }

    /// The value of an expression of JavaScript in the page.
    pub(crate) fn value(&self, expression: &str) -> Result<Value> {
        let script = format!("return {expression}");
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// The texts of all elements a CSS selector finds, as a reader sees them.
    pub(crate) fn texts(&self, selector: &str) -> Result<Vec<String>> {
        let elements = format!("[...document.querySelectorAll({})]", json!(selector));
        let texts = self.value(&format!("{elements}.map(element => element.innerText)"))?;
        Ok(serde_json::from_value(texts)?)
    }

    /// Clicks on the first element a selector finds, and waits for the page that
    /// follows: the driver does not wait for one that begins to load late.
    pub(crate) fn follow(&self, selector: &str) -> Result<()> {
        self.follow_by(|| self.click(selector))
            .with_context(|| format!("after a click on {selector}"))
    }

    /// Does something, and waits until another page has been loaded.
    pub(crate) fn follow_by(&self, act: impl FnOnce() -> Result<()>) -> Result<()> {
        self.value("document.documentElement.dataset.left = 'yes'")?;
        act()?;
        let is_new = "!document.documentElement.dataset.left \
            && document.readyState === 'complete'";
        self.until("another page", || Ok(self.value(is_new)? == true))
    }

    /// Waits until a condition holds. Between two pages there is no document, and
    /// an error means only that.
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + PAGE_TIMEOUT;
        loop {
            let answer = holds();
            if matches!(answer, Ok(true)) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "no {what}: {answer:?}");
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Clicks on the first element a selector finds.
    pub(crate) fn click(&self, selector: &str) -> Result<()> {
        let element = self.element(selector)?;
        let path = format!("/element/{element}/click");
        self.post(&path, &json!({})).map(drop)
    }

    /// Types into a field in place of what stands there.
    pub(crate) fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.element(selector)?;
        self.post(&format!("/element/{element}/clear"), &json!({}))?;
        let path = format!("/element/{element}/value");
        self.post(&path, &json!({ "text": text })).map(drop)
    }

    /// Whether a page has opened a dialog.
    pub(crate) fn alerts(&self) -> Result<bool> {
        let url = format!("{}/alert/text", self.session);
        let answer: Value = self.agent.get(&url).call()?.body_mut().read_json()?;
        Ok(answer["value"]["error"] != "no such alert")
    }

    fn element(&self, selector: &str) -> Result<String> {
        let by = json!({"using": "css selector", "value": selector});
        let element = self.post("/element", &by)?;
        let id = element[ELEMENT].as_str().context("no element")?;
        Ok(id.to_owned())
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.session);
        let mut answer = self.agent.post(&url).send_json(body)?;
        let mut answer: Value = answer.body_mut().read_json()?;
        let value = answer["value"].take();
        if let Some(error) = value["error"].as_str() {
            let message = value["message"].as_str().unwrap_or_default();
            bail!("{path} {body}: {error}: {message}");
        }
        Ok(value)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
