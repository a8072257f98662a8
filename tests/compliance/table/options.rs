//! New features: `c`, `j`, `n`, `q`, the variables; and how a call ends.

use anyhow::{ensure, Context};
use harness::{Call, Module, Outcome};

use super::lists::MD5_OF_1234;
use crate::expect::{failed, gone, passed, passed_second, refused, silent, unreadable, Expect};
use crate::row::Row;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = carry_on();
    rows.extend(jump());
    rows.extend(early_media());
    rows.extend(quiet());
    rows.extend(variables());
    rows.extend(ends());
    rows
}

const WRONG: &str = "1# 2# 3#";

/// Documented uses of `c`: the status is what tells the caller apart.
fn carry_on() -> Vec<Row> {
    vec![
        Row::new("c, wrong", "1234,c", WRONG, failed().continued()).marked("c", failed()),
        Row::new("c, right", "1234,c", "1234#", passed()),
        Row::new("c, nobody there", "1234,c", "", silent().continued())
            .impatient()
            .marked("c", silent()),
        Row::new(
            "c, no such list",
            "/pins/no-such-list-c,c",
            WRONG,
            unreadable().continued(),
        )
        .marked("c", unreadable()),
        Row::new("c, an empty password", ",c", "", refused().continued())
            .impatient()
            .marked("A", passed()),
        Row::new("c with d", "/f-cd,cd", "9# 1234#", passed_second()).key("f-cd", "1234"),
        Row::new(
            "c with m and a",
            "/pins/c-ma,cma",
            WRONG,
            failed().continued().code("orig"),
        )
        .file("c-ma", format!("alice:{MD5_OF_1234}\n"))
        .orig()
        .marked("c", failed().code("orig")),
        Row::new("c with q", "1234,cq", WRONG, failed().continued()).marked("c", failed()),
        Row::new(
            "c, and the caller hangs up",
            "1234,c",
            "12<hangup>",
            gone().sounds(&["agent-pass"]),
        )
        .marked("c", gone()),
    ]
}

fn jump() -> Vec<Row> {
    vec![
        Row::new("j, wrong", "1234,j", WRONG, failed().jumped())
            .jump_target()
            .marked("Z", failed()),
        Row::new("j without a target", "1234,j", WRONG, failed()),
        Row::new("j, right", "1234,j", "1234#", passed()).jump_target(),
        Row::new("a target without j", "1234", WRONG, failed()).jump_target(),
        Row::new("j, nobody there", "1234,j", "", silent().jumped())
            .jump_target()
            .impatient()
            .marked("Z", silent()),
        Row::new(
            "j, no such list",
            "/pins/no-such-list-j,j",
            WRONG,
            unreadable().jumped(),
        )
        .jump_target()
        .marked("Z", unreadable()),
        Row::new("j, an empty password", ",j", "", refused().jumped())
            .jump_target()
            .impatient()
            .marked("A", passed()),
        Row::new("j before c", "1234,cj", WRONG, failed().jumped())
            .jump_target()
            .marked("Z", failed()),
        Row::new(
            "jc without a target",
            "1234,jc",
            WRONG,
            failed().continued(),
        )
        .marked("c", failed()),
        Row::new(
            "j, and the caller hangs up",
            "1234,j",
            "12<hangup>",
            gone().sounds(&["agent-pass"]),
        )
        .jump_target()
        .marked("Z", gone()),
    ]
}

fn early_media() -> Vec<Row> {
    vec![
        Row::new(
            "n, right",
            "1234,n",
            "9# 1234#",
            passed_second().unanswered(),
        )
        .marked("n", passed_second()),
        Row::new("n, wrong", "1234,n", WRONG, failed().unanswered()).marked("n", failed()),
        Row::new(
            "n and c, wrong",
            "1234,nc",
            WRONG,
            failed().unanswered().continued(),
        )
        .marked("n", failed()),
        Row::new("n, nobody there", "1234,n", "", silent().unanswered())
            .impatient()
            .marked("n", silent()),
        Row::new("n, answered before", "1234,n", "1234#", passed()).answered(),
        Row::new(
            "n and a",
            "1234,na",
            "1234#",
            passed().unanswered().code("1234"),
        )
        .marked("n", passed().code("1234")),
    ]
}

