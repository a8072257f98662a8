//! The page of calls, and its files.

use std::fs::File;
use std::io::Write;

use crate::fixture::{lab, start, Browser};
use crate::lab::server::until;
use crate::lab::{Lab, PIN};

const FILES: &str = "cdr = \"LAB/Master.csv\"\naudit_log = \"LAB/authenticate.log\"\n";

/// A name that a caller may have chosen.
const HOSTILE: &str = "=1+1<script>";

/// Appends a record. `at` is a minute of November 2026.
pub(crate) fn record(lab: &Lab, at: u32, caller: &str, disposition: &str, id: &str) {
    let mut file = append(lab, "Master.csv");
    file.write_all(line(at, caller, disposition, id).as_bytes())
        .unwrap();
}

fn line(at: u32, caller: &str, disposition: &str, id: &str) -> String {
    let (day, hour, minute) = (1 + at / 1440, at / 60 % 24, at % 60);
    let start = format!("2026-11-{day:02} {hour:02}:{minute:02}:00");
    let billed = if disposition == "ANSWERED" { 90 } else { 0 };
    format!(
        "\"\",\"{caller}\",\"100\",\"in\",\"\",\"PJSIP/a\",\"\",\"Authenticate\",\"{PIN}\",\
         \"{start}\",\"{start}\",\"{start}\",95,{billed},\"{disposition}\",\"DOCUMENTATION\",\
         \"{id}\"\n"
    )
}

/// Appends an outcome that admits an identity.
fn outcome(lab: &Lab, identity: &str, id: &str) {
    let line = format!(
        "[2026-11-01 08:00:04] AUTHENTICATE[4711] audit.rs: Outcome=\"SUCCESS\",PinSet=\"doors\",\
         Identity=\"{identity}\",Caller=\"0506\",Channel=\"x\",UniqueID=\"{id}\",LinkedID=\"{id}\",\
         Attempts=\"1\"\n"
    );
    append(lab, "authenticate.log")
        .write_all(line.as_bytes())
        .unwrap();
}

fn append(lab: &Lab, name: &str) -> File {
    let options = &mut File::options();
    options
        .append(true)
        .create(true)
        .open(lab.path(name))
        .unwrap()
}

