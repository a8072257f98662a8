//! Pages compare caller numbers by `[numbers]`.

use crate::calls::{record, wait_for};
use crate::fixture::{lab, start, Browser};
use crate::paste::{paste, result, save, FILE};
use crate::pin_file::row::Form;
use crate::pin_file::tag;

/// A number of ten digits, and one of eight, both without the country code.
const LIST: &str = "account,secret,caller,level\nada,plain:836490,0506 050 81 69,\n\
                    bob,plain:604817,0506 050 81,\n";

const OPTIONS: &str = "cdr = \"LAB/Master.csv\"\n\
                       [numbers]\ncountry_code = 90\nnational_length = \"8-10\"\n";

#[test]
fn rows_lists_and_calls_are_compared_by_the_numbering_options() {
    let lab = lab(OPTIONS);
    lab.list(FILE, LIST);
    record(&lab, 1, "0506 050 81 69", "ANSWERED", "1793520000.1");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    wait_for(&mut browser, "1");
    let pasted = "account,pin,number\nada,836490,+905060508169\nbob,604817,+9050605081\n";
    let preview = paste(&mut browser, pasted);
    let mut missing = Vec::new();
    for (path, part) in [
        ("/callers?q=%2B905060508169", "<td>0506 050 81 69</td>"),
        (
            "/pin-file?name=customers.csv&state=valid",
            "<td>0506 050 81</td>",
        ),
        (
            "/pin-file/check?name=customers.csv",
            "Nothing is wrong with any line.",
        ),
        (
            &preview,
            "New: 0, of which weak: 0. There already: 2. Left out: 0.",
        ),
        ("/calls?from=&number=%2B905060508169", "<strong>1 calls, "),
        (
            "/calls?from=&number=%2B905060508169",
            "pinset report --country-code=90 --national-length=8-10 --caller='+905060508169' ",
        ),
        ("/calls.csv?from=&number=%2B905060508169", "0506 050 81 69"),
    ] {
        let text = browser.get(path).text();
        if !text.contains(part) {
            missing.push((path, part, text));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    // Changes of a row with such a number.
    let page = browser.get("/pin-file?name=customers.csv").text();
    let row = tag(&page, "bob");
    let fields = [
        ("name", "customers.csv"),
        ("action", "disable"),
        ("row", &row),
    ];
    assert_eq!(browser.post("/pin-file/rows", &fields).status, 303);
    let page = browser.get("/pin-file?name=customers.csv").text();
    let path = format!(
        "/pin-file/change?name=customers.csv&row={}",
        tag(&page, "bob")
    );
    let form = Form::of(&browser.get(&path).text()).with("level", "3");
    let saved = form.send(&mut browser, "/pin-file/change");
    assert_eq!(saved.status, 200, "{}", saved.text());
    let form = Form::of(&browser.get("/pin-file/add?name=customers.csv").text());
    let form = form.with("account", "eve").with("caller", "0506 050 82");
    let saved = form.send(&mut browser, "/pin-file/add");
    assert_eq!(saved.status, 200, "{}", saved.text());
    assert!(lab.text(FILE).contains("eve,"));
    // A list with a number of eight digits.
    let preview = paste(&mut browser, "account,pin,number\nzoe,771204,0506 050 83\n");
    let saved = save(&mut browser, &preview, "add", "plain");
    let page = result(&mut browser, &saved).text();
    assert!(page.contains("Rows added: 1."), "{page}");
}
