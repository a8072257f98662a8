//! Pages about PBXs.

use super::fake_pbx::FakePbx;
use crate::fixture::{add_user, database, lab, start, Browser};

/// Checks that a page has these parts and nothing that the PBX or a caller wrote as HTML.
pub(super) fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
    for hostile in ["<b>", "<i>", "<x>", "<key>"] {
        assert!(!text.contains(hostile), "{hostile}: {text}");
    }
}

#[test]
fn pin_sets_and_other_calls_are_listed() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let text = Browser::logged_in(&server, "ada").get("/").text();
    let numbers = "<td class=\"number\">412</td><td class=\"number\">96</td>\
                   <td class=\"number\">13</td><td class=\"number\">1</td>";
    has(
        &text,
        &[
            "<a href=\"/pin-set?pbx=main&amp;name=doors\">doors</a>",
            "<td>file:/etc/asterisk/pins/doors</td><td>caller</td>",
            numbers,
            "<td class=\"error\">✗ no &lt;key&gt; \\x1b</td>",
            "<td>/etc/asterisk/other</td><td class=\"number\">96</td>",
        ],
    );
    // A PIN set is not in the table of other calls.
    assert_eq!(text.matches(">doors<").count(), 1, "{text}");
}

#[test]
fn pbx_that_refuses_is_named_with_the_remedy() {
    let pbx = FakePbx::start(Some("Permission denied"));
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for path in ["/", "/locked"] {
        let page = browser.get(path);
        assert_eq!(page.status, 200);
        has(
            &page.text(),
            &["main: the AMI user has no right", "write = security"],
        );
    }
    for path in [
        "/pin-set?pbx=main&name=doors",
        "/pin-set?pbx=other&name=doors",
    ] {
        let wanted = if path.contains("main") { 502 } else { 404 };
        assert_eq!(browser.get(path).status, wanted, "{path}");
    }
    for path in ["/locked?pbx=other", "/live?pbx=other"] {
        assert_eq!(browser.get(path).status, 404, "{path}");
    }
}

/// Returns the ends of the values of the lockouts on a page, and the link with a text.
fn locked_values(page: &str, link: &str) -> (Vec<String>, Option<String>) {
    let values = page.split("/callers?q=%2B4930").skip(1);
    let values = values.map(|rest| rest[..3].to_owned());
    let is_number = |value: &String| value.bytes().all(|byte| byte.is_ascii_digit());
    let values = values.filter(is_number).collect();
    let end = page.find(&format!("\">{link}</a>"));
    let link = end.map(|end| page[..end].rsplit("href=\"").next().unwrap());
    (values, link.map(|link| link.replace("&amp;", "&")))
}

#[test]
fn lockouts_are_sorted_and_searched() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let mut next = locked_values(&browser.get("/locked").text(), "Value").1;
    let (mut values, mut pages) = (Vec::new(), Vec::new());
    while let Some(link) = next {
        let page = browser.get(&link).text();
        let more;
        (more, next) = locked_values(&page, "Next 50");
        values.extend(more);
        pages.push(page);
    }
    let numbers = |numbers: std::ops::Range<usize>| numbers.map(|at| format!("{at:03}"));
    assert_eq!(values, numbers(0..120).collect::<Vec<_>>());
    assert_eq!(pages.len(), 3);
    let sorted = "aria-sort=\"ascending\"><a href=\"/locked?sort=-value\"";
    has(&pages[0], &["lockouts in force: 121", sorted]);
    let first = "href=\"/locked?pbx=main&amp;sort=value\">First 50</a>";
    has(&pages[2], &[first]);
    let page = browser.get("/locked?sort=-times").text();
    assert_eq!(locked_values(&page, "Next 50").0[..2], ["113", "106"]);
    let page = browser.get("/locked?q=%2B493011&sort=-value").text();
    let found = numbers(110..120).rev().collect();
    assert_eq!(locked_values(&page, "Next 50"), (found, None));
    has(&page, &["lockouts that fit: 10", "value=\"+493011\""]);
    let page = browser.get("/locked?q=TRUNK").text();
    has(&page, &["lockouts that fit: 121", "Next 50"]);
    let page = browser.get("/locked?q=nobody").text();
    has(&page, &["lockouts that fit: 0", "There is no lockout."]);
}

#[test]
fn pin_sets_are_sorted_by_the_links_of_their_headings() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for (order, is_doors_first) in [
        ("", true),
        ("-name", false),
        ("-state", true),
        ("state", false),
    ] {
        let page = browser.get(&format!("/?sets={order}")).text();
        let place = |name: &str| page.find(&format!("name={name}\">{name}</a>")).unwrap();
        assert_eq!(
            place("doors") < place("staff"),
            is_doors_first,
            "{order}: {page}"
        );
    }
    let page = browser.get("/?others=-admitted").text();
    has(
        &page,
        &["aria-sort=\"descending\"><a href=\"/?others=admitted\">Admitted</a>"],
    );
}

