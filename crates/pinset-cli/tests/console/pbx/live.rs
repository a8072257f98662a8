//! Latest attempts: the page, and the stream of new ones.

use std::time::Instant;

use super::fake_pbx::FakePbx;
use crate::fixture::{lab, start, Browser};
use crate::lab::http::Connection;
use crate::lab::server::until;

/// The row of the event that the PBX sends with the login.
const FIRST: &str = "<td>main</td><td>Failure</td><td>doors</td><td></td>\
                     <td>+4930&lt;b&gt;</td><td>SIP/a-1</td><td>192.0.2.7</td>\
                     <td class=\"number\">3</td><td>caller locked: 1800 s</td>";

/// An update of the stream.
#[derive(Debug)]
struct Update {
    id: String,
    data: String,
}

/// Reads an update. Returns `None` at the end of the stream.
fn update(stream: &mut Connection) -> Option<Update> {
    let (mut id, mut data) = (String::new(), None);
    loop {
        let line = stream.line()?;
        if let Some(value) = line.strip_prefix("id: ") {
            id = value.to_owned();
        } else if let Some(value) = line.strip_prefix("data: ") {
            data = Some(value.to_owned());
        } else if line.is_empty() {
            if let Some(data) = data.take() {
                return Some(Update { id, data });
            }
        }
    }
}

/// Returns the path of the stream after the events of a page.
fn stream_of(page: &str) -> String {
    let path = page.split("data-stream=\"").nth(1).unwrap();
    path.split('"').next().unwrap().replace("&amp;", "&")
}

fn event(outcome: &str, channel: &str) -> String {
    format!(
        "Event: AuthenticateFailure\nOutcome: {outcome}\nPinSet: doors\nIdentity: <b>\n\
         CallerIDNum: 1000\nChannel: {channel}\n\n"
    )
}

/// Waits until a page has an attempt.
fn page_with(browser: &mut Browser<'_>, path: &str, part: &str) -> String {
    let mut text = String::new();
    until(part, || {
        text = browser.get(path).text();
        text.contains(part)
    });
    text
}

#[test]
fn page_shows_latest_attempts_and_stream_adds_newer_ones() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let text = page_with(&mut browser, "/live", FIRST);
    assert!(text.contains("<script src=\"/live.js\"></script>"));
    assert!(text.contains("role=\"log\""), "{text}");
    let mut stream = browser.open(&stream_of(&text), &[]);
    assert!(stream.line().unwrap().contains(" 200 "));
    pbx.send(&event("FAILURE", "SIP/a-2"));
    let second = update(&mut stream).unwrap();
    // Only what the page does not have.
    assert_eq!(second.data.matches("<tr>").count(), 1, "{second:?}");
    assert!(second.data.contains("<td>SIP/a-2</td>"), "{second:?}");
    assert!(second.data.contains("&lt;b&gt;") && !second.data.contains("<b>"));
    // The browser connects again, with the position of its last update.
    pbx.send(&event("FAILURE", "SIP/a-3"));
    page_with(&mut browser, "/live", "SIP/a-3");
    let mut again = browser.open(&stream_of(&text), &[("Last-Event-ID", &second.id)]);
    let third = update(&mut again).unwrap();
    assert!(third.data.contains("SIP/a-3") && !third.data.contains("SIP/a-2"));
    // A position of an earlier run: all are newer.
    let mut all = browser.open("/live/events?after=main%3D1-1", &[]);
    let all = update(&mut all).unwrap().data;
    let places = ["SIP/a-3", "SIP/a-2", "SIP/a-1"].map(|channel| all.find(channel).unwrap());
    assert!(places.is_sorted(), "the newest first: {all}");
}

