//! Channels that other threads change: each access holds the channel's lock.

use std::collections::BTreeSet;

use anyhow::{ensure, Result};
use harness::{our_module, Builder, Call, Pbx};
use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::{Endianness, Object, ObjectSymbol};

use crate::support::on;
use crate::variants::{ASTERISK_22_0, STAND_INS};

const CONF: &str = "
[general]
country_code = 90
source = file:/pins/people.csv

[people]
account_code = yes
on_success = goto:routed,s,1

[nowhere]
on_success = goto:no-such-context,s,1

[by-caller]
identify = caller
";

const PEOPLE: &str = "account,secret,caller,level\n\
    ada,plain:1234,+905060508169,7\n\
    bob,plain:2222,+905321112233,\n";

const DIALPLAN: &str = "
[routed]
exten => s,1,NoOp()
include => harness-h

";

fn builder() -> Builder {
    Pbx::builder()
        .file("authenticate.conf", CONF)
        .pin_file("people.csv", PEOPLE)
        .pin_file("list", "1234\n")
        .dialplan(DIALPLAN)
}

/// One call of each kind that reads or changes its channel in a way of its own.
fn calls() -> Vec<(Call, &'static str)> {
    let call = |args: &str, keys: &str| Call::new(args).keys(keys).caller("05060508169");
    let verify = "Set(VERDICT=${AUTHENTICATE_VERIFY(people,SECRET)})";
    vec![
        (call("1234,a", "9# 1234#"), "SUCCESS"),
        (call("/pins/list,n", "1234#"), "SUCCESS"),
        (call("/family,drq", "1234#"), "SUCCESS"),
        (call("1234,j", "9# 9# 9#").with_jump_target(), "FAILURE"),
        (call("1234,,,no-such-sound", "1234#"), "SUCCESS"),
        (call("1234,,,http://localhost/none.wav", "1234#"), "SUCCESS"),
        (call(",", "1#"), "ERROR"),
        (call("pinset:people", "9# 1234#"), "SUCCESS"),
        (call("pinset:nowhere", "1234#"), "SUCCESS"),
        (call("pinset:by-caller", "12<hangup>"), "HANGUP"),
        (call("pinset:missing", ""), "ERROR"),
        (
            call("1234,q", "1234#")
                .variable("SECRET", "1234")
                .before(verify),
            "SUCCESS",
        ),
    ]
}

#[test]
fn channel_is_never_accessed_without_its_lock() {
    let built = match ASTERISK_22_0.get() {
        Ok(built) => built,
        Err(error) => panic!("{error:#}"),
    };
    on(builder().module_file(built.module), |pbx| {
        pbx.db_put("family", "1234", "1")?;
        for (call, status) in calls() {
            let report = pbx.call(&call)?;
            ensure!(report.status() == status, "{status}: {report:#?}");
        }
        let log = pbx.log()?;
        let unlocked: BTreeSet<_> = log
            .lines()
            .filter_map(|line| line.split_once("channel not locked: "))
            .map(|(_, function)| function)
            .collect();
        ensure!(unlocked.is_empty(), "{unlocked:?}");
        Ok(())
    });
}

/// Functions that take the channel's lock themselves, one that is given the list
/// that another has read, and those of the message bus, which take no channel.
const WITHOUT_STAND_IN: [&str; 6] = [
    "ast_channel_get_by_name",
    "ast_framehook_list_write_event",
    "ast_channel_start_silence_generator",
    "ast_channel_stop_silence_generator",
    "ast_channel_snapshot_type",
    "ast_channel_topic_all",
];

/// Without a stand-in, the test above would not see what a new call does.
#[test]
fn channel_functions_have_stand_ins() -> Result<()> {
    let stand_ins = std::fs::read_to_string(harness::workspace().join(STAND_INS))?;
    let module = std::fs::read(our_module()?)?;
    let file = ElfFile::<FileHeader64<Endianness>>::parse(module.as_slice())?;
    let mut called = 0;
    for symbol in file
        .dynamic_symbols()
        .filter(object::ObjectSymbol::is_undefined)
    {
        let name = symbol.name()?;
        let of_a_channel = name.starts_with("ast_channel_") || name.starts_with("ast_framehook_");
        if of_a_channel && !WITHOUT_STAND_IN.contains(&name) {
            called += 1;
            ensure!(
                stand_ins.contains(&format!("{name})"))
                    || stand_ins.contains(&format!("__wrap_{name}(")),
                "{name}"
            );
        }
    }
    ensure!(called > 10, "only {called}");
    Ok(())
}
