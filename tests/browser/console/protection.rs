//! What a browser keeps, what is written to the disk, and what forms of other sites can do.

use anyhow::{ensure, Context, Result};

use super::pages::ANSWERS;
use super::Site;

/// Everything that the console, Asterisk and the tests write, but programs.
const WRITTEN: &str = "grep -rlF -e \"$1\" /var/lib/pinset /var/log /srv/pins /etc/pinset \
                       /etc/asterisk || true";

/// Pages that have the rows, the changes or the calls.
const OTHERS: [&str; 8] = [
    "/",
    "/callers?q=eve",
    "/calls",
    "/changes",
    "/live",
    "/pin-file?name=customers.csv",
    "/pin-file/check?name=customers.csv",
    "/setup",
];

#[test]
#[ignore = "needs chromium and containers: make browser"]
fn new_pin_is_in_one_page_only_and_other_sites_change_nothing() -> Result<()> {
    let site = Site::start()?;
    new_pin_is_in_one_page_only(&site)?;
    form_of_another_site_is_refused(&site)
}

fn new_pin_is_in_one_page_only(site: &Site) -> Result<()> {
    let browser = &site.browser;
    let page = ANSWERS.iter().find(|page| page.heading == "New PIN of eve");
    site.open_page(page.context("no page")?)?;
    let html = |browser: &crate::driver::Browser| -> Result<String> {
        let html = browser.value("document.documentElement.outerHTML")?;
        Ok(html.as_str().unwrap_or_default().to_owned())
    };
    let shown = browser.texts(".secret")?;
    ensure!(shown.len() == 1 && shown[0].len() >= 6, "{shown:?}");
    let pin = &shown[0];
    ensure!(html(browser)?.contains(pin));
    browser.follow("nav a")?;
    browser.back()?;
    ensure!(!html(browser)?.contains(pin), "the browser has kept it");
    for path in OTHERS {
        site.open(path)?;
        ensure!(!html(browser)?.contains(pin), "{path}");
    }
    let written = |text: &str| {
        let pbx = site.console.pbx();
        pbx.exec(&["sh", "-ec", WRITTEN, "grep", text])
    };
    ensure!(written("eve")?.contains("/var/lib/pinset/console.db"));
    ensure!(written("eve")?.contains("/srv/pins/customers.csv"));
    for secret in [pin, site.console.password()] {
        let files = written(secret)?;
        ensure!(files.is_empty(), "{files}");
    }
    Ok(())
}

/// A page of another origin, in the browser of a logged-in user.
fn form_of_another_site_is_refused(site: &Site) -> Result<()> {
    let browser = &site.browser;
    site.open("/locked")?;
    let locked = browser.texts("main tbody tr")?;
    ensure!(locked.len() == 1, "{locked:?}");
    let form = format!(
        "data:text/html,<form method=post action={}><input name=pbx value=main>\
         <input name=kind value=caller><input name=value value=%2B905425550199>\
         <input name=pin_set value=customers><button>x</button></form>",
        site.console.url("/locked/unlock")
    );
    browser.open(&form)?;
    browser.follow("button")?;
    ensure!(browser.texts("h1")? == ["403: Forbidden"]);
    site.open("/locked")?;
    ensure!(browser.texts("main tbody tr")?.len() == 1);
    Ok(())
}
