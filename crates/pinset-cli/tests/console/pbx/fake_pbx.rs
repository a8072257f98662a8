//! A PBX that answers as the module does.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use crate::fixture::configure;
use crate::lab::Lab;

pub(super) const SECRET: &str = "0123456789abcdef";

/// Calls by outcome.
const COUNTS: &str = "Success: 96\nFailure: 7\nTimeout: 1\nExpired: 2\nLocked: 3\nHangup: 4\n\
                      Error: 0\nAttempts: 120\n";

/// An event of a caller who chose his name.
const EVENT: &str = "Event: AuthenticateFailure\nOutcome: FAILURE\nPinSet: doors\nIdentity: \n\
                     CallerIDNum: +4930<b>\nChannel: SIP/a-1\nAttempts: 3\nLockedBy: caller\n\
                     LockedSeconds: 1800\nRemoteAddress: 192.0.2.7\n\n";

/// A PBX that serves connections one after the other.
pub(super) struct FakePbx {
    /// The actions of each connection that has ended.
    pub ended: mpsc::Receiver<Vec<String>>,
    address: SocketAddr,
    _thread: JoinHandle<()>,
}

impl FakePbx {
    /// Starts it. Other actions than the login are refused if there is a reason.
    pub(super) fn start(refusal: Option<&'static str>) -> Self {
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

    pub(super) fn configure(&self, lab: &Lab) {
        lab.file("ami.secret", format!("{SECRET}\n"), 0o600);
        let address = self.address;
        configure(
            lab,
            &format!("[pbx.main]\naddress = \"{address}\"\nsecret = \"LAB/ami.secret\"\n"),
        );
    }
}

/// An action: its name, its id, its other headers.
struct AmiAction {
    headers: Vec<(String, String)>,
}

impl AmiAction {
    fn value(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map_or("", |(_, value)| value)
    }

    /// Returns it in a line, without the credentials.
    fn line(&self) -> String {
        let own = ["Action", "ActionID", "Username", "Secret", "Events"];
        let others = self
            .headers
            .iter()
            .filter(|(name, _)| !own.contains(&name.as_str()));
        let others = others.map(|(name, value)| format!(" {name}={value}"));
        std::iter::once(self.value("Action").to_owned())
            .chain(others)
            .collect()
    }
}

/// Answers until the end of the connection, and returns the actions.
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
        let action = AmiAction {
            headers: std::mem::take(&mut headers),
        };
        let _ = send(&answer(&action, refusal));
        actions.push(action.line());
    }
    actions
}

fn answer(action: &AmiAction, refusal: Option<&str>) -> String {
    let id = action.value("ActionID");
    let name = action.value("Action");
    if let Some(why) = refusal.filter(|_| name != "Login" && name != "Logoff") {
        return format!("Response: Error\nActionID: {id}\nMessage: {why}\n\n");
    }
    let set = |name: &str, usable: &str, state: &str| {
        format!(
            "Event: AuthenticatePinset\nActionID: {id}\nPinSet: {name}\nUsable: {usable}\n\
             State: {state}\nSource: file:/etc/asterisk/pins/{name}\nFormat: auto\n\
             FormatFound: csv\nIdentify: caller\nEntries: 412\nLockouts: 1\n{COUNTS}"
        )
    };
    match name {
        "Login" => {
            assert_eq!(action.value("Username"), "pinset");
            match action.value("Secret") == SECRET {
                true => format!("Response: Success\nActionID: {id}\n\n{EVENT}"),
                false => format!("Response: Error\nActionID: {id}\n\n"),
            }
        }
        "AuthenticatePinsets" => list(
            action,
            &[
                set("doors", "yes", "ok"),
                set("staff", "no", "no <key> \\x1b"),
            ],
            "",
        ),
        "AuthenticatePinset" => {
            let detail = set("doors", "yes", "ok").replace("Pinset\n", "PinsetDetail\n");
            let detail = format!("{detail}Option-max_digits: 6 <i>\nPepperKeys: k1\n");
            list(action, &[detail], "")
        }
        "AuthenticateStats" => {
            let stat =
                |name| format!("Event: AuthenticateStat\nActionID: {id}\nPinSet: {name}\n{COUNTS}");
            list(action, &[stat("doors"), stat("/etc/asterisk/other")], "")
        }
        "AuthenticateLockouts" => {
            let lockout = |value: &str, key| {
                format!(
                    "Event: AuthenticateLockout\nActionID: {id}\nPinSet: doors\nLockedBy: caller\n\
                     Value: {value}\nEndpoint: trunk\nLockedSeconds: 1700\nTimes: 1\nFailures: 5\n\
                     Key: {key}\n"
                )
            };
            let rows = [lockout("+4930<b>", "k1"), lockout("", "k2")];
            list(action, &rows, "Total: 120\n")
        }
        "AuthenticateUses" => {
            let row = format!(
                "Event: AuthenticateUse\nActionID: {id}\nPinSet: doors\nAccount: ada <i>\nUses: 1\n\
                 MaxUses: 5\nLine: 3\nKey: u1\n"
            );
            list(action, &[row], "Total: 1\n")
        }
        "AuthenticateReload" => {
            let error = format!(
                "Event: AuthenticateReloadError\nActionID: {id}\nFile: authenticate.conf\nLine: 7\n\
                 Section: doors\nOption: max_digit\nMessage: there is no such option <x>\n"
            );
            list(action, &[error], "Applied: no\nTotal: 1\n")
        }
        "AuthenticateUnlock" => format!("Response: Success\nActionID: {id}\nUnlocked: 1\n\n"),
        "AuthenticateResetUses" => format!("Response: Success\nActionID: {id}\nReset: 1\n\n"),
        _ => String::new(),
    }
}

fn list(action: &AmiAction, rows: &[String], more: &str) -> String {
    let (id, name) = (action.value("ActionID"), action.value("Action"));
    let rows_text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    format!(
        "Response: Success\nActionID: {id}\nEventList: start\n\n{rows_text}\
         Event: {name}Complete\nActionID: {id}\nEventList: Complete\nListItems: {}\n{more}\n",
        rows.len()
    )
}
