//! The console with the keyboard alone.

use anyhow::{ensure, Result};
use harness::Console;
use serde_json::json;

use super::pages::{LOGIN, PAGES};
use super::Site;

/// Keys, as WebDriver writes them.
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// Elements that a person reaches with Tab: of radio buttons, the chosen one.
const FOCUSABLE: &str = "[...document.querySelectorAll(
    'a[href], button, input:not([type=hidden]), select, textarea, summary, .table')]
    .filter(element => !element.disabled && element.checkVisibility())
    .filter(element => element.type !== 'radio' || element.checked).length";

/// The element with the focus is in the window, and has an outline.
const IS_VISIBLE: &str = "(() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const place = element.getBoundingClientRect();
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
        && place.width > 0 && place.left >= 0 && place.right <= innerWidth
        && place.top < innerHeight && place.bottom > 0;
})()";

const FOCUSED: &str = "document.activeElement.outerHTML.slice(0, 200)";

#[test]
#[ignore = "needs chromium and containers: make browser"]
fn keyboard_alone_reaches_everything_with_a_visible_focus() -> Result<()> {
    let site = Site::start()?;
    let browser = &site.browser;
    site.resize(1280, 800)?;
    for page in &PAGES {
        site.open_page(page)?;
        browser.press(TAB)?;
        let first = browser.value("document.activeElement.className")?;
        ensure!(first == "skip", "{}: {first}", page.path);
        let count = browser.value(FOCUSABLE)?.as_u64().unwrap_or_default();
        browser.value("window.reached = new Set()")?;
        for _ in 0..count {
            let focused = browser.value(FOCUSED)?;
            ensure!(
                browser.value(IS_VISIBLE)? == true,
                "{}: {focused}",
                page.path
            );
            browser.value("window.reached.add(document.activeElement)")?;
            browser.press(TAB)?;
        }
        let reached = browser.value("window.reached.size")?;
        ensure!(
            reached == json!(count),
            "{}: {reached} of {count}",
            page.path
        );
        // Past the navigation.
        site.open_page(page)?;
        browser.press(&format!("{TAB}{ENTER}"))?;
        ensure!(browser.value("document.activeElement.id")? == "main");
    }
    Ok(())
}

#[test]
#[ignore = "needs chromium and containers: make browser"]
fn keyboard_alone_logs_in_and_unlocks() -> Result<()> {
    let site = Site::start()?;
    let browser = &site.browser;
    browser.command("Network.clearBrowserCookies", &json!({}))?;
    site.open(LOGIN)?;
    browser.value("document.querySelector('[name=name]').focus()")?;
    let keys = format!("{}{TAB}{}{ENTER}", Console::ADMIN, site.console.password());
    browser.follow_by(|| browser.press(&keys))?;
    site.open("/locked")?;
    let button = "td [type=submit]";
    let is_reached = format!("document.activeElement === document.querySelector('{button}')");
    let count = browser.value(FOCUSABLE)?.as_u64().unwrap_or_default();
    for _ in 0..count {
        if browser.value(&is_reached)? == true {
            break;
        }
        browser.press(TAB)?;
    }
    ensure!(browser.value(&is_reached)? == true, "not reached");
    browser.follow_by(|| browser.press(ENTER))?;
    let text = browser.texts("main")?.join("\n");
    ensure!(text.contains("Unlocked: 1"), "{text}");
    Ok(())
}
