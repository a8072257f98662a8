//! Real phones and a carrier's trunk: which addresses are reported, and which
//! `fail2ban` bans.

use std::collections::BTreeSet;
use std::sync::Mutex;

use anyhow::{ensure, Context, Result};
use harness::{Builder, Pbx, Phone};

use super::{builder, lines, OutcomeFields, OutcomeReader, JSON, LOG, LOGGER};
use crate::support::{eventually, on, side_by_side};

const CONF: &str = "
[general]
phone_endpoints = PJSIP/anonymous, PJSIP/10*, PJSIP/desk, PJSIP/open
security_events = yes
source = file:/pins/people.csv
attempts = 1
prompt =
success_prompt =
failure_prompt =
lockout_caller = no
lockout_account = no
lockout_pinset = no

[doors]

[quick]
first_digit_timeout = 1
";

const PEOPLE: &str = "account,secret,valid_until\n\
    ada,plain:1234,\n\
    eve,plain:4321,2000-12-31\n";

const ATTACKER: &str = "127.0.0.2";
const CARRIER: &str = "127.0.0.3";
const FRIEND: &str = "127.0.0.4";
const OVER_TCP: &str = "127.0.0.5";
const AT_A_DESK: &str = "127.0.0.6";
/// Whose address others send in their calls: it never sends anything itself.
const VICTIM: &str = "127.0.0.7";

const PASSWORD: &str = "s3cret";

/// Phones with a number are challenged, and so is the one at the desk, which is
/// known by its address. The carrier is too, and is not challenged, nor are `open`
/// and `anonymous`.
const PJSIP: &str = "[global]
type = global
endpoint_identifier_order = ip,username,anonymous
[udp]
type = transport
protocol = udp
bind = 127.0.0.1:5060
[tcp]
type = transport
protocol = tcp
bind = 127.0.0.1:5060
[phone](!)
type = endpoint
context = phones
disallow = all
allow = ulaw
dtmf_mode = rfc4733
direct_media = no
[secret](!)
type = auth
auth_type = userpass
password = s3cret
[1001](phone)
auth = auth1001
[auth1001](secret)
username = 1001
[1003](phone)
auth = auth1003
[auth1003](secret)
username = 1003
[1004](phone)
auth = auth1004
[auth1004](secret)
username = 1004
[desk](phone)
auth = auth-desk
[auth-desk](secret)
username = 1006
[desk]
type = identify
endpoint = desk
match = 127.0.0.6
[open](phone)
[anonymous](phone)
[trunk](phone)
[trunk]
type = identify
endpoint = trunk
match = 127.0.0.3
";

fn phones(builder: Builder) -> Builder {
    let mut builder = builder
        .pjsip()
        .file("pjsip.conf", PJSIP)
        .pin_file("people.csv", PEOPLE);
    for extension in 1..=CALLS.len() {
        let set = if CALLS[extension - 1].outcome == "TIMEOUT" {
            "quick"
        } else {
            "doors"
        };
        let application = format!("Authenticate(pinset:{set},,4)");
        builder = builder.phone_extension(&extension.to_string(), &application);
    }
    builder
}

struct SipCall {
    from: &'static str,
    name: &'static str,
    number: &'static str,
    /// Whom `chan_pjsip` takes it for.
    endpoint: &'static str,
    /// Whether that one is challenged.
    challenged: bool,
    acks: bool,
    keys: &'static str,
    outcome: &'static str,
}

/// Percent-encoded, `",RemoteAddress="IPV4/UDP/203.0.113.1/5060"`.
const FORGED: &str = "%22%2cRemoteAddress%3d%22IPV4%2fUDP%2f203.0.113.1%2f5060%22";
const FORGED_NAME: &str = "\"x\\\",RemoteAddress=\\\"IPV4/UDP/203.0.113.1/5060\\\"\" ";

