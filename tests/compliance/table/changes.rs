//! PIN files that change between two attempts of a call: each attempt is verified by
//! the current content. The first one is wrong.

use std::cell::Cell;

use anyhow::Result;
use harness::{Ongoing, Pbx};

use super::lists::MD5_OF_1234;
use crate::expect::{failed, passed_second, passed_third, unreadable, Expect};
use crate::row::{Meanwhile, Row};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = other_pins();
    rows.extend(no_list());
    rows
}

/// A row whose list is `/pins/NAME`, with 1234 in it at first.
fn list(name: &'static str, file: &str, keys: &str, ours: Expect, then: Meanwhile) -> Row {
    Row::new(name, &format!("/pins/{file}"), keys, ours)
        .shell(format!("echo 1234 >/pins/{file}"))
        .meanwhile(then)
}

/// Waits until the first attempt was verified, and runs a script.
fn change(pbx: &Pbx, call: &mut Ongoing<'_>, script: &str) -> Result<()> {
    call.until_sound("auth-incorrect")?;
    pbx.exec(&["bash", "-ec", script]).map(drop)
}

/// A script that makes a socket.
fn socket(path: &str) -> String {
    format!("python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('{path}')\"")
}

fn other_pins() -> Vec<Row> {
    let keys = "9# 1234# 5678#";
    vec![
        list(
            "replaced by rename",
            "c-mv",
            keys,
            passed_third(),
            |pbx, call| change(pbx, call, "cd /pins; echo 5678 >c-mv.new; mv c-mv.new c-mv"),
        ),
        list(
            "written in place",
            "c-in",
            keys,
            passed_third(),
            |pbx, call| change(pbx, call, "echo 5678 >/pins/c-in"),
        ),
        list(
            "written in place, the time put back",
            "c-time",
            keys,
            passed_third(),
            |pbx, call| {
                let script = "cd /pins; touch -r c-time c-time.t; echo 5678 >c-time; \
                              touch -r c-time.t c-time";
                change(pbx, call, script)
            },
        ),
        list(
            "deleted and made again",
            "c-rm",
            keys,
            passed_third(),
            |pbx, call| change(pbx, call, "rm /pins/c-rm; echo 5678 >/pins/c-rm"),
        ),
        list(
            "a link that comes to lead elsewhere",
            "c-ln",
            keys,
            passed_third(),
            |pbx, call| {
                change(
                    pbx,
                    call,
                    "cd /pins; echo 5678 >c-ln.new; ln -s c-ln.new l; mv l c-ln",
                )
            },
        )
        .shell("cd /pins; mv c-ln c-ln.old; ln -s c-ln.old c-ln"),
        list(
            "a PIN that is added",
            "c-add",
            "9# 5678#",
            passed_second(),
            |pbx, call| change(pbx, call, "echo 5678 >>/pins/c-add"),
        ),
        list(
            "the first of two PINs goes",
            "c-first",
            keys,
            passed_third(),
            |pbx, call| change(pbx, call, "sed -i /1234/d /pins/c-first"),
        )
        .shell("echo 5678 >>/pins/c-first"),
        Row::new(
            "m, another's MD5",
            "/pins/c-md5,m",
            "9# 1234#",
            passed_second().account("bob"),
        )
        .shell(format!("echo alice:{} >/pins/c-md5", "0".repeat(32)))
        .meanwhile(|pbx, call| {
            let script = format!("echo bob:{MD5_OF_1234} >/pins/c-md5");
            change(pbx, call, &script)
        }),
    ]
}

fn no_list() -> Vec<Row> {
    let keys = "9# 1234# 1234#";
    let gone = || failed().status("ERROR");
    vec![
        list(
            "truncated to nothing",
            "c-empty",
            keys,
            failed(),
            |pbx, call| change(pbx, call, ": >/pins/c-empty"),
        ),
        list(
            "a socket in its place",
            "c-socket",
            keys,
            gone(),
            |pbx, call| {
                change(
                    pbx,
                    call,
                    &format!("rm /pins/c-socket; {}", socket("/pins/c-socket")),
                )
            },
        ),
        list(
            "a link to itself in its place",
            "c-loop",
            keys,
            gone(),
            |pbx, call| change(pbx, call, "cd /pins; rm c-loop; ln -s c-loop c-loop"),
        ),
        list(
            "a dangling link in its place",
            "c-dangle",
            keys,
            gone(),
            |pbx, call| change(pbx, call, "ln -sf /pins/nowhere /pins/c-dangle"),
        ),
        list(
            "back again",
            "c-back",
            "9# 1234# 1234#",
            passed_third(),
            |pbx, call| {
                change(pbx, call, "mv /pins/c-back /pins/c-back.away")?;
                let asked_again = Cell::new(0);
                call.until("the third prompt", |frame| {
                    let again =
                        frame.has("State", "PLAYBACK") && frame.has("Message", "auth-incorrect");
                    asked_again.set(asked_again.get() + usize::from(again));
                    asked_again.get() == 2
                })?;
                pbx.exec(&["mv", "/pins/c-back.away", "/pins/c-back"])
                    .map(drop)
            },
        ),
        Row::new(
            "below a file",
            "/pins/c-file/list",
            "1# 2# 3#",
            unreadable(),
        )
        .shell("touch /pins/c-file"),
        Row::new("a link to itself", "/pins/c-self", "1# 2# 3#", unreadable())
            .shell("ln -s c-self /pins/c-self"),
        Row::new("a socket", "/pins/c-sock", "1# 2# 3#", unreadable())
            .shell(socket("/pins/c-sock")),
    ]
}
