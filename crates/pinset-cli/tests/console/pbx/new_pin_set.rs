//! The form for a new PIN set.

use std::fs;

use super::fake_pbx::FakePbx;
use crate::fixture::{database, lab, start, Browser};
use crate::lab::Lab;

const SETS: &str = "sets = \"LAB/sets\"\n";

fn fields(name: &str) -> Vec<(&str, &str)> {
    vec![
        ("pbx", "main"),
        ("name", name),
        ("description", "Our customers"),
        ("identify", "caller"),
        ("digits", "6"),
        ("account_code", "yes"),
    ]
}

/// A console that may make PIN sets, with a PBX.
fn lab_of(pbx: &FakePbx) -> Lab {
    let lab = lab("");
    fs::create_dir(lab.path("sets")).unwrap();
    pbx.configure_with(&lab, SETS);
    lab
}

/// Checks that neither file is there.
fn has_no_files(lab: &Lab) {
    for folder in ["pins", "sets"] {
        let files = fs::read_dir(lab.path(folder)).unwrap().count();
        assert_eq!(files, 0, "{folder}");
    }
}

#[test]
fn pin_set_is_made_and_reloaded() {
    let pbx = FakePbx::without_errors();
    let lab = lab_of(&pbx);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get("/").text();
    assert!(page.contains("href=\"/new-pin-set\""), "{page}");
    let page = browser.get("/new-pin-set").text();
    for part in [
        "<label for=\"name\">Name</label>",
        "aria-describedby=\"name-hint\"",
        "<legend>Callers are known by</legend>",
        "<option value=\"main\">main</option>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // The PBX lists a PIN set of this name.
    let answer = browser.post("/new-pin-set", &fields("doors"));
    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    for part in [
        "PIN set doors is in force on main",
        "Authenticate(pinset:doors)",
        "href=\"/pin-file?name=doors.csv\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(lab.text("pins/doors.csv"), "account,secret,caller\n");
    let source = lab.path("pins/doors.csv");
    assert_eq!(
        lab.text("sets/doors.conf"),
        format!(
            "; Our customers\n[doors]\nsource = file:{}\nidentify = caller\nmin_digits = 6\n\
             max_digits = 6\naccount_code = yes\n",
            source.display()
        )
    );
    assert_eq!(
        (lab.mode("pins/doors.csv"), lab.mode("sets/doors.conf")),
        (0o640, 0o640)
    );
    let trail = browser.get("/changes.csv").text();
    assert!(
        trail.contains(",new PIN set,doors,,,\"identify = caller"),
        "{trail}"
    );

    // Once more: it is there.
    let answer = browser.post("/new-pin-set", &fields("doors"));
    assert_eq!(answer.status, 422);
    let text = answer.text();
    assert!(
        text.contains("doors.csv exists already: choose another name"),
        "{text}"
    );
    assert!(lab.path("sets/doors.conf").exists());
}

#[test]
fn what_the_pbx_refuses_is_taken_back_and_its_errors_are_shown() {
    let pbx = FakePbx::start(None);
    let lab = lab_of(&pbx);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let answer = browser.post("/new-pin-set", &fields("doors"));
    let text = answer.text();
    assert_eq!(answer.status, 422, "{text}");
    for part in [
        "Nothing was made: main has rejected authenticate.conf",
        "<td>authenticate.conf</td><td class=\"number\">7</td><td>doors</td><td>max_digit</td>",
        "there is no such option &lt;x&gt;",
        "value=\"doors\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    has_no_files(&lab);
    let trail = browser.get("/changes.csv").text();
    assert!(trail.contains(",not saved,doors,,,new PIN set"), "{trail}");
}

#[test]
fn pbx_that_reads_another_folder_or_refuses_leaves_no_files() {
    for (pbx, name, part) in [
        (
            FakePbx::without_errors(),
            "gates",
            "main does not read the folder of the console",
        ),
        (
            FakePbx::start(Some("Permission denied")),
            "doors",
            "the AMI user has no right",
        ),
    ] {
        let lab = lab_of(&pbx);
        let server = start(&lab);
        let answer = Browser::logged_in(&server, "ada").post("/new-pin-set", &fields(name));
        let text = answer.text();
        assert!(answer.status == 422 && text.contains(part), "{text}");
        has_no_files(&lab);
    }
}

#[test]
fn invalid_fields_are_marked_and_nothing_is_made() {
    let pbx = FakePbx::without_errors();
    let lab = lab_of(&pbx);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for (field, value, part) in [
        (
            "name",
            "a/<b>",
            "the name of a PIN set must have 1 to 79 characters",
        ),
        ("name", "a]\nsay_app = System\n[b", "a control character"),
        ("description", "x\r\n[evil]", "a control character"),
        ("digits", "many", "must be a whole number from 1 to 254"),
        ("identify", "name", "must be pin, caller or account"),
    ] {
        let mut fields = fields("customers");
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let answer = browser.post("/new-pin-set", &fields);
        let text = answer.text();
        assert_eq!(answer.status, 422, "{text}");
        assert!(
            text.contains(part) && !text.contains("<b>"),
            "{part}: {text}"
        );
        assert!(text.contains("role=\"alert\""), "{text}");
        if field != "identify" {
            assert!(text.contains("aria-invalid=\"true\""), "{text}");
        }
        has_no_files(&lab);
    }
    assert_eq!(browser.post("/new-pin-set", &fields("x")[1..]).status, 404);
    has_no_files(&lab);
    // What can't be recorded is not made.
    database(&lab, "DROP TABLE changes");
    assert_eq!(browser.post("/new-pin-set", &fields("doors")).status, 503);
    has_no_files(&lab);
}

/// With `--lists-only`, the administrator adds the section.
#[test]
fn without_a_folder_of_pin_sets_the_lines_are_shown() {
    let pbx = FakePbx::without_errors();
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let answer = browser.post("/new-pin-set", &fields("customers"));
    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    for part in [
        "[customers]\nsource = file:",
        "action=\"/reload\"",
        "Reload main",
        "Authenticate(pinset:customers)",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(lab.text("pins/customers.csv"), "account,secret,caller\n");
}