const CALLS: [SipCall; 13] = [
    call(ATTACKER, "1001", "0000", "FAILURE"),
    SipCall {
        name: FORGED_NAME,
        ..call(ATTACKER, "1001", "0000", "FAILURE")
    },
    call(CARRIER, "1002", "0000", "FAILURE").of("trunk"),
    SipCall {
        name: FORGED_NAME,
        ..call(CARRIER, FORGED, "0000", "FAILURE").of("trunk")
    },
    call(FRIEND, "1003", "1234", "SUCCESS"),
    call(FRIEND, "1003", "4321", "EXPIRED"),
    call(FRIEND, "1003", "", "TIMEOUT"),
    call(OVER_TCP, "1004", "0000", "FAILURE"),
    SipCall {
        challenged: true,
        ..call(AT_A_DESK, "1006", "0000", "FAILURE").of("desk")
    },
    // Anybody can send these, from any address.
    SipCall {
        name: FORGED_NAME,
        ..call(VICTIM, FORGED, "0000", "FAILURE").of("anonymous")
    },
    call(VICTIM, "open", "0000", "FAILURE").of("open"),
    SipCall {
        acks: false,
        ..call(VICTIM, "open", "0000", "FAILURE").of("open")
    },
    // The address is right, but the module can't tell that it is TCP.
    call(OVER_TCP, "1", "0000", "FAILURE").of("anonymous"),
];

/// A call of the phone with this number, which is challenged.
const fn call(
    from: &'static str,
    number: &'static str,
    keys: &'static str,
    outcome: &'static str,
) -> SipCall {
    SipCall {
        from,
        name: "",
        number,
        endpoint: number,
        challenged: true,
        acks: true,
        keys,
        outcome,
    }
}

impl SipCall {
    /// The same of an endpoint that is not challenged.
    const fn of(mut self, endpoint: &'static str) -> Self {
        self.endpoint = endpoint;
        self.challenged = false;
        self
    }
}

/// Makes the calls of these numbers; returns their channels.
fn make(pbx: &Pbx, calls: &[usize]) -> Result<Vec<(usize, String)>> {
    let channels = Mutex::new(Vec::new());
    side_by_side(calls.len(), 4, |index| {
        let number = calls[index];
        let call = &CALLS[number];
        let phone = Phone {
            address: call.from.into(),
            name: call.name.into(),
            number: call.number.into(),
            tcp: call.from == OVER_TCP,
            password: call.challenged.then(|| PASSWORD.into()),
            acks: call.acks,
            ..Phone::default()
        };
        let made = pbx.sip_call_by(&phone, &(number + 1).to_string(), call.keys)?;
        ensure!(made.report.status() == call.outcome, "{number}: {made:#?}");
        let mut channels = channels
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        channels.push((number, made.report.channel));
        Ok(())
    })?;
    Ok(channels.into_inner().unwrap_or_default())
}

/// The address with which a call is to be reported, without the port.
fn address(call: &SipCall) -> Option<String> {
    let transport = if call.from == OVER_TCP { "TCP" } else { "UDP" };
    call.challenged
        .then(|| format!("IPV4/{transport}/{}/", call.from))
}

fn check(fields: &OutcomeFields, call: &SipCall) -> Result<()> {
    let value = |key| fields.get(key).map_or("", String::as_str);
    let endpoint = format!("PJSIP/{}-", call.endpoint);
    ensure!(value("Channel").starts_with(&endpoint), "{fields:#?}");
    ensure!(value("Outcome") == call.outcome, "{fields:#?}");
    match address(call) {
        None => ensure!(!fields.contains_key("RemoteAddress"), "{fields:#?}"),
        Some(address) => {
            let port = value("RemoteAddress").strip_prefix(&address);
            let port = port.with_context(|| format!("{address}: {fields:#?}"))?;
            ensure!(port.parse::<u16>().is_ok(), "{fields:#?}");
        }
    }
    Ok(())
}

