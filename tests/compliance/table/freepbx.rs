//! Calls through the dialplan that FreePBX and Issabel generate around `Authenticate()`:
//! route passwords, DISA, and Issabel's PIN sets. The applications, options and
//! variables are theirs; the text is ours.

use harness::{Call, Outcome};

use crate::expect::{failed, passed, passed_second, refused, Expect};
use crate::row::Row;

/// FreePBX 17 calls subroutines with `Gosub`, as Issabel begins to do; with `Macro`,
/// which Asterisk 21 has removed, the same lines run.
pub(super) const DIALPLAN: &str = r#"
[outrt-1]
exten => 900,1,Set(AMPUSER=${CALLERID(num)})
 same => n,Gosub(macro-dialout-trunk,s,1(1,${EXTEN},482913,off))
 same => n,Hangup()
exten => 901,1,Set(AMPUSER=${CALLERID(num)})
 same => n,Gosub(macro-dialout-dundi,s,1(1,${EXTEN},482913))
 same => n,Hangup()
exten => 902,1,Set(AMPUSER=${CALLERID(num)})
 same => n,Gosub(macro-pinsets,s,1(1,0))
 same => n,Set(ROUTED=trunk 2)
 same => n,Hangup()
exten => 903,1,Set(AMPUSER=${CALLERID(num)})
 same => n,Gosub(macro-pinsets,s,1(1,1))
 same => n,Set(ROUTED=trunk 2)
 same => n,Hangup()
include => harness-h

[macro-dialout-trunk]
exten => s,1,Set(DIAL_TRUNK=${ARG1})
 same => n,GosubIf($[$["${ARG3}" != ""] & $["${DB(AMPUSER/${AMPUSER}/pinless)}" != "NOPASSWD"]]?sub-pincheck,s,1(${ARG3}))
 same => n,Set(ROUTED=trunk ${DIAL_TRUNK})
 same => n,Return()
include => harness-h

[sub-pincheck]
exten => s,1,Authenticate(${ARG1},)
 same => n,ResetCDR()
 same => n,Return()
include => harness-h

[macro-dialout-dundi]
exten => s,1,Set(DIAL_TRUNK=${ARG1})
 same => n,GosubIf($[$["${ARG3}" != ""] & $["${DB(AMPUSER/${AMPUSER}/pinless)}" != "NOPASSWD"]]?sub-pincheck-3,s,1)
 same => n,Set(ROUTED=trunk ${DIAL_TRUNK})
 same => n,Return()
include => harness-h

[sub-pincheck-3]
exten => s,1,Authenticate(${ARG3},)
 same => n,ResetCDR()
 same => n,Return()
include => harness-h

[macro-pinsets]
exten => s,1,GotoIf(${ARG2} = 1?cdr,1)
 same => n,ExecIf($["${DB(AMPUSER/${AMPUSER}/pinless)}" != "NOPASSWD"]?Authenticate(/etc/asterisk/pinset_${ARG1}))
 same => n,ExecIf($["${DB(AMPUSER/${AMPUSER}/pinless)}" != "NOPASSWD"]?ResetCDR())
 same => n,Return()
exten => cdr,1,ExecIf($["${DB(AMPUSER/${AMPUSER}/pinless)}" != "NOPASSWD"]?Authenticate(/etc/asterisk/pinset_${ARG1},a))
 same => n,ExecIf($["${DB(AMPUSER/${AMPUSER}/pinless)}" != "NOPASSWD"]?ResetCDR())
 same => n,Return()
include => harness-h

[disa]
exten => 1,1,Answer
 same => n,Authenticate(/etc/asterisk/disa-1.conf,)
 same => n,Set(ROUTED=dial tone)
 same => n,Hangup()
exten => 2,1,Answer
 same => n,Authenticate(482913,)
 same => n,Set(ROUTED=dial tone)
 same => n,Hangup()
include => harness-h

[app-daynight]
exten => *281,1,Answer
 same => n,Wait(1)
 same => n,Authenticate(482913,)
 same => n,Set(ROUTED=toggled)
 same => n,Hangup()
