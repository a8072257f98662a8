//! Benchmark of the web console, as its users meet it: durations, bytes and memory beside
//! their limits, and beside the queries of other products on the same data in SQLite, in
//! one run: `make bench-console`. `BENCH='live million'` measures these parts only.
//!
//! Console, browser and PBX share the processors of the machine.
#![forbid(unsafe_code)]

use std::fmt::Debug;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

#[path = "console/browser.rs"]
mod browser;
#[path = "console/chromium.rs"]
mod chromium;
#[path = "console/files.rs"]
mod files;
#[path = "console/live.rs"]
mod live;
#[path = "console/peers.rs"]
mod peers;
#[path = "console/server.rs"]
mod server;

use browser::{encoded, Browser};
use files::{Lab, CALLS, FEW_CALLS, MANY_ROWS, MILLION_ROWS, SMALL_ROWS};
use server::Server;

/// Number of requests of each page, of which 99 in 100 must be within the limit.
const REQUESTS: usize = 100;
/// Number of saves of a row in the small file.
const SAVES: usize = 20;
/// Interval in which something is awaited.
const POLL: Duration = Duration::from_millis(20);

const MONTH: &str = "from=2026-11-01&to=2026-11-30";

/// Returns the value, or panics, because the benchmark can't continue without it.
fn must<T, E: Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// The parts, which can be chosen by name.
const PARTS: [&str; 7] = [
    "start",
    "pages",
    "calls",
    "saves",
    "live",
    "first-page",
    "million",
];

fn main() {
    let chosen = chosen();
    let has = |part| chosen.is_empty() || chosen.iter().any(|chosen| chosen == part);
    let lab = Lab::new();
    let pbx = live::Pbx::start();
    lab.configure(pbx.address);
    lab.append_calls(0..FEW_CALLS);
    lab.pin_file("small.csv", SMALL_ROWS);
    lab.pin_file("customers.csv", MANY_ROWS);
    println!("{:58} {:>10} {:>10}", "", "measured", "limit");
    if has("start") {
        start(&lab);
    }
    let server = Server::start(&lab);
    lab.await_calls();
    if has("pages") || has("calls") {
        let reading = Instant::now();
        lab.append_calls(FEW_CALLS..CALLS);
        lab.await_calls();
        figure(
            &format!("{CALLS} calls read in the background"),
            reading.elapsed(),
        );
    }
    let browser = Browser::logged_in(&server);
    if has("pages") {
        every_page(&lab, &browser);
    }
    if has("calls") {
        calls(&lab, &server, &browser);
    }
    if has("saves") {
        saves(&server, &browser, "small.csv", SAVES, milliseconds(50));
    }
    if has("live") {
        live::measure(&pbx, &server, &browser);
    }
    if has("first-page") {
        first_page(&server, &browser);
    }
    // Last: it leaves work for the background.
    if has("million") {
        million_rows(&lab, &server, &browser);
    }
}

/// Returns the parts of the command line; all are measured if there is none.
fn chosen() -> Vec<String> {
    let given = std::env::args().skip(1);
    // Those with dashes are cargo's.
    let chosen: Vec<String> = given.filter(|name| !name.starts_with('-')).collect();
    for name in &chosen {
        assert!(
            PARTS.contains(&name.as_str()),
            "{name}: the parts are {PARTS:?}"
        );
    }
    chosen
}

/// Prints a duration and its limit.
fn row(name: &str, found: Duration, limit: Duration) {
    let verdict = verdict(found <= limit);
    println!("{name:58} {found:>10.1?} {limit:>10.0?} {verdict}");
}

/// Prints another figure and its limit.
fn amount(name: &str, found: u64, limit: u64, unit: &str) {
    let verdict = verdict(found <= limit);
    let (found, limit) = (format!("{found} {unit}"), format!("{limit} {unit}"));
    println!("{name:58} {found:>10} {limit:>10} {verdict}");
}

/// Prints a duration that has no limit of its own.
fn figure(name: &str, found: Duration) {
    println!("{name:58} {found:>10.1?}");
}

