//! `pinset report`.
#![allow(clippy::unwrap_used)]

mod lab;

use std::io::Write;
use std::process::Stdio;

use lab::{Lab, Ran, OTHER, PIN};

const HEADER: &str = "identity,pin_set,caller,called,start,answer,end,\
    duration_seconds,billed_seconds,disposition,uniqueid\n";
const TOTALS: &str = "identity,calls,answered,duration_seconds,billed_seconds\n";

/// What Asterisk wrote of a call.
#[derive(Clone, Copy)]
struct Call<'a> {
    account_code: &'a str,
    caller: &'a str,
    start: &'a str,
    seconds: (u32, u32),
    disposition: &'a str,
    /// What is behind the last value that is always there.
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
    /// As `cdr_csv` writes it; the data of the application has a PIN in it.
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

/// A call of this account code and unique id.
fn of(account_code: &str, id: &str) -> String {
    Call {
        account_code,
        more: &format!(",\"{id}\""),
        ..CALL
    }
    .line()
}

/// The message of an outcome.
fn outcome(outcome: &str, pin_set: &str, identity: &str, id: &str, linked: &str) -> String {
    format!(
        "Outcome=\"{outcome}\",PinSet=\"{pin_set}\",Identity=\"{identity}\",\
         Caller=\"+905060508169\",Channel=\"PJSIP/t-00000001\",UniqueID=\"{id}\",\
         LinkedID=\"{linked}\",Attempts=\"1\",RemoteAddress=\"IPV4/UDP/192.0.2.7/5060\""
    )
}

/// As Asterisk's logger writes it, and what it says first.
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

/// Identity, PIN set and unique id of each call.
fn told(ran: &Ran) -> Vec<[&str; 3]> {
    let rows = ran.out.strip_prefix(HEADER).unwrap().lines();
    rows.map(|row| {
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(cells.len(), 11, "{row}");
        [cells[0], cells[1], cells[10]]
    })
    .collect()
}

#[test]
fn calls_and_totals_by_account_code() {
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
         alice,,+905060508169,100,{times},4000000000,4000000000,ANSWERED,1793520000.1\n"
    );
    assert_eq!((ran.code, ran.out, ran.err), (0, wanted, String::new()));
    let ran = report(&lab, &["--totals", "Master.csv"]);
    let wanted = format!(
        "{TOTALS},1,1,65,60\nalice,2,2,4000000065,4000000060\n\"bob, \"\"sales\"\"\",1,0,7,0\n"
    );
    assert_eq!((ran.code, ran.out, ran.err), (0, wanted, String::new()));
    // Only of what is wanted.
    let ran = report(
        &lab,
        &["--totals", "--account", "bob, \"sales\"", "Master.csv"],
    );
    assert_eq!(ran.out, format!("{TOTALS}\"bob, \"\"sales\"\"\",1,0,7,0\n"));
    let ran = report(&lab, &["--account", "", "--account", "alice", "Master.csv"]);
    assert_eq!(identities(&ran), ["alice", "", "alice"]);
    assert_eq!(
        told(&report(&lab, &["--account", "Alice", "Master.csv"])).len(),
        0
    );
}

fn identities(ran: &Ran) -> Vec<&str> {
    told(ran).into_iter().map(|row| row[0]).collect()
}

