//! Adding and changing of a row, and its PIN.

use super::{settled, tag, CUSTOMERS, FILE};
use crate::fixture::{add_user, database, lab, start, Browser};
use crate::lab::http::Response;
use crate::lab::{Lab, PIN};

const ADD: &str = "/pin-file/add?name=customers.csv";

/// A form as a browser fills it in.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the form of a page that adds or changes a row.
    pub(crate) fn of(page: &str) -> Self {
        let form = page.split("<form class=\"fields\"").nth(1).unwrap();
        let form = form.split("</form>").next().unwrap();
        let mut fields = Vec::new();
        for input in form.split("<input ").skip(1) {
            let input = input.split('>').next().unwrap();
            let is_radio = input.contains("type=\"radio\"");
            if !is_radio || input.contains(" checked") {
                let of = |name: &str| {
                    let value = input.split(&format!("{name}=\"")).nth(1);
                    value.map_or("", |value| value.split('"').next().unwrap())
                };
                fields.push((of("name").to_owned(), unescaped(of("value"))));
            }
        }
        for area in form.split("<textarea ").skip(1) {
            let (start, value) = area.split_once('>').unwrap();
            let name = start.split('"').nth(1).unwrap();
            let value = value.split("</textarea>").next().unwrap();
            // The first line end is not part of the value.
            let value = unescaped(value.strip_prefix('\n').unwrap());
            fields.push((name.to_owned(), value.replace('\n', "\r\n")));
        }
        for select in form.split("<select ").skip(1) {
            let select = select.split("</select>").next().unwrap();
            let name = select.split('"').nth(1).unwrap();
            let chosen = select.split("\" selected").next().unwrap();
            let value = unescaped(chosen.rsplit('"').next().unwrap());
            fields.push((name.to_owned(), value));
        }
        Self(fields)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let found = self.0.iter_mut().find(|(field, _)| field == name);
        value.clone_into(&mut found.unwrap_or_else(|| panic!("no field {name}")).1);
        self
    }

    pub(super) fn value(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(field, _)| field == name);
        &found.unwrap().1
    }

    pub(crate) fn send(&self, browser: &mut Browser<'_>, path: &str) -> Response {
        let fields = self.0.iter();
        let fields: Vec<_> = fields.map(|(a, b)| (a.as_str(), b.as_str())).collect();
        browser.post(path, &fields)
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

pub(super) fn change_form(browser: &mut Browser<'_>, account: &str) -> Form {
    let row = tag(&settled(browser, FILE).text(), account);
    let page = browser.get(&format!("/pin-file/change?name=customers.csv&row={row}"));
    assert_eq!(page.status, 200);
    Form::of(&page.text())
}

/// Returns the PIN that a page shows.
pub(super) fn shown_pin(page: &str) -> String {
    let pin = page.split("<strong class=\"secret\">").nth(1).unwrap();
    pin.split('<').next().unwrap().to_owned()
}

/// Checks that a text is in no file of the folder, and in no page.
fn is_nowhere(lab: &Lab, browser: &mut Browser<'_>, pin: &str) {
    for name in ["console.db", "console.db-wal", "err"] {
        let bytes = std::fs::read(lab.path(name)).unwrap_or_default();
        let found = bytes.windows(pin.len()).any(|part| part == pin.as_bytes());
        assert!(!found, "{name}");
    }
    for path in [FILE, "/changes", "/changes.csv", "/"] {
        assert!(!browser.get(path).text().contains(pin), "{path}");
    }
}

#[test]
fn new_row_has_a_pin_that_is_shown_once() {
    let lab = lab("");
    lab.list("pins/customers.csv", "");
    add_user(&lab, "otto", "operator");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "otto");
    assert!(browser.get(FILE).text().contains("href=\"/pin-file/add?"));
    let form = Form::of(&browser.get(ADD).text())
        .with("account", "4711")
        .with("caller", "+905060508169")
        .with("full_name", "Ada \"<b>\" & Co")
        .with("level", "3")
        .with("max_uses", "5");
    assert_eq!(form.value("stored"), "argon2id");
    let answer = form.send(&mut browser, "/pin-file/add");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let page = answer.text();
    let pin = shown_pin(&page);
    assert_eq!(pin.len(), 6);
    assert!(page.contains("stored as argon2id"), "{page}");
    let text = lab.text("pins/customers.csv");
    assert!(
        text.starts_with("account,secret,caller,name,level,max_uses\n4711,"),
        "{text}"
    );
    assert!(text.contains("\"Ada \"\"<b>\"\" & Co\",3,5\n"), "{text}");
    assert_eq!(
        lab.verify("pins/customers.csv", &["--account", "4711"], &pin),
        0
    );
    // A reload of the page sends the form again.
    let again = form.send(&mut browser, "/pin-file/add");
    assert_eq!(again.status, 409);
    let again = again.text();
    assert!(again.contains("This was done at ") && again.contains("The PIN is not kept."));
    assert!(!again.contains(&pin));
    assert_eq!(lab.text("pins/customers.csv"), text);
    let changes = browser.get("/changes").text();
    let row = "<td>add row</td><td>customers.csv</td><td>4711</td><td></td><td>account=4711, \
               secret=argon2id, caller=+905060508169, name=Ada &quot;&lt;b&gt;&quot; &amp; Co, level=3, \
               max_uses=5</td>";
    assert!(changes.contains(row), "{changes}");
    is_nowhere(&lab, &mut browser, &pin);
    is_nowhere(&lab, &mut browser, "$argon2id$");
}

