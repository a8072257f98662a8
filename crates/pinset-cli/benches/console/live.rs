//! A PBX that sends events, and pages that wait for them.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{mpsc, Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::browser::Browser;
use crate::server::Server;
use crate::{amount, milliseconds, must, row};

pub(crate) const SECRET: &str = "0123456789abcdef";

const PAGES: usize = 50;
const EVENTS_PER_SECOND: u32 = 50;
const LOAD: Duration = Duration::from_secs(5);
/// Number of events that are awaited one by one.
const AWAITED: usize = 20;
/// Time between them: longer than that between two updates of a page.
const PAUSE: Duration = Duration::from_millis(300);

/// An AMI without PIN sets and lockouts.
pub(crate) struct Pbx {
    pub(crate) address: SocketAddr,
    output: Arc<Mutex<Option<TcpStream>>>,
}

impl Pbx {
    pub(crate) fn start() -> Self {
        let listener = must(TcpListener::bind("127.0.0.1:0"));
        let address = must(listener.local_addr());
        let output = Arc::new(Mutex::new(None));
        let current = Arc::clone(&output);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let other = stream.try_clone().ok();
                *current.lock().unwrap_or_else(PoisonError::into_inner) = other;
                serve(stream, &current);
            }
        });
        Self { address, output }
    }

    fn send_event(&self, channel: &str) {
        send(
            &self.output,
            &format!(
                "Event: AuthenticateFailure\r\nOutcome: FAILURE\r\nPinSet: doors\r\nIdentity: \r\n\
                 CallerIDNum: +905060508169\r\nChannel: {channel}\r\nAttempts: 3\r\n\
                 RemoteAddress: 192.0.2.7\r\n\r\n"
            ),
        );
    }
}

fn send(output: &Mutex<Option<TcpStream>>, text: &str) {
    let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stream) = output.as_mut() {
        // The end of a connection is found by reading.
        let _ = stream.write_all(text.as_bytes());
    }
}

/// Answers each action with success and an empty list.
fn serve(stream: TcpStream, output: &Mutex<Option<TcpStream>>) {
    send(output, "Asterisk Call Manager/11.0.0\r\n");
    let (mut action, mut id) = (String::new(), String::new());
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        match line.split_once(": ") {
            Some(("Action", name)) => action = name.to_owned(),
            Some(("ActionID", value)) => id = value.to_owned(),
            Some(_) => {}
            None if action == "Login" => {
                send(
                    output,
                    &format!("Response: Success\r\nActionID: {id}\r\n\r\n"),
                );
            }
            None => send(
                output,
                &format!(
                    "Response: Success\r\nActionID: {id}\r\nEventList: start\r\n\r\n\
                     Event: {action}Complete\r\nActionID: {id}\r\nEventList: Complete\r\n\
                     ListItems: 0\r\nTotal: 0\r\n\r\n"
                ),
            ),
        }
    }
}

/// Opens the stream of the page, and sends each of its lines with an update.
fn open(browser: &Browser<'_>, path: &str, updates: mpsc::Sender<String>) {
    let (stream, _) = browser.open("GET", path, "");
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if line.starts_with("data: ") && updates.send(line).is_err() {
                return;
            }
        }
    });
}

/// Measures how long an event takes to a page, and what many pages take.
pub(crate) fn measure(pbx: &Pbx, server: &Server, browser: &Browser<'_>) {
    println!("Live:");
    let path = browser.get("/live").attribute("data-stream=\"");
    let (sender, updates) = mpsc::channel();
    open(browser, &path, sender);
    let mut slowest = Duration::ZERO;
    for at in 0..AWAITED {
        thread::sleep(PAUSE);
        let channel = format!("PJSIP/awaited-{at:03}");
        let started = Instant::now();
        pbx.send_event(&channel);
        while !must(updates.recv()).contains(&channel) {}
        slowest = slowest.max(started.elapsed());
    }
    row(
        &format!("  event to an open page, the slowest of {AWAITED}"),
        slowest,
        milliseconds(200),
    );
    let (sender, updates) = mpsc::channel();
    for _ in 0..PAGES {
        open(browser, &path, sender.clone());
    }
    let (before, started) = (server.processor(), Instant::now());
    let mut sent = 0;
    while started.elapsed() < LOAD {
        pbx.send_event(&format!("PJSIP/load-{sent}"));
        sent += 1;
        thread::sleep(
            (Duration::from_secs(1) * sent / EVENTS_PER_SECOND).saturating_sub(started.elapsed()),
        );
    }
    let used = server.processor().saturating_sub(before);
    let share = used.as_secs_f64() / started.elapsed().as_secs_f64() * 100.0;
    assert!(updates.try_iter().count() >= PAGES);
    amount(
        &format!("  {PAGES} pages, {EVENTS_PER_SECOND} events a second: of a processor"),
        share.ceil() as u64,
        10,
        "%",
    );
}
