//! Nothing of hidden digits is left after the application has ended.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use harness::{Call, Ongoing, Pbx};

use super::{builder, is_seen, on, refused, Witness};
use crate::module::{load_by_ami, module_action, unload_wholly, OURS};
use crate::pin_sets::call;
use crate::support::Shell;

const TIME: Duration = Duration::from_secs(20);

/// Asterisk with one AMI session, on whose thread the module is loaded.
fn unloading(pbx: &Pbx) -> Result<(harness::Ami, Shell)> {
    let ami = pbx.ami()?;
    let mut shell = Shell::open(pbx)?;
    load_by_ami(&ami, &mut shell)?;
    Ok((ami, shell))
}

fn is_at(ongoing: &mut Ongoing<'_>, application: &str) -> Result<()> {
    ongoing.until(application, |frame| {
        frame.event() == Some("Newexten") && frame.has("Application", application)
    })
}

fn press(ongoing: &Ongoing<'_>, keys: &str) -> Result<()> {
    keys.chars().try_for_each(|key| ongoing.press(key))
}

/// The call goes on in `Read`, which hears one key, and all see it.
fn reads_on(witness: &mut Witness<'_>, mut ongoing: Ongoing<'_>) -> Result<()> {
    is_at(&mut ongoing, "Read")?;
    let signs = witness.signs()?;
    ensure!(signs.is_empty(), "{signs:#?}");
    press(&ongoing, "5")?;
    is_at(&mut ongoing, "Wait")?;
    let signs = witness.signs()?;
    is_seen(witness.pbx, &signs)?;
    ongoing.hang_up()?;
    let report = ongoing.finish()?;
    ensure!(report.variable("H") == "5", "{report:#?}");
    Ok(())
}

#[test]
fn next_application_gets_digits_and_module_can_be_unloaded() {
    on(builder(), |pbx| {
        let (ami, mut shell) = unloading(pbx)?;
        let mut witness = Witness::new(pbx)?;
        let place = || -> Result<Ongoing<'_>> {
            let mut ongoing = pbx.place(&Call::to("read", "s").report("H"))?;
            ongoing.until_sound("agent-pass")?;
            Ok(ongoing)
        };
        let mut ongoing = place()?;
        press(&ongoing, "47")?;
        ensure!(module_action(&ami, "unload", OURS).is_err(), "unloaded");
        press(&ongoing, "11#")?;
        is_at(&mut ongoing, "Read")?;
        unload_wholly(pbx, &ami, &mut shell)?;
        reads_on(&mut witness, ongoing)?;

        // Behind a first entry, the call is sent elsewhere.
        module_action(&ami, "load", OURS)?;
        witness.signs()?;
        let mut ongoing = place()?;
        press(&ongoing, "9#")?;
        ongoing.until_sound("auth-incorrect")?;
        let channel = ongoing.channel().context("no channel")?.to_owned();
        ami.action(
            "Redirect",
            &[
                ("Channel", &channel),
                ("Context", "read"),
                ("Exten", "s"),
                ("Priority", "2"),
            ],
        )?;
        is_at(&mut ongoing, "Read")?;
        unload_wholly(pbx, &ami, &mut shell)?;
        reads_on(&mut witness, ongoing)?;

        // Hung up by the caller.
        module_action(&ami, "load", OURS)?;
        let report = pbx.call(&call("doors", "47<hangup>"))?;
        refused("HANGUP").check(&report)?;
        unload_wholly(pbx, &ami, &mut shell)
    });
}

/// The caller is taken out of the application into a bridge, on a channel of
/// another address: digits are seen there, and the module can go.
#[test]
fn bridged_caller_has_visible_digits() {
    on(builder(), |pbx| {
        let (ami, mut shell) = unloading(pbx)?;
        let mut other = pbx.place(&Call::to("read", "wait"))?;
        is_at(&mut other, "Wait")?;
        let other_name = other.channel().context("no channel")?.to_owned();
        let mut ongoing = pbx.place(&call("doors", ""))?;
        ongoing.until_sound("agent-pass")?;
        press(&ongoing, "47")?;
        let name = ongoing.channel().context("no channel")?.to_owned();
        let events = ami.events();
        ami.action("Bridge", &[("Channel1", &name), ("Channel2", &other_name)])?;
        events.wait("the bridge", TIME, |frame| {
            frame.event() == Some("BridgeEnter") && frame.has("Channel", &name)
        })?;
        ongoing.press('5')?;
        events.wait("the key", TIME, |frame| {
            frame.event() == Some("DTMFEnd")
                && frame.has("Channel", &name)
                && frame.has("Digit", "5")
        })?;
        unload_wholly(pbx, &ami, &mut shell)?;
        // The end of one is the end of the other.
        ami.action("Hangup", &[("Channel", &name)]).map(drop)
    });
}
