//! Dialplans from published pages about `Authenticate()`, word for word.

use harness::Call;

use crate::expect::{failed, passed, passed_second, Expect};
use crate::row::Row;

/// The recipe "FreePBX Inbound Caller Authentication with PIN sets" with all
/// its letters, the parenthesis too many included. FreePBX goes to a custom
/// destination with `Gosub`.
pub(super) const DIALPLAN: &str = "
[inbound_authentication]
exten => s,1,Answer
exten => s,n,Wait(2)
exten => s,n,Authenticate(/PINSETS/1,ad,6))
exten => s,n,Set(__PINNUMBER=${CHANNEL(accountcode)})
exten => s,n,NoOp(Pin number is ${PINNUMBER})
exten => s,n,Return
include => harness-h

[customdests]
exten => main,1,Gosub(inbound_authentication,s,1)
 same => n,Set(ROUTED=to the main IVR)
 same => n,Hangup()
include => harness-h
";

/// `Authenticate(/PINSETS/1,…)`: FreePBX fills the family so when a PIN set
/// is saved.
const PINSET: &str = "asterisk -rx 'database put PINSETS/1 482913 482913'; \
                      asterisk -rx 'database put PINSETS/1 100200 100200'";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = freepbx();
    rows.extend(reference());
    rows.extend(wiki());
    rows
}

fn freepbx() -> Vec<Row> {
    let call = |keys: &str| {
        Call::to("customdests", "main")
            .caller("+15551234567")
            .keys(keys)
            .report("PINNUMBER")
            .report("ROUTED")
    };
    let billed = |expect: Expect| {
        expect
            .code("482913")
            .variable("PINNUMBER", "482913")
            .variable("ROUTED", "to the main IVR")
            .key("PINSETS/1", "482913", true)
    };
    vec![
        Row::of(
            "FreePBX: six digits, no #, the account code in the CDR",
            call("482913"),
            // Two of the seconds are the recipe's Wait.
            billed(passed()).reply(0.0, 4.9).elapsed(3.0, 60.0),
        )
        .shell(PINSET),
        Row::of(
            "FreePBX: the second try",
            call("999999 482913"),
            billed(passed_second()),
        )
        .shell(PINSET),
        Row::of(
            "FreePBX: without a valid PIN the call is not connected",
            call("999999 111111 482914"),
            failed().variable("PINNUMBER", "").variable("ROUTED", ""),
        )
        .shell(PINSET),
    ]
}

/// The application's reference page.
fn reference() -> Vec<Row> {
    let accounts = "(echo -n 'acct-7:'; echo -n 2468 | md5sum | cut -c1-32) >/pins/ref-m";
    vec![
        Row::new(
            "reference: a, the account code is the password entered",
            "7531,a",
            "7531#",
            passed().code("7531"),
        ),
        Row::new(
            "reference: /pin/100 is password /pin and PIN 100",
            "/ref-pin,d",
            "100#",
            passed().key("ref-pin", "100", true),
        )
        .key("ref-pin", "100"),
        Row::new(
            "reference: r removes the key",
            "/ref-pin-r,dr",
            "100#",
            passed().key("ref-pin-r", "100", false),
        )
        .key("ref-pin-r", "100"),
        Row::new(
            "reference: m, the account of the matched line",
            "/pins/ref-m,ma",
            "2468#",
            passed().account("acct-7").code("acct-7"),
        )
        .shell(accounts),
        Row::new(
            "reference: a file, one password per line",
            "/pins/ref-list",
            "22#",
            passed(),
        )
        .file("ref-list", "11\n22\n33\n"),
        Row::new(
            "reference: maxdigits, no # is required",
            "86420,,5",
            "86420",
            passed().reply(0.0, 4.9),
        ),
        Row::new(
            "reference: no limit unless told, # ends",
            "12345678901234567890",
            "12345678901234567890#",
            passed(),
        ),
        Row::new(
            "reference: an ampersand separated list of prompts",
            "13,,,beep&agent-pass",
            "<silence> 13#",
            passed().sounds(&["beep", "agent-pass", "auth-thankyou"]),
        ),
        Row::new(
            "reference: three attempts, then the channel is hung up",
            "13",
            "1# 2# 3#",
            failed(),
        ),
    ]
}

/// The wiki's page "Asterisk cmd Authenticate".
fn wiki() -> Vec<Row> {
    // As the page has it: without -n the hash is another.
    let hashes = "(echo alice:$(echo -n 1234 | md5sum | cut -d' ' -f1); \
                   echo bob:$(echo 5678 | md5sum | cut -d' ' -f1)) >/pins/";
    let raw = "echo \"alice:$(echo -n 1234 | md5sum)\" >/pins/wiki-raw";
    vec![
        Row::new(
            "wiki: a, CDR field accountcode",
            "1234,a",
            "1234#",
            passed().code("1234"),
        ),
        Row::new(
            "wiki: /FEATURE/1234 = anystring",
            "/FEATURE,d",
            "1234#",
            passed(),
        )
        .shell("asterisk -rx 'database put FEATURE 1234 anystring'"),
        Row::new(
            "wiki: j, to priority n+101",
            "1234,j",
            "1# 2# 3#",
            failed().jumped(),
        )
        .jump_target()
        .marked("Z", failed()),
        Row::new(
            "wiki: m with a",
            "/pins/wiki-ma,ma",
            "1234#",
            passed().account("alice").code("alice"),
        )
        .shell(format!("{hashes}wiki-ma")),
        Row::new(
            "wiki: m does not set the account code without a",
            "/pins/wiki-m,m",
            "1234#",
            passed().account("alice").code("orig"),
        )
        .orig()
        .shell(format!("{hashes}wiki-m")),
        Row::new(
            "wiki: a hash made without echo -n is wrong",
            "/pins/wiki-n,ma",
            "5678# 5678# 5678#",
            failed(),
        )
        .shell(format!("{hashes}wiki-n")),
        Row::new(
            "wiki: what md5sum prints, as it is",
            "/pins/wiki-raw,ma",
            "1234#",
            passed().account("alice").code("alice"),
        )
        .impatient()
        .shell(raw)
        .marked("P", failed()),
        Row::new(
            "wiki: r with d",
            "/FEATURE2,rd",
            "1234#",
            passed().key("FEATURE2", "1234", false),
        )
        .key("FEATURE2", "1234"),
    ]
}
