//! Rows that others have written: their texts are text. Parts of the pages that a screen
//! reader needs.

use super::row::{change_form, Form};
use super::FILE;
use crate::fixture::{lab, start, Browser};

/// Texts for accounts and names, which the module accepts.
const HOSTILE: [&str; 7] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'; DROP TABLE changes; --",
    "</textarea></form><form action=//evil.example.net>",
    "\u{202e}gnp.exe\u{2066}",
    "a&lt;b",
    "%0d%0aSet-Cookie: x=y",
];

#[test]
fn texts_of_rows_are_text_on_every_page() {
    let lab = lab("");
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let rows = HOSTILE.iter().enumerate().map(|(at, text)| {
        let text = quoted(text);
        // A line end in a name needs another field of the form.
        let name = if at % 2 == 0 {
            text.clone()
        } else {
            text.replace(' ', "\n")
        };
        format!("{text},plain:{},{name},{text}\n", 904_817_000 + at)
    });
    let text = format!("account,secret,name,caller\n{}", rows.collect::<String>());
    lab.list("pins/customers.csv", text);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get(&format!("{FILE}&sort=line")).text();
    let tags: Vec<String> = page
        .split("name=\"row\" value=\"")
        .skip(1)
        .map(|row| row.split('"').next().unwrap().to_owned())
        .collect();
    assert_eq!(tags.len(), HOSTILE.len());
    let mut pages = vec![page];
    for tag in &tags {
        let path = format!("/pin-file/change?name=customers.csv&row={tag}");
        let form = browser.get(&path).text();
        let saved = Form::of(&form)
            .with("caller", "+905060508169")
            .with("pin_choice", "make")
            .send(&mut browser, "/pin-file/change");
        pages.extend([form, saved.text()]);
        // The row has another tag now.
        let again = Form::of(&pages[pages.len() - 2]).with("level", "x");
        pages.push(again.send(&mut browser, "/pin-file/change").text());
    }
    for path in [&format!("{FILE}&q=%3Cscript%3E"), "/changes", FILE] {
        pages.push(browser.get(path).text());
    }
    for page in &pages {
        for hostile in [
            "<script",
            "<img",
            "<form action=//",
            "\u{202e}",
            "\nSet-Cookie",
        ] {
            // In a field, a text is what the user edits.
            let is_field = hostile == "\u{202e}" && page.contains("name=\"once\"");
            assert!(is_field || !page.contains(hostile), "{hostile}: {page}");
        }
        assert!(!page.contains("904817"), "{page}");
    }
}

#[test]
fn every_field_has_a_label_and_every_table_a_caption() {
    let lab = lab("");
    lab.list("pins/customers.csv", super::CUSTOMERS);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let invalid = change_form(&mut browser, "ada").with("level", "x");
    let invalid = invalid.send(&mut browser, "/pin-file/change").text();
    let stale = change_form(&mut browser, "bob").with("level", "1");
    let other = change_form(&mut browser, "bob").with("level", "2");
    assert_eq!(other.send(&mut browser, "/pin-file/change").status, 200);
    let conflict = stale.send(&mut browser, "/pin-file/change").text();
    let add = browser.get("/pin-file/add?name=customers.csv").text();
    for page in [browser.get(FILE).text(), add, invalid, conflict] {
        assert_eq!(page.matches("<h1>").count(), 1);
        assert_eq!(
            page.matches("<table>").count(),
            page.matches("<caption>").count()
        );
        assert_eq!(
            page.matches("<th ").count(),
            page.matches("<th scope=").count()
        );
        for field in ["<input ", "<select ", "<textarea "] {
            for (at, _) in page.match_indices(field) {
                let (before, after) = page.split_at(at);
                let own = after.split('>').next().unwrap();
                let is_labelled = own.contains("aria-label=\"")
                    || before.matches("<label").count() > before.matches("</label>").count();
                assert!(
                    own.contains("type=\"hidden\"") || is_labelled,
                    "{own}: {page}"
                );
            }
        }
        for absent in ["<script", "style=", "onclick", "http://", "https://"] {
            assert!(!page.contains(absent), "{absent}: {page}");
        }
    }
}