#[test]
fn operator_unlocks_and_the_trail_says_so() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    add_user(&lab, "vic", "viewer");
    let server = start(&lab);
    let viewer = Browser::logged_in(&server, "vic").get("/locked").text();
    assert!(!viewer.contains("/locked/unlock"), "{viewer}");
    let mut browser = Browser::logged_in(&server, "ada");
    let text = browser.get("/locked?pbx=main&after=k0").text();
    has(
        &text,
        &[
            "lockouts in force: 120",
            "<td>29 min</td>",
            "value=\"+4930&lt;b&gt;\"",
            "an account in no PIN file",
            "href=\"/locked?pbx=main&amp;after=k2\"",
        ],
    );
    // An account without a name can't be named for it.
    assert_eq!(text.matches("action=\"/locked/unlock\"").count(), 1);
    let fields = [
        ("pbx", "main"),
        ("kind", "caller"),
        ("value", "+4930<b>"),
        ("pin_set", "doors"),
    ];
    let answer = browser.post("/locked/unlock", &fields);
    assert_eq!(answer.header("location"), Some("/locked?unlocked=1"));
    assert!(browser
        .get("/locked?unlocked=1")
        .text()
        .contains("Unlocked: 1"));
    let changes = browser.get("/changes").text();
    has(
        &changes,
        &["<td>unlock</td><td>doors</td><td></td><td>locked caller +4930&lt;b&gt;</td>"],
    );
    for (at, wrong) in [(1, "everything"), (2, "")] {
        let mut fields = fields;
        fields[at].1 = wrong;
        assert_eq!(browser.post("/locked/unlock", &fields).status, 422);
    }
    database(&lab, "ALTER TABLE changes RENAME TO gone");
    assert_eq!(browser.post("/locked/unlock", &fields).status, 503);
    assert!(server.stop().success());
    let actions = pbx.ended.recv().unwrap();
    let unlocks: Vec<_> = actions
        .iter()
        .filter(|action| action.contains("Unlock "))
        .collect();
    assert_eq!(
        unlocks,
        ["AuthenticateUnlock PinSet=doors Type=caller Value=+4930<b>"]
    );
    let part = "AuthenticateLockouts Limit=50 After=k0";
    assert!(actions.iter().any(|action| action == part), "{actions:?}");
}

#[test]
fn pin_set_shows_options_and_uses_that_are_set_back() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let text = browser.get("/pin-set?pbx=main&name=doors").text();
    has(
        &text,
        &[
            "<code>max_digits</code></td><td>6 &lt;i&gt;</td>",
            "<td>ada &lt;i&gt;</td><td class=\"number\">3</td><td class=\"number\">1</td>",
        ],
    );
    let fields = [
        ("pbx", "main"),
        ("name", "doors"),
        ("account", "ada"),
        ("key", "u1"),
    ];
    let answer = browser.post("/pin-set/reset-uses", &fields);
    assert_eq!(
        answer.header("location"),
        Some("/pin-set?pbx=main&name=doors")
    );
    let changes = browser.get("/changes").text();
    has(
        &changes,
        &["<td>set back uses</td><td>doors</td><td>ada</td>"],
    );
    assert!(server.stop().success());
    let actions = pbx.ended.recv().unwrap();
    let reset = "AuthenticateResetUses PinSet=doors Key=u1";
    assert!(actions.iter().any(|action| action == reset), "{actions:?}");
}

#[test]
fn pin_file_of_a_pin_set_is_linked_and_has_its_uses() {
    let lab = lab("");
    let folder = lab.path("pins");
    let pbx = FakePbx::with_files_in(folder.to_str().unwrap(), None);
    pbx.configure(&lab);
    let text = "account,secret,max_uses\neve,plain:1,7\nada <i>,plain:2,5\n";
    lab.list("pins/doors", text);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let link = format!(
        "<a href=\"/pin-file?name=doors\">file:{}/doors</a>",
        folder.display()
    );
    for path in ["/", "/pin-set?pbx=main&name=doors"] {
        has(&browser.get(path).text(), &[&link]);
    }
    let text = browser.get("/pin-file?name=doors").text();
    has(
        &text,
        &[
            "Uses: of PIN set doors of main.",
            "<td class=\"number\">1/5</td>",
            "<td class=\"number\">7</td>",
        ],
    );
    // The same account in another line is another row.
    let text = "account,secret,max_uses\nada <i>,plain:2,5\neve,plain:1,7\n";
    lab.list("pins/doors", text);
    assert!(!browser.get("/pin-file?name=doors").text().contains("1/5"));
}