/// Waits until the page of all days has this many calls. It changes with each part of a
/// file that was read.
pub(crate) fn wait_for(browser: &mut Browser<'_>, calls: &str) -> String {
    let mut text = String::new();
    let wanted = format!("<strong>{calls} calls, ");
    while !text.contains(&wanted) {
        let before = std::mem::take(&mut text);
        until("the calls", || {
            text = browser.get("/calls?from=&to=").text();
            text != before
        });
    }
    text
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn calls_are_shown_with_totals_chart_and_command() {
    let lab = lab(FILES);
    record(&lab, 480, "0506 050 81 69", "ANSWERED", "1793520000.1");
    outcome(&lab, "ada", "1793520000.1");
    record(&lab, 2000, HOSTILE, "NO ANSWER", "1793520000.2");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let text = wait_for(&mut browser, "2");
    let (path, log) = (lab.path("Master.csv"), lab.path("authenticate.log"));
    let command = format!(
        "<code>pinset report {} {}</code>",
        path.display(),
        log.display()
    );
    has(
        &text,
        &[
            "<strong>2 calls, 1 min 30 s billed</strong>",
            "CSV of all 2</a>",
            &command,
            ">ada</a></td><td>doors</td><td><a href=\"/callers?q=0506+050+81+69\">0506 050 81 69</a></td><td>100</td>",
            ">=1+1&lt;script&gt;</a></td>",
            "<td>none</td><td class=\"number\">1</td><td class=\"number\">0</td>",
            "<title>2026-11-01: 1 calls, 1 min 30 s</title>",
            "<th scope=\"row\">2026-11-01</th><td class=\"number\">1</td>",
            ">This month</a>",
            "Master.csv</code>, last line at ",
        ],
    );
    assert!(text.find("2026-11-02 09:20:00").unwrap() < text.find("2026-11-01 08:00:00").unwrap());
    assert!(!text.contains("<script") && !text.contains(PIN));
    let oldest = browser.get("/calls?from=&order=oldest").text();
    assert!(
        oldest.find("2026-11-01 08:00:00").unwrap() < oldest.find("2026-11-02 09:20:00").unwrap()
    );
    // Other lines, and an outcome that comes after its record.
    record(&lab, 2001, "7", "BUSY", "1793520000.3");
    wait_for(&mut browser, "3");
    outcome(&lab, "b<o>b", "1793520000.3");
    until("the identity", || {
        browser
            .get("/calls?from=")
            .text()
            .contains(">b&lt;o&gt;b</a></td><td>doors</td>")
    });
    assert!(server.stop().success());
    assert_eq!(lab.mode("calls.db"), 0o600);
}

#[test]
fn calls_are_selected_by_each_field() {
    let lab = lab(FILES);
    record(&lab, 480, "05060508169", "ANSWERED", "1793520000.1");
    outcome(&lab, "ada", "1793520000.1");
    record(&lab, 2000, "7", "NO ANSWER", "1793520000.2");
    record(&lab, 2001, "8", "BUSY", "1793520000.3");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    wait_for(&mut browser, "3");
    for (query, calls, command) in [
        (
            "from=2026-11-01&to=2026-11-01",
            1,
            " --from=2026-11-01 --to=2026-11-01",
        ),
        ("from=2026-11-02", 2, " --from=2026-11-02"),
        (
            "from=&to=2026-11-01+08:00",
            0,
            " --to=&#39;2026-11-01 08:00&#39;",
        ),
        ("from=&identity=ada", 1, " --account=ada"),
        ("from=&identity=none", 0, " --account=none"),
        ("from=&pinset=doors", 1, " --pinset=doors"),
        (
            "from=&number=0506+050+81+69",
            1,
            " --caller=&#39;0506 050 81 69&#39;",
        ),
        (
            "from=&result=NO+ANSWER",
            1,
            " --disposition=&#39;NO ANSWER&#39;",
        ),
        (
            "from=&result=BUSY&number=8&to=2026-11-02",
            1,
            " --to=2026-11-02 --caller=8 --disposition=BUSY",
        ),
    ] {
        let text = browser.get(&format!("/calls?{query}")).text();
        let command = command.replace("&#39;", "'");
        has(
            &text,
            &[
                &format!("<strong>{calls} calls, "),
                &format!("<code>pinset report{command} "),
            ],
        );
        assert_eq!(text.matches("<td>100</td>").count(), calls, "{query}");
        let csv = browser.get(&format!("/calls.csv?{query}"));
        assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
        assert_eq!(csv.text().lines().count(), 1 + calls, "{query}");
    }
}

#[test]
fn invalid_days_are_refused_and_stay_in_the_form() {
    let lab = lab(FILES);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for (query, field, value, why) in [
        (
            "from=1.11.2026",
            "from",
            "1.11.2026",
            "From: there is no such day or time",
        ),
        (
            "to=2026-11-31",
            "to",
            "2026-11-31",
            "To: there is no such day or time",
        ),
        (
            "from=2026-11-02&to=2026-11-01",
            "to",
            "2026-11-01",
            "To: the end must be after",
        ),
        (
            "from=%3Cb%3E",
            "from",
            "&lt;b&gt;",
            "From: there is no such day or time",
        ),
    ] {
        for path in ["/calls", "/calls.csv", "/calls-totals.csv"] {
            let answer = browser.get(&format!("{path}?{query}&identity=ada&number=%3Ci%3E"));
            assert_eq!(answer.status, 422, "{query}");
            let input = format!(
                "<input name=\"{field}\" value=\"{value}\" autocomplete=\"off\" \
                 aria-invalid=\"true\" aria-describedby=\"{field}-error\">"
            );
            let text = answer.text();
            has(
                &text,
                &[
                    why,
                    &input,
                    &format!("<span class=\"error\" id=\"{field}-error\">"),
                    "role=\"alert\" tabindex=\"-1\" autofocus",
                    "name=\"identity\" value=\"ada\"",
                    "name=\"number\" value=\"&lt;i&gt;\"",
                ],
            );
            assert!(!text.contains("<strong>"));
        }
    }
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    let lab = lab(FILES);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let text = browser.get("/calls").text();
    has(
        &text,
        &[
            "<strong>0 calls, 0 s billed</strong>",
            "<code>module load cdr_csv.so, and loguniqueid = yes in [csv] of cdr.conf</code>",
            "<code>add authenticate.log =&gt; authenticate to [logfiles] of logger.conf</code>",
            "of which no line was read yet.",
        ],
    );
    let old = line(1, "7", "BUSY", "x").replace(",\"x\"\n", "\n");
    append(&lab, "Master.csv")
        .write_all(format!("\"nonsense\"\n{old}").as_bytes())
        .unwrap();
    let text = wait_for(&mut browser, "1");
    has(
        &text,
        &[
            "<code>loguniqueid = yes</code>",
            "can't be read and were skipped: 1.",
        ],
    );
    // Its rest is nowhere.
    std::fs::remove_file(lab.path("Master.csv")).unwrap();
    record(&lab, 3, "7", "BUSY", "1793520000.2");
    record(&lab, 4, "7", "BUSY", "1793520000.3");
    let text = wait_for(&mut browser, "3");
    has(
        &text,
        &[
            "may be missing: the file was replaced",
            "<code>delaycompress</code>",
        ],
    );
    assert!(!text.contains("<code>loguniqueid"));
}

#[test]
fn pages_of_calls_lead_to_each_other() {
    let lab = lab(FILES);
    for at in 0..120 {
        record(
            &lab,
            at,
            &format!("x{at}x"),
            "ANSWERED",
            &format!("1793520000.{at}"),
        );
    }
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let first = wait_for(&mut browser, "120");
    let link = |text: &str, name: &str| {
        let (before, _) = text.split_once(&format!("\">{name} 50</a>"))?;
        let link = before.rsplit("href=\"").next().unwrap();
        Some(link.replace("&amp;", "&"))
    };
    let numbers = |text: &str| -> Vec<u32> {
        let cells = text.split(">x").skip(1);
        cells
            .map(|cell| cell.split('x').next().unwrap().parse().unwrap())
            .collect()
    };
    assert_eq!(numbers(&first), (70..120).rev().collect::<Vec<_>>());
    assert_eq!(link(&first, "Previous"), None);
    let second = browser.get(&link(&first, "Next").unwrap()).text();
    assert_eq!(numbers(&second), (20..70).rev().collect::<Vec<_>>());
    let third = browser.get(&link(&second, "Next").unwrap()).text();
    assert_eq!(numbers(&third), (0..20).rev().collect::<Vec<_>>());
    assert_eq!(link(&third, "Next"), None);
    let back = browser.get(&link(&third, "Previous").unwrap()).text();
    assert_eq!(numbers(&back), numbers(&second));
    let back = browser.get(&link(&back, "Previous").unwrap()).text();
    assert_eq!(numbers(&back), numbers(&first));
    assert_eq!(link(&back, "Previous"), None);
}

/// Lines and position are stored together: what a killed console has read is read once.
#[test]
fn killed_console_neither_loses_nor_doubles_a_call() {
    const CALLS: u32 = 6_000;
    let lab = lab(FILES);
    let all = (0..CALLS).map(|at| line(at, "7", "BUSY", &format!("1793520000.{at}")));
    lab.list("Master.csv", all.collect::<String>());
    lab.list("authenticate.log", "");
    let stored = || -> u32 {
        let database = rusqlite::Connection::open(lab.path("calls.db")).unwrap();
        let count = "SELECT coalesce(sum(calls), 0) FROM day";
        database.query_row(count, [], |row| row.get(0)).unwrap()
    };
    let (mut before, mut kills) = (0, 0);
    while before < CALLS {
        // It is killed while it reads the next part.
        let server = start(&lab);
        until("a part", || stored() > before);
        drop(server);
        before = stored();
        kills += 1;
    }
    assert!(kills > 2, "{kills}");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    wait_for(&mut browser, "6,000");
    let ran = lab.run(&["report", "Master.csv"], "");
    assert!(browser.get("/calls.csv?from=").body == ran.out.as_bytes());
}

#[test]
fn csv_files_are_those_of_the_command_byte_for_byte() {
    csv_files_are_those_of_the_command(3_000, "3,000", &FILTERS);
}

/// All rows, whatever the page shows.
#[test]
#[ignore = "takes long: make unit"]
fn csv_files_of_100000_calls_are_those_of_the_command() {
    csv_files_are_those_of_the_command(100_000, "100,000", &FILTERS[..1]);
}

/// Queries of the page, and the options of the command that stand for them.
const FILTERS: [(&str, &[&str]); 5] = [
    ("from=", &[]),
    (
        "from=2026-11-01+03:11&to=2026-11-01+08:07",
        &["--from", "2026-11-01 03:11", "--to", "2026-11-01 08:07"],
    ),
    ("from=&identity=id-9", &["--account", "id-9"]),
    (
        "from=&pinset=doors&result=BUSY",
        &["--pinset", "doors", "--disposition", "BUSY"],
    ),
    ("from=&number=0506+0500007", &["--caller", "0506 0500007"]),
];

fn csv_files_are_those_of_the_command(calls: u32, count: &str, filters: &[(&str, &[&str])]) {
    let lab = lab(FILES);
    let (mut cdr, mut log) = (String::new(), String::new());
    for at in 0..calls {
        let caller = match at % 5 {
            0 => HOSTILE.to_owned(),
            1 => "\"\"quoted\"\", and\n more".to_owned(),
            _ => format!("0506050{:04}", at % 1000),
        };
        let disposition = ["ANSWERED", "ANSWERED", "BUSY", "NO ANSWER"][at as usize % 4];
        let id = format!("{}.{at}", 1_793_480_400 + at * 20);
        cdr += &line(at / 3, &caller, disposition, &id);
        let identity = format!("id-{}", at % 300);
        let admitted = ["SUCCESS", "SUCCESS", "FAILURE"][at as usize % 3];
        log += &format!(
            "[x] AUTHENTICATE[1] audit.rs: Outcome=\"{admitted}\",PinSet=\"doors\",\
             Identity=\"{identity}\",UniqueID=\"{id}\",LinkedID=\"{id}\"\n"
        );
    }
    lab.list("Master.csv", &cdr);
    lab.list("authenticate.log", &log);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let text = wait_for(&mut browser, count);
    has(&text, &[&format!("CSV of all {count}</a>")]);
    for (query, options) in filters {
        for (path, totals) in [
            ("/calls.csv", None),
            ("/calls-totals.csv", Some("--totals")),
        ] {
            let arguments = ["report", "Master.csv", "authenticate.log"];
            let arguments: Vec<&str> = arguments
                .iter()
                .chain(&totals)
                .chain(*options)
                .copied()
                .collect();
            let ran = lab.run(&arguments, "");
            assert_eq!((ran.code, ran.err.as_str()), (0, ""));
            let csv = browser.get(&format!("{path}?{query}"));
            assert_eq!(csv.status, 200);
            assert!(csv.body == ran.out.as_bytes(), "{path}?{query}");
            assert!(csv.text().lines().count() > 1, "{path}?{query}");
        }
    }
}

/// Returns the starts of the calls on a page, in its order, and the link of a heading.
fn starts_and_link(page: &str, heading: &str) -> (Vec<String>, String) {
    let table = page.split("<caption>Calls</caption>").nth(1).unwrap();
    let head = table.split("</thead>").next().unwrap();
    let link = head.split(&format!("\">{heading}</a>")).next().unwrap();
    let link = link.rsplit("href=\"").next().unwrap().replace("&amp;", "&");
    let rows = table.split("<tbody><tr><td>").nth(1).unwrap();
    let rows = rows.split("</table>").next().unwrap().split("<tr><td>");
    let starts = rows.map(|row| row.split('<').next().unwrap().to_owned());
    (starts.collect(), link)
}

#[test]
fn tables_are_sorted_by_the_links_of_their_headings() {
    let lab = lab(FILES);
    for (at, identity) in [(1, "eve"), (2, "ada"), (3, "bob"), (4, "bob")] {
        let id = format!("1793520000.{at}");
        record(&lab, at, &format!("{}", 9 - at), "ANSWERED", &id);
        outcome(&lab, identity, &id);
    }
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    wait_for(&mut browser, "4");
    until("the identities", || {
        let page = browser.get("/calls?from=").text();
        page.matches("</a></td><td>doors").count() == 4
    });
    let mut link = "/calls?from=".to_owned();
    // Each click on a heading, and the minutes of the calls before it.
    for (minutes, heading) in [
        ("4321", "Identity"),
        ("2341", "Identity"),
        ("1432", "Identity"),
        ("2341", "Number"),
        ("4321", "Number"),
        ("1234", "Answered"),
        ("1234", "Length"),
        ("4321", "Start"),
    ] {
        let page = browser.get(&link).text();
        let (starts, next) = starts_and_link(&page, heading);
        let found: String = starts.iter().map(|start| &start[15..16]).collect();
        assert_eq!(found, minutes, "{link}");
        link = next;
    }
    let page = browser
        .get("/calls?from=&sort=identity&order=oldest")
        .text();
    has(
        &page,
        &["<th scope=\"col\" aria-sort=\"ascending\"><a href=\"/calls?from=&amp;"],
    );
    // The totals have an order of their own.
    for (order, names) in [
        ("identity", ["ada", "bob", "eve"]),
        ("-identity", ["eve", "bob", "ada"]),
        ("-billed", ["bob", "eve", "ada"]),
        ("calls", ["ada", "eve", "bob"]),
    ] {
        let page = browser.get(&format!("/calls?from=&totals={order}")).text();
        let totals = page.split("<caption>Totals by identity</caption>").nth(1);
        let totals = totals.unwrap().split("</table>").next().unwrap();
        let at = names.map(|name| totals.find(&format!("\">{name}</a></td>")).unwrap());
        assert!(at[0] < at[1] && at[1] < at[2], "{order}: {totals}");
    }
    let page = browser.get("/calls?from=&totals=identity&totals_after=bob");
    has(
        &page.text(),
        &[
            "<caption>Totals by identity: 3 to 3 of 3</caption>",
            "First identities",
        ],
    );
}

/// The order by the answer is not that by the start.
#[test]
fn calls_are_sorted_by_their_answer() {
    let lab = lab(FILES);
    let answered = |at: u32, answer: &str| {
        let line = line(at, "7", "ANSWERED", &format!("1793520000.{at}"));
        let mut fields: Vec<&str> = line.split(',').collect();
        fields[10] = answer;
        fields.join(",")
    };
    let late = answered(1, "\"2026-11-01 00:09:00\"");
    let early = answered(2, "\"2026-11-01 00:03:00\"");
    let never = answered(3, "\"\"");
    lab.list("Master.csv", [late, early, never].concat());
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    wait_for(&mut browser, "3");
    for (order, minutes) in [("oldest", "321"), ("", "123")] {
        let page = browser.get(&format!("/calls?from=&sort=answered&order={order}"));
        let starts = starts_and_link(&page.text(), "Answered").0;
        let found: String = starts.iter().map(|start| &start[15..16]).collect();
        assert_eq!(found, minutes, "{order}");
    }
}

/// A page for printing has no form, and more rows.
#[test]
fn page_for_printing_has_more_rows_and_no_form() {
    let lab = lab(FILES);
    let lines = (0..60).map(|at| line(at, "7", "ANSWERED", &format!("1793520000.{at}")));
    lab.list("Master.csv", lines.collect::<String>());
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    wait_for(&mut browser, "60");
    let page = browser.get("/calls?from=2026-11-01&to=2026-11-30").text();
    has(&page, &["<form class=\"filters\"", "Next 50"]);
    let link = page
        .split("\">Print</a>")
        .next()
        .unwrap()
        .rsplit("href=\"")
        .next()
        .unwrap();
    let printed = browser.get(&link.replace("&amp;", "&")).text();
    assert!(!printed.contains("<form class=\"filters\""), "{printed}");
    assert_eq!(printed.matches("<td>2026-11-01 ").count(), 120);
    has(
        &printed,
        &["60 calls, ", "from 2026-11-01 to 2026-11-30", "<svg"],
    );
}
