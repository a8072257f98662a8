//! The pages of the console. Each path that answers a GET request is here, or is no page.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use harness::workspace;

/// What is done in the browser, each with a CSS selector.
pub(super) enum Step {
    /// Types a text into a field.
    Type(&'static str, &'static str),
    /// Clicks, and waits for the page that follows.
    Follow(&'static str),
    /// Runs a script in the page.
    Run(&'static str),
    /// The same as `Follow`, but then shows the page from before the click once more: it is
    /// one that is loaded again by itself.
    LookBack(&'static str),
}

/// A page that the tests open.
pub(super) struct Page {
    /// Its path in `console/routes.rs`.
    pub route: &'static str,
    /// The path, with its query, that is opened first.
    pub path: &'static str,
    /// How the page is reached from there.
    pub steps: &'static [Step],
    /// Its heading.
    pub heading: &'static str,
    /// The name of its picture in `docs/screenshots`, if it has one.
    pub picture: Option<&'static str>,
}

const fn page(route: &'static str, heading: &'static str) -> Page {
    Page {
        route,
        path: route,
        steps: &[],
        heading,
        picture: None,
    }
}

impl Page {
    const fn at(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    const fn by(mut self, steps: &'static [Step]) -> Self {
        self.steps = steps;
        self
    }

    const fn pictured(mut self, name: &'static str) -> Self {
        self.picture = Some(name);
        self
    }
}

/// A list to paste: new rows, and one that is left out, because its account has a row.
const LIST: &str = "account,pin,name,number\n\
    carol,518263,Carol King,+905327770101\n\
    dan,940718,Dan Brown,+905327770102\n\
    ada,482913,Ada Lovelace,+905060508169\n\
    frank,12,Frank Moore,+905327770103\n";

/// The pages of a logged-in administrator.
pub(super) const PAGES: [Page; 22] = [
    page("/", "PIN sets").pictured("pin-sets"),
    page("/account", "Your account"),
    page("/callers", "Callers").at("/callers?q=%2B905425550199"),
    page("/calls", "Calls").pictured("calls"),
    page("/changes", "Changes"),
    page("/confirm", "Your password again"),
    page("/live", "Live").pictured("live"),
    page("/locked", "Locked out"),
    page("/new-pin-set", "New PIN set"),
    page("/pin-file", "customers.csv")
        .at("/pin-file?name=customers.csv")
        .pictured("pin-file"),
    page("/pin-file/add", "Add a row to customers.csv").at("/pin-file/add?name=customers.csv"),
    page("/pin-file/add-pin", "Add a PIN to guests.txt").at("/pin-file/add-pin?name=guests.txt"),
    page("/pin-file/change", "Change a row of customers.csv")
        .at("/pin-file?name=customers.csv")
        .by(&[Step::Follow("[aria-label='Change ada']")]),
    page("/pin-file/check", "Check of customers.csv").at("/pin-file/check?name=customers.csv"),
    page("/pin-file/convert", "Make guests.txt a CSV file").at("/pin-file/convert?name=guests.txt"),
    page("/pin-file/make-pins", "Make PINs: customers.csv")
        .at("/pin-file/make-pins?name=customers.csv"),
    page("/pin-file/remove-pin", "Delete PINs from guests.txt")
        .at("/pin-file/remove-pin?name=guests.txt"),
    page("/pin-file/paste", "Paste a list: customers.csv").at("/pin-file/paste?name=customers.csv"),
    page("/pin-file/paste/preview", "Preview: customers.csv")
        .at("/pin-file/paste?name=customers.csv")
        .by(&[
            Step::Type("[name=text]", LIST),
            Step::Follow("form.fields [type=submit]"),
        ])
        .pictured("preview"),
    page("/pin-file/verify", "Check a PIN of customers.csv")
        .at("/pin-file/verify?name=customers.csv"),
    page("/pin-set", "customers").at("/pin-set?pbx=main&name=customers"),
    page("/setup", "Setup"),
];

/// Pastes a list whose save takes long, and one of a PIN that no row has.
const LONG_LIST: Step = Step::Run(
    "document.querySelector('[name=text]').value = [...Array(3000).keys()]
        .map(number => 700000 + number).join('\\n')",
);
const SHORT_LIST: Step = Step::Run(
    "document.querySelector('[name=text]').value =
        'account,pin\\n' + 'a' + Date.now() + ',' + Date.now()",
);
const PREVIEW: Step = Step::Follow("form.fields [type=submit]");
const ARGON2ID: Step = Step::Run("document.querySelector('[name=form]').value = 'argon2id'");
const ADD: Step = Step::Follow("form[action='/pin-file/paste/add'] [type=submit]");
const STOP: &str = "main form[action='/pin-file/job/stop'] button";

/// Pages that answer a form, are empty, or have an error.
pub(super) const ANSWERS: [Page; 26] = [
    page("/calls", "Calls").at("/calls?from=never"),
    page("/calls", "Calls").at("/calls?from=2001-01-01&to=2001-01-02"),
    page("/calls", "Calls").at("/calls?print=yes"),
    page("/callers", "Callers").at("/callers?q=nobody"),
    page("/confirm", "Your password again").by(&[
        Step::Type("[name=password]", "a wrong password"),
        Step::Follow("main [type=submit]"),
    ]),
    page("/new-pin-set", "New PIN set").by(&[
        Step::Type("[name=name]", "two words"),
        Step::Follow("form.fields [type=submit]"),
    ]),
    page("/changes", "Changes").at("/changes?sort=user"),
    page("/live", "Live").at("/live?sort=caller"),
    page("/locked", "Locked out").at("/locked?q=nobody&sort=value"),
    page("/pin-file", "404: Not Found").at("/pin-file?name=none.csv"),
    page("/pin-file/verify", "Check a PIN of customers.csv")
        .at("/pin-file/verify?name=customers.csv")
        .by(&[
            Step::Type("[name=who]", "+905060508169"),
            Step::Type("[name=pin]", "482913"),
            Step::Follow("form.fields [type=submit]"),
        ]),
    page("/pin-file", "customers.csv").at("/pin-file?name=customers.csv&q=nobody"),
    page("/pin-file", "guests.txt").at("/pin-file?name=guests.txt"),
    page("/pin-file/add-pin", "Add a PIN to guests.txt")
        .at("/pin-file/add-pin?name=guests.txt")
        .by(&[
            Step::Type("[name=digits]", "many"),
            Step::Follow("form.fields [type=submit]"),
        ]),
    page("/pin-file/remove-pin", "Delete PINs from guests.txt")
        .at("/pin-file/remove-pin?name=guests.txt")
        .by(&[Step::Follow("form.fields [type=submit]")]),
    page("/pin-file/paste/preview", "Preview: guests.txt")
        .at("/pin-file/paste?name=guests.txt")
        .by(&[
            Step::Type("[name=text]", "571904\n620418\n"),
            Step::Follow("form.fields [type=submit]"),
        ]),
    page("/pin-file/add", "Add a row to customers.csv")
        .at("/pin-file/add?name=customers.csv")
        .by(&[
            Step::Type("[name=account]", "zoe"),
            Step::Type("[name=level]", "high"),
            Step::Follow("form.fields [type=submit]"),
        ]),
    page("/pin-file/change", "New PIN of eve")
        .at("/pin-file?name=customers.csv")
        .by(&[
            Step::Follow("[aria-label='New PIN of eve']"),
            Step::Follow("form.fields [type=submit]"),
        ]),
    page("/pin-file/job", "410: Gone").at("/pin-file/job?id=none"),
    page("/pin-file/job", "Saving: staff.csv")
        .at("/pin-file/paste?name=staff.csv")
        .by(&[LONG_LIST, PREVIEW, ARGON2ID, ADD, Step::LookBack(STOP)]),
    page("/pin-file/job", "Stopped: staff.csv")
        .at("/pin-file/paste?name=staff.csv")
        .by(&[LONG_LIST, PREVIEW, ARGON2ID, ADD, Step::Follow(STOP)]),
    page("/pin-file/job", "Saved: staff.csv")
        .at("/pin-file/paste?name=staff.csv")
        .by(&[SHORT_LIST, PREVIEW, ADD]),
    page("/pin-file/make-pins", "Make PINs: customers.csv")
        .at("/pin-file/make-pins?name=customers.csv")
        .by(&[
            Step::Type("[name=count]", "many"),
            Step::Follow("form.fields [type=submit]"),
        ]),
    page("/pin-file/paste", "Paste a list: customers.csv")
        .at("/pin-file/paste?name=customers.csv")
        .by(&[Step::Follow("form.fields [type=submit]")]),
    page("/pin-file/saving", "410: Gone").at("/pin-file/saving?id=none"),
    page("/pin-set", "404: Not Found").at("/pin-set?pbx=none&name=none"),
];

/// The page without a session.
pub(super) const LOGIN: &str = "/login";

/// Paths that answer with something other than a page.
const FILES: [&str; 7] = [
    "/calls-totals.csv",
    "/calls.csv",
    "/changes.csv",
    "/live.js",
    "/live/events",
    "/pin-file/rows.csv",
    "/style.css",
];

/// The table of routes, as the unit tests of the console expect it.
const ROUTES: &str = "crates/pinset-cli/src/console/routes/tests.rs";

#[test]
fn every_page_is_opened() -> Result<()> {
    let text = fs::read_to_string(workspace().join(ROUTES)).context(ROUTES)?;
    let routes = text.lines().filter_map(|line| line.strip_prefix("GET /"));
    let routes = routes.filter_map(|line| line.split(' ').next());
    let routes: BTreeSet<_> = routes.map(|path| format!("/{path}")).collect();
    let pages = PAGES.iter().chain(&ANSWERS).map(|page| page.route);
    let known = pages.chain(FILES).chain([LOGIN]);
    let known: BTreeSet<_> = known.map(str::to_owned).collect();
    assert_eq!(known, routes);
    Ok(())
}