fn quiet() -> Vec<Row> {
    let without = |expect: Expect| {
        let sounds: Vec<&str> = expect
            .sounds
            .iter()
            .filter(|sound| !["auth-thankyou", "vm-goodbye"].contains(sound))
            .copied()
            .collect();
        expect.sounds(&sounds)
    };
    vec![
        Row::new("q, right", "1234,q", "1234#", without(passed())).marked("q", passed()),
        Row::new("q, wrong", "1234,q", WRONG, without(failed())).marked("q", failed()),
        Row::new("q, an empty password", ",q", "", without(refused()))
            .impatient()
            .marked("A", passed()),
    ]
}

fn variables() -> Vec<Row> {
    let twice = |name, first: &'static str, second: &'static str, keys: &str| {
        let call = Call::to("twice", "s")
            .variable("FIRST_ARGS", first)
            .variable("SECOND_ARGS", second)
            .keys(keys)
            .report("FIRST");
        Row::of(name, call, passed())
    };
    let two = |second: &[&'static str]| {
        let sounds = [&["agent-pass", "auth-thankyou"], second].concat();
        passed().sounds(&sounds)
    };
    let goodbye = [
        "agent-pass",
        "auth-incorrect",
        "auth-incorrect",
        "vm-goodbye",
    ];
    let mut cleared = twice(
        "an account is not kept for the next",
        "/pins/twice,m",
        "1234",
        "1234# 1# 2# 3#",
    )
    .file("twice", format!("alice:{MD5_OF_1234}\n"));
    // The group for the thank-you in between.
    cleared = cleared.with(|call| call.keys("1234# <silence> 1# 2# 3#"));
    // The harness tells by the last status.
    cleared.ours = two(&goodbye)
        .outcome(Outcome::Continued)
        .status("FAILURE")
        .attempts("3")
        .variable("FIRST", "SUCCESS/alice/1");
    let theirs = two(&goodbye).variable("FIRST", "//");

    let mut nothing = twice(
        "an error leaves nothing of the one before",
        "/pins/twice-2,m",
        ",c",
        "1234#",
    )
    .file("twice-2", format!("alice:{MD5_OF_1234}\n"))
    .impatient();
    nothing.ours = two(&[])
        .outcome(Outcome::Continued)
        .status("ERROR")
        .attempts("0")
        .variable("FIRST", "SUCCESS/alice/1");
    let theirs_2 = two(&["agent-pass", "auth-thankyou"]).variable("FIRST", "//");

    vec![
        cleared.marked("status", theirs),
        nothing.marked("A", theirs_2),
        Row::new(
            "a literal password has no account",
            "1234,a",
            "1234#",
            passed().account("").code("1234"),
        ),
        Row::new(
            "lastdata of a failed call",
            "98765,a",
            WRONG,
            failed().lastdata("<hidden>"),
        )
        .marked("H", failed().lastdata("98765,a")),
        shown("the arguments while it runs", "24680", WRONG),
        shown(
            "the arguments while it runs, answered before",
            "24681",
            WRONG,
        )
        .answered(),
        shown("the arguments while it runs, early media", "24682,n", WRONG),
        named("a list while it runs", "/pins/named,a").file("named", "1234\n"),
        named("a list of md5 while it runs", "/pins/named-md5,m")
            .file("named-md5", format!("ada:{MD5_OF_1234}\n")),
        named("a family while it runs", "/named,d").key("named", "1234"),
        Row::new(
            "lastdata of a call that was hung up",
            "98765",
            "12<hangup>",
            gone().lastdata("<hidden>"),
        )
        .marked("H", gone().lastdata("98765")),
    ]
}

