//! Tests of `pinset report`.
#![allow(clippy::unwrap_used)]

mod calls;
mod files;
#[path = "../lab/mod.rs"]
mod lab;
mod log;

use std::io::{BufWriter, Write};
use std::process::Stdio;

use lab::{Lab, Ran, OTHER, PIN};

const HEADER: &str = "identity,pin_set,caller,called,start,answer,end,\
    duration_seconds,billed_seconds,disposition,uniqueid\n";
const TOTALS: &str = "identity,calls,answered,duration_seconds,billed_seconds\n";

/// A CDR record.
#[derive(Clone, Copy)]
struct Call<'a> {
    account_code: &'a str,
    caller: &'a str,
    start: &'a str,
    seconds: (u32, u32),
    disposition: &'a str,
    /// The optional values at the end.
    more: &'a str,
}

const CALL: Call = Call {
    account_code: "alice",
    caller: "+905060508169",
    start: "2026-11-01 08:00:00",
    seconds: (65, 60),
    disposition: "ANSWERED",
    more: ",\"1793520000.1\"",
};

impl Call<'_> {
    /// Returns the line of `cdr_csv`. The data of the application contains a PIN.
    fn line(self) -> String {
        let Self {
            account_code,
            caller,
            start,
            seconds: (duration, billed),
            disposition,
            more,
        } = self;
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        format!(
            "{},{},\"100\",\"trunk\",{},\"PJSIP/t-00000001\",\"\",\"Authenticate\",\"{PIN},a\",\
             \"{start}\",\"2026-11-01 08:00:05\",\"2026-11-01 08:01:05\",{duration},{billed},\
             \"{disposition}\",\"DOCUMENTATION\"{more}\n",
            quoted(account_code),
            quoted(caller),
            quoted(&format!("\"{caller}\" <{caller}>")),
        )
    }
}

/// Returns a record with this account code and unique id.
fn of(account_code: &str, id: &str) -> String {
    Call {
        account_code,
        more: &format!(",\"{id}\""),
        ..CALL
    }
    .line()
}

/// Returns the log message of an outcome.
fn outcome(outcome: &str, pin_set: &str, identity: &str, id: &str, linked: &str) -> String {
    format!(
        "Outcome=\"{outcome}\",PinSet=\"{pin_set}\",Identity=\"{identity}\",\
         Caller=\"+905060508169\",Channel=\"PJSIP/t-00000001\",UniqueID=\"{id}\",\
         LinkedID=\"{linked}\",Attempts=\"1\",RemoteAddress=\"IPV4/UDP/192.0.2.7/5060\""
    )
}

/// Returns the lines of Asterisk's log with these messages, after its first lines.
fn log(messages: &[String]) -> String {
    let mut text = "[Nov  1 00:00:00] Asterisk 22.10.1 built by root @ host\n".to_owned();
    for message in messages {
        text += &format!("[Nov  1 08:00:04] AUTHENTICATE[4711][C-0000001a] audit.rs: {message}\n");
    }
    text
}

fn report(lab: &Lab, arguments: &[&str]) -> Ran {
    lab.run(&[&["report"], arguments].concat(), "")
}

/// Returns identity, PIN set and unique id of each call.
fn rows(ran: &Ran) -> Vec<[&str; 3]> {
    let rows = ran.out.strip_prefix(HEADER).unwrap().lines();
    rows.map(|row| {
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(cells.len(), 11, "{row}");
        [cells[0], cells[1], cells[10]]
    })
    .collect()
}

