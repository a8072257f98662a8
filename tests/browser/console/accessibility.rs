//! Each page has no violation that axe-core finds, light and dark, fits into 320 pixels, and
//! works without script.

use std::{env, fs};

use anyhow::{ensure, Context, Result};
use serde_json::json;

use super::pages::{ANSWERS, LOGIN, PAGES};
use super::Site;

/// Names the file of axe-core that the Makefile fetches.
const AXE: &str = "AXE_CORE";

/// Lists what is wrong, each with the elements.
const RUN: &str = "
const done = arguments[arguments.length - 1];
const only = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
axe.run(document, {runOnly: only, resultTypes: ['violations']}).then(
    result => done(result.violations.map(wrong =>
        wrong.id + ': ' + wrong.help + ': ' + wrong.nodes.map(node => node.html).join('; '))),
    error => done([String(error)]));
";

/// Elements that reach out of the window, without those in a part that scrolls by itself.
const TOO_WIDE: &str = "(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll('body *')]
        .filter(element => !element.parentElement.closest('.table'))
        .filter(element => element.getBoundingClientRect().right > width)
        .map(element => element.outerHTML.slice(0, 200));
})()";

/// The widths of the window, and what is asked for.
const VIEWS: [(u32, &str); 3] = [(1280, "light"), (1280, "dark"), (320, "light")];

/// Checks the page that is open.
fn check(site: &Site, axe: &str, name: &str) -> Result<()> {
    site.browser.value(&format!("(() => {{ {axe} }})()"))?;
    for (width, scheme) in VIEWS {
        site.resize(width, 800)?;
        site.prefer(scheme)?;
        let wrong = site.browser.result(RUN)?;
        ensure!(wrong == json!([]), "{name}, {width}, {scheme}: {wrong:#}");
    }
    Ok(())
}

fn check_all(site: &Site, axe: &str) -> Result<()> {
    for page in &PAGES {
        site.open_page(page)?;
        check(site, axe, page.path)?;
    }
    for page in &ANSWERS {
        site.open_page(page)?;
        check(site, axe, &format!("{}: {}", page.path, page.heading))?;
    }
    site.open("/nowhere")?;
    check(site, axe, "a missing page")
}

/// Returns the text of axe-core.
fn axe() -> Result<String> {
    let axe = env::var(AXE).with_context(|| format!("{AXE} is not set: make browser"))?;
    fs::read_to_string(&axe).context(axe)
}

#[test]
#[ignore = "needs chromium and containers: make browser"]
fn no_page_has_an_accessibility_violation_before_the_first_call() -> Result<()> {
    check_all(&Site::without_calls()?, &axe()?)
}

#[test]
#[ignore = "needs chromium and containers: make browser"]
fn no_page_has_an_accessibility_violation() -> Result<()> {
    let axe = axe()?;
    let site = Site::start()?;
    check_all(&site, &axe)?;
    site.browser
        .command("Network.clearBrowserCookies", &json!({}))?;
    site.open(LOGIN)?;
    check(&site, &axe, LOGIN)?;
    site.browser.type_into("[name=name]", "ada")?;
    site.browser
        .type_into("[name=password]", "a wrong password")?;
    site.browser.follow("main [type=submit]")?;
    check(&site, &axe, "a refused login")
}

#[test]
#[ignore = "needs chromium and containers: make browser"]
fn pages_fit_into_320_pixels_and_with_text_of_200_percent() -> Result<()> {
    let site = Site::start()?;
    for page in &PAGES {
        site.resize(320, 640)?;
        site.open_page(page)?;
        let wide = site.browser.value(TOO_WIDE)?;
        ensure!(wide == json!([]), "{}: {wide:#}", page.path);
        // A window of 1280 has 640 at a zoom of 200 %. Larger text alone must fit, too.
        site.resize(1280, 800)?;
        site.browser
            .value("document.documentElement.style.fontSize = '200%'")?;
        let wide = site.browser.value(TOO_WIDE)?;
        ensure!(wide == json!([]), "{}, text of 200 %: {wide:#}", page.path);
    }
    Ok(())
}

#[test]
#[ignore = "needs chromium and containers: make browser"]
fn pages_work_without_script() -> Result<()> {
    let site = Site::start()?;
    let off = json!({"value": true});
    site.browser
        .command("Emulation.setScriptExecutionDisabled", &off)?;
    for page in &PAGES {
        site.open_page(page)?;
    }
    site.open("/locked")?;
    site.browser.follow("td [type=submit]")?;
    let text = site.browser.texts("main")?.join("\n");
    ensure!(text.contains("Unlocked: 1"), "{text}");
    // The browser runs no script of a page now.
    let page = "data:text/html,<title>off</title><script>document.title = 'on'</script>";
    site.browser.open(page)?;
    let title = site.browser.value("document.title")?;
    ensure!(title == "off", "{title}");
    Ok(())
}