/// Whether an administrator sees the password in the list of channels.
fn shown(name: &'static str, args: &'static str, keys: &str) -> Row {
    let ours = failed().lastdata("<hidden>");
    let early = args.contains('n');
    Row::new(
        name,
        args,
        keys,
        if early { ours.unanswered() } else { ours },
    )
    .meanwhile(|pbx, call| {
        call.until_sound("agent-pass")?;
        let list = pbx.cli("core show channels concise")?;
        let channel = call.channel().context("no channel")?;
        let line = list.lines().find(|line| line.starts_with(channel));
        let line = line.with_context(|| format!("{channel} is not in\n{list}"))?;
        let (hidden, theirs) = (
            line.contains("<hidden>"),
            Module::under_test()? == Module::Theirs,
        );
        ensure!(hidden != theirs, "{line}");
        Ok(())
    })
    .marked("H", failed().lastdata(args))
}

/// Asterisk shows which list or family asks.
fn named(name: &'static str, args: &'static str) -> Row {
    Row::new(name, args, WRONG, failed().lastdata(args)).meanwhile(|pbx, call| {
        call.until_sound("agent-pass")?;
        let list = pbx.cli("core show channels concise")?;
        let channel = call.channel().context("no channel")?;
        let line = list.lines().find(|line| line.starts_with(channel));
        let line = line.with_context(|| format!("{channel} is not in\n{list}"))?;
        ensure!(line.contains("named"), "{line}");
        Ok(())
    })
}

fn ends() -> Vec<Row> {
    vec![
        Row::new("hung up while keying", "1234", "12<hangup>", gone()),
        Row::new(
            "a list, hung up while keying",
            "/pins/gone",
            "12<hangup>",
            gone(),
        )
        .file("gone", "1234\n"),
        Row::new(
            "a family, hung up while keying",
            "/gone,d",
            "12<hangup>",
            gone(),
        )
        .key("gone", "1234"),
        Row::new(
            "q, hung up while keying",
            "1234,q",
            "12<hangup>",
            gone().sounds(&["agent-pass"]),
        )
        .marked("q", gone()),
        Row::new(
            "hung up after a wrong entry",
            "1234",
            "1# 12<hangup>",
            gone()
                .attempts("1")
                .sounds(&["agent-pass", "auth-incorrect", "vm-goodbye"]),
        ),
        Row::new(
            "hung up while nothing plays",
            "1234,,,&",
            "<now><wait 1><hangup>",
            gone().sounds(&["vm-goodbye"]),
        ),
        Row::new(
            "hung up during the thank-you",
            "1234",
            "1234# <hangup>",
            // The verdict stands.
            passed().outcome(Outcome::HungUp),
        ),
        Row::new(
            "what is no key",
            "1234,,,&",
            "<now><wait 1>1234#",
            passed().sounds(&["auth-thankyou"]),
        )
        .meanwhile(|pbx, call| {
            call.until("Authenticate", |frame| {
                frame.has("Application", "Authenticate")
            })?;
            let channel = call.channel().context("no channel")?;
            let headers = [("Channel", channel), ("Control", "stop")];
            pbx.manager()?.action("ControlPlayback", &headers).map(drop)
        })
        .with(|call| call.variable("TIMEOUT(response)", "2"))
        .marked(
            "keys",
            failed().sounds(&["auth-incorrect", "auth-incorrect", "vm-goodbye"]),
        ),
        redirected("redirected", "1234", &["agent-pass", "vm-goodbye"]),
        redirected("redirected with j and c", "1234,jc", &["agent-pass"])
            .jump_target()
            .marked("c", elsewhere(&["agent-pass", "vm-goodbye"])),
    ]
}

/// An operator redirects the call while the prompt plays.
fn redirected(name: &'static str, args: &str, sounds: &[&'static str]) -> Row {
    Row::new(name, args, "<silence>", elsewhere(sounds)).meanwhile(|pbx, call| {
        call.until_sound("agent-pass")?;
        let channel = call.channel().context("no channel")?;
        let headers = [
            ("Channel", channel),
            ("Context", "redirected"),
            ("Exten", "s"),
            ("Priority", "1"),
        ];
        pbx.manager()?.action("Redirect", &headers).map(drop)
    })
}

fn elsewhere(sounds: &[&'static str]) -> Expect {
    gone()
        .outcome(Outcome::Went("redirected,s,1".into()))
        .sounds(sounds)
}
