use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::escape::MAX_AUDIT_VALUE_BYTES;

const RECORD: AuditRecord<'_> = AuditRecord {
    outcome: Status::Failure,
    pin_set: "customers",
    identity: b"alice",
    caller: b"+905060508169",
    channel: b"PJSIP/trunk-0000001a",
    unique_id: b"1790000000.12",
    linked_id: b"1790000000.11",
    attempts: 3,
    locked: None,
    remote: None,
};

#[test]
fn audit_line_has_the_known_fields_in_fixed_order() {
    assert_eq!(
        line(&RECORD.fields()),
        "Outcome=\"FAILURE\",PinSet=\"customers\",Identity=\"alice\",Caller=\"+905060508169\",\
         Channel=\"PJSIP/trunk-0000001a\",UniqueID=\"1790000000.12\",LinkedID=\"1790000000.11\",\
         Attempts=\"3\""
    );
    let locked = AuditRecord {
        outcome: Status::Locked,
        identity: b"",
        locked: Some((Kind::Caller, Some(Duration::from_millis(1_799_001)))),
        remote: Remote::new("192.0.2.7:5060", Transport::Tls),
        ..RECORD
    };
    let event = line(&locked.fields());
    assert!(event.contains("Outcome=\"LOCKED\""), "{event}");
    assert!(event.contains("Identity=\"\""), "{event}");
    assert!(
        event.ends_with(
            ",Attempts=\"3\",LockedBy=\"caller\",LockedSeconds=\"1800\",\
             RemoteAddress=\"IPV4/TLS/192.0.2.7/5060\""
        ),
        "{event}"
    );
    for (by, word) in [(Kind::Account, "account"), (Kind::PinSet, "pinset")] {
        let locked = AuditRecord {
            locked: Some((by, None)),
            ..RECORD
        };
        let end = format!(",LockedBy=\"{word}\",LockedSeconds=\"by hand\"");
        assert!(line(&locked.fields()).ends_with(&end));
    }
}

#[test]
fn event_has_the_headers_of_asterisks_own() {
    let headers: Vec<_> = RECORD.fields().iter().map(|field| field.header).collect();
    let wanted = [
        "Outcome",
        "PinSet",
        "Identity",
        "CallerIDNum",
        "Channel",
        "Uniqueid",
        "Linkedid",
        "Attempts",
    ];
    assert_eq!(headers, wanted);
    for (outcome, event) in Status::ALL.into_iter().map(|outcome| {
        let record = AuditRecord { outcome, ..RECORD };
        (outcome, record.event())
    }) {
        let wanted = match outcome {
            Status::Success => "AuthenticateSuccess",
            Status::Locked => "AuthenticateLocked",
            _ => "AuthenticateFailure",
        };
        assert_eq!(event, wanted);
    }
}

#[test]
fn values_never_break_out_of_their_quotes() {
    for (value, text) in [
        ("+90 (506) 050", "+90 (506) 050"),
        ("Ayşe Çelik 東京", "Ayşe Çelik 東京"),
        ("a\"b", "a\\x22b"),
        ("a\\x22", "a\\x5Cx22"),
        ("a\r\nb\0", "a\\x0D\\x0Ab\\x00"),
        ("\x1b[31m", "\\x1B[31m"),
        ("\x7f\t", "\\x7F\\x09"),
        // C1 controls, which some terminals take for ESC [.
        ("\u{9b}2J\u{85}", "\\xC2\\x9B2J\\xC2\\x85"),
        // Right to left, invisible, line separators, marks that combine.
        ("\u{202e}\u{2066}", "\\xE2\\x80\\xAE\\xE2\\x81\\xA6"),
        (
            "\u{200b}\u{feff}\u{ad}",
            "\\xE2\\x80\\x8B\\xEF\\xBB\\xBF\\xC2\\xAD",
        ),
        (
            "\u{2028}\u{2029}\u{a0}",
            "\\xE2\\x80\\xA8\\xE2\\x80\\xA9\\xC2\\xA0",
        ),
        ("e\u{301}", "e\\xCC\\x81"),
        ("\u{e0041}\u{e000}", "\\xF3\\xA0\\x81\\x81\\xEE\\x80\\x80"),
    ] {
        assert_eq!(escape_audit_value(value.as_bytes()), text, "{value:?}");
    }
    assert_eq!(
        escape_audit_value(b"a\xff\xc3b\xe2\x82"),
        "a\\xFF\\xC3b\\xE2\\x82"
    );
}

#[test]
fn long_values_are_cut_between_characters() {
    assert_eq!(escape_audit_value(&[b'a'; 1000]), "a".repeat(256));
    assert_eq!(escape_audit_value(&[b'"'; 1000]), "\\x22".repeat(64));
    let text = format!("{}é", "a".repeat(255));
    assert_eq!(escape_audit_value(text.as_bytes()), "a".repeat(255));
    let text = format!("{}\n", "a".repeat(254));
    assert_eq!(escape_audit_value(text.as_bytes()), "a".repeat(254));
    // Nothing that would fit again is behind what did not.
    let text = format!("{}\nb", "a".repeat(254));
    assert_eq!(escape_audit_value(text.as_bytes()), "a".repeat(254));
}

