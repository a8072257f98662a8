//! Calls with several records, filters, order and days.

use super::*;

const DAY_TOTALS: &str = "day,identity,calls,answered,duration_seconds,billed_seconds\n";

fn two_phones(lab: &Lab, options: &[&str]) -> Ran {
    lab.list("Master.csv", include_str!("../cases/cdr-two-phones.csv"));
    lab.list("audit", include_str!("../cases/cdr-two-phones.log"));
    let ran = report(lab, &[options, &["Master.csv", "audit"]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    ran
}

/// Two calls that rang two phones each, of which the log has the first.
#[test]
fn call_that_rang_two_phones_is_counted_once() {
    let lab = Lab::new();
    let ran = two_phones(&lab, &["--totals"]);
    assert_eq!(ran.out, format!("{TOTALS},1,1,8,8\nada,1,1,9,9\n"));
    let ran = two_phones(&lab, &["--totals", "--by-day"]);
    let rows = "2026-11-27,,1,1,8,8\n2026-11-27,ada,1,1,9,9\n";
    assert_eq!(ran.out, format!("{DAY_TOTALS}{rows}"));
    let ran = two_phones(&lab, &[]);
    let day = "2026-11-27";
    let rows = format!(
        "ada,staff,05060508169,dial,{day} 22:20:44,{day} 22:20:44,{day} 22:20:53,9,9,ANSWERED,call-1-b\n\
         ,,05060508169,start,{day} 22:20:54,{day} 22:20:54,{day} 22:21:02,8,8,ANSWERED,call-2-a\n"
    );
    assert_eq!(ran.out, format!("{HEADER}{rows}"));
    // Without a log, calls are counted by the linked channels.
    let ran = report(&lab, &["--totals", "Master.csv"]);
    assert_eq!(ran.out, format!("{TOTALS},2,2,17,17\n"));
}

/// Records before `--from` and after `--to` count if their call began between them.
#[test]
fn records_of_a_call_count_on_the_day_it_began() {
    let lab = Lab::new();
    let leg = |start: &str, answer: &str, seconds| {
        let more = ",\"10.2\",\"\",\"\",\"10.1\",1";
        let line = Call {
            start,
            seconds,
            more,
            ..CALL
        }
        .line();
        line.replace("\"2026-11-01 08:00:05\"", &format!("\"{answer}\""))
    };
    let late = leg("2026-11-01 23:59:50", "2026-11-01 23:59:50", (20, 20));
    let next = leg("2026-11-02 00:00:05", "2026-11-02 00:00:05", (15, 15));
    lab.list("Master.csv", late + &next);
    for (day, totals) in [("2026-11-01", "alice,1,1,30,30\n"), ("2026-11-02", "")] {
        let ran = report(
            &lab,
            &["--from", day, "--to", day, "--totals", "Master.csv"],
        );
        assert_eq!(ran.out, format!("{TOTALS}{totals}"), "{day}");
    }
}

/// Four calls with different values in each column.
fn calls(lab: &Lab) {
    let call = |id: &str, caller: &str, called: &str, start: &str, seconds, disposition: &str| {
        let more = format!(",\"{id}\"");
        let call = Call {
            account_code: id,
            caller,
            start,
            seconds,
            disposition,
            more: &more,
        };
        call.line().replace("\"100\"", &format!("\"{called}\""))
    };
    let lines = [
        call(
            "a",
            "05060508169",
            "200",
            "2026-11-02 08:00:00",
            (9, 5),
            "ANSWERED",
        ),
        call(
            "b",
            "+905060508169",
            "+442079460123",
            "2026-11-01 09:00:00",
            (65, 60),
            "ANSWERED",
        ),
        call("c", "", "200", "2026-11-01 08:00:00", (10, 0), "NO ANSWER"),
        call(
            "d",
            "101",
            "02079460123",
            "2026-11-03 08:00:00",
            (100, 0),
            "BUSY",
        ),
    ];
    lab.list("Master.csv", lines.concat());
}

#[test]
fn calls_are_filtered_by_each_option() {
    let lab = Lab::new();
    calls(&lab);
    for (options, wanted) in [
        (&[][..], "a b c d"),
        (&["--caller", "05060508169"], "a"),
        (
            &["--caller", "0506 050 81 69", "--country-code", "90"],
            "a b",
        ),
        (&["--caller", "", "--caller", "101"], "c d"),
        (&["--called", "200"], "a c"),
        (&["--called", "02079460123", "--country-code", "44"], "b d"),
        (
            &["--disposition", "no answer", "--disposition", "BUSY"],
            "c d",
        ),
        (&["--min-duration", "10"], "b c d"),
        (&["--max-duration", "10"], "a c"),
        (&["--min-duration", "10", "--max-duration", "65"], "b c"),
        (&["--called", "200", "--disposition", "ANSWERED"], "a"),
        (&["--sort", "start"], "c b a d"),
        (&["--sort", "start", "--reverse"], "d a b c"),
        (&["--sort", "caller"], "c b a d"),
        (&["--sort", "called"], "b d a c"),
        (&["--sort", "identity", "--reverse"], "d c b a"),
        (&["--sort", "duration_seconds"], "a c b d"),
        (&["--sort", "billed_seconds"], "c d a b"),
        (&["--sort", "disposition"], "a b d c"),
    ] {
        let ran = report(&lab, &[options, &["Master.csv"]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{options:?}");
        assert_eq!(identities(&ran).join(" "), wanted, "{options:?}");
    }
    for options in [
        &["--sort", "colour"][..],
        &["--reverse"],
        &["--by-day"],
        &["--min-duration", "x"],
    ] {
        let ran = report(&lab, &[options, &["Master.csv"]].concat());
        assert!(ran.code == 3 && ran.out.is_empty(), "{options:?}");
    }
}

#[test]
fn force_replaces_files_but_nothing_else() {
    let lab = Lab::new();
    calls(&lab);
    lab.file("old", "old", 0o644);
    let run = |more: &[&str]| report(&lab, &[more, &["--output", "old", "Master.csv"]].concat());
    let ran = run(&[]);
    assert!(ran.code == 3 && ran.err.contains("--force"), "{}", ran.err);
    assert_eq!(run(&["--force"]).code, 0);
    assert!(lab.text("old").starts_with(HEADER));
    assert_eq!(lab.mode("old"), 0o600);
    std::fs::remove_file(lab.path("old")).unwrap();
    std::os::unix::fs::symlink("Master.csv", lab.path("old")).unwrap();
    let before = lab.text("Master.csv");
    let ran = run(&["--force"]);
    assert!(
        ran.code == 3 && ran.err.contains("not a regular file"),
        "{}",
        ran.err
    );
    assert_eq!(lab.text("Master.csv"), before);
}
