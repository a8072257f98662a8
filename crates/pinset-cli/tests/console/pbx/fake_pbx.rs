//! A PBX that answers as the module does.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{mpsc, Arc, Barrier, Mutex};
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
    /// The connection of now.
    output: Arc<Mutex<Option<TcpStream>>>,
    _thread: JoinHandle<()>,
}

impl FakePbx {
    /// Starts it. Other actions than the login are refused if there is a reason.
    pub(super) fn start(refusal: Option<&'static str>) -> Self {
        Self::with_files_in("/etc/asterisk/pins", refusal)
    }

    /// Starts a PBX that has its PIN files in this folder.
    pub(super) fn with_files_in(folder: &str, refusal: Option<&'static str>) -> Self {
        let folder = folder.to_owned();
        Self::with(move |action| answer(action, &folder, refusal))
    }

    /// Starts one that finds no errors at a reload.
    pub(super) fn without_errors() -> Self {
        Self::with(|action| match action.value("Action") {
            "AuthenticateReload" => list(action, &[], "Applied: yes\nTotal: 0\n"),
            _ => answer(action, "/etc/asterisk/pins", None),
        })
    }

    /// Starts a PBX that answers pages only when all PBXs of the barrier have been asked.
    pub(super) fn meeting(folder: &str, others: Arc<Barrier>) -> Self {
        let folder = folder.to_owned();
        Self::with(move |action| {
            if ["AuthenticatePinsets", "AuthenticateLockouts"].contains(&action.value("Action")) {
                others.wait();
            }
            answer(action, &folder, None)
        })
    }

    /// Starts one whose PIN set is in PostgreSQL, with this state.
    pub(super) fn with_database(name: &'static str, state: &'static str) -> Self {
        Self::with(move |action| {
            let (source, id) = (format!("Source: {name}\n"), action.value("ActionID"));
            let answered = answer(action, "/etc/asterisk/pins", None);
            let answered = answered.replace("Source: file:/etc/asterisk/pins/doors\n", &source);
            match action.value("Action") {
                "AuthenticateDatabase" => {
                    format!("Response: Success\nActionID: {id}\n{state}\n")
                }
                "AuthenticateUses" => answered.replace("Line: 3\n", "Line: \nId: 4711\n"),
                _ if state.contains("Reached: no") => answered.replace(
                    "Usable: yes\nState: ok\n",
                    "Usable: no\nState: the database can't be reached: <b>\n",
                ),
                _ => answered,
            }
        })
    }

    fn with(answer: impl Fn(&AmiAction) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, ended) = mpsc::channel();
        let output = Arc::new(Mutex::new(None));
        let current = Arc::clone(&output);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                *current.lock().unwrap() = Some(stream.try_clone().unwrap());
                if sender.send(serve(stream, &current, &answer)).is_err() {
                    return;
                }
            }
        });
        Self {
            ended,
            address,
            output,
            _thread: thread,
        }
    }

    /// Sends messages on the connection of now.
    pub(super) fn send(&self, messages: &str) {
        send(&self.output, messages);
    }

    pub(super) fn configure(&self, lab: &Lab) {
        self.configure_with(lab, "");
    }

    /// Writes a configuration with more options.
    pub(super) fn configure_with(&self, lab: &Lab, options: &str) {
        lab.file("ami.secret", format!("{SECRET}\n"), 0o600);
        configure(lab, &format!("{options}{}", self.section("main")));
    }

    /// Returns its section of the configuration.
    pub(super) fn section(&self, name: &str) -> String {
        let address = self.address;
        format!("[pbx.{name}]\naddress = \"{address}\"\nsecret = \"LAB/ami.secret\"\n")
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

/// Sends a text. That the other end is gone is found by reading.
fn send(output: &Mutex<Option<TcpStream>>, text: &str) {
    let mut output = output.lock().unwrap();
    let text = text.replace('\n', "\r\n");
    let _ = output.as_mut().unwrap().write_all(text.as_bytes());
}

/// Answers until the end of the connection, and returns the actions.
fn serve(
    stream: TcpStream,
    output: &Mutex<Option<TcpStream>>,
    answer: &dyn Fn(&AmiAction) -> String,
) -> Vec<String> {
    send(output, "Asterisk Call Manager/11.0.0\n");
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
        send(output, &answer(&action));
        actions.push(action.line());
    }
    actions
}

fn answer(action: &AmiAction, folder: &str, refusal: Option<&str>) -> String {
    let id = action.value("ActionID");
    let name = action.value("Action");
    if let Some(why) = refusal.filter(|_| name != "Login" && name != "Logoff") {
        return format!("Response: Error\nActionID: {id}\nMessage: {why}\n\n");
    }
    let set = |name: &str, usable: &str, state: &str| {
        format!(
            "Event: AuthenticatePinset\nActionID: {id}\nPinSet: {name}\nUsable: {usable}\n\
             State: {state}\nSource: file:{folder}/{name}\nFormat: auto\n\
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
            concat!(
                "ModuleVersion: ",
                env!("PINSET_VERSION"),
                "\nBuiltFor: 22\n"
            ),
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
            let lockout = |value: &str, key: &str| {
                format!(
                    "Event: AuthenticateLockout\nActionID: {id}\nPinSet: doors\nLockedBy: caller\n\
                     Value: {value}\nEndpoint: trunk\nLockedSeconds: 1700\nTimes: 1\nFailures: 5\n\
                     Key: {key}\n"
                )
            };
            if action.value("Limit") == "50" {
                let rows = [lockout("+4930<b>", "k1"), lockout("", "k2")];
                return list(action, &rows, "Total: 120\n");
            }
            if action.value("Limit") == "1000" {
                let rows = [
                    lockout("+905321112233", "k1"),
                    lockout("ada <i>", "k2").replace("LockedBy: caller", "LockedBy: account"),
                    lockout("doors", "k3").replace("LockedBy: caller", "LockedBy: pinset"),
                    lockout("+4930<b>", "k4"),
                ];
                return list(action, &rows, "Total: 1200\n");
            }
            // All of them, for a search or another order.
            let row = |at: usize| {
                lockout(&format!("+4930{:03}", at * 7 % 120), &format!("k{at}"))
                    .replace("Times: 1", &format!("Times: {at}"))
            };
            let mut rows: Vec<String> = (0..120).map(row).collect();
            rows.push(lockout("+4930<b>", "k120"));
            list(action, &rows, "Total: 121\n")
        }
        "AuthenticateUses" => {
            let row = format!(
                "Event: AuthenticateUse\nActionID: {id}\nPinSet: doors\nAccount: ada <i>\nUses: 1\n\
                 MaxUses: 5\nLine: 3\nKey: u1\n"
            );
            if action.value("Limit") != "10000" {
                return list(action, &[row], "Total: 1\n");
            }
            // All of them, for another order.
            let other = |at: usize| {
                row.replace("ada <i>", &format!("a{at:02}"))
                    .replace("Uses: 1\n", &format!("Uses: {}\n", at * 7 % 60))
                    .replace("Line: 3", &format!("Line: {}", 100 - at))
                    .replace("u1", &format!("u{at}"))
            };
            let rows: Vec<String> = (0..60).map(other).collect();
            list(action, &rows, "Total: 60\n")
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