include => harness-h
"#;

/// The PIN files as both write them, and an exempt extension.
const FILES: &str = "printf '100200\\n482913\\n' > /etc/asterisk/pinset_1; \
                     printf '100200\\n482913\\n' > /etc/asterisk/disa-1.conf; \
                     asterisk -rx 'database put AMPUSER/204 pinless NOPASSWD'";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = route_passwords();
    rows.extend(issabel_pin_sets());
    rows.extend(disa());
    rows
}

fn row(name: &'static str, call: Call, ours: Expect) -> Row {
    Row::of(name, call.report("ROUTED"), ours).shell(FILES)
}

fn from(caller: &str, context: &str, extension: &str, keys: &str) -> Call {
    Call::to(context, extension).caller(caller).keys(keys)
}

/// Issabel runs the application by `ExecIf`.
fn by_exec_if(caller: &str, extension: &str, keys: &str) -> Call {
    from(caller, "outrt-1", extension, keys).application("ExecIf")
}

fn routed(expect: Expect, to: &str) -> Expect {
    expect.variable("ROUTED", to)
}

fn stopped(expect: Expect) -> Expect {
    expect.variable("ROUTED", "")
}

/// Nobody asks for a PIN.
fn exempt() -> Expect {
    passed()
        .outcome(Outcome::NotReached)
        .status("")
        .attempts("")
        .sounds(&[])
        .never_opened()
        .whatever_keyed()
}

fn route_passwords() -> Vec<Row> {
    vec![
        row(
            "FreePBX route password: right",
            from("203", "outrt-1", "900", "482913#"),
            routed(passed(), "trunk 1"),
        ),
        row(
            "FreePBX route password: the second attempt",
            from("203", "outrt-1", "900", "1# 482913#"),
            routed(passed_second(), "trunk 1"),
        ),
        row(
            "FreePBX route password: wrong",
            from("203", "outrt-1", "900", "1# 2# 3#"),
            stopped(failed()),
        ),
        row(
            "FreePBX route password: an exempt extension",
            from("204", "outrt-1", "900", ""),
            routed(exempt(), "trunk 1"),
        ),
        // `Gosub` hides ARG3 of the caller, which `Macro` and FreePBX before 17 left
        // visible: the password has become empty.
        row(
            "FreePBX route password: lost between two subroutines",
            from("203", "outrt-1", "901", "#"),
            stopped(refused()),
        )
        .marked("A", routed(passed(), "trunk 1")),
    ]
}

fn issabel_pin_sets() -> Vec<Row> {
    vec![
        row(
            "Issabel PIN set: right",
            by_exec_if("203", "902", "482913#"),
            routed(passed(), "trunk 2"),
        ),
        row(
            "Issabel PIN set: wrong",
            by_exec_if("203", "902", "1# 2# 482914#"),
            stopped(failed()),
        ),
        row(
            "Issabel PIN set: an exempt extension",
            by_exec_if("204", "902", ""),
            routed(exempt().outcome(Outcome::Passed), "trunk 2"),
        ),
        row(
            "Issabel PIN set: recorded in the CDR",
            by_exec_if("203", "903", "100200#"),
            routed(passed().code("100200"), "trunk 2"),
        ),
    ]
}

fn disa() -> Vec<Row> {
    vec![
        row(
            "FreePBX DISA: one of several PINs",
            from("+15551234567", "disa", "1", "482913#"),
            routed(passed(), "dial tone"),
        ),
        row(
            "FreePBX DISA: none of several PINs",
            from("+15551234567", "disa", "1", "4829# 2# 3#"),
            stopped(failed()),
        ),
        row(
            "FreePBX DISA: a single PIN",
            from("+15551234567", "disa", "2", "482913#"),
            routed(passed(), "dial tone"),
        ),
        row(
            "FreePBX call flow toggle: with a password",
            from("203", "app-daynight", "*281", "482913#"),
            routed(passed(), "toggled"),
        ),
    ]
}
