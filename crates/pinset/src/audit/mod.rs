//! The outcome of a call, for the audit log and the AMI event; and changes by
//! administrators.
//!
//! All fields but the outcome may be chosen by the caller. Whatever they contain, they can
//! neither begin another field or line, nor control a terminal.

pub mod change;
pub mod stats;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::call::arguments::Credential;
use crate::call::dialog::Status;
use crate::escape::escape_audit_value;
use crate::lockout::Kind;

/// The transport of a phone's messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// UDP; also if nothing says how.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// A WebSocket.
    Ws,
    /// A WebSocket over TLS.
    Wss,
}

impl Transport {
    /// What a SIP URI says of it: its parameter `transport`, or `sips:`.
    pub fn of_uri(uri: &[u8]) -> Self {
        let uri = uri.to_ascii_lowercase();
        let named = uri.split(|byte| b";?>".contains(byte)).find_map(|part| {
            Some(match part.strip_prefix(b"transport=")? {
                b"tcp" => Self::Tcp,
                b"tls" => Self::Tls,
                b"ws" => Self::Ws,
                b"wss" => Self::Wss,
                _ => Self::Udp,
            })
        });
        let secure = uri.trim_ascii_start().starts_with(b"sips:");
        match named {
            Some(Self::Tcp) | None if secure => Self::Tls,
            named => named.unwrap_or(Self::Udp),
        }
    }
}

/// Where a phone's messages come from, `IPV4/UDP/192.0.2.7/5060` as in
/// Asterisk's security events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remote {
    /// The address; one of IPv4 is never in IPv6's clothes.
    pub address: SocketAddr,
    /// The transport.
    pub transport: Transport,
}

impl Remote {
    /// Parses `192.0.2.7:5060` or `[2001:db8::7]:5060`. Returns `None` if it is no
    /// address, or not one a phone can have.
    pub fn new(address: &str, transport: Transport) -> Option<Self> {
        let address: SocketAddr = address.parse().ok()?;
        let canonical = address.ip().to_canonical();
        (!canonical.is_unspecified()).then(|| Self {
            address: SocketAddr::new(canonical, address.port()),
            transport,
        })
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.address.ip() {
            IpAddr::V4(_) => "IPV4",
            IpAddr::V6(_) => "IPV6",
        };
        let transport = match self.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        };
        let (address, port) = (self.address.ip(), self.address.port());
        write!(f, "{family}/{transport}/{address}/{port}")
    }
}

/// One run of `Authenticate` and how it came out.
#[derive(Clone, Debug)]
pub struct AuditRecord<'a> {
    /// The verdict.
    pub outcome: Status,
    /// The PIN set, or [`name_of`] what takes its place.
    pub pin_set: &'a str,
    /// The account, as far as it is known; never the digits that were
    /// entered for one.
    pub identity: &'a [u8],
    /// The caller number; the caller name is not reported.
    pub caller: &'a [u8],
    /// The channel's name.
    pub channel: &'a [u8],
    /// The channel's unique id.
    pub unique_id: &'a [u8],
    /// The id that it shares with all channels of the call.
    pub linked_id: &'a [u8],
    /// How many entries were verified.
    pub attempts: u32,
    /// What is locked, and for how long. `None` of the time: until it is
    /// unlocked by hand.
    pub locked: Option<(Kind, Option<Duration>)>,
    /// The caller's own address, if it is known to be that.
    pub remote: Option<Remote>,
}

/// A field of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name in the audit line.
    pub key: &'static str,
    /// Its name in the AMI event, in the style of Asterisk's own events.
    pub header: &'static str,
    /// The value, escaped by [`escape_audit_value`].
    pub value: String,
}

