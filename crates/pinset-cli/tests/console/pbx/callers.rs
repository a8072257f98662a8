//! Why a caller was refused.

use super::fake_pbx::FakePbx;
use super::pages::has;
use crate::fixture::{add_user, lab, start, Browser};
use crate::lab::server::until;
use crate::lab::{Lab, PIN};

/// Writes a file with a row that has expired, and attempts of its account.
fn files(lab: &Lab) {
    lab.list(
        "pins/doors.csv",
        format!(
            "account,secret,caller,name,level,valid_from,valid_until\n\
             ada,plain:{PIN},0506 050 81 69,<i>Ada,3,,2026-11-01\n\
             bob,plain:{PIN},05060508170,Bob,,2099-01-01,\n\
             bob,nonsense,,,,,\n"
        ),
    );
    lab.list("pins/plain.txt", format!("{PIN}\n"));
    let outcome = |word: &str, identity: &str, caller: &str, id: &str| {
        format!(
            "[x] AUTHENTICATE[1] audit.rs: Outcome=\"{word}\",PinSet=\"doors\",\
             Identity=\"{identity}\",Caller=\"{caller}\",UniqueID=\"{id}\",LinkedID=\"{id}\"\n"
        )
    };
    let log = [
        outcome("SUCCESS", "ada", "05060508169", "1793520000.1"),
        outcome("EXPIRED", "ada", "+49 30 <b>", "1793521000.1"),
        outcome("FAILURE", "", "0506-050-8169", "1793522000.1"),
        outcome("EXPIRED", "bob", "1", "1793523000.1"),
        outcome("EXPIRED", "carol", "1", "1793524000.1"),
    ];
    lab.list("authenticate.log", log.concat());
}

fn configured(pbx: &FakePbx) -> Lab {
    let lab = lab("");
    pbx.configure_with(&lab, "audit_log = \"LAB/authenticate.log\"\n");
    files(&lab);
    lab
}

/// Waits until the audit log is read.
fn wait_for(browser: &mut Browser<'_>, wanted: &str, part: &str) -> String {
    let mut text = String::new();
    until(part, || {
        text = browser.get(&format!("/callers?q={wanted}")).text();
        text.contains(part)
    });
    text
}

#[test]
fn rows_and_attempts_of_a_number_or_an_account_are_shown_in_words() {
    let pbx = FakePbx::start(None);
    let lab = configured(&pbx);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let wanted = ["ada", "0506+050+81+69", "%2805060508169%29"];
    for wanted in wanted {
        let text = wait_for(&mut browser, wanted, "right PIN, but");
        has(
            &text,
            &[
                "doors.csv</a></td><td class=\"number\">2</td><td>ada</td><td>&lt;i&gt;Ada</td>\
                 <td>0506 050 81 69</td><td class=\"number\">3</td><td></td><td>2026-11-01</td><td>expired</td>",
                "<td>admitted</td><td>doors</td><td>ada</td>",
                "<td>right PIN, but expired on 2026-11-01</td><td>doors</td><td>ada</td>\
                 <td>+49 30 &lt;b&gt;</td><td>audit log</td>",
                "<td>refused: wrong PIN, level too low, or unknown number</td>",
                "main: not locked out.",
            ],
        );
        assert!(text.find(">refused: wrong").unwrap() < text.find(">right PIN, but").unwrap());
        assert!(!text.contains(PIN) && !text.contains("plain:") && !text.contains("bob"));
    }
    let text = wait_for(&mut browser, "bob", "right PIN, but");
    has(
        &text,
        &[
            "<td>right PIN, but valid from 2099-01-01 only</td>",
            "<td>2099-01-01</td><td></td><td>not yet valid</td>",
            "<td>invalid: secret: ",
        ],
    );
    assert!(!text.contains("nonsense"));
    let text = wait_for(&mut browser, "carol", "right PIN, but");
    has(
        &text,
        &[
            "right PIN, but outside its dates, times or uses",
            "No CSV file has a row of this number or account.",
        ],
    );
    let text = browser.get("/callers?q=%3Cscript%3E").text();
    has(
        &text,
        &["value=\"&lt;script&gt;\"", "There was no attempt."],
    );
    assert!(!text.contains("<script"));
}