/// The addresses that the real `fail2ban-regex` finds with our filter, and how
/// often.
pub(super) fn banned(pbx: &Pbx, log: &str) -> Result<Vec<String>> {
    let filter = include_str!("../../../packaging/fail2ban/asterisk-authenticate.filter.conf");
    let path = "/etc/fail2ban/filter.d/asterisk-authenticate.conf";
    pbx.write_file(path, filter)?;
    pbx.log()?;
    let found = pbx.exec(&["fail2ban-regex", "--out", "ip", log, path])?;
    let mut found: Vec<String> = found.lines().map(str::to_owned).collect();
    found.sort();
    Ok(found)
}

#[test]
fn address_is_reported_and_banned_only_if_the_phone_has_authenticated() {
    let builder = phones(builder(CONF)).modules("load = res_security_log.so");
    let security = LOGGER.to_owned() + "security.log => security\n";
    on(builder.file("logger.conf", security), |pbx| {
        let mut reader = OutcomeReader::open(pbx)?;
        let events = pbx.manager()?.events();
        let channels = make(pbx, &(0..CALLS.len()).collect::<Vec<_>>())?;
        let (lines, heard) = (lines(pbx)?, reader.events()?);
        ensure!(lines.len() == CALLS.len() && heard.len() == CALLS.len());
        for (number, channel) in &channels {
            let line = super::of_channel(&lines, channel)?;
            ensure!(super::of_channel(&heard, channel)? == line, "{line:#?}");
            check(line, &CALLS[*number])?;
        }

        for log in [LOG, JSON] {
            let found = banned(pbx, log)?;
            ensure!(
                found == [ATTACKER, ATTACKER, OVER_TCP, AT_A_DESK],
                "{log}: {found:?}"
            );
        }
        pbx.write_file("/var/log/asterisk/lines", lines_of_others())?;
        let found = banned(pbx, "/var/log/asterisk/lines")?;
        ensure!(found == ["2001:db8::7"], "{found:?}");
        jail_is_taken(pbx)?;

        // Security events of phones that have entered a PIN.
        let mut reported = BTreeSet::new();
        while let Some(frame) = events.next_before(std::time::Instant::now())? {
            let kind = frame.event().unwrap_or_default().to_owned();
            if frame.has("Service", "Authenticate") {
                let get = |key| frame.get(key).unwrap_or_default().to_owned();
                ensure!(
                    get("LocalAddress").contains("/127.0.0.1/5060"),
                    "{frame:#?}"
                );
                let (session, account) = (get("SessionID"), get("AccountID"));
                reported.insert((session, account, kind, get("RemoteAddress")));
            }
        }
        let wanted = channels.iter().filter_map(|(number, channel)| {
            let line = lines
                .iter()
                .find(|line| line.get("UniqueID") == Some(channel))?;
            let kind = match CALLS[*number].outcome {
                "SUCCESS" => "SuccessfulAuth",
                "TIMEOUT" => return None,
                _ => "InvalidPassword",
            };
            let remote = line.get("RemoteAddress")?.clone();
            let account = CALLS[*number].endpoint.to_owned();
            Some((channel.clone(), account, kind.to_owned(), remote))
        });
        let wanted: BTreeSet<_> = wanted.collect();
        ensure!(reported == wanted, "{reported:#?}\n{wanted:#?}");
        let logged = pbx.exec(&["cat", "/var/log/asterisk/security.log"])?;
        let ours = logged.matches("Service=\"Authenticate\"").count();
        ensure!(
            ours == wanted.len() && !logged.contains("203.0.113.1"),
            "{logged}"
        );
        let printed = pbx.log()?;
        for endpoint in ["anonymous", "open"] {
            let why = format!("no address is reported of endpoint '{endpoint}': no 'auth'");
            ensure!(printed.matches(&why).count() == 1, "{why}: {printed}");
        }
        Ok(())
    });
}