fn verdict(is_within: bool) -> &'static str {
    match is_within {
        true => "within",
        false => "OVER",
    }
}

/// Returns the duration within which 99 of 100 requests were answered.
fn most(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    let at = durations.len() * 99 / 100;
    durations
        .get(at.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// Requests pages in turn. Returns the duration within which 99 of 100 requests of each
/// page were answered.
fn each(browser: &Browser<'_>, paths: &[String]) -> Vec<Duration> {
    let mut durations = vec![Vec::new(); paths.len()];
    for _ in 0..REQUESTS {
        for (path, durations) in paths.iter().zip(&mut durations) {
            let page = browser.get(path);
            assert_eq!(page.status, 200, "{path}: {}", page.text);
            assert!(!page.is_progress(), "{path}");
            durations.push(page.whole);
        }
    }
    durations.into_iter().map(most).collect()
}

/// Measures starts, and the memory of a console that nobody uses.
fn start(lab: &Lab) {
    // The first one reads the calls.
    let server = Server::start(lab);
    lab.await_calls();
    drop(server);
    let server = Server::start(lab);
    row("start", server.started, milliseconds(200));
    thread::sleep(Duration::from_secs(1));
    let memory = server.memory("VmRSS") >> 10;
    amount(
        &format!("memory, idle with {FEW_CALLS} calls"),
        memory,
        40,
        "MiB",
    );
}

/// Measures all pages that are links of others.
fn every_page(lab: &Lab, browser: &Browser<'_>) {
    println!("Each page, {CALLS} calls and {MANY_ROWS} rows in a file; 99 of 100 requests:");
    let file = "/pin-file?name=customers.csv";
    browser.settled(file);
    let page = browser.get(file);
    let tag = page.attribute("name=\"row\" value=\"");
    let change = page.attribute("href=\"/pin-file/change?");
    let number = files::number(MANY_ROWS / 2);
    let paths: Vec<String> = [
        "/",
        "/account",
        "/changes",
        "/live",
        "/locked",
        "/login",
        "/new-pin-set",
        "/setup",
        file,
        &format!("{file}&sort=-name"),
        &format!("{file}&state=valid&secret=hmac-sha256&sort=until"),
        &format!("{file}&q=er+77"),
        "/pin-file/add?name=customers.csv",
        &format!("/pin-file/change?{change}"),
        "/pin-file/check?name=customers.csv",
        "/pin-file/verify?name=customers.csv",
        "/pin-file/paste?name=customers.csv",
        "/pin-file/make-pins?name=customers.csv",
        &format!("/callers?q={}", encoded(&number)),
        "/callers?q=customer-0000007",
        &format!("/calls?{MONTH}"),
        &format!("/calls?{MONTH}&after={}", lab.middle()),
        "/calls?from=2026-11-15&to=2026-11-15",
        &format!("/calls?{MONTH}&identity=id-7"),
        &format!("/calls?{MONTH}&pinset=doors"),
        &format!("/calls?{MONTH}&number=0506+050+0007"),
        &format!("/calls?{MONTH}&result=FAILED"),
    ]
    .map(str::to_owned)
    .to_vec();
    for path in &paths {
        let found = each(browser, std::slice::from_ref(path));
        let found = found.into_iter().max().unwrap_or_default();
        let name = path.replace(&tag, "...");
        row(&format!("  {name}"), found, milliseconds(100));
    }
}

fn calls(lab: &Lab, server: &Server, browser: &Browser<'_>) {
    println!("A month of {CALLS} calls:");
    let path = [format!("/calls?{MONTH}")];
    let found = each(browser, &path).into_iter().max().unwrap_or_default();
    row("  totals, chart and first page", found, milliseconds(100));
    figure(
        "  beside it: totals by account in SQLite, as FreePBX's graph",
        peers::totals(&lab.path("peer.db")),
    );
    let before = server.memory("VmRSS");
    server.reset_peak();
    let csv = browser.download(&format!("/calls.csv?{MONTH}"));
    assert!(csv.bytes > CALLS * 80, "{} bytes", csv.bytes);
    row("  CSV: first byte", csv.first, milliseconds(100));
    row("  CSV: all", csv.whole, Duration::from_secs(10));
    let more = server.memory("VmHWM").saturating_sub(before) >> 10;
    amount("  CSV: more memory", more, 10, "MiB");
}

/// Measures changes of a row at the end of the file: of the name, or also of the PIN.
fn saves(server: &Server, browser: &Browser<'_>, file: &str, count: usize, limit: Duration) {
    let changes = [("", "keep"), (" with a new PIN", "enter")];
    for (what, choice) in changes {
        let found = slowest_save(server, browser, file, count, choice);
        let name = format!("a row{what} saved in {file}, the slowest of {count}");
        row(&name, found, limit);
    }
}

fn slowest_save(
    server: &Server,
    browser: &Browser<'_>,
    file: &str,
    count: usize,
    choice: &str,
) -> Duration {
    let mut durations = Vec::new();
    for at in 0..count {
        let page = browser.settled(&format!("/pin-file?name={file}&sort=-line"));
        let change = page.attribute("href=\"/pin-file/change?");
        let form = browser.get(&format!("/pin-file/change?{change}"));
        let name = format!("New name {at} {choice}");
        let pin = format!("7{:08}", 2_517 * (at + 1));
        let fields = form.fields(&[
            ("full_name", name.as_str()),
            ("pin_choice", choice),
            ("pin", pin.as_str()),
            ("stored", "plain"),
        ]);
        let (started, before) = (Instant::now(), server.processor());
        let saved = browser.post("/pin-file/change", &fields);
        let answered = started.elapsed();
        let saved = browser.finished(saved);
        assert!(saved.text.contains("is saved"), "{}", saved.text);
        durations.push(started.elapsed());
        if count == 1 {
            figure("  until the page with the progress", answered);
            let used = server.processor().saturating_sub(before);
            figure("  processor time of the save", used);
        }
    }
    durations.into_iter().max().unwrap_or_default()
}

fn million_rows(lab: &Lab, server: &Server, browser: &Browser<'_>) {
    lab.pin_file("million.csv", MILLION_ROWS);
    println!("A PIN file of {MILLION_ROWS} rows:");
    let file = "/pin-file?name=million.csv";
    let (reading, before) = (Instant::now(), server.processor());
    let first = browser.get(file);
    assert!(first.is_progress(), "{}", first.text);
    row("  answer while it is read", first.whole, milliseconds(100));
    browser.settled(file);
    row(
        "  first reading",
        reading.elapsed(),
        Duration::from_secs(10),
    );
    let used = server.processor().saturating_sub(before);
    figure("  processor time of it", used);
    let paths = [
        "",
        "&sort=-name",
        "&sort=until&state=valid",
        "&q=er+77",
        "&q=e&sort=-number",
        "&q=0506+0999",
        "&q=nobody",
    ]
    .map(|query| format!("{file}{query}"));
    for (path, found) in paths.iter().zip(each(browser, &paths)) {
        row(&format!("  {path}"), found, milliseconds(100));
    }
    let path = lab.path("peer.db");
    figure(
        "  beside it: page and count of a search, as FusionPBX's list",
        peers::search(&path),
    );
    saves(server, browser, "million.csv", 1, Duration::from_secs(6));
    must(fs::remove_file(lab.path("pins/million.csv")));
}

/// Measures what a browser needs for its first page.
fn first_page(server: &Server, browser: &Browser<'_>) {
    println!("The first page:");
    let page = browser.get("/");
    let parts = ["/style.css", "/live.js"].map(|path| browser.get(path).bytes);
    let [style, script] = parts;
    amount(
        "  HTML, style and script",
        page.bytes + style + script,
        60_000,
        "B",
    );
    amount("  script", script, 4_000, "B");
    let others = page.text.matches("=\"http").count() + page.text.matches("=\"//").count();
    amount("  from elsewhere", others as u64, 0, "parts");
    match chromium::first_paint(&server.url("/login")) {
        Ok(found) => row("  first paint, cold, by Chromium", found, milliseconds(300)),
        Err(why) => println!("  first paint: not measured: {why}"),
    }
}
