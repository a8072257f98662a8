//! The page of requests that `pinset serve` shows, in a web browser.

mod driver;

use anyhow::{ensure, Result};

use driver::Browser;

#[test]
fn the_browser_is_there() -> Result<()> {
    let browser = Browser::start()?;
    browser.open("data:text/html,<p id=a>x</p><input id=i><button id=b onclick=\"document.getElementById('a').innerText=document.getElementById('i').value\">b</button>")?;
    browser.type_into("#i", "hello")?;
    browser.click("#b")?;
    ensure!(browser.texts("p")? == ["hello"]);
    ensure!(!browser.alerts()?);
    browser.open("data:text/html,<script>alert(1)</script>")?;
    ensure!(browser.alerts()?);
    Ok(())
}