#[test]
fn addresses_are_shown_as_in_security_events() {
    let shown =
        |address: &str, transport| Remote::new(address, transport).map(|remote| remote.to_string());
    let some = |text: &str| Some(text.to_owned());
    for (address, text) in [
        ("192.0.2.7:5060", some("IPV4/UDP/192.0.2.7/5060")),
        ("[2001:db8::7]:5060", some("IPV6/UDP/2001:db8::7/5060")),
        ("[::ffff:192.0.2.7]:5060", some("IPV4/UDP/192.0.2.7/5060")),
        ("0.0.0.0:5060", None),
        ("[::]:5060", None),
        ("192.0.2.7", None),
        ("phone.example:5060", None),
        ("192.0.2.7:5060\",x=\"", None),
        ("", None),
    ] {
        assert_eq!(shown(address, Transport::Udp), text, "{address}");
    }
    for (transport, word) in [
        (Transport::Tcp, "TCP"),
        (Transport::Tls, "TLS"),
        (Transport::Ws, "WS"),
        (Transport::Wss, "WSS"),
    ] {
        let text = format!("IPV4/{word}/192.0.2.7/1");
        assert_eq!(shown("192.0.2.7:1", transport), Some(text));
    }
}

#[test]
fn transport_is_that_of_the_uri() {
    for (uri, transport) in [
        ("sip:1@192.0.2.7:5060", Transport::Udp),
        ("sip:1@192.0.2.7:5060;transport=UDP", Transport::Udp),
        ("sip:1@192.0.2.7:5060;transport=TCP;ob", Transport::Tcp),
        ("<sip:1@192.0.2.7;ob;transport=tls>", Transport::Tls),
        ("sip:1@x.invalid;transport=ws", Transport::Ws),
        ("sip:1@x.invalid;transport=WSS", Transport::Wss),
        ("sips:1@192.0.2.7", Transport::Tls),
        ("sips:1@192.0.2.7;transport=tcp", Transport::Tls),
        ("sip:1@192.0.2.7;transport=pigeon", Transport::Udp),
        ("sip:1@192.0.2.7;xtransport=tcp", Transport::Udp),
        ("", Transport::Udp),
    ] {
        assert_eq!(Transport::of_uri(uri.as_bytes()), transport, "{uri}");
    }
}

#[test]
fn calls_without_a_pin_set_have_a_name() {
    let family = Credential::Family {
        name: b"doors/1".to_vec(),
        one_time: false,
    };
    for (credential, name) in [
        (
            Credential::Literal(Zeroizing::new(b"1234".to_vec())),
            "literal@from-trunk",
        ),
        (Credential::PlainFile(b"/pins/a".to_vec()), "/pins/a"),
        (Credential::Md5File(b"/pins/b".to_vec()), "/pins/b"),
        (family, "astdb:/doors/1"),
        (Credential::PinSet("Customers".into()), "customers"),
    ] {
        assert_eq!(name_of(&credential, b"from-trunk"), name);
    }
}

/// The fields of a line: what stands between one `"` and the next is a value.
fn read(line: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = line.split('"').collect();
    let fields = parts.chunks_exact(2).map(|pair| {
        let key = pair[0].trim_start_matches(',').trim_end_matches('=');
        (key, pair[1])
    });
    fields.collect()
}

proptest! {
    #[test]
    fn caller_input_stays_inside_its_value(
        caller in proptest::collection::vec(any::<u8>(), 0..300),
        channel in "[\\PC\\pC\"\\\\,=]{0,300}",
    ) {
        let record = AuditRecord {
            caller: &caller,
            channel: channel.as_bytes(),
            ..RECORD
        };
        let line = line(&record.fields());
        prop_assert!(!line.chars().any(char::is_control), "{line:?}");
        let fields = record.fields();
        prop_assert_eq!(line.matches('"').count(), 2 * fields.len());
        let shown: Vec<_> = fields.iter().map(|field| (field.key, field.value.as_str())).collect();
        prop_assert_eq!(read(&line), shown);
        prop_assert!(fields.iter().all(|field| field.value.len() <= MAX_AUDIT_VALUE_BYTES));
    }

    /// Escaping of a text that was not cut can be undone.
    #[test]
    fn different_values_stay_different(
        one in proptest::collection::vec(any::<u8>(), 0..60),
        other in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        prop_assert_eq!(one == other, escape_audit_value(&one) == escape_audit_value(&other));
    }
}

#[test]
fn sentence_of_each_outcome_names_reason() {
    let sentence_of = |outcome, reason| {
        let record = AuditRecord { outcome, ..RECORD };
        sentence(&record, reason, Some("+905060508169"))
    };
    let reason = Some("no row for +905060508169");
    assert_eq!(
        sentence_of(Status::Failure, reason),
        "PJSIP/trunk-0000001a: Authenticate FAILURE: 'customers': no row for +905060508169, \
         attempts: 3"
    );
    for (outcome, reason, wanted) in [
        (Status::Success, reason, "': admitted, account 'alice', "),
        (Status::Failure, None, "': wrong PIN, "),
        (Status::Timeout, reason, "': no digits entered, "),
        (Status::Expired, Some("too late"), "': too late, "),
        (Status::Hangup, Some("x"), "': the caller has hung up; x, "),
        (Status::Hangup, None, "': the caller has hung up, "),
        (Status::Error, Some("no \n list"), "': no \\x0A list, "),
    ] {
        let sentence = sentence_of(outcome, reason);
        assert!(sentence.contains(wanted), "{wanted}: {sentence}");
    }
    let locked = |kind, left, number| {
        let record = AuditRecord {
            outcome: Status::Locked,
            locked: Some((kind, left)),
            ..RECORD
        };
        sentence(&record, Some("wrong PIN"), number)
    };
    let left = Some(Duration::from_millis(1_799_001));
    let caller = locked(Kind::Caller, left, Some("+905060508169"));
    assert!(
        caller.contains(": caller +905060508169 is locked for 1800 s; wrong PIN, "),
        "{caller}"
    );
    let account = locked(Kind::Account, None, None);
    assert!(
        account.contains(": account is locked until 'authenticate unlock'; "),
        "{account}"
    );
}
