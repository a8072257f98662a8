//! A hangup, by the caller or by others, at every step of the conversation.

use std::time::Duration;

use anyhow::ensure;
use harness::{Call, Module, Pbx, Report};

use crate::module::use_count;
use crate::support::{on, side_by_side};

/// Who hangs up.
#[derive(Clone, Copy, Debug)]
enum By {
    /// The caller's own key script.
    Caller,
    /// `channel request hangup`, when this sound has started.
    Operator(&'static str),
}

/// Arguments, the caller's keys, who hangs up, and the status after it.
type Step = (&'static str, &'static str, By, &'static str);

const STEPS: &[Step] = &[
    // Where nothing is played: `&` is no prompt.
    ("1234,,,&", "<now><wait 0.5><hangup>", By::Caller, "HANGUP"),
    // Before anything, which may be before it is answered.
    ("1234,q,,&", "<now><hangup>", By::Caller, "HANGUP"),
    // During the prompt, and after it.
    ("1234", "<wait 0.3><hangup>", By::Caller, "HANGUP"),
    (
        "1234",
        "<after-prompt><wait 0.2><hangup>",
        By::Caller,
        "HANGUP",
    ),
    // After some keys of the entry.
    ("1234", "1<hangup>", By::Caller, "HANGUP"),
    ("1234", "12<hangup>", By::Caller, "HANGUP"),
    ("1234", "123<wait 0.2><hangup>", By::Caller, "HANGUP"),
    // Between the attempts, the moment the entry is wrong.
    ("1234", "9#<hangup>", By::Caller, "HANGUP"),
    ("1234,,1", "9<hangup>", By::Caller, "HANGUP"),
    // During auth-incorrect, and in the second entry.
    ("1234", "9# <wait 0.3><hangup>", By::Caller, "HANGUP"),
    ("1234", "9# 12<hangup>", By::Caller, "HANGUP"),
    (
        "1234",
        "9# 9# <after-prompt><wait 0.2><hangup>",
        By::Caller,
        "HANGUP",
    ),
    // During auth-thankyou: the verdict stands.
    ("1234", "1234# <wait 0.2><hangup>", By::Caller, "SUCCESS"),
    ("1234,a", "1234# <wait 0.2><hangup>", By::Caller, "SUCCESS"),
    // During vm-goodbye: so does this one, with j and c too.
    ("1234", "9# 9# 9# <wait 0.2><hangup>", By::Caller, "FAILURE"),
    // Lists, families and early media hang up the same way.
    ("/pins/list,a", "9# 12<hangup>", By::Caller, "HANGUP"),
    ("/family,d", "9# 12<hangup>", By::Caller, "HANGUP"),
    ("/family,dr", "9# 12<hangup>", By::Caller, "HANGUP"),
    ("1234,n", "<wait 0.3><hangup>", By::Caller, "HANGUP"),
    // `c` and `j` do not route a call that has been hung up.
    ("1234,c", "9# 12<hangup>", By::Caller, "HANGUP"),
    ("1234,j", "9# 12<hangup>", By::Caller, "HANGUP"),
    // Hung up by the operator.
    ("1234", "", By::Operator("agent-pass"), "HANGUP"),
    ("1234,c", "9#", By::Operator("auth-incorrect"), "HANGUP"),
    ("1234", "1234#", By::Operator("auth-thankyou"), "SUCCESS"),
    ("1234", "9# 9# 9#", By::Operator("vm-goodbye"), "FAILURE"),
];

#[test]
fn hangup_at_every_step_has_its_status() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        pbx.pin_file("list", "1234\n5678\n")?;
        pbx.db_put("family", "1234", "1")?;
        side_by_side(STEPS.len(), 8, |number| {
            let step = STEPS[number];
            let (args, keys, by, status) = step;
            let mut call = Call::new(args).keys(keys).deadline(Duration::from_secs(40));
            if args.ends_with('j') {
                call = call.with_jump_target();
            }
            let mut ongoing = pbx.place(&call)?;
            if let By::Operator(sound) = by {
                ongoing.until_sound(sound)?;
                let channel = ongoing.channel().unwrap_or_default();
                pbx.manager()?
                    .command(&format!("channel request hangup {channel}"))?;
            }
            let report = ongoing.finish()?;
            ensure!(report.status() == status, "{step:?}: {report:#?}");
            let (before, after) = sounds(&report, by);
            ensure!(
                before.len() + after.len() == report.sounds.len(),
                "{step:?}"
            );
            // The goodbye may start before the hangup reaches the other half of the call.
            let goodbye = final_sounds(&step);
            ensure!(
                report.sounds.ends_with(&goodbye) && goodbye.ends_with(&after),
                "{step:?}: {after:?} after the hang-up, {:?} in all",
                report.sounds
            );
            let is_goodbye = |sound: &String| status == "HANGUP" && sound == "vm-goodbye";
            let goodbyes = report.sounds.iter().filter(|sound| is_goodbye(sound));
            ensure!(goodbyes.count() == goodbye.len(), "{step:?}: {report:#?}");
            let account = if args == "1234,a" { "1234" } else { "" };
            ensure!(report.account_code() == account, "{step:?}: {report:#?}");
            Ok(())
        })?;
        ensure!(use_count(&*pbx.manager()?)? == 0);
        let channels = pbx.manager()?.list("CoreShowChannels", &[])?;
        ensure!(channels.is_empty(), "{channels:?}");
        ensure!(pbx.db_get("family", "1234")?.is_some());
        Ok(())
    });
}

/// The sounds that start although nobody hears them: as in the stock module, the
/// goodbye if there is no verdict yet, unless the call goes on after a failure
/// (`c`, `j`) or is quiet (`q`).
fn final_sounds((args, _, _, status): &Step) -> Vec<String> {
    let options = args.split(',').nth(1).unwrap_or_default();
    if *status != "HANGUP" || options.contains(['c', 'j', 'q']) {
        return Vec::new();
    }
    vec!["vm-goodbye".to_owned()]
}

/// The sounds that started before the hang-up, and those after it.
fn sounds(report: &Report, by: By) -> (Vec<String>, Vec<String>) {
    let mut sounds = (Vec::new(), Vec::new());
    let mut gone = false;
    for frame in &report.events {
        match (frame.event(), by) {
            // The caller's half of the call ends before the hangup reaches the other.
            (Some("Hangup"), By::Caller) => gone = true,
            (Some("SoftHangupRequest" | "HangupRequest"), By::Operator(_)) => gone = true,
            (Some("TestEvent"), _) if frame.has("State", "PLAYBACK") => {
                let list = if gone { &mut sounds.1 } else { &mut sounds.0 };
                list.extend(frame.get("Message").map(str::to_owned));
            }
            _ => {}
        }
    }
    sounds
}