#[test]
fn calls_and_totals_are_by_account_code() {
    let lab = Lab::new();
    let calls = [
        CALL,
        Call {
            account_code: "bob, \"sales\"",
            caller: "",
            seconds: (7, 0),
            disposition: "NO ANSWER",
            more: ",\"1793520001.2\"",
            ..CALL
        },
        Call {
            account_code: "",
            more: ",\"1793520002.3\"",
            ..CALL
        },
        Call {
            seconds: (4_000_000_000, 4_000_000_000),
            more: ",\"1793520003.4\"",
            ..CALL
        },
    ];
    lab.list("Master.csv", calls.map(Call::line).concat());
    let times = "2026-11-01 08:00:00,2026-11-01 08:00:05,2026-11-01 08:01:05";
    let ran = report(&lab, &["Master.csv"]);
    let wanted = format!(
        "{HEADER}alice,,+905060508169,100,{times},65,60,ANSWERED,1793520000.1\n\
         \"bob, \"\"sales\"\"\",,,100,{times},7,0,NO ANSWER,1793520001.2\n\
         ,,+905060508169,100,{times},65,60,ANSWERED,1793520002.3\n\
         alice,,+905060508169,100,{times},4000000000,4000000000,ANSWERED,1793520003.4\n"
    );
    assert_eq!((ran.code, ran.out, ran.err), (0, wanted, String::new()));
    let ran = report(&lab, &["--totals", "Master.csv"]);
    let wanted = format!(
        "{TOTALS},1,1,65,60\nalice,2,2,4000000065,4000000060\n\"bob, \"\"sales\"\"\",1,0,7,0\n"
    );
    assert_eq!((ran.code, ran.out, ran.err), (0, wanted, String::new()));
    // Totals cover selected calls only.
    let ran = report(
        &lab,
        &["--totals", "--account", "bob, \"sales\"", "Master.csv"],
    );
    assert_eq!(ran.out, format!("{TOTALS}\"bob, \"\"sales\"\"\",1,0,7,0\n"));
    let ran = report(&lab, &["--account", "", "--account", "alice", "Master.csv"]);
    assert_eq!(identities(&ran), ["alice", "", "alice"]);
    assert_eq!(
        rows(&report(&lab, &["--account", "Alice", "Master.csv"])).len(),
        0
    );
}

fn identities(ran: &Ran) -> Vec<&str> {
    rows(ran).into_iter().map(|row| row[0]).collect()
}

#[test]
fn period_selects_calls_by_start() {
    let lab = Lab::new();
    let starts = [
        "2026-10-31 23:59:59",
        "2026-11-01 00:00:00",
        "2026-11-01 08:00:00",
        "2026-11-30 23:59:59",
        "2026-12-01 00:00:00",
    ];
    let lines = starts.map(|start| {
        let more = format!(",\"{start}\"");
        let more = more.as_str();
        Call {
            start,
            more,
            ..CALL
        }
        .line()
    });
    lab.list("Master.csv", lines.concat());
    let all: &[&str] = &starts;
    for (options, wanted) in [
        (&[][..], all),
        (&["--from", "2026-11-01"], &all[1..]),
        (&["--to", "2026-11-30"], &all[..4]),
        (&["--from", "2026-11-01", "--to", "2026-11-30"], &all[1..4]),
        (&["--from", "2026-11-01", "--to", "2026-11-01"], &all[1..3]),
        // The first time is included, the last is not.
        (
            &["--from", "2026-11-01 08:00", "--to", "2026-12-01 00:00"],
            &all[2..4],
        ),
        (
            &[
                "--from",
                "2026-11-01 08:00:01",
                "--to",
                "2026-12-01 00:00:01",
            ],
            &all[3..],
        ),
        (&["--to", "2026-11-01 08:00"], &all[..2]),
        // The time zone is three hours ahead.
        (&["--from", "2026-11-01 05:00Z"], &all[2..]),
        (&["--from", "2026-11-01 05:00:01Z"], &all[3..]),
        (&["--utc", "--from", "2026-11-01"], all),
        (&["--utc", "--from", "2026-11-01 03:00"], &all[1..]),
        (&["--utc", "--to", "2026-11-30"], &all[..3]),
        (
            &[
                "--utc",
                "--from",
                "2026-11-01 11:00",
                "--to",
                "2026-12-01T00:00Z",
            ],
            &all[2..4],
        ),
    ] {
        let mut command = lab.command(&["report", "Master.csv"]);
        let output = command.args(options).env("TZ", "<+03>-3").output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let rows = out.strip_prefix(HEADER).unwrap().lines();
        let found: Vec<&str> = rows.map(|row| row.split(',').nth(4).unwrap()).collect();
        assert_eq!(found, wanted, "{options:?}");
    }
    for (options, why) in [
        (
            &["--from", "2026-11-02", "--to", "2026-11-01"][..],
            "must be before",
        ),
        (
            &["--from", "2026-11-01 08:00", "--to", "2026-11-01 08:00"],
            "must be before",
        ),
        (&["--from", "1.11.2026"], "no such day or time"),
        (&["--to", "2026-11-31"], "no such day or time"),
    ] {
        let ran = report(&lab, &[options, &["Master.csv"]].concat());
        assert!(ran.code == 3 && ran.out.is_empty(), "{options:?}");
        assert!(ran.err.contains(why), "{}", ran.err);
    }
}

