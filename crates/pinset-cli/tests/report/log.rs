//! Identities from the audit log.

use super::*;

#[test]
fn identity_is_that_of_audit_log() {
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
        // The identity that the log names for a refused call is not proven.
        outcome("FAILURE", "customers", "bob", "10.2", "10.2"),
        // A PIN without an account, and no outcome for 10.4.
        outcome("SUCCESS", "/etc/pins", "", "10.3", "10.3"),
        // Refused, admitted, refused by another PIN set, admitted again.
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
    // The files may be in any order.
    for files in [["Master.csv", "audit"], ["audit", "Master.csv"]] {
        let ran = report(&lab, &files);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert_eq!(rows(&ran), wanted);
    }
    let with = |options: &[&str]| {
        let ran = report(&lab, &[options, &["audit", "Master.csv"]].concat());
        let ids: Vec<String> = rows(&ran).iter().map(|row| row[2].to_owned()).collect();
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
    // Without the log, there are no PIN sets.
    let ran = report(&lab, &["--pinset", "customers", "Master.csv"]);
    assert!(
        ran.code == 3 && ran.err.contains("audit log"),
        "{}",
        ran.err
    );
    assert_eq!(ran.out, "");
}

#[test]
fn calls_are_matched_with_log_by_unique_or_linked_id() {
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
    // The third record belongs to the first call.
    assert_eq!(found, ["first", "second", "third", "alice", "alice"]);
}

#[test]
fn every_format_of_logger_is_read() {
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
        assert_eq!(rows(&ran), [[cell, "customers", "10.1"]], "{form}");
    }
}

/// Text that others can make Asterisk log is never an outcome.
#[test]
fn outcome_can_not_be_forged() {
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
    assert_eq!((ran.code, &ran.err), (1, &no_outcome("full")));
    assert_eq!(rows(&ran), [["the account", "", "10.1"]]);
}

#[test]
fn incomplete_outcome_is_reported() {
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
    let wanted = |line| format!("pinset: audit: line {line}: skipped: incomplete outcome\n");
    let wanted = no_outcome("audit") + &(2..=7).map(wanted).collect::<String>();
    assert_eq!(sorted(&ran.err), sorted(&wanted));
    assert_eq!(rows(&ran), [["the account", "", "10.1"]]);
    // Unknown keys do not invalidate a line.
    lab.list("audit", log(&[format!("{whole},New=\"1\",Newer=\"\"")]));
    let ran = report(&lab, &["Master.csv", "audit"]);
    assert_eq!(
        (ran.code, rows(&ran)),
        (0, vec![["alice", "customers", "10.1"]])
    );
}

fn no_outcome(file: &str) -> String {
    format!("pinset: {file}: no outcome found: use a log with level AUTHENTICATE (logger.conf)\n")
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<_> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn log_without_outcome_is_reported() {
    let lab = Lab::new();
    lab.list("Master.csv", of("alice", "10.1"));
    lab.list(
        "audit",
        log(&[outcome("SUCCESS", "s", "ada", "10.1", "10.1")]),
    );
    for text in [log(&[]), String::new()] {
        lab.list("other", &text);
        let ran = report(&lab, &["Master.csv", "other"]);
        assert_eq!((ran.code, &ran.err), (1, &no_outcome("other")), "{text:?}");
        assert_eq!(identities(&ran), ["alice"]);
    }
    // Each log is checked separately.
    lab.list("other", log(&[]));
    let ran = report(&lab, &["Master.csv", "other", "audit"]);
    assert_eq!((ran.code, &ran.err), (1, &no_outcome("other")));
    assert_eq!(identities(&ran), ["ada"]);
}

#[test]
fn coloured_log_is_read() {
    let lab = Lab::new();
    lab.list("Master.csv", of("", "pbx-1793634800.6"));
    lab.list("full", include_str!("../cases/log-coloured.log"));
    let ran = report(&lab, &["Master.csv", "full"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(rows(&ran), [["ada", "customers", "pbx-1793634800.6"]]);
}
