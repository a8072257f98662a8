//! PBXs: an AMI server in the test.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use crate::fixture::{check, configure, lab, start, Browser};
use crate::lab::Lab;

const SECRET: &str = "0123456789abcdef";

/// A PBX that serves connections until the sender of its listener is told to end.
struct FakePbx {
    /// The actions of each connection that has ended.
    ended: mpsc::Receiver<Vec<String>>,
    address: std::net::SocketAddr,
    _thread: JoinHandle<()>,
}

impl FakePbx {
    /// Serves connections one after the other.
    fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, ended) = mpsc::channel();
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if sender.send(serve(stream.unwrap(), refusal)).is_err() {
                    return;
                }
            }
        });
        Self {
            ended,
            address,
            _thread: thread,
        }
    }

    fn configure(&self, lab: &Lab) {
        lab.file("ami.secret", format!("{SECRET}\n"), 0o600);
        let address = self.address;
        configure(
            lab,
            &format!("[pbx.main]\naddress = \"{address}\"\nsecret = \"LAB/ami.secret\"\n"),
        );
    }
}

/// Answers until the end of the connection, and returns the names of the actions.
fn serve(stream: TcpStream, refusal: Option<&str>) -> Vec<String> {
    let mut output = stream.try_clone().unwrap();
    let mut send = |text: &str| output.write_all(text.replace('\n', "\r\n").as_bytes());
    let _ = send("Asterisk Call Manager/11.0.0\n");
    let (mut actions, mut headers) = (Vec::new(), Vec::new());
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { break };
        if let Some((name, value)) = line.split_once(": ") {
            headers.push((name.to_owned(), value.to_owned()));
            continue;
        }
        let value = |name: &str| {
            let found = headers.iter().find(|(header, _)| header == name);
            found.map_or("", |(_, value)| value).to_owned()
        };
        let (action, id) = (value("Action"), value("ActionID"));
        let answer = match action.as_str() {
            "Login" => {
                assert_eq!(value("Username"), "pinset");
                let response = match value("Secret") == SECRET {
                    true => "Success",
                    false => "Error",
                };
                format!("Response: {response}\nActionID: {id}\n\n")
            }
            "AuthenticatePinsets" => match refusal {
                Some(why) => format!("Response: Error\nActionID: {id}\nMessage: {why}\n\n"),
                None => format!(
                    "Response: Success\nActionID: {id}\nEventList: start\n\n\
                     Event: AuthenticatePinset\nActionID: {id}\nPinSet: doors\nUsable: yes\nState: ok\n\n\
                     Event: AuthenticatePinset\nActionID: {id}\nPinSet: staff\nUsable: no\nState: no <key> \\x1b\n\n\
                     Event: AuthenticatePinsetsComplete\nActionID: {id}\nEventList: Complete\nListItems: 2\n\n"
                ),
            },
            _ => String::new(),
        };
        let _ = send(&answer);
        actions.push(action);
        headers.clear();
    }
    actions
}

#[test]
fn check_connects_to_each_pbx_and_lists_what_admits_nobody() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let ran = check(&lab);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for line in [
        "ok: connection: main: connected, 2 PIN sets\n",
        "warning: pin_sets: main: staff admits nobody: no <key> \\x1b -> asterisk -rx 'authenticate show pinsets'\n",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    let actions = pbx.ended.recv().unwrap();
    assert_eq!(actions, ["Login", "AuthenticatePinsets", "Logoff"]);
}

#[test]
fn check_names_the_remedy_if_a_pbx_refuses() {
    let pbx = FakePbx::start(Some("Permission denied"));
    let lab = lab("");
    pbx.configure(&lab);
    let ran = check(&lab);
    let line = "warning: connection: main: the AMI user has no right to AuthenticatePinsets -> \
                write = security for the user in manager.conf of the PBX\n";
    assert!(ran.out.contains(line), "{}", ran.out);
    lab.file("ami.secret", "another 0123456789\n", 0o600);
    let ran = check(&lab);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line = " (login refused) -> compare user, secret, permit and deny with manager.conf";
    assert!(ran
        .out
        .contains("warning: connection: main does not answer since "));
    assert!(ran.out.contains(line), "{}", ran.out);
    assert!(!ran.out.contains("another") && !ran.err.contains("another"));
}

#[test]
fn ca_file_must_be_a_certificate() {
    let lab = lab("");
    lab.file("ami.secret", format!("{SECRET}\n"), 0o600);
    lab.file("ca.pem", "no certificate", 0o644);
    let options = "[pbx.main]\nsecret = \"LAB/ami.secret\"\nca = \"LAB/ca.pem\"\n";
    configure(&lab, options);
    let ran = check(&lab);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("console.toml:7: [pbx.main] ca: "),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("ca.pem: no certificate found"),
        "{}",
        ran.err
    );
}

#[test]
fn service_shows_connections_and_closes_them_at_its_end() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for _ in 0..2 {
        let text = browser.get("/setup").text();
        for part in [
            "<td>connection</td><td>main: connected, 2 PIN sets</td>",
            "<td>main: staff admits nobody: no &lt;key&gt; \\x1b</td>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    assert!(server.stop().success());
    // One connection for both pages.
    let actions = pbx.ended.recv().unwrap();
    assert_eq!(
        actions,
        [
            "Login",
            "AuthenticatePinsets",
            "AuthenticatePinsets",
            "Logoff"
        ]
    );
}