/// Of these lines the first is one of a caller to ban; all others have an address
/// as well.
fn lines_of_others() -> String {
    let date = "[2026-11-22 07:00:00]";
    let line = |head: &str, outcome: &str, more: &str, address: &str| {
        format!(
            "{date} {head} audit.rs: Outcome=\"{outcome}\",PinSet=\"doors\",Identity=\"\",\
             Caller=\"1\",Channel=\"PJSIP/1-00000001\",UniqueID=\"1\",LinkedID=\"1\",\
             Attempts=\"0\"{more},RemoteAddress=\"{address}/5060\"\n"
        )
    };
    let locked = ",LockedBy=\"account\",LockedSeconds=\"by hand\"";
    let (ours, other) = ("AUTHENTICATE[1]", "IPV4/UDP/203.0.113.1");
    let mut text = line(ours, "LOCKED", locked, "IPV6/TLS/2001:db8::7");
    for outcome in ["SUCCESS", "TIMEOUT", "EXPIRED", "HANGUP", "ERROR"] {
        text += &line(ours, outcome, "", other);
    }
    text += &line("VERBOSE[1]", "FAILURE", "", other);
    let behind = format!("VERBOSE[1] pbx.c: x {date} {ours}");
    text + &line(&behind, "FAILURE", "", other)
}

/// The jail is one that `fail2ban` takes.
fn jail_is_taken(pbx: &Pbx) -> Result<()> {
    let jail = include_str!("../../../packaging/fail2ban/asterisk-authenticate.jail.conf");
    pbx.write_file("/etc/fail2ban/jail.d/asterisk-authenticate.conf", jail)?;
    let printed = pbx.exec(&["bash", "-c", "fail2ban-client -d 2>&1"])?;
    for part in [
        "'add', 'asterisk-authenticate'",
        "authenticate.log",
        "'maxretry', 5",
        "IPV[46]",
    ] {
        ensure!(printed.contains(part), "{part}: {printed}");
    }
    ensure!(!printed.contains("ERROR"), "{printed}");
    Ok(())
}

#[test]
fn without_phone_endpoints_no_address_is_reported_or_banned() {
    let builder = phones(builder(
        &CONF.replace("phone_endpoints", ";phone_endpoints"),
    ));
    on(builder, |pbx| {
        let events = pbx.manager()?.events();
        make(pbx, &[0, 2])?;
        let lines = lines(pbx)?;
        ensure!(lines.len() == 2 && lines.iter().all(|line| !line.contains_key("RemoteAddress")));
        ensure!(banned(pbx, LOG)?.is_empty());
        while let Some(frame) = events.next_before(std::time::Instant::now())? {
            ensure!(!frame.has("Service", "Authenticate"), "{frame:#?}");
        }
        Ok(())
    });
}

/// As `logger.conf` may have the date.
#[test]
fn fail2ban_parses_all_date_formats() {
    let builder = phones(builder(&CONF.replace("security_events = yes", "")));
    on(builder, |pbx| {
        let conf = |format: &str, name: &str| {
            LOGGER
                .replace("dateformat = %F %T.%3q\n", format)
                .replace("authenticate.", &format!("{name}."))
        };
        let formats = [
            "",
            "dateformat = %F %T\n",
            "dateformat = %F %T.%6q\n",
            "dateformat = %FT%T%z\n",
        ];
        for (number, format) in formats.iter().enumerate() {
            let name = format!("of-format-{number}");
            pbx.write_file("/etc/asterisk/logger.conf", conf(format, &name))?;
            pbx.manager()?.command("logger reload")?;
            let events = pbx.manager()?.events();
            make(pbx, &[0, 3])?;
            for kind in ["log", "json"] {
                let log = format!("/var/log/asterisk/{name}.{kind}");
                let outside = pbx.outside(&log).context("no log")?;
                eventually("two lines", || {
                    let text = std::fs::read_to_string(&outside)?;
                    Ok(text.matches("Outcome=").count() == 2)
                })?;
                let found = banned(pbx, &log)?;
                ensure!(found == [ATTACKER], "{format}, {kind}: {found:?}");
            }
            while let Some(frame) = events.next_before(std::time::Instant::now())? {
                // Not asked for.
                ensure!(!frame.has("Service", "Authenticate"), "{frame:#?}");
            }
        }
        Ok(())
    });
}
