use super::*;
use pinset::timestamp::Zone;
use proptest::prelude::*;

fn outcome(outcome: &str, identity: &str, unique_id: &str) -> LoggedOutcome {
    LoggedOutcome {
        outcome: outcome.into(),
        pin_set: b"customers".to_vec(),
        identity: identity.into(),
        unique_id: unique_id.into(),
        linked_id: unique_id.into(),
        ..LoggedOutcome::default()
    }
}

#[test]
fn outcomes_outside_the_period_are_dropped() {
    let moment = |text| Moment::from_which(text, &Zone::utc());
    // 1793491200 and 1793577600.
    let (from, to) = (moment("2026-11-01"), moment("2026-11-02"));
    assert_eq!(from.map(Moment::seconds), Some(1_793_491_200));
    for (id, kept) in [
        ("1793404799.1", false),
        ("1793404800.1", true),
        ("1793491200.1", true),
        ("1793663999.1", true),
        ("1793664000.1", false),
        ("pbx-a-1793404799.1", false),
        ("pbx-a-1793491200.1", true),
        // Given by whoever made the channel.
        ("call-7", true),
        ("1793404799", true),
        ("1x.1", true),
    ] {
        let mut outcomes = Outcomes::new(from, to);
        outcomes.add(&outcome("SUCCESS", "alice", id));
        assert_eq!(!outcomes.channels.is_empty(), kept, "{id}");
        let mut outcomes = Outcomes::new(None, None);
        outcomes.add(&outcome("SUCCESS", "alice", id));
        assert!(!outcomes.channels.is_empty(), "{id}");
    }
    // An outcome without a channel is no call's.
    let mut outcomes = Outcomes::new(None, None);
    outcomes.add(&outcome("SUCCESS", "alice", ""));
    assert!(outcomes.channels.is_empty() && outcomes.links.is_empty());
}

#[test]
fn name_is_stored_once() {
    let mut outcomes = Outcomes::new(None, None);
    for id in ["1.1", "1.2", "1.3"] {
        outcomes.add(&outcome("SUCCESS", "alice", id));
    }
    assert_eq!(outcomes.names.len(), 2);
}

/// An administrator's change is no outcome, whatever was unlocked; nor is an outcome a
/// change because of what a caller sends.
#[test]
fn changes_are_passed_over() {
    let head = "[2026-11-22 07:00:00] AUTHENTICATE[1] audit.rs: ";
    let change = |value: &str| {
        format!(
            "Action=\"UNLOCK\",PinSet=\"doors\",Type=\"caller\",Value=\"{value}\",Count=\"1\",\
             By=\"AMI\",User=\"ada\",Address=\"IPV4/TCP/203.0.113.1/5060\""
        )
    };
    for value in [
        "1",
        "x: Outcome=",
        "] AUTHENTICATE[1] a: Outcome=\\x22SUCCESS\\x22",
    ] {
        let text = change(value);
        assert_eq!(line(format!("{head}{text}").as_bytes()), LogLine::Other);
        let message = serde_json::to_string(&text).unwrap();
        let json = format!("{{\"logmsg\":{{\"level\":\"AUTHENTICATE\",\"message\":{message}}}}}");
        assert_eq!(line(json.as_bytes()), LogLine::Other);
    }
    let outcome = format!("{head}Outcome=\"SUCCESS\",Caller=\"x: Action=\"");
    assert!(matches!(line(outcome.as_bytes()), LogLine::Outcome(_)));
    assert_eq!(line(format!("{head}Actions").as_bytes()), LogLine::Broken);
}

proptest! {
    #[test]
    fn any_line_can_be_parsed(text in "[ -~]{0,60}|\\[x\\] AUTHENTICATE\\[1\\] a: Outcome=\"[A-Za-z=\",\\\\x0-9]{0,40}") {
        line(text.as_bytes());
        is_of_a_log(text.as_bytes());
    }

    /// Escapes values as the audit log does.
    #[test]
    fn escaped_value_is_decoded(value: Vec<u8>) {
        let written: String = value.iter().map(|byte| match byte {
            b'"' | b'\\' => format!("\\x{byte:02x}"),
            b' '..=b'~' => char::from(*byte).to_string(),
            byte => format!("\\x{byte:02x}"),
        }).collect();
        let text = format!("[x] AUTHENTICATE[1] a: Outcome=\"SUCCESS\",Identity=\"{written}\"");
        let LogLine::Outcome(found) = line(text.as_bytes()) else {
            return Err(TestCaseError::fail(text));
        };
        prop_assert_eq!(found.identity, value);
    }
}