#[test]
fn invalid_values_are_named_and_kept_but_the_pin_is_not() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for (field, value, text) in [
        ("account", "", "Account: empty"),
        ("caller", "<i>", "Caller number: not a usable number"),
        (
            "level",
            "300",
            "Level, 0 to 255: must be a whole number from 0 to 255, or nothing",
        ),
        ("valid_from", "tomorrow", "Valid from: must be YYYY-MM-DD"),
        (
            "valid_until",
            "1.1.2027",
            "Valid until; a day is included: must be YYYY-MM-DD",
        ),
        (
            "max_uses",
            "0",
            "Maximum number of calls: must be a whole number from 1",
        ),
        (
            "context",
            "a,b",
            "Context, instead of that of on_success: must be the name of a context",
        ),
        ("enabled", "perhaps", "Enabled: must be yes or no"),
        ("pin", "12x", "PIN: enter a PIN of 1 to 254"),
        ("pin", "", "PIN: enter a PIN of 1 to 254"),
        (
            "pin",
            "572048163",
            "PIN: line 3 has the same PIN for another account",
        ),
        ("stored", "rot13", "Stored as: choose a form"),
        ("stored", "hmac-sha256", "Stored as: the pepper has no key"),
    ] {
        let form = Form::of(&browser.get(ADD).text())
            .with("account", "new")
            .with("full_name", "Grace <b>")
            .with("pin_choice", "enter")
            .with("pin", "904817263")
            .with(field, value);
        let answer = form.send(&mut browser, "/pin-file/add");
        assert_eq!(answer.status, 422, "{field}: {}", answer.text());
        let page = answer.text();
        assert!(
            page.contains(&format!("autofocus><p>{text}")),
            "{text}: {page}"
        );
        assert!(
            page.contains("aria-invalid=\"true\" aria-describedby=\"error\""),
            "{page}"
        );
        assert_eq!(
            page.matches("<span class=\"error\" id=\"error\">").count(),
            1,
            "{page}"
        );
        assert!(page.contains("value=\"Grace &lt;b&gt;\""), "{page}");
        assert!(
            !page.contains("904817263") && !page.contains("12x"),
            "{page}"
        );
        if field != "pin" && field != "stored" {
            assert_eq!(Form::of(&page).value(field), value, "{field}");
        }
        // The number of the form is still good.
        assert_eq!(Form::of(&page).value("once"), form.value("once"));
    }
    for (value, text) in [("0", "Digits: 1 to 254"), ("x", "Digits: 1 to 254")] {
        let form = Form::of(&browser.get(ADD).text()).with("account", "new");
        let page = form
            .with("digits", value)
            .send(&mut browser, "/pin-file/add");
        assert!(page.text().contains(text), "{text}");
    }
    assert_eq!(lab.text("pins/customers.csv"), CUSTOMERS);
    let plain = "/pin-file/add?name=plain";
    lab.list("pins/plain", format!("{PIN}\n"));
    let answer = browser.get(plain);
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("makes one of a plain or MD5 file"));
}

