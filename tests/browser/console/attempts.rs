//! Attempts, lockouts and their end, seen in the browser.

use anyhow::{ensure, Result};
use harness::{Call, Outcome};

use super::Site;

const CALLER: &str = "+905060508169";

#[test]
#[ignore = "needs chromium and containers: make browser"]
fn wrong_pins_are_seen_and_the_caller_is_unlocked() -> Result<()> {
    let site = Site::without_calls()?;
    let call = |keys| {
        let call = Call::new("pinset:customers").caller(CALLER).keys(keys);
        site.console.pbx().call(&call)
    };
    // The rows of the caller.
    let rows = |path: &str| -> Result<Vec<String>> {
        site.open(path)?;
        let rows = site.browser.texts("main tbody tr")?;
        Ok(rows
            .into_iter()
            .filter(|row| row.contains(CALLER))
            .collect())
    };
    ensure!(rows("/locked")?.is_empty());
    // It appears on the open page.
    ensure!(rows("/live")?.is_empty());
    call("1# 2# 3#")?;
    site.browser.until("attempt", || {
        let shown = site.browser.texts("main tbody tr")?;
        Ok(shown.len() == 1 && shown[0].contains(CALLER))
    })?;
    let refused = call("4# 5#")?;
    ensure!(refused.status() == "LOCKED", "{refused:#?}");
    let locked = rows("/locked")?;
    ensure!(
        locked.len() == 1 && locked[0].contains(CALLER),
        "{locked:?}"
    );
    let refused = call("482913#")?;
    ensure!(refused.status() == "LOCKED", "{refused:#?}");

    site.open("/locked")?;
    site.browser.follow("td [type=submit]")?;
    let text = site.browser.texts("main")?.join("\n");
    ensure!(text.contains("Unlocked: 1"), "{text}");
    let admitted = call("482913#")?;
    ensure!(admitted.outcome == Outcome::Passed, "{admitted:#?}");
    ensure!(rows("/changes")?.len() == 1, "no row about the unlock");
    Ok(())
}
