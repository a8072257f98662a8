//! Values read from a channel stay right after the caller has been moved out of the
//! application to another channel (a masquerade).

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{ensure, Context};
use harness::{Call, Pbx};

use crate::support::on;

const DIALPLAN: &str = "
[again]
exten => s,1,Answer()
 same => n(here),Authenticate(pinset:missing,cq)
 same => n,Goto(here)
exten => wait,1,Answer()
 same => n,Wait(60)
include => harness-h
";

const TIME: Duration = Duration::from_secs(20);

/// The log names a caller's channel all the time while AMI takes the caller out
/// onto another channel, which renames the one in the application.
#[test]
fn channel_name_in_the_log_is_whole_during_masquerades() {
    const ROUNDS: usize = 20;
    let builder = Pbx::builder()
        .file("authenticate.conf", "[general]\n")
        .dialplan(DIALPLAN);
    on(builder, |pbx| {
        let ami = pbx.manager()?;
        let mut names = BTreeSet::new();
        for _ in 0..ROUNDS {
            let mut other = pbx.place(&Call::to("again", "wait"))?;
            other.until("Wait", |frame| {
                frame.event() == Some("Newexten") && frame.has("Application", "Wait")
            })?;
            let other_name = other.channel().context("no channel")?.to_owned();
            let events = ami.events();
            let mut ongoing = pbx.place(&Call::to("again", "s"))?;
            ongoing.until("an outcome", |frame| {
                frame.event() == Some("AuthenticateFailure")
            })?;
            let name = ongoing.channel().context("no channel")?.to_owned();
            ami.action("Bridge", &[("Channel1", &name), ("Channel2", &other_name)])?;
            events.wait("the bridge", TIME, |frame| {
                frame.event() == Some("BridgeEnter") && frame.has("Channel", &name)
            })?;
            ami.action("Hangup", &[("Channel", &name)])?;
            names.insert(name);
        }
        let log = pbx.log()?;
        let mut logged = 0;
        for line in log.lines().filter(|line| line.contains(" is refused: ")) {
            let start = line.split_once(".rs: ").context("no message")?.1;
            let name = start.split_once(" is refused: ").context("no name")?.0;
            let own = name
                .trim_start_matches("Surrogate/")
                .trim_end_matches("<ZOMBIE>");
            ensure!(names.contains(own), "{name} is none of {names:?}");
            logged += 1;
        }
        ensure!(logged >= ROUNDS, "only {logged} lines");
        Ok(())
    });
}
