//! The web console in a web browser, beside a real Asterisk.

mod accessibility;
mod attempts;
mod keyboard;
mod pages;
mod protection;
mod screenshots;

use anyhow::{ensure, Result};
use harness::Console;
use serde_json::json;

use crate::driver::Browser;
use pages::{Page, Step};

/// A console with sample calls, and a browser in which its administrator is logged in.
struct Site {
    browser: Browser,
    console: Console,
}

impl Site {
    fn start() -> Result<Self> {
        let site = Self::without_calls()?;
        site.console.place_calls()?;
        Ok(site)
    }

    /// Starts one before any call.
    fn without_calls() -> Result<Self> {
        let site = Self {
            console: Console::start()?,
            browser: Browser::start()?,
        };
        site.open("/login")?;
        site.log_in()?;
        Ok(site)
    }

    fn open(&self, path: &str) -> Result<()> {
        self.browser.open(&self.console.url(path))
    }

    /// Opens a page, and checks its heading.
    fn open_page(&self, page: &Page) -> Result<()> {
        self.open(page.path)?;
        for step in page.steps {
            match step {
                Step::Type(field, text) => self.browser.type_into(field, text)?,
                Step::Follow(element) => self.browser.follow(element)?,
                Step::Run(script) => self.browser.value(script).map(drop)?,
                Step::LookBack(element) => {
                    let before = self.browser.value("document.documentElement.innerHTML")?;
                    self.browser.follow(element)?;
                    let show = format!("document.documentElement.innerHTML = {before}");
                    self.browser.value(&show)?;
                    let has_style = "document.styleSheets.length === 1";
                    self.browser
                        .until("style", || Ok(self.browser.value(has_style)? == true))?;
                }
            }
        }
        let headings = self.browser.texts("h1")?;
        ensure!(headings == [page.heading], "{}: {headings:?}", page.path);
        Ok(())
    }

    /// Logs in on the page that is open.
    fn log_in(&self) -> Result<()> {
        self.browser.type_into("[name=name]", Console::ADMIN)?;
        self.browser
            .type_into("[name=password]", self.console.password())?;
        self.browser.follow("main [type=submit]")?;
        let names = self.browser.texts("nav [aria-current=page]")?;
        ensure!(names == ["PIN sets"], "not logged in: {names:?}");
        Ok(())
    }

    /// Shows pages in a window of this size from now on.
    fn resize(&self, width: u32, height: u32) -> Result<()> {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        let command = "Emulation.setDeviceMetricsOverride";
        self.browser.command(command, &size).map(drop)
    }

    /// Asks for light or dark pages from now on.
    fn prefer(&self, scheme: &str) -> Result<()> {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        let media = json!({"features": [feature]});
        self.browser
            .command("Emulation.setEmulatedMedia", &media)
            .map(drop)
    }
}
