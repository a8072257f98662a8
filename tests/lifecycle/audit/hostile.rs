//! Callers can't forge a line or a field by their number, name or destination.

use std::fs;

use anyhow::{ensure, Context, Result};
use harness::{Call, Pbx};

use super::{builder, lines, of_channel, parse_text, OutcomeFields, OutcomeReader, JSON};
use crate::support::{on, side_by_side};

/// Lines that an attacker would like to forge: a ban, or an admission.
const FORGED: &[u8] =
    b"\",RemoteAddress=\"IPV4/UDP/203.0.113.1/5060\"\n[2026-11-22 07:00:00] AUTHENTICATE[1] audit.rs: \
      Outcome=\"FAILURE\",PinSet=\"\",Attempts=\"3\",RemoteAddress=\"IPV4/UDP/203.0.113.1/5060\"";

const HOSTILE: [&[u8]; 14] = [
    FORGED,
    b"\"",
    b"\\",
    b"\\x22,RemoteAddress=",
    b"1\r\nEvent: AuthenticateSuccess\r\nOutcome: SUCCESS\r\n\r\n",
    b"\n\n",
    b"\x1b[2J\x1b[31mOutcome=\"SUCCESS\"\x1b]0;title\x07",
    b"\xc2\x9b2J",
    b"\xff\xfe\x80\xc3",
    b"\xed\xa0\x80\xc0\xaf",
    b"\xe2\x80\xae4321\xe2\x80\xa8",
    b"%s%n${SHELL(id)}$[1+1]",
    &[b'9'; 250],
    &[b'\n'; 250],
];

/// What a value was before it was escaped.
fn unescaped(value: &str) -> Result<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), value);
    while let Some((plain, escape)) = rest.split_once("\\x") {
        bytes.extend(plain.as_bytes());
        let (digits, after) = escape.split_at_checked(2).context("a cut escape")?;
        bytes.push(u8::from_str_radix(digits, 16)?);
        rest = after;
    }
    ensure!(!rest.contains('\\'), "{value}");
    bytes.extend(rest.as_bytes());
    Ok(bytes)
}

/// As the function `CALLERID` takes it: without blanks, and what it takes for
/// them, at its ends.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [0..=b' ', rest @ ..] | [rest @ .., 0..=b' '] = value {
        value = rest;
    }
    value
}

fn value<'a>(fields: &'a OutcomeFields, key: &str) -> Result<&'a str> {
    fields
        .get(key)
        .map(String::as_str)
        .with_context(|| format!("no {key}: {fields:#?}"))
}

#[test]
fn hostile_values_forge_no_audit_line() {
    on(builder(""), |pbx| {
        let mut reader = OutcomeReader::open(pbx)?;
        let channels = std::sync::Mutex::new(Vec::new());
        side_by_side(HOSTILE.len(), 6, |number| {
            let call = Call::new("1234,q,4,&").keys("<now>0000<hangup>");
            let call = call
                .variable("CALLERID(num)", HOSTILE[number])
                .variable("CALLERID(name)", HOSTILE[HOSTILE.len() - 1 - number]);
            let report = pbx.call(&call)?;
            let mut channels = channels
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            channels.push((number, report.channel));
            Ok(())
        })?;
        let channels = channels.into_inner().unwrap_or_default();
        // What is dialled may name the PIN set, or the file.
        let names = [
            "pinset:a\"b\nOutcome=\"SUCCESS\"",
            "/pins/a\"b\x1b[2J\n[",
            "pinset:%s%n\\",
        ];
        for name in names {
            pbx.call(&Call::new(name).keys("<hangup>"))?;
        }
        // And Originate the number.
        let call = Call::new("1234,q,4,&").keys("<now><hangup>");
        pbx.call(&call.caller("\"\x1b[2J\\\" Outcome\" <+1\"\\\x1b5>"))?;

        let (lines, events) = (lines(pbx)?, reader.events()?);
        ensure!(lines.len() == HOSTILE.len() + names.len() + 1, "{lines:#?}");
        for (number, channel) in channels {
            let line = of_channel(&lines, &channel)?;
            ensure!(of_channel(&events, &channel)? == line, "{line:#?}");
            ensure!(value(line, "Outcome")? == "HANGUP", "{line:#?}");
            let sent = trimmed(HOSTILE[number]);
            let fields = unescaped(value(line, "Caller")?)?;
            // What is too long is cut.
            ensure!(sent.starts_with(&fields), "{number}: {line:#?}");
            ensure!(
                fields == sent || sent.len() * 4 > 256,
                "{number}: {line:#?}"
            );
        }
        for line in &lines {
            ensure!(!line.contains_key("RemoteAddress"), "{line:#?}");
            ensure!(
                ["HANGUP", "ERROR"].contains(&value(line, "Outcome")?),
                "{line:#?}"
            );
        }
        ensure!(as_json(pbx)? == lines);
        Ok(())
    });
}

/// What the log says that is kept as JSON.
fn as_json(pbx: &Pbx) -> Result<Vec<OutcomeFields>> {
    let text = fs::read_to_string(pbx.outside(JSON).context("no log")?)?;
    let own = text.lines().filter(|line| line.starts_with('{'));
    own.map(|line| {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let message = line["logmsg"]["message"].as_str().context("no message")?;
        parse_text(message.trim_end())
    })
    .collect()
}
