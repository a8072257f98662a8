//! A call from a real phone: `sipp` against `chan_pjsip`.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use serde::Serialize;

use crate::call::Call;
use crate::config::PHONES;
use crate::keys::{Group, Keys, Step};
use crate::live_call::Ongoing;
use crate::pbx::Pbx;
use crate::report::Report;

/// How long the phone waits before each group of keys. `sipp` does not hear
/// the prompts.
const PAUSE: Duration = Duration::from_millis(1500);

/// How long `sipp` takes for a key: 200 ms of tone, 200 ms of none. It does
/// not wait for their end itself, and new keys would cut off the old.
const KEY_TIME: Duration = Duration::from_millis(400);

/// How long a SIP call may take.
const DEADLINE: Duration = Duration::from_secs(90);

/// How a phone tells which key is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// As events in RTP.
    Rfc4733,
    /// As SIP requests.
    Info,
    /// As tones: 100 ms, and 100 ms of silence.
    InBand,
}

/// What became of a SIP call.
#[derive(Debug, Serialize)]
pub struct SipOutcome {
    /// What Asterisk saw; the keys are those that arrived.
    pub report: Report,
    /// Whether `sipp` saw the call go as a call should: answered, and ended
    /// by the PBX.
    pub phone_satisfied: bool,
}

/// A SIP phone.
#[derive(Debug, Clone)]
pub struct Phone {
    /// The address it calls from, one of the loopback's.
    pub address: String,
    /// What stands in front of `<` in its `From`, as it is sent.
    pub name: String,
    /// The user part of its `From`, as it is sent.
    pub number: String,
    /// Whether it calls over TCP.
    pub tcp: bool,
    /// Its password, if it is challenged; its user is its number.
    pub password: Option<String>,
    /// Whether it acknowledges the answer. One that calls from an address that is
    /// not its own can't.
    pub acks: bool,
    /// How it tells which key is pressed.
    pub signal: Signal,
}

impl Phone {
    /// One that tells its keys so: the PBX knows it by its number.
    pub fn keying(signal: Signal) -> Self {
        let number = match signal {
            Signal::Rfc4733 => "5551234",
            Signal::Info => "info",
            Signal::InBand => "inband",
        };
        Self {
            address: "127.0.0.1".into(),
            name: String::new(),
            number: number.into(),
            tcp: false,
            password: None,
            acks: true,
            signal,
        }
    }
}

impl Default for Phone {
    fn default() -> Self {
        Self::keying(Signal::Rfc4733)
    }
}

impl Pbx {
    /// Calls an extension of the phones' context (`Builder::phone_extension`)
    /// with a real SIP phone and keys `keys`: groups of digits with a
    /// pause before each that is not `<now>`. One call of an extension at a time.
    pub fn sip_call(&self, extension: &str, keys: &str) -> Result<SipOutcome> {
        self.sip_call_by(&Phone::default(), extension, keys)
    }