#[test]
fn locked_rows_are_marked_and_unlocked_on_the_page_of_the_file() {
    let lab = lab("");
    let folder = lab.path("pins");
    let pbx = FakePbx::with_files_in(folder.to_str().unwrap(), None);
    pbx.configure_with(&lab, "[numbers]\ncountry_code = \"90\"\n");
    add_user(&lab, "vic", "viewer");
    let rows =
        "account,secret,caller\neve,plain:1,0532 111 22 33\nada <i>,plain:2,\nzoe,plain:3,+49\n";
    for name in ["doors", "other"] {
        lab.list(&format!("pins/{name}"), rows);
    }
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let text = browser.get("/pin-file?name=doors").text();
    has(
        &text,
        &[
            "valid, <strong>locked 29 min</strong> (caller) <button type=\"submit\" \
             form=\"unlock-0\" aria-label=\"Unlock caller +905321112233\">Unlock</button>",
            "valid, <strong>locked 29 min</strong> (account) <button type=\"submit\" \
             form=\"unlock-1\" aria-label=\"Unlock account ada &lt;i&gt;\">Unlock</button>",
            "<strong>PIN set doors of main is locked</strong> for all callers, 29 min. ",
            "PIN set doors of main has 1200 lockouts, of which 4 are shown here.",
            "<form id=\"unlock-1\" method=\"post\" action=\"/locked/unlock\">",
        ],
    );
    // Those of the rows, and that of the PIN set; none in the form of the table.
    assert_eq!(
        text.matches("action=\"/locked/unlock\"").count(),
        3,
        "{text}"
    );
    let table = text.find("</table>").unwrap();
    assert!(text.find("id=\"unlock-0\"").unwrap() > table);
    assert!(text.matches("locked 29 min").count() == 2, "{text}");
    let fields = [
        ("pbx", "main"),
        ("kind", "caller"),
        ("value", "+905321112233"),
        ("pin_set", "doors"),
        ("file", "doors"),
    ];
    let answer = browser.post("/locked/unlock", &fields);
    let location = answer.header("location").unwrap();
    assert_eq!(location, "/pin-file?name=doors&unlocked=1");
    has(
        &browser.get(location).text(),
        &["<p role=\"status\">Unlocked: 1</p>"],
    );
    // No PIN set has this file.
    let text = browser.get("/pin-file?name=other").text();
    assert!(!text.contains("locked 29 min"), "{text}");
    let text = Browser::logged_in(&server, "vic")
        .get("/pin-file?name=doors")
        .text();
    has(&text, &["valid, <strong>locked 29 min</strong> (caller)"]);
    assert!(!text.contains("/locked/unlock") && !text.contains("aria-label=\"Unlock"));
    // The PBX is asked once for each page.
    server.stop();
    let actions = pbx.ended.recv().unwrap();
    let asked = |name: &str| {
        actions
            .iter()
            .filter(|action| action.starts_with(name))
            .count()
    };
    assert_eq!(asked("AuthenticateLockouts PinSet=doors Limit=1000"), 3);
    assert_eq!(asked("AuthenticateLockouts"), 3);
}

#[test]
fn rows_of_a_file_are_sorted_by_uses() {
    let lab = lab("");
    let folder = lab.path("pins");
    let pbx = FakePbx::with_files_in(folder.to_str().unwrap(), None);
    pbx.configure(&lab);
    let text = "account,secret\neve,plain:1\nada <i>,plain:2\nzoe,plain:3\n";
    lab.list("pins/doors", text);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = "/pin-file?name=doors&sort=";
    for (order, wanted) in [
        ("uses", ["eve", "zoe", "ada &lt;i&gt;"]),
        ("-uses", ["ada &lt;i&gt;", "zoe", "eve"]),
    ] {
        let text = browser.get(&format!("{page}{order}")).text();
        has(
            &text,
            &[
                "Uses: of PIN set doors of main.",
                "<td class=\"number\">1</td>",
            ],
        );
        let place = |account: &str| text.find(&format!("<td>{account}</td>")).unwrap();
        let places = wanted.map(place);
        assert!(places.is_sorted(), "{order}: {text}");
    }
    let link = "aria-sort=\"ascending\"><a href=\"/pin-file?name=doors&amp;sort=-uses\">Uses</a>";
    has(&browser.get(&format!("{page}uses")).text(), &[link]);
}

