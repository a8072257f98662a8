//! Nothing of PIN sets outlives the module.

use anyhow::{ensure, Context, Result};
use harness::Call;

use crate::module::{load_by_ami, module_action, unload_wholly, use_count, OURS};
use crate::pin_sets::made::{argon2id, csv, CHEAP};
use crate::pin_sets::{all_become, becomes, broken, call, on, passed, refused, row, with};
use crate::support::{eventually, Shell};

const CONF: &str = "
[general]
success_prompt =
retry_prompt = beep

[people]
source = file:/pins/people.csv
identify = account

[shown]
source = file:/pins/people.csv
identify = account
hide_digits = no

[few]
source = file:/pins/few.csv

[family]
source = astdb:family
one_time = yes

[wrong]
attempts = 0
";

const DIALPLAN: &str = "
[verify]
exten => s,1,Set(VERDICT=${AUTHENTICATE_VERIFY(few,TRY)})
 same => n,NoOp(${VERDICT})
 same => n,Hangup()
include => harness-h
";

/// Threads for slow hashes and lists, counts in the database, the function:
/// all were used, some side by side.
#[test]
fn module_is_unmapped_after_use_of_all_features() -> Result<()> {
    let slow = argon2id((65536, 10, 1), "a-salt-of-ours", "9")?;
    let cheap = argon2id(CHEAP, "a-salt-of-ours", "1234")?;
    let people = csv("account,secret", &[&["7", &cheap], &["8", &slow]]);
    let few = "account,secret,max_uses\nada,plain:1234,1\nbob,plain:2222,8\n";
    let builder = with(CONF)
        .dialplan(DIALPLAN)
        .pin_file("people.csv", people)
        .pin_file("few.csv", few);
    on(builder, |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        load_by_ami(&ami, &mut shell)?;
        pbx.db_put("family", "1234", "1")?;
        let verify = Call::to("verify", "s")
            .variable("TRY", "2222")
            .application("NoOp");
        let mut rows = vec![
            row("a use", call("few", "1234#"), passed()),
            row("a key", call("family", "1234#"), passed()),
            row("a set that is broken", call("wrong", "1# 2# 3#"), broken()),
            row("none", call("none", "1# 2# 3#"), broken()),
        ];
        for _ in 0..4 {
            rows.push(row("a hash", call("people", "7# 9# 1234#"), passed()));
            rows.push(row(
                "no account",
                call("people", "6# 9# <hangup>"),
                refused("HANGUP"),
            ));
            rows.push(row("the function", verify.clone(), passed()));
        }
        all_become(pbx, &rows)?;

        // Refused while a caller waits for a hash, even if the caller hangs up.
        let slow = call("shown", "8# 1#<hangup>").hidden_digits(false);
        let mut ongoing = pbx.place(&slow)?;
        ongoing.until("the last key", |frame| {
            frame.event() == Some("DTMFEnd") && frame.has("Digit", "1")
        })?;
        ensure!(module_action(&ami, "unload", OURS).is_err(), "unloaded");
        refused("HANGUP").check(&ongoing.finish()?)?;
        // What is computed for nobody ends by itself, or is ended.
        unload_when_idle(&ami)?;
        module_action(&ami, "load", OURS)?;
        becomes(pbx, &call("people", "7# 1234#"), &passed())?;
        becomes(pbx, &call("few", "1234# 1# 1234#"), &refused("EXPIRED"))?;
        module_action(&ami, "reload", OURS)
            .err()
            .context("[wrong] is right")?;
        // The worker that has checked a source lets the module go a little later.
        eventually("no use", || Ok(use_count(&ami)? == 0))?;
        unload_wholly(pbx, &ami, &mut shell)?;
        let function = ami.command("core show function AUTHENTICATE_VERIFY")?;
        ensure!(
            !function.contains("Synopsis"),
            "still registered: {function}"
        );
        Ok(())
    });
    Ok(())
}

fn unload_when_idle(ami: &harness::Ami) -> Result<()> {
    crate::support::eventually("an unload", || {
        Ok(module_action(ami, "unload", OURS).is_ok())
    })
}