    /// The same with a phone of one's choice.
    pub fn sip_call_by(&self, by: &Phone, extension: &str, keys: &str) -> Result<SipOutcome> {
        let keys: Keys = keys.parse()?;
        let scenario = scenario(by, &keys)?;
        let name = format!("sipp-{}", self.next_number());
        let dir = format!("/harness/{name}");
        self.write_file(&format!("{dir}/scenario.xml"), scenario)?;
        if by.signal == Signal::InBand {
            for (number, group) in keys.groups.iter().enumerate() {
                let tones = tones(&digits(group)?);
                self.write_file(&format!("{dir}/{}", sound_of(number)), tones)?;
            }
        }

        let ami = self.manager()?;
        let events = ami.events();
        let (address, transport) = (&by.address, if by.tcp { "t1" } else { "u1" });
        let script = format!(
            "cd {dir} && exec sipp 127.0.0.1:5060 -sf scenario.xml -s {extension} -i {address} \
             -t {transport} -m 1 -nostdin -timeout {}s >screen 2>errors",
            DEADLINE.as_secs()
        );
        let mut phone = self
            .exec_command(&["bash", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("can't run a command inside")?;

        let begin = events.wait("SIP call", Duration::from_secs(20), |frame| {
            frame.event() == Some("Newchannel")
                && frame.has("Context", PHONES)
                && frame.has("Exten", extension)
        });
        let begin = match begin {
            Ok(begin) => begin,
            Err(error) => {
                phone.kill()?;
                phone.wait()?;
                let printed =
                    self.exec(&["cat", &format!("{dir}/errors"), &format!("{dir}/screen")]);
                let printed = printed.unwrap_or_default();
                return Err(error.context(format!("sipp could not call:\n{printed}")));
            }
        };
        let channel = begin.get("Uniqueid").context("a channel without an id")?;
        let ids = (channel.to_owned(), channel.to_owned());
        let call = Call::to(PHONES, extension);
        let mut ongoing = Ongoing::new(self, ami, events, ids, &call)?;
        ongoing.take(&begin)?;
        let report = ongoing.finish();
        let status = phone.wait()?;
        Ok(SipOutcome {
            report: report?,
            phone_satisfied: status.success(),
        })
    }
}

/// A phone that calls, keys, and waits for the PBX to hang up. Its pauses are
/// spent waiting for that, too.
fn scenario(by: &Phone, keys: &Keys) -> Result<String> {
    let mut steps = String::new();
    let mut pause = PAUSE;
    let mut infos = 0;
    let mut label = 1;
    let mut wait = |time: Duration| {
        label += 1;
        format!(
            "<recv request=\"BYE\" timeout=\"{}\" ontimeout=\"{label}\" next=\"1\"/>\n\
             <label id=\"{label}\"/>\n",
            time.as_millis()
        )
    };
    for (number, group) in keys.groups.iter().enumerate() {
        let digits = digits(group)?;
        if !group.now {
            steps.push_str(&wait(pause));
        }
        pause = PAUSE + KEY_TIME * u32::try_from(digits.len())?;
        if digits.is_empty() {
            continue;
        }
        let exec = match by.signal {
            Signal::Rfc4733 => format!("play_dtmf=\"{digits}\""),
            Signal::InBand => format!("rtp_stream=\"{},1,0,PCMU/8000\"", sound_of(number)),
            Signal::Info => {
                for (nth, key) in digits.chars().enumerate() {
                    // Asterisk's core holds back digits that come faster than
                    // anybody presses keys.
                    if nth > 0 && !group.now {
                        steps.push_str(&wait(KEY_TIME));
                    }
                    infos += 1;
                    let info = INFO.replace("KEY", &key.to_string());
                    steps.push_str(&info.replace("SEQUENCE", &(infos + 1).to_string()));
                }
                pause = PAUSE;
                continue;
            }
        };
        steps.push_str(&format!("<nop><action><exec {exec}/></action></nop>\n"));
    }
    let invite = |sequence: &str, credentials: &str| {
        INVITE
            .replace("SEQUENCE", sequence)
            .replace("CREDENTIALS\n", credentials)
    };
    let call = match &by.password {
        None => invite("1", ""),
        Some(password) => {
            let credentials = format!(
                "[authentication username={} password={password}]\n",
                by.number
            );
            invite("1", "") + CHALLENGED + &invite("2", &credentials)
        }
    };
    let last = if by.password.is_some() { "2" } else { "1" };
    let ack = if by.acks {
        ACK.replace("SEQUENCE", last)
    } else {
        String::new()
    };
    let scenario = SCENARIO
        .replace("ACK\n", &ack)
        .replace("CALL\n", &call)
        .replace("KEYS\n", &steps);
    Ok(scenario
        .replace("NAME", &by.name)
        .replace("NUMBER", &by.number))
}

/// The keys of a group.
fn digits(group: &Group) -> Result<String> {
    let keys = group.steps.iter().map(|step| match step {
        Step::Press(key) => Ok(*key),
        other => bail!("a SIP phone can only key: {other:?}"),
    });
    keys.collect()
}

/// The file with the tones of a group.
fn sound_of(group: usize) -> String {
    format!("keys-{group}.ulaw")
}

/// What is heard when these keys are pressed: µ-law, 8000 samples a second.
fn tones(digits: &str) -> Vec<u8> {
    const KEYS: &str = "123A456B789C*0#D";
    const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
    const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
    let mut sound = Vec::new();
    for key in digits.chars() {
        let place = KEYS.find(key).unwrap_or_default();
        let (row, column) = (ROWS[place / 4], COLUMNS[place % 4]);
        for sample in 0..800 {
            let angle = f64::from(sample) / 8000.0 * std::f64::consts::TAU;
            let level = (row * angle).sin() + (column * angle).sin();
            sound.push(ulaw((level * 7000.0) as i16));
        }
        sound.extend([ulaw(0); 800]);
    }
    sound.extend([ulaw(0); 1600]);
    sound
}

/// ITU-T G.711.
fn ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let level = sample.unsigned_abs().min(32635) + 132;
    let exponent = 8 - level.leading_zeros() as u8;
    let mantissa = (level >> (exponent + 3)) as u8 & 0x0f;
    !(sign | (exponent << 4) | mantissa)
}

/// A key as a request: RFC 6086, in the form phones use.
const INFO: &str = r#"<send retrans="500"><![CDATA[
INFO [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: NAME<sip:NUMBER@[local_ip]:[local_port]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: SEQUENCE INFO
Max-Forwards: 70
Content-Type: application/dtmf-relay
Content-Length: [len]

Signal=KEY
Duration=160
]]></send>
<recv response="200"/>
"#;