impl AuditRecord<'_> {
    /// The manager's event for it.
    pub fn event(&self) -> &'static str {
        match self.outcome {
            Status::Success => "AuthenticateSuccess",
            Status::Locked => "AuthenticateLocked",
            Status::Failure
            | Status::Timeout
            | Status::Expired
            | Status::Hangup
            | Status::Error => "AuthenticateFailure",
        }
    }

    /// Returns the fields of the record, always in this order.
    pub fn fields(&self) -> Vec<Field> {
        let field = |key, header, value| Field { key, header, value };
        let mut fields = vec![
            field("Outcome", "Outcome", self.outcome.word().to_owned()),
            field(
                "PinSet",
                "PinSet",
                escape_audit_value(self.pin_set.as_bytes()),
            ),
            field("Identity", "Identity", escape_audit_value(self.identity)),
            field("Caller", "CallerIDNum", escape_audit_value(self.caller)),
            field("Channel", "Channel", escape_audit_value(self.channel)),
            field("UniqueID", "Uniqueid", escape_audit_value(self.unique_id)),
            field("LinkedID", "Linkedid", escape_audit_value(self.linked_id)),
            field("Attempts", "Attempts", self.attempts.to_string()),
        ];
        if let Some((by, left)) = self.locked {
            let left = left.map(whole_seconds);
            let left = left.map_or("by hand".to_owned(), |seconds| seconds.to_string());
            fields.push(field("LockedBy", "LockedBy", by.word().to_owned()));
            fields.push(field("LockedSeconds", "LockedSeconds", left));
        }
        if let Some(remote) = &self.remote {
            fields.push(field("RemoteAddress", "RemoteAddress", remote.to_string()));
        }
        fields
    }
}

/// Returns the outcome as a sentence for the console: `PJSIP/trunk-1a: Authenticate
/// FAILURE: 'customers': no row for +905060508169, attempts: 3`. `reason` is why the
/// last attempt did not admit, and `number` the caller number as it is compared.
/// Neither it nor the rest holds a digit that was entered.
pub fn sentence(record: &AuditRecord<'_>, reason: Option<&str>, number: Option<&str>) -> String {
    let reason = reason.map(|reason| escape_audit_value(reason.as_bytes()));
    let why = match record.outcome {
        Status::Success if record.identity.is_empty() => "admitted".to_owned(),
        Status::Success => format!(
            "admitted, account '{}'",
            escape_audit_value(record.identity)
        ),
        Status::Timeout => "no digits entered".to_owned(),
        Status::Hangup => with("the caller has hung up", reason),
        Status::Locked => with(&locked(record.locked, number), reason),
        Status::Failure => reason.unwrap_or_else(|| "wrong PIN".to_owned()),
        Status::Expired => reason.unwrap_or_else(|| "right PIN, but not valid now".to_owned()),
        Status::Error => reason.unwrap_or_else(|| "the log says why".to_owned()),
    };
    let (channel, name) = (
        escape_audit_value(record.channel),
        escape_audit_value(record.pin_set.as_bytes()),
    );
    let name = match name.as_str() {
        "" => String::new(),
        name => format!("'{name}': "),
    };
    format!(
        "{channel}: Authenticate {}: {name}{why}, attempts: {}",
        record.outcome.word(),
        record.attempts
    )
}

fn with(what: &str, reason: Option<String>) -> String {
    reason.map_or_else(|| what.to_owned(), |reason| format!("{what}; {reason}"))
}

/// Says what is locked, and for how long.
fn locked(lock: Option<(Kind, Option<Duration>)>, number: Option<&str>) -> String {
    let Some((kind, left)) = lock else {
        return "locked out".to_owned();
    };
    let what = match (kind, number) {
        (Kind::Caller, Some(number)) => format!("caller {}", escape_audit_value(number.as_bytes())),
        (Kind::Caller, None) => "caller".to_owned(),
        (Kind::Account, _) => "account".to_owned(),
        (Kind::PinSet, _) => "PIN set".to_owned(),
    };
    match left {
        Some(left) => format!("{what} is locked for {} s", whole_seconds(left)),
        None => format!("{what} is locked until 'authenticate unlock'"),
    }
}

/// A time in seconds, rounded up.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// `Outcome="FAILURE",PinSet="customers",…`: the log's line.
pub fn line(fields: &[Field]) -> String {
    let fields = fields
        .iter()
        .map(|field| format!("{}=\"{}\"", field.key, field.value));
    fields.collect::<Vec<_>>().join(",")
}

/// Stands for a PIN set's name where there is none: a file's path,
/// `astdb:/FAMILY`, `literal@CONTEXT` (that of the dialplan).
pub fn name_of(credential: &Credential, context: &[u8]) -> String {
    let text = String::from_utf8_lossy;
    match credential {
        Credential::Literal(_) => format!("literal@{}", text(context)),
        Credential::PlainFile(path) | Credential::Md5File(path) => text(path).into_owned(),
        Credential::Family { name, .. } => format!("astdb:/{}", text(name)),
        Credential::PinSet(name) => name.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests;