#[test]
fn attempts_are_sorted_by_the_links_of_the_headings() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    page_with(&mut browser, "/live", FIRST);
    for channel in ["SIP/c", "SIP/B", "SIP/d"] {
        pbx.send(&event("FAILURE", channel));
    }
    let newest = page_with(&mut browser, "/live?pbx=main", "SIP/d");
    assert!(
        newest.contains("aria-sort=\"descending\"><a href=\"/live?pbx=main&amp;sort=time\">Time")
    );
    for (order, channels) in [
        ("channel", ["SIP/a-1", "SIP/B", "SIP/c", "SIP/d"]),
        ("-channel", ["SIP/d", "SIP/c", "SIP/B", "SIP/a-1"]),
        ("time", ["SIP/a-1", "SIP/c", "SIP/B", "SIP/d"]),
        ("-attempts", ["SIP/a-1", "SIP/d", "SIP/B", "SIP/c"]),
    ] {
        let page = browser.get(&format!("/live?sort={order}")).text();
        let places = channels.map(|channel| page.find(&format!("<td>{channel}</td>")).unwrap());
        assert!(places.is_sorted(), "{order}: {page}");
        // New ones would be in the wrong place.
        assert!(
            !page.contains("<script") && page.contains("Newest first"),
            "{page}"
        );
    }
    let live = browser.get("/live?sort=-time").text();
    assert!(live.contains("<script src=\"/live.js\">"), "{live}");
}

#[test]
fn script_is_small_and_names_no_other_host() {
    let lab = lab("");
    let server = start(&lab);
    let script = Browser::new(&server).get("/live.js");
    let kind = script.header("content-type");
    assert_eq!(kind, Some("text/javascript; charset=utf-8"));
    assert!(script.body.len() < 4000, "{}", script.body.len());
    assert!(!script.text().contains("://"));
}

#[test]
fn flood_is_one_update_with_the_newest_and_a_number() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let path = stream_of(&page_with(&mut browser, "/live", FIRST));
    let flood: String = (1..=1100)
        .map(|number| event("FAILURE", &format!("SIP/b-{number}.")))
        .collect();
    pbx.send(&flood);
    let text = page_with(&mut browser, "/live", "SIP/b-1100.");
    assert_eq!(text.matches("SIP/b-").count(), 100);
    let mut stream = browser.open(&path, &[]);
    let flood = update(&mut stream).unwrap().data;
    assert_eq!(flood.matches("SIP/b-").count(), 20);
    assert!(flood.contains("SIP/b-1100.") && flood.contains("SIP/b-1081."));
    assert!(flood.contains("and 980 more"), "{flood}");
    let missed = "Older ones that are no longer kept: 100<";
    assert!(flood.contains(missed), "{flood}");
}

/// A busy machine makes fewer updates, never more.
#[test]
fn stream_has_at_most_four_updates_a_second() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let path = stream_of(&page_with(&mut browser, "/live", FIRST));
    let opened = Instant::now();
    let mut stream = browser.open(&path, &[]);
    for number in 1..=40 {
        let channel = format!("SIP/d-{number}.");
        pbx.send(&event("FAILURE", &channel));
        page_with(&mut browser, "/live", &channel);
    }
    let mut updates = 0;
    loop {
        updates += 1;
        if update(&mut stream).unwrap().data.contains("SIP/d-40.") {
            break;
        }
    }
    let most = opened.elapsed().as_millis() / 250 + 1;
    assert!(updates <= most, "{updates} updates, at most {most}");
}

#[test]
fn choice_of_outcome_and_pin_set_holds_for_page_and_stream() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    pbx.send(&[event("SUCCESS", "SIP/c-1"), event("EXPIRED", "SIP/c-2")].concat());
    page_with(&mut browser, "/live", "SIP/c-2");
    let text = browser.get("/live?pin_set=doors&outcome=SUCCESS").text();
    assert!(text.contains("SIP/c-1") && !text.contains("SIP/c-2"));
    assert!(text.contains("<option selected>SUCCESS</option>"), "{text}");
    assert!(browser
        .get("/live?pin_set=other")
        .text()
        .contains("There was no attempt."));
    let mut stream = browser.open(&stream_of(&text), &[]);
    pbx.send(&[event("EXPIRED", "SIP/c-3"), event("SUCCESS", "SIP/c-4")].concat());
    let added = update(&mut stream).unwrap().data;
    assert!(added.contains("SIP/c-4") && !added.contains("SIP/c-3"));
    assert_eq!(browser.get("/live/events?pbx=other").status, 404);
}

#[test]
fn stream_ends_when_the_service_stops() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let text = page_with(&mut browser, "/live", FIRST);
    let mut stream = browser.open(&stream_of(&text), &[]);
    assert!(stream.line().unwrap().contains(" 200 "));
    assert!(server.stop().success());
    assert!(update(&mut stream).is_none());
    let err = lab.text("err");
    assert!(!err.contains("did not end in time"), "{err}");
}
