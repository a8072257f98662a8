//! The pages of one PIN file.

mod check;
mod chosen;
mod download;
mod edits;
mod hostile;
mod killed;
mod large;
mod lines;
pub(crate) mod row;
mod rows;
mod saving;
mod verify;

use std::thread;
use std::time::Duration;

use crate::fixture::Browser;
use crate::lab::http::Response;

pub(crate) const FILE: &str = "/pin-file?name=customers.csv";

/// Three rows. The PINs are in no page.
pub(crate) const CUSTOMERS: &str =
    "account,secret,caller,name,level,valid_from,valid_until,max_uses\n\
    ada,plain:836490217,+905060508169,Ada Lovelace,3,,2099-12-31,5\n\
    bob,plain:572048163,0532 111 22 33,Bob,,,2020-01-01,\n\
    eve,md5:ac55dc4b65d339d141385c7284720e66,,<b>Eve</b>,,2099-01-01,,\n";

/// Returns a page once it is no longer one that is loaded again by itself.
pub(crate) fn settled(browser: &mut Browser<'_>, path: &str) -> Response {
    loop {
        let page = browser.get(path);
        assert_eq!(page.status, 200, "{}", page.text());
        if page.header("refresh").is_none() {
            return page;
        }
        assert!(page.text().contains("is being read"), "{}", page.text());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the tag of the row of an account, as the form has it.
pub(crate) fn tag(page: &str, account: &str) -> String {
    let label = format!("aria-label=\"Choose {account}, line ");
    let before = page.split(&label).next().unwrap();
    assert!(before.len() < page.len(), "no row of {account}: {page}");
    let value = before.rsplit("name=\"row\" value=\"").next().unwrap();
    value.split('"').next().unwrap().to_owned()
}

/// Deletes the rows of these accounts.
pub(crate) fn delete(browser: &mut Browser<'_>, accounts: &[&str]) -> Response {
    let page = browser.get(FILE).text();
    let tags: Vec<String> = accounts.iter().map(|account| tag(&page, account)).collect();
    send_delete(browser, &tags)
}

pub(crate) fn send_delete(browser: &mut Browser<'_>, tags: &[String]) -> Response {
    let mut fields = vec![("name", "customers.csv"), ("action", "delete")];
    fields.extend(tags.iter().map(|tag| ("row", tag.as_str())));
    browser.post("/pin-file/rows", &fields)
}