#[test]
fn row_is_changed_and_its_pin_kept_or_replaced() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let form = change_form(&mut browser, "bob");
    assert_eq!(form.value("pin_choice"), "keep");
    assert_eq!(form.value("stored"), "plain");
    // Nothing is different.
    let answer = form.send(&mut browser, "/pin-file/change");
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("nothing is different"));
    let form = form.with("valid_until", "2098-01-01").with("level", "2");
    let answer = form.send(&mut browser, "/pin-file/change");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains("class=\"secret\""));
    let bob = "bob,plain:572048163,0532 111 22 33,Bob,";
    let before = format!("{bob},,2020-01-01,");
    let after = CUSTOMERS.replace(&before, &format!("{bob}2,,2098-01-01,"));
    assert_eq!(lab.text("pins/customers.csv"), after);
    // A new PIN is shown, and works.
    let row = tag(&browser.get(FILE).text(), "bob");
    let path = format!("/pin-file/change?name=customers.csv&row={row}&pin=make");
    let form = Form::of(&browser.get(&path).text());
    assert_eq!(form.value("pin_choice"), "make");
    let page = form
        .with("digits", "9")
        .send(&mut browser, "/pin-file/change");
    let pin = shown_pin(&page.text());
    assert_eq!(pin.len(), 9);
    assert_eq!(
        lab.verify("pins/customers.csv", &["--account", "bob"], &pin),
        0
    );
    is_nowhere(&lab, &mut browser, &pin);
    // An entered one is not shown; a weak one is named.
    let form = change_form(&mut browser, "eve")
        .with("pin_choice", "enter")
        .with("pin", "123456")
        .with("stored", "argon2id");
    let page = form.send(&mut browser, "/pin-file/change").text();
    assert!(
        page.contains("Warning: The PIN is weak: a run of digits."),
        "{page}"
    );
    assert!(
        page.contains("Warning: No caller can use the row"),
        "{page}"
    );
    assert!(!page.contains("123456"), "{page}");
    is_nowhere(&lab, &mut browser, "123456");
    let changes = browser.get("/changes").text();
    for part in [
        "<td>change row</td><td>customers.csv</td><td>bob</td>",
        "<td>change row and PIN</td><td>customers.csv</td><td>bob</td>",
        "<td>change row and PIN</td><td>customers.csv</td><td>eve</td>",
        "level=2, valid_until=2098-01-01</td>",
    ] {
        assert!(changes.contains(part), "{part}: {changes}");
    }
}

#[test]
fn pepper_of_the_console_makes_hmac_secrets() {
    let lab = lab("");
    lab.pepper();
    crate::fixture::configure(&lab, "pepper_file = \"LAB/pepper\"\n");
    lab.list("pins/customers.csv", "");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let form = Form::of(&browser.get(ADD).text())
        .with("account", "ada")
        .with("stored", "hmac-sha256");
    let page = form.send(&mut browser, "/pin-file/add").text();
    let pin = shown_pin(&page);
    assert!(lab
        .text("pins/customers.csv")
        .contains("ada,hmac-sha256:main:"));
    let more = ["--pepper", "pepper"];
    assert_eq!(lab.verify("pins/customers.csv", &more, &pin), 0);
    // What most rows have is offered first.
    assert_eq!(
        Form::of(&browser.get(ADD).text()).value("stored"),
        "hmac-sha256"
    );
}

#[test]
fn row_that_two_have_changed_is_decided_by_the_second() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    let server = start(&lab);
    let mut one = Browser::logged_in(&server, "ada");
    let mut other = Browser::logged_in(&server, "ada");
    let mine = change_form(&mut one, "ada")
        .with("level", "7")
        .with("full_name", "Ada <i>");
    let theirs = change_form(&mut other, "ada").with("level", "9");
    let third = change_form(&mut other, "bob").with("level", "1");
    assert_eq!(theirs.send(&mut other, "/pin-file/change").status, 200);
    assert_eq!(third.send(&mut other, "/pin-file/change").status, 200);
    let text = lab.text("pins/customers.csv");
    let answer = mine.send(&mut one, "/pin-file/change");
    assert_eq!(answer.status, 409);
    assert_eq!(lab.text("pins/customers.csv"), text);
    let page = answer.text();
    for part in [
        "<th scope=\"row\">Level, 0 to 255</th><td>9</td><td class=\"warning\">7 (different)</td>",
        "<td>Ada Lovelace</td><td class=\"warning\">Ada &lt;i&gt; (different)</td>",
        "<a href=\"/pin-file?name=customers.csv\">Keep theirs</a>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains(PIN), "{page}");
    let answer = Form::of(&page).send(&mut one, "/pin-file/change");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let now = lab.text("pins/customers.csv");
    // The rows of both are there.
    assert!(
        now.contains("Ada <i>,7,") && now.contains(",Bob,1,"),
        "{now}"
    );
    // A row that is gone can't be changed.
    let mine = change_form(&mut one, "eve").with("level", "7");
    assert_eq!(super::delete(&mut other, &["eve"]).status, 303);
    let answer = mine.send(&mut one, "/pin-file/change");
    assert_eq!(answer.status, 409);
    let page = answer.text();
    assert!(page.contains("The row was deleted meanwhile") && !page.contains("Use mine"));
}

#[test]
fn form_of_an_earlier_run_or_without_a_trail_changes_nothing() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    let form = {
        let server = start(&lab);
        let mut browser = Browser::logged_in(&server, "ada");
        Form::of(&browser.get(ADD).text()).with("account", "new")
    };
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let answer = form.send(&mut browser, "/pin-file/add");
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("The console was restarted"));
    let form = Form::of(&browser.get(ADD).text()).with("account", "new");
    database(&lab, "ALTER TABLE changes RENAME TO gone");
    assert_eq!(form.send(&mut browser, "/pin-file/add").status, 503);
    assert_eq!(lab.text("pins/customers.csv"), CUSTOMERS);
}
