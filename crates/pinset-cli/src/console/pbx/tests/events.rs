//! Events of the module.

use std::sync::Arc;

use pinset::lockout::Kind;
use pinset::Status;

use super::*;
use crate::console::pbx::events::{EventId, MAX_EVENTS};

#[tokio::test]
async fn outcomes_are_kept_and_other_events_are_not() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let events = started.client.events();
    session
        .send(&["Event: InvalidPassword", "Service: SIP"])
        .await;
    session
        .send(&["Event: AuthenticateStat", "ActionID: 9"])
        .await;
    let long = format!("Identity: {}", "x".repeat(300));
    let event = [
        "Event: AuthenticateLocked",
        "Privilege: security,all",
        "Outcome: LOCKED",
        "PinSet: customers",
        &long,
        "CallerIDNum: \x1b\\x1b",
        "Channel: PJSIP/trunk-1",
        "Uniqueid: 1.2",
        "Linkedid: 1.1",
        "Attempts: 3",
        "LockedBy: caller",
        "LockedSeconds: by hand",
        "RemoteAddress: IPV4/UDP/192.0.2.7/5060",
    ];
    session.send(&event).await;
    within(events.wait_after(None)).await;
    let batch = events.after(None);
    assert_eq!((batch.events.len(), batch.missed), (1, 0));
    let event = &batch.events[0];
    assert_eq!(event.name, "AuthenticateLocked");
    assert_eq!(event.outcome, Some(Status::Locked));
    assert_eq!(event.locked_by, Some(Kind::Caller));
    assert_eq!(event.attempts, Some(3));
    assert_eq!(event.caller, "\\x1b\\x1b");
    assert_eq!(event.identity.len(), 256);
    let texts = [
        &event.pin_set,
        &event.channel,
        &event.unique_id,
        &event.linked_id,
    ];
    assert_eq!(texts, ["customers", "PJSIP/trunk-1", "1.2", "1.1"]);
    assert_eq!(event.locked_seconds, "by hand");
    assert_eq!(event.change, None);
    assert_eq!(event.remote_address, "IPV4/UDP/192.0.2.7/5060");
}

#[tokio::test]
async fn changes_by_administrators_are_events() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let events = started.client.events();
    let event = [
        "Event: AuthenticateUnlocked",
        "Action: UNLOCK",
        "PinSet: customers",
        "Type: caller",
        "Value: +902125550101",
        "Count: 2",
        "By: AMI",
        "User: pinset",
        "Address: IPV4/TCP/127.0.0.1/41234",
    ];
    session.send(&event).await;
    within(events.wait_after(None)).await;
    let event = Arc::clone(&events.after(None).events[0]);
    assert_eq!(
        (event.name.as_str(), event.outcome),
        ("AuthenticateUnlocked", None)
    );
    let change = event.change.as_ref().expect("a change");
    assert_eq!((change.kind, change.count), (Some(Kind::Caller), Some(2)));
    let texts = [
        &event.pin_set,
        &change.value,
        &change.by,
        &change.user,
        &change.address,
    ];
    let wanted = [
        "customers",
        "+902125550101",
        "AMI",
        "pinset",
        "IPV4/TCP/127.0.0.1/41234",
    ];
    assert_eq!(texts, wanted);
}

#[tokio::test]
async fn flood_keeps_the_latest_events_and_slow_reader_learns_what_it_missed() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let events = started.client.events();
    let flood = |from: u32, to: u32| {
        (from..=to)
            .map(|number| format!("Event: AuthenticateFailure\r\nUniqueid: {number}\r\n\r\n"))
            .collect::<String>()
    };
    session.send_bytes(flood(1, 3).as_bytes()).await;
    let third = loop {
        let seen = events.after(None).events.last().map(|event| event.id);
        within(events.wait_after(seen)).await;
        let batch = events.after(None);
        if batch.events.len() == 3 {
            break batch.events[2].id;
        }
    };
    // A reader that waits meanwhile.
    let client = started.client.clone();
    let reader = tokio::spawn(async move { client.events().wait_after(Some(third)).await });
    let client = started.client.clone();
    let asked = tokio::spawn(async move { client.stats().await });
    let action = within(session.action("AuthenticateStats")).await;
    within(session.send_bytes(flood(4, 20_000).as_bytes())).await;
    session.list(&action, &[]).await;
    // The answer came after the flood.
    within(asked).await.expect("no panic").expect("an answer");
    within(reader).await.expect("woken");
    let batch = events.after(Some(third));
    assert_eq!(batch.events.len(), MAX_EVENTS);
    assert_eq!(batch.missed, 20_000 - 3 - 1000);
    let numbers = batch.events.iter().map(|event| event.unique_id.clone());
    let wanted = (19_001..=20_000).map(|number: u32| number.to_string());
    assert!(numbers.eq(wanted));
    let last = batch.events.last().map(|event| event.id);
    let none = events.after(last);
    assert_eq!((none.events.len(), none.missed), (0, 0));
    let before = batch.events[MAX_EVENTS - 3].id;
    assert_eq!(events.after(Some(before)).events.len(), 2);
}

#[tokio::test]
async fn id_of_earlier_run_gives_all_events() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let events = started.client.events();
    session.send(&["Event: AuthenticateSuccess"]).await;
    within(events.wait_after(None)).await;
    let id = events.after(None).events[0].id;
    let parsed: EventId = id.to_string().parse().expect("an id");
    assert_eq!(parsed, id);
    assert!(events.after(Some(parsed)).events.is_empty());
    for other in ["1-1", "1-99", &format!("{id}9")] {
        let other = other.parse().expect("an id");
        within(events.wait_after(Some(other))).await;
        let batch = events.after(Some(other));
        assert_eq!((batch.events.len(), batch.missed), (1, 0), "{other}");
    }
    for text in ["", "1", "1-", "-1", "x-1", "1-x", "1-2-3"] {
        assert!(text.parse::<EventId>().is_err(), "{text}");
    }
}