#[test]
fn uses_and_options_of_a_pin_set_are_sorted_by_the_links_of_their_headings() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let path = "/pin-set?pbx=main&name=doors";
    let page = browser.get(path).text();
    for link in [
        "&amp;sort=-uses\">Uses</a>",
        "&amp;sort=account\">Account</a>",
        "&amp;options=option\">Option</a>",
    ] {
        assert!(page.contains(link), "{link}: {page}");
    }
    assert!(!page.contains("aria-sort"), "{page}");
    let uses = |page: &str| {
        let rows = page.split("<tr><td>a").skip(1);
        let uses = rows.map(|row| row.split("<td class=\"number\">").nth(2).unwrap());
        let uses = uses.map(|uses| uses.split('<').next().unwrap().parse().unwrap());
        uses.collect::<Vec<usize>>()
    };
    let page = browser
        .get(&format!("{path}&sort=-uses&options=-value"))
        .text();
    assert_eq!(uses(&page), (10..60).rev().collect::<Vec<_>>());
    let both = "aria-sort=\"descending\"><a href=\"/pin-set?pbx=main&amp;name=doors&amp;";
    has(
        &page,
        &[
            &format!("{both}sort=uses&amp;options=-value\">Uses</a>"),
            &format!("{both}sort=-uses&amp;options=value\">Value</a>"),
        ],
    );
    let next = page
        .split("\">Next 50")
        .next()
        .unwrap()
        .rsplit("href=\"")
        .next()
        .unwrap();
    let page = browser.get(&next.replace("&amp;", "&")).text();
    assert_eq!(uses(&page), (0..10).rev().collect::<Vec<_>>());
    assert!(!page.contains("Next 50"), "{page}");
    let page = browser.get(&format!("{path}&sort=line")).text();
    assert!(page.find("<td>a59</td>").unwrap() < page.find("<td>a20</td>").unwrap());
}

#[test]
fn reload_shows_the_errors() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    add_user(&lab, "vic", "viewer");
    let server = start(&lab);
    let mut viewer = Browser::logged_in(&server, "vic");
    assert!(!viewer.get("/setup").text().contains("action=\"/reload\""));
    assert_eq!(viewer.post("/reload", &[("pbx", "main")]).status, 403);
    let mut browser = Browser::logged_in(&server, "ada");
    assert!(browser.get("/setup").text().contains("action=\"/reload\""));
    let page = browser.post("/reload", &[("pbx", "main")]);
    assert_eq!(page.status, 422);
    let row = "<td>authenticate.conf</td><td class=\"number\">7</td><td>doors</td>\
               <td>max_digit</td><td>there is no such option &lt;x&gt;</td>";
    has(&page.text(), &["stays in force. Errors: 1", row]);
}

#[test]
fn pin_set_in_a_database_is_shown_with_the_command_that_changes_its_rows() {
    const REACHED: &str = "Server: db1:5432\nRole: primary\nReached: yes\nReason: \n";
    const LOST: &str = "Server: \nRole: \nReached: no\nReason: refused <b>\n";
    let page = |name, state, path: &str| {
        let pbx = FakePbx::with_database(name, state);
        let lab = lab("");
        pbx.configure(&lab);
        let server = start(&lab);
        Browser::logged_in(&server, "ada").get(path).text()
    };
    let path = "/pin-set?pbx=main&name=doors";
    let parts = [
        "<a href=\"/locked\">Lockouts in force: 1</a>",
        "<p>PostgreSQL db1:5432, primary: reached.</p>",
        "<code>pinset add doors --database FILE</code>",
        "<td>ada &lt;i&gt;</td><td class=\"number\">4711</td><td class=\"number\">1</td>",
        "Set back",
    ];
    has(&page("database", REACHED, path), &parts);
    let lost = [
        "State: the database can't be reached: &lt;b&gt;.",
        "<p class=\"warning\">PostgreSQL: not reached, so callers are refused: refused &lt;b&gt;</p>",
        "<code>pinset add tills --database FILE</code>",
    ];
    has(&page("database:tills", LOST, path), &lost);
    let state = "<td class=\"error\">✗ the database can't be reached: &lt;b&gt;</td>";
    has(&page("database", LOST, "/"), &["<td>database</td>", state]);
    let callers = "/callers?q=%2B4930";
    let searched = "main: rows in PostgreSQL are not searched, of PIN sets: doors. \
                    <code>authenticate show number NUMBER PINSET</code>";
    let text = page("database", REACHED, callers);
    has(&text, &[searched]);
    assert!(!text.contains("refuses all callers"), "{text}");
    let refuses = "main: PIN set doors refuses all callers: the database can't be reached";
    has(&page("database", LOST, callers), &[searched, refuses]);
}