/// A call. The offer names telephone-event as payload type 96, which is what
/// `sipp` sends.
const INVITE: &str = r#"<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: NAME<sip:NUMBER@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: SEQUENCE INVITE
CREDENTIALS
Contact: <sip:phone@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=phone 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 96
a=rtpmap:0 PCMU/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-16
]]></send>
"#;

/// The answer is a challenge: no dialog, and its end.
const CHALLENGED: &str = r#"<recv response="401" auth="true"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
From: NAME<sip:NUMBER@[local_ip]:[local_port]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
"#;

const ACK: &str = r#"<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: NAME<sip:NUMBER@[local_ip]:[local_port]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: SEQUENCE ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
"#;

const SCENARIO: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a caller with a keypad">
CALL
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
ACK
KEYS
<recv request="BYE"/>
<label id="1"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"#;

#[cfg(test)]
mod tests {
    use super::{scenario, tones, ulaw, Phone, Signal};

    #[test]
    fn groups_are_sent_until_the_pbx_hangs_up() -> anyhow::Result<()> {
        let phone = Phone::default();
        let text = scenario(&phone, &"12# 34#".parse()?)?;
        assert_eq!(text.matches("next=\"1\"").count(), 2);
        assert!(text.contains("<exec play_dtmf=\"34#\"/>"));
        assert!(text.contains("From: <sip:5551234@"));
        assert!(!text.contains("KEYS"));
        assert!(scenario(&phone, &"1<hangup>".parse()?).is_err());
        let text = scenario(&Phone::keying(Signal::Info), &"12# 3".parse()?)?;
        assert!(text.contains("CSeq: 5 INFO") && text.contains("Signal=3\n"));
        assert!(text.contains("sip:info@"));
        Ok(())
    }

    /// G.711's own table of decision values.
    #[test]
    fn samples_are_encoded_as_g711() {
        let known = [
            (0, 0xff),
            (-1, 0x7f),
            (32635, 0x80),
            (-32768, 0x00),
            (1000, 0xce),
        ];
        for (sample, code) in known {
            assert_eq!(ulaw(sample), code, "{sample}");
        }
        assert_eq!(tones("1#").len(), 2 * 1600 + 1600);
    }
}