#[test]
fn from_and_to() {
    let lab = Lab::new();
    let starts = [
        "2026-10-31 23:59:59",
        "2026-11-01 00:00:00",
        "2026-11-01 08:00:00",
        "2026-11-30 23:59:59",
        "2026-12-01 00:00:00",
    ];
    let lines = starts.map(|start| Call { start, ..CALL }.line());
    lab.list("Master.csv", lines.concat());
    let all: &[&str] = &starts;
    for (options, wanted) in [
        (&[][..], all),
        (&["--from", "2026-11-01"], &all[1..]),
        (&["--to", "2026-11-30"], &all[..4]),
        (&["--from", "2026-11-01", "--to", "2026-11-30"], &all[1..4]),
        (&["--from", "2026-11-01", "--to", "2026-11-01"], &all[1..3]),
        // Times: the first counts, the last does not.
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
        // The place is three hours ahead.
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
fn the_audit_log_says_who_it_was() {
    let lab = Lab::new();
    let calls = [
        of("from the phone", "10.1"),
        of("from the phone", "10.2"),
        of("its account", "10.3"),
        of("its account", "10.4"),
        of("", "10.5"),
        of("x", "10.6"),
    ];
    lab.list("Master.csv", calls.concat());
    let messages = [
        outcome("SUCCESS", "customers", "alice", "10.1", "10.1"),
        // Whom the log names when refused is not who called.
        outcome("FAILURE", "customers", "bob", "10.2", "10.2"),
        // A PIN without an account; and nothing said of 10.4.
        outcome("SUCCESS", "/etc/pins", "", "10.3", "10.3"),
        // Refused, admitted, and refused elsewhere; then again admitted.
        outcome("LOCKED", "customers", "", "10.5", "10.5"),
        outcome("SUCCESS", "customers", "carol", "10.5", "10.5"),
        outcome("FAILURE", "staff", "", "10.5", "10.5"),
        outcome("SUCCESS", "customers", "dave", "10.6", "10.6"),
        outcome("SUCCESS", "staff", "erin", "10.6", "10.6"),
    ];
    lab.list("audit", log(&messages));
    let wanted = [
        ["alice", "customers", "10.1"],
        ["", "customers", "10.2"],
        ["its account", "/etc/pins", "10.3"],
        ["its account", "", "10.4"],
        ["carol", "customers", "10.5"],
        ["erin", "staff", "10.6"],
    ];
    // In any order.
    for files in [["Master.csv", "audit"], ["audit", "Master.csv"]] {
        let ran = report(&lab, &files);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert_eq!(told(&ran), wanted);
    }
    let with = |options: &[&str]| {
        let ran = report(&lab, &[options, &["audit", "Master.csv"]].concat());
        let ids: Vec<String> = told(&ran).iter().map(|row| row[2].to_owned()).collect();
        ids.join(" ")
    };
    assert_eq!(with(&["--pinset", "customers"]), "10.1 10.2 10.5");
    assert_eq!(
        with(&["--pinset", "staff", "--pinset", "/etc/pins"]),
        "10.3 10.6"
    );
    assert_eq!(
        with(&["--pinset", "customers", "--account", "carol"]),
        "10.5"
    );
    assert_eq!(with(&["--account", "bob"]), "");
    assert_eq!(with(&["--account", "its account"]), "10.3 10.4");
    let ran = report(&lab, &["--totals", "audit", "Master.csv"]);
    let line = |name| format!("{name},1,1,65,60\n");
    let names = ["", "alice", "carol", "erin"].map(line).concat();
    assert_eq!(ran.out, format!("{TOTALS}{names}its account,2,2,130,120\n"));
    // Without it there are no PIN sets.
    let ran = report(&lab, &["--pinset", "customers", "Master.csv"]);
    assert!(
        ran.code == 3 && ran.err.contains("audit log"),
        "{}",
        ran.err
    );
    assert_eq!(ran.out, "");
}

#[test]
fn calls_and_log_go_together_by_unique_or_linked_id() {
    let lab = Lab::new();
    let call = |id: &str, linked: &str| {
        let more = format!(",\"{id}\",\"user field\",\"peer\",\"{linked}\",17");
        Call {
            more: &more,
            ..CALL
        }
        .line()
    };
    let calls = [
        call("10.1", "10.1"),
        call("10.2", "10.1"),
        call("10.3", "10.1"),
        call("10.4", "10.9"),
        call("10.5", "10.8"),
        call("10.6", "10.6"),
    ];
    lab.list("Master.csv", calls.concat());
    let messages = [
        outcome("SUCCESS", "s", "first", "10.1", "10.1"),
        outcome("SUCCESS", "s", "second", "10.2", "10.1"),
        outcome("SUCCESS", "s", "third", "pbx-10.7", "10.9"),
    ];
    lab.list("audit", log(&messages));
    let ran = report(&lab, &["Master.csv", "audit"]);
    let found = identities(&ran);
    assert_eq!(
        found,
        ["first", "second", "first", "third", "alice", "alice"]
    );
}

#[test]
fn every_form_that_the_logger_writes() {
    let lab = Lab::new();
    let forms = [
        "[Nov  1 08:00:04] AUTHENTICATE[4711][C-0000001a] audit.rs: ",
        "[2026-11-01 08:00:04.123] AUTHENTICATE[4711] audit.rs: ",
        "[1793520004] AUTHENTICATE[4711][C-0000001a]: audit.rs:12 tell: ",
        "[Nov  1 08:00:04] AUTHENTICATE[4711]: ",
        "Nov  1 08:00:04 pbx asterisk[815]: AUTHENTICATE[4711][C-0000001a]: audit.rs:12 in tell: ",
        "2026-11-01T08:00:04+03:00 pbx asterisk[815]: AUTHENTICATE[4711]: audit.rs:12 in tell: ",
        "json",
    ];
    lab.list("Master.csv", of("nobody", "10.1"));
    for form in forms {
        let identity = r"al\x22ice\x5cx\xc3\xa9\x1b\xff";
        let message = outcome("SUCCESS", "customers", identity, "10.1", "10.1");
        let line = if form == "json" {
            let message = message.replace('\\', "\\\\").replace('"', "\\\"");
            format!(
                "{{\"hostname\":\"\",\"timestamp\":\"Nov  1\",\"identifiers\":{{\"lwp\":4711,\
                 \"callid\":\"\"}},\"logmsg\":{{\"location\":{{\"filename\":\"audit.rs\",\
                 \"function\":\"tell\",\"line\":12}},\"level\":\"AUTHENTICATE\",\
                 \"message\":\"{message}\"}}}}\n"
            )
        } else {
            format!("{form}{message}\r\n")
        };
        lab.list("audit", line);
        let ran = report(&lab, &["--pinset", "customers", "Master.csv", "audit"]);
        assert_eq!(ran.err, "", "{form}");
        let cell = r#""al""ice\xé\x1b\xff""#;
        assert_eq!(told(&ran), [[cell, "customers", "10.1"]], "{form}");
    }
}

/// Whoever can have Asterisk log something can't have it be an outcome.
#[test]
fn outcomes_can_not_be_forged() {
    let lab = Lab::new();
    lab.list("Master.csv", of("the account", "10.1"));
    let forged = outcome("SUCCESS", "customers", "mallory", "10.1", "10.1");
    let level = format!("AUTHENTICATE[1] x.c: {forged}");
    let json = forged.replace('"', "\\\"");
    let lines = [
        forged.clone(),
        format!(" {level}"),
        format!("x] {level}"),
        format!("[Nov  1 08:00:04] VERBOSE[1][C-1] pbx.c: {forged}"),
        format!("[Nov  1 08:00:04] NOTICE[1][C-1] pbx.c: [Nov  1 08:00:04] {level}"),
        format!("[Nov  1 08:00:04] AUTHENTICATED[1] x.c: {forged}"),
        format!("[Nov  1 08:00:04] AUTHENTICATE x.c: {forged}"),
        format!("Nov  1 08:00:04 pbx asterisk[1]: NOTICE[1]: x asterisk[1]: {level}"),
        format!("Nov  1 08:00:04 pbx mallory[1]: {level}"),
        format!("Nov  1 08:00:04 pbx asterisk[x1]: {level}"),
        format!("{{\"logmsg\":{{\"level\":\"NOTICE\",\"message\":\"{json}\"}}}}"),
        format!("{{\"level\":\"AUTHENTICATE\",\"message\":\"{json}\"}}"),
    ];
    lab.list("full", log(&[]) + &lines.join("\n") + "\n");
    let ran = report(&lab, &["Master.csv", "full"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(told(&ran), [["the account", "", "10.1"]]);
}

#[test]
fn outcomes_that_are_not_whole_are_named() {
    let lab = Lab::new();
    lab.list("Master.csv", of("the account", "10.1"));
    let whole = outcome("SUCCESS", "customers", "alice", "10.1", "10.1");
    let messages = [
        whole[..whole.len() - 1].to_owned(),
        whole.replace("\",Attempts", "\"Attempts"),
        format!("{whole},"),
        "nothing".to_owned(),
        String::new(),
        whole.replace("SUCCESS", ""),
    ];
    lab.list("audit", log(&messages));
    let ran = report(&lab, &["Master.csv", "audit"]);
    assert_eq!(ran.code, 1);
    let wanted = |line| format!("pinset: audit: line {line}: left out: it is no whole outcome\n");
    assert_eq!(ran.err, (2..=7).map(wanted).collect::<String>());
    assert_eq!(told(&ran), [["the account", "", "10.1"]]);
    // What is new in a line is no reason.
    lab.list("audit", log(&[format!("{whole},New=\"1\",Newer=\"\"")]));
    let ran = report(&lab, &["Master.csv", "audit"]);
    assert_eq!(
        (ran.code, told(&ran)),
        (0, vec![["alice", "customers", "10.1"]])
    );
}

#[test]
fn no_cell_runs_in_a_spreadsheet() {
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
        // By the log, too.
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
fn the_options_of_cdr_conf() {
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
            (ran.code, told(&ran)),
            (0, vec![["alice", "", id]]),
            "{more}"
        );
        // An id of the log's is needed to look a call up in it.
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
        ran.err.contains("line 2: left out: it has not the values"),
        "{}",
        ran.err
    );
}

#[test]
fn what_is_no_record_is_named_and_costs_itself_only() {
    let lab = Lab::new();
    let cut = CALL.line()[..150].to_owned();
    assert_eq!(cut.matches('"').count() % 2, 1);
    let good = CALL.line();
    let with_end = Call {
        caller: "x\n\"alice\"\ny",
        ..CALL
    };
    let wrong = |from: &str, to: &str| good.replace(from, to);
    let long = Call {
        caller: &"x".repeat(1000),
        ..CALL
    };
    let text = [
        good.clone(),
        format!("{cut}\n"),
        good.clone(),
        "\n".to_owned(),
        with_end.line(),
        "nonsense\n".to_owned(),
        wrong("\"2026-11-01 08:00:00\"", "\"\""),
        wrong(",65,", ",-65,"),
        wrong(",60,", ",\"\","),
        long.line(),
        good.clone(),
        format!("\"{}\n", "x".repeat(2000)),
        good.clone(),
        "\"\n\"\n".to_owned(),
        // Two that were cut, and what is between them.
        format!("{cut}\n{good}{cut}\n"),
        good.trim_end().to_owned(),
    ];
    lab.list("Master.csv", text.concat());
    let ran = report(&lab, &["Master.csv"]);
    let values = "it has not the values of a record";
    let seconds = "its duration or its billed time is no number of seconds";
    let long = "it is longer than Asterisk writes records";
    let wanted: String = [
        (2, values),
        (12, values),
        (13, "its start is no time"),
        (14, seconds),
        (15, seconds),
        (16, long),
        (18, long),
        (20, values),
        (21, values),
        (22, values),
        (24, values),
    ]
    .map(|(line, why)| format!("pinset: Master.csv: line {line}: left out: {why}\n"))
    .concat();
    assert_eq!((ran.err, ran.code), (wanted, 1));
    let rows = ran.out.lines().skip(1);
    let callers: Vec<&str> = rows.map(|row| row.split(',').nth(2).unwrap()).collect();
    let mut all = vec!["+905060508169"; 7];
    all[2] = r#""x\x0a""alice""\x0ay""#;
    assert_eq!(callers, all);
}

#[test]
fn many_wrong_lines_are_counted() {
    let lab = Lab::new();
    lab.list("Master.csv", CALL.line() + &"x\n".repeat(50));
    let ran = report(&lab, &["Master.csv"]);
    assert_eq!(ran.err.lines().count(), 21, "{}", ran.err);
    assert!(ran
        .err
        .ends_with("pinset: Master.csv: 30 lines more are left out\n"));
}

#[test]
fn files_and_standard_input() {
    let lab = Lab::new();
    lab.list("Master.csv", of("", "10.1"));
    lab.list("Master.csv.1", of("old", "10.0"));
    lab.list(
        "audit",
        log(&[outcome("SUCCESS", "s", "alice", "10.1", "10.1")]),
    );
    let ran = report(&lab, &["audit", "Master.csv.1", "Master.csv"]);
    assert_eq!(identities(&ran), ["old", "alice"]);
    for (piped, named) in [("Master.csv", "audit"), ("audit", "Master.csv")] {
        let ran = lab.run(&["report", "-", named], &lab.text(piped));
        assert_eq!(told(&ran), [["alice", "s", "10.1"]], "{piped}");
    }
    // Nothing has happened yet.
    lab.list("empty", "");
    for files in [&["empty"][..], &["empty", "audit"]] {
        let ran = report(&lab, &[&["--pinset", "s"], files].concat());
        assert_eq!((ran.code, ran.out.as_str()), (0, HEADER));
    }
    lab.list("other", "alice,plain:1\n");
    for (files, why) in [
        (
            &["Master.csv", "other"][..],
            "other: it is neither a CDR file",
        ),
        (&["Master.csv", "missing"], "missing: No such file"),
        (&["Master.csv", "."], ".: Is a directory"),
        (&["audit"], "there is no CDR file"),
        (&[], "<FILE>..."),
    ] {
        let ran = report(&lab, files);
        assert!(ran.code == 3 && ran.out.is_empty(), "{files:?}");
        assert!(ran.err.contains(why), "{}", ran.err);
    }
}

#[test]
fn new_files_and_never_over_old_ones() {
    let lab = Lab::new();
    lab.list("Master.csv", of("alice", "10.1"));
    let ran = report(&lab, &["Master.csv", "--output", "calls", "--totals=sums"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    assert!(lab.text("calls").starts_with(HEADER) && lab.text("calls").ends_with(",10.1\n"));
    assert_eq!(lab.text("sums"), format!("{TOTALS}alice,1,1,65,60\n"));
    assert_eq!((lab.mode("calls"), lab.mode("sums")), (0o600, 0o600));
    // The totals on standard output, the calls in a file; and the other way.
    let ran = report(&lab, &["Master.csv", "--output=calls2", "--totals"]);
    assert_eq!(ran.out, lab.text("sums"));
    assert_eq!(lab.text("calls2"), lab.text("calls"));
    let ran = report(&lab, &["Master.csv", "--totals=sums2"]);
    assert_eq!(ran.out, lab.text("calls"));
    assert_eq!(lab.text("sums2"), lab.text("sums"));
    let files = lab.files();
    for options in [
        &["--output", "Master.csv"][..],
        &["--totals=calls"],
        &["--output=new", "--totals=calls"],
    ] {
        let ran = report(&lab, &[options, &["Master.csv"]].concat());
        assert!(
            ran.code == 3 && ran.err.contains("there is such a file already"),
            "{}",
            ran.err
        );
    }
    // And none of a report that is not whole.
    let ran = report(&lab, &["Master.csv", "missing", "--output=new"]);
    assert_eq!(ran.code, 3);
    assert_eq!(lab.files(), files);
    assert_eq!(lab.text("Master.csv"), of("alice", "10.1"));
}

/// The PIN stands in the data of the application, in the log of other levels,
/// in lines that are none.
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

/// Calls go through: they are not kept.
#[test]
fn a_large_cdr_needs_little_memory() {
    let lab = Lab::new();
    let limited = "ulimit -v 65536 && exec \"$0\" report - --totals";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_pinset")]);
    command.current_dir(lab.path("."));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let block = CALL.line().repeat(1000);
    let mut input = child.stdin.take().unwrap();
    for _ in 0..400 {
        input.write_all(block.as_bytes()).unwrap();
    }
    drop(input);
    assert!(block.len() * 400 > 65536 << 10);
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        out,
        format!("{TOTALS}alice,400000,400000,26000000,24000000\n")
    );
}