#[test]
fn rows_and_attempts_are_sorted_by_the_links_of_their_headings() {
    let pbx = FakePbx::start(None);
    let lab = configured(&pbx);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let text = wait_for(&mut browser, "bob", "right PIN, but");
    has(
        &text,
        &[
            "<a href=\"/callers?q=bob&amp;rows=-line\">Line</a>",
            "<a href=\"/callers?q=bob&amp;attempts=outcome\">Outcome</a>",
            "The last attempts, newest first",
        ],
    );
    assert!(!text.contains("aria-sort"), "{text}");
    let is_first = |text: &str, first: &str, second: &str| {
        let (first, second) = (text.find(first).unwrap(), text.find(second).unwrap());
        assert!(first < second, "{text}");
    };
    let (line_3, line_4) = ("<td class=\"number\">3</td>", "<td class=\"number\">4</td>");
    is_first(&text, line_3, line_4);
    let text = browser
        .get("/callers?q=bob&rows=-line&attempts=time")
        .text();
    is_first(&text, line_4, line_3);
    has(
        &text,
        &[
            "aria-sort=\"descending\"><a href=\"/callers?q=bob&amp;rows=line&amp;attempts=time\">Line",
            "aria-sort=\"ascending\"><a href=\"/callers?q=bob&amp;rows=-line&amp;attempts=-time\">Time",
            "<caption>The last attempts</caption>",
        ],
    );
    let (admitted, refused) = ("<td>admitted</td>", "<td>refused: wrong PIN");
    let text = browser.get("/callers?q=ada&attempts=time").text();
    is_first(&text, admitted, refused);
    let text = browser.get("/callers?q=ada&attempts=-outcome").text();
    is_first(&text, refused, admitted);
}

#[test]
fn locked_caller_is_unlocked_from_its_page() {
    let pbx = FakePbx::start(None);
    let lab = configured(&pbx);
    add_user(&lab, "vic", "viewer");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    // The event comes with the login at the PBX.
    let text = wait_for(&mut browser, "%2B4930%3Cb%3E", "<td>main</td>");
    has(
        &text,
        &[
            "main: <strong>caller locked out</strong>: +4930&lt;b&gt;, PIN set doors, 29 min",
            "<td>refused: wrong PIN, level too low, or unknown number</td><td>doors</td>",
        ],
    );
    assert_eq!(text.matches("action=\"/locked/unlock\"").count(), 1);
    let fields = [
        ("pbx", "main"),
        ("kind", "caller"),
        ("value", "+4930<b>"),
        ("pin_set", "doors"),
        ("caller", "+4930<b>"),
    ];
    let answer = browser.post("/locked/unlock", &fields);
    let location = answer.header("location").unwrap();
    assert_eq!(location, "/callers?q=%2B4930%3Cb%3E&unlocked=1");
    assert!(browser.get(location).text().contains("Unlocked: 1"));
    let mut viewer = Browser::logged_in(&server, "vic");
    let text = viewer.get("/callers?q=%2B4930%3Cb%3E").text();
    has(&text, &["caller locked out", "needs the role operator"]);
    assert!(!text.contains("action=\"/locked/unlock\""));
}

#[test]
fn operator_makes_a_new_pin_from_the_page_of_the_caller() {
    let pbx = FakePbx::start(None);
    let lab = configured(&pbx);
    add_user(&lab, "vic", "viewer");
    let server = start(&lab);
    let viewer = Browser::logged_in(&server, "vic")
        .get("/callers?q=ada")
        .text();
    assert!(!viewer.contains("New PIN"), "{viewer}");
    let mut browser = Browser::logged_in(&server, "ada");
    let text = browser.get("/callers?q=ada").text();
    let link = text.split("aria-label=\"New PIN of ada\"").next().unwrap();
    let link = link
        .rsplit("href=\"")
        .next()
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let form = browser.get(&link.replace("&amp;", "&"));
    assert_eq!(form.status, 200);
    has(&form.text(), &["value=\"ada\"", "value=\"make\" checked"]);
}
