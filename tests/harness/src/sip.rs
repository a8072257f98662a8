//! A call from a real phone: `sipp` against `chan_pjsip`, the keys as RFC 4733
//! events in RTP.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use serde::Serialize;

use crate::call::Call;
use crate::config::PHONES;
use crate::keys::{Keys, Step};
use crate::ongoing::Ongoing;
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
}

impl Default for Phone {
    fn default() -> Self {
        Self {
            address: "127.0.0.1".into(),
            name: String::new(),
            number: "5551234".into(),
            tcp: false,
        }
    }
}

impl Pbx {
    /// Calls an extension of the phones' context (`Builder::phone_extension`)
    /// with a real SIP phone and keys `keys`: groups of digits with a
    /// pause before each. One call of an extension at a time.
    pub fn sip_call(&self, extension: &str, keys: &str) -> Result<SipOutcome> {
        self.sip_call_by(&Phone::default(), extension, keys)
    }

    /// The same with a phone of one's choice.
    pub fn sip_call_by(&self, by: &Phone, extension: &str, keys: &str) -> Result<SipOutcome> {
        let scenario = scenario(by, &keys.parse()?)?;
        let name = format!("sipp-{}", self.next_number());
        let dir = format!("/harness/{name}");
        self.write_file(&format!("{dir}/scenario.xml"), scenario)?;

        let ami = self.manager()?;
        let events = ami.events();
        let (address, transport) = (&by.address, if by.tcp { "t1" } else { "u1" });
        let script = format!(
            "cd {dir} && exec sipp 127.0.0.1:5060 -sf scenario.xml -s {extension} -i {address} \
             -t {transport} -m 1 -nostdin -timeout {}s >screen 2>errors",
            DEADLINE.as_secs()
        );
        let mut phone = self
            .exec_command(&[], &["bash", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("can't run the engine's exec")?;

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
                let said = self.exec(&["cat", &format!("{dir}/errors"), &format!("{dir}/screen")]);
                let said = said.unwrap_or_default();
                return Err(error.context(format!("sipp could not call:\n{said}")));
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
    for (number, group) in keys.groups.iter().enumerate() {
        let mut digits = String::new();
        for step in &group.steps {
            match step {
                Step::Press(key) => digits.push(*key),
                other => bail!("a SIP phone can only key: {other:?}"),
            }
        }
        let label = number + 2;
        steps.push_str(&format!(
            "<recv request=\"BYE\" timeout=\"{}\" ontimeout=\"{label}\" next=\"1\"/>\n\
             <label id=\"{label}\"/>\n",
            pause.as_millis()
        ));
        pause = PAUSE + KEY_TIME * u32::try_from(digits.len())?;
        if !digits.is_empty() {
            steps.push_str(&format!(
                "<nop><action><exec play_dtmf=\"{digits}\"/></action></nop>\n"
            ));
        }
    }
    let scenario = SCENARIO.replace("KEYS\n", &steps);
    Ok(scenario
        .replace("NAME", &by.name)
        .replace("NUMBER", &by.number))
}

/// The offer names telephone-event as payload type 96, which is what `sipp`
/// sends.
const SCENARIO: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a caller with a keypad">
<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: NAME<sip:NUMBER@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
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
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: NAME<sip:NUMBER@[local_ip]:[local_port]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
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
    use super::{scenario, Phone};

    #[test]
    fn each_group_is_keyed_unless_the_pbx_hangs_up() -> anyhow::Result<()> {
        let phone = Phone::default();
        let text = scenario(&phone, &"12# 34#".parse()?)?;
        assert_eq!(text.matches("next=\"1\"").count(), 2);
        assert!(text.contains("<exec play_dtmf=\"34#\"/>"));
        assert!(text.contains("From: <sip:5551234@"));
        assert!(!text.contains("KEYS"));
        assert!(scenario(&phone, &"1<hangup>".parse()?).is_err());
        Ok(())
    }
}
