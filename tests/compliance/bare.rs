//! Timeouts of a channel without a dialplan, which differ.

use std::time::Duration;

use anyhow::{Context, Result};
use harness::Pbx;

/// Six seconds for the first key there, and not ten: both modules take it
/// from `ast_app_getdata`'s rules.
#[test]
#[ignore = "needs a container engine"]
fn call_without_timeouts_waits_six_seconds() -> Result<()> {
    let builder = Pbx::builder().dialplan("[hold]\nexten => s,1,Answer()\n same => n,Wait(3600)\n");
    crate::in_pbx(builder, six_seconds)
}

fn six_seconds(pbx: &Pbx) -> Result<()> {
    let manager = pbx.manager()?;
    let events = manager.events();
    let headers = [
        ("Channel", "Local/s@hold/n"),
        ("Application", "Authenticate"),
        ("Data", "1234,,,beep"),
        ("Async", "true"),
    ];
    manager.action("Originate", &headers)?;
    let sound_at = |name: &str| -> Result<f64> {
        let frame = events.wait(name, Duration::from_secs(30), |frame| {
            frame.has("State", "PLAYBACK") && frame.has("Message", name)
        })?;
        frame.time().context("an event without a time")
    };
    let beep = sound_at("beep")?;
    let waited = sound_at("auth-incorrect")? - beep;
    // The beep takes 0.4 s.
    assert!((6.3..8.0).contains(&waited), "{waited} s");
    Ok(())
}