#[test]
fn no_cell_is_a_formula_in_a_spreadsheet() {
    let lab = Lab::new();
    for (caller, cell) in [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1+cmd", "'+1+cmd"),
        ("-2", "'-2"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", r"\x09=1"),
        ("\r=1", r"\x0d=1"),
        ("\n=1", r"\x0a=1"),
        (" =1", "' =1"),
        ("＝1", "'＝1"),
        ("1;=2", "1;'=2"),
        ("=\"1\",2", "\"'=\"\"1\"\",2\""),
        ("+905060508169", "+905060508169"),
        ("1-2", "1-2"),
        ("\x1b[31m", r"\x1b[31m"),
    ] {
        let id = format!(",\"{}\"", caller.replace('"', "\"\""));
        let call = Call {
            account_code: caller,
            caller,
            more: &id,
            ..CALL
        };
        lab.list("Master.csv", call.line());
        let ran = report(&lab, &["Master.csv"]);
        assert_eq!(ran.err, "");
        let row = ran.out.strip_prefix(HEADER).unwrap();
        assert!(
            row.starts_with(&format!("{cell},,{cell},100,2026")),
            "{row}"
        );
        assert!(row.ends_with(&format!(",ANSWERED,{cell}\n")), "{row}");
        let totals = report(&lab, &["Master.csv", "--totals"]).out;
        assert_eq!(totals, format!("{TOTALS}{cell},1,1,65,60\n"));
        // Also with identities from the log.
        let hex: String = caller
            .bytes()
            .map(|byte| format!("\\x{byte:02x}"))
            .collect();
        lab.list("Master.csv", of("", "10.1"));
        lab.list(
            "audit",
            log(&[outcome("SUCCESS", &hex, &hex, "10.1", "10.1")]),
        );
        let row = report(&lab, &["Master.csv", "audit"]).out;
        assert!(row.contains(&format!("\n{cell},{cell},+90")), "{row}");
    }
}

/// `loguniqueid`, `loguserfield`, `newcdrcolumns`.
#[test]
fn options_of_cdr_conf_are_supported() {
    let lab = Lab::new();
    let new = ",\"peer\",\"10.9\",1";
    for (more, id) in [
        (String::new(), ""),
        (",\"10.1\"".to_owned(), "10.1"),
        (",\"10.1\",\"user\"".to_owned(), "10.1"),
        (new.to_owned(), ""),
        (format!(",\"10.1\"{new}"), "10.1"),
        (format!(",\"10.1\",\"user\"{new}"), "10.1"),
    ] {
        lab.list(
            "Master.csv",
            Call {
                more: &more,
                ..CALL
            }
            .line(),
        );
        let ran = report(&lab, &["Master.csv"]);
        assert_eq!(
            (ran.code, rows(&ran)),
            (0, vec![["alice", "", id]]),
            "{more}"
        );
        // The lookup in the log needs a unique id.
        lab.list(
            "audit",
            log(&[outcome("SUCCESS", "s", "bob", "10.9", "10.9")]),
        );
        let ran = report(&lab, &["Master.csv", "audit"]);
        let linked = more.ends_with(new);
        let identity = if linked { "bob" } else { "alice" };
        assert_eq!(identities(&ran), [identity], "{more}");
        let unknown = id.is_empty() && !linked;
        assert_eq!(ran.code, i32::from(unknown));
        assert_eq!(
            ran.err.contains("1 calls have no uniqueid"),
            unknown,
            "{}",
            ran.err
        );
    }
    let six = ",1".repeat(6);
    lab.list(
        "Master.csv",
        CALL.line() + &Call { more: &six, ..CALL }.line(),
    );
    let ran = report(&lab, &["Master.csv"]);
    assert!(
        ran.err
            .contains("line 2: skipped: not the number of values"),
        "{}",
        ran.err
    );
}

/// The PIN is in the data of the application, in the log of other levels, and in invalid
/// lines.
#[test]
fn no_pin_is_printed() {
    let lab = Lab::new();
    lab.list(
        "Master.csv",
        CALL.line() + &format!("\"{PIN}\n{PIN}\n\"{OTHER}\",\n"),
    );
    let full = format!("[x] VERBOSE[1] x.c: {PIN}\n[x] AUTHENTICATE[1] x.c: {OTHER}\n");
    lab.list("full", full);
    let ran = report(&lab, &["Master.csv", "full", "--totals=sums"]);
    assert_eq!(ran.code, 1);
    for pin in [PIN, OTHER] {
        assert!(!(ran.out.clone() + &lab.text("sums")).contains(pin));
    }
}
