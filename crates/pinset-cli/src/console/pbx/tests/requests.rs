//! Requests and their answers.

use super::server::FakeSession;
use super::*;
use crate::console::pbx::error::RequestError;

const PIN_SET: [&str; 5] = [
    "Event: AuthenticatePinset",
    "PinSet: customers",
    "Usable: yes",
    "State: can't read \\x1b\u{202e}",
    "Lockouts: 3",
];

/// Asks for the PIN sets, lets the PBX answer by this, and returns the failure.
async fn refused(answer: impl AsyncFnOnce(&mut FakeSession, ami::Message)) -> RequestError {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let client = started.client.clone();
    let asked = tokio::spawn(async move { client.pin_sets().await });
    let action = within(session.action("AuthenticatePinsets")).await;
    within(answer(&mut session, action)).await;
    let failed = within(asked).await.expect("no panic");
    // The connection is as good as before.
    let client = started.client.clone();
    let asked = tokio::spawn(async move { client.pin_sets().await });
    let action = within(session.action("AuthenticatePinsets")).await;
    session.list(&action, &[&PIN_SET]).await;
    let sets = within(asked).await.expect("no panic").expect("an answer");
    assert_eq!(sets.len(), 1);
    failed.expect_err("refused")
}

#[tokio::test]
async fn pin_sets_are_read_between_events_and_other_answers() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let client = started.client.clone();
    let asked = tokio::spawn(async move { client.pin_sets().await });
    let action = within(session.action("AuthenticatePinsets")).await;
    session
        .send(&["Event: AuthenticateSuccess", "Outcome: SUCCESS"])
        .await;
    let other = ["Response: Error", "ActionID: 4711", "Message: not this one"];
    session.send(&other).await;
    session.send(&["Response: Error", "ActionID: x"]).await;
    let second = ["Event: x", "PinSet: staff", "Usable: no", "State: broken"];
    session.list(&action, &[&PIN_SET, &second]).await;
    let sets = within(asked).await.expect("no panic").expect("PIN sets");
    let names: Vec<_> = sets
        .iter()
        .map(|set| (set.name.as_str(), set.usable))
        .collect();
    assert_eq!(names, [("customers", true), ("staff", false)]);
    // Escapes stay, and what hides text is escaped.
    assert_eq!(sets[0].state, "can't read \\x1b\\xe2\\x80\\xae");
}

#[tokio::test]
async fn refusals_name_their_remedy_and_are_escaped() {
    for (message, wanted) in [
        (
            "Message: Permission denied",
            "the AMI user has no right to AuthenticatePinsets; write = security for the user",
        ),
        (
            "Message: Invalid/unknown command: AuthenticatePinsets. Use Action: ListCommands",
            "the PBX does not know AuthenticatePinsets; on the PBX: asterisk -rx 'module load",
        ),
        ("Message: no \x1b[31m'x'", "no \\x1b[31m'x'; "),
        ("Other: x", ""),
    ] {
        let error = refused(async |session, action| {
            session
                .respond(&action, &["Response: Error", message])
                .await;
        });
        let error = error.await;
        let text = format!("{error}; {}", error.remedy());
        assert!(text.starts_with(wanted), "{text}");
    }
}

#[tokio::test]
async fn invalid_rows_are_errors() {
    for (row, header) in [
        (&["Event: x", "Usable: yes", "State: ok"][..], "PinSet"),
        (
            &["Event: x", "PinSet: x", "Usable: maybe", "State: ok"],
            "Usable",
        ),
        (&["Event: x", "PinSet: x", "Usable: yes"], "State"),
        (
            &[
                "Event: x",
                "PinSet: x",
                "Usable: no",
                "usable: yes",
                "State: ok",
            ],
            "Usable",
        ),
    ] {
        let error = refused(async |session, action| session.list(&action, &[row]).await);
        let error = error.await;
        let found = matches!(error, RequestError::InvalidHeader(name) if name == header);
        assert!(found, "{row:?}: {error:?}");
    }
}

#[tokio::test]
async fn list_must_be_a_list_and_complete() {
    let error = refused(async |session, action| {
        session.respond(&action, &["Response: Success"]).await;
    });
    assert!(matches!(error.await, RequestError::NoList(_)));
    let error = refused(async |session, action| {
        let begin = ["Response: Success", "EventList: start"];
        session.respond(&action, &begin).await;
        let end = ["Event: Done", "EventList: Complete", "ListItems: 1"];
        session.respond(&action, &end).await;
    });
    let error = error.await;
    assert!(
        matches!(error, RequestError::Incomplete { received: 0, .. }),
        "{error:?}"
    );
    let error = refused(async |session, action| {
        let end = ["Event: Done", "EventList: Complete", "ListItems: 0"];
        session.respond(&action, &end).await;
    });
    assert!(matches!(error.await, RequestError::NoList(_)));
}

#[tokio::test]
async fn list_is_bounded() {
    let error = refused(async |session, action| {
        let row = ["Event: AuthenticatePinset", "PinSet: x"];
        session.list(&action, &vec![&row[..]; 10_001]).await;
    });
    assert!(matches!(error.await, RequestError::TooManyRows(10_000)));
    let error = refused(async |session, action| {
        let long = format!("PinSet: {}", "x".repeat(60_000));
        let row = ["Event: AuthenticatePinset", &long];
        session.list(&action, &[&row[..]; 300]).await;
    });
    assert!(matches!(error.await, RequestError::TooLarge(_)));
    // Headers need memory, too.
    let error = refused(async |session, action| {
        let row: Vec<_> = std::iter::once("Event: AuthenticatePinset")
            .chain(["A:"; 900])
            .collect();
        session.list(&action, &[row.as_slice(); 300]).await;
    });
    assert!(matches!(error.await, RequestError::TooLarge(_)));
}

#[tokio::test]
async fn silence_ends_one_request_only() {
    let timing = Timing {
        answer: Duration::from_millis(50),
        ..PATIENT
    };
    let (started, _pbx, mut session) = connected(timing).await;
    let error = within(started.client.pin_sets())
        .await
        .expect_err("silence");
    assert!(matches!(error, RequestError::TimedOut(_)), "{error:?}");
    let late = within(session.action("AuthenticatePinsets")).await;
    session.list(&late, &[]).await;
    assert!(matches!(current(&started.client), PbxState::Up));
    // The answer that was too late is not the one to the next request.
    let client = started.client.clone();
    let asked = tokio::spawn(async move { client.pin_sets().await });
    let second = within(session.action("AuthenticatePinsets")).await;
    assert_ne!(second.get("ActionID"), late.get("ActionID"));
    within(asked).await.expect("no panic").expect_err("silence");
}

#[tokio::test]
async fn lost_connection_ends_list_and_next_one_works() {
    let (started, pbx, mut session) = connected(PATIENT).await;
    let client = started.client.clone();
    let asked = tokio::spawn(async move { client.pin_sets().await });
    let action = within(session.action("AuthenticatePinsets")).await;
    session
        .respond(&action, &["Response: Success", "EventList: start"])
        .await;
    session
        .respond(&action, &["Event: AuthenticatePinset", "PinSet: x"])
        .await;
    drop(session);
    let lost = within(asked).await.expect("no panic");
    assert!(matches!(lost, Err(RequestError::Lost)), "{lost:?}");

    let mut session = within(pbx.accept_login()).await;
    state(&started.client, |state| matches!(state, PbxState::Up)).await;
    let client = started.client.clone();
    let asked = tokio::spawn(async move { client.pin_sets().await });
    let action = within(session.action("AuthenticatePinsets")).await;
    session.list(&action, &[]).await;
    within(asked).await.expect("no panic").expect("an answer");
}

#[tokio::test]
async fn requests_beyond_the_queue_are_refused_at_once() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let all: Vec<_> = (0..100)
        .map(|_| {
            let client = started.client.clone();
            tokio::spawn(async move { client.pin_sets().await })
        })
        .collect();
    // 16 are in flight and 64 wait; none is answered.
    for _ in 0..16 {
        within(session.action("AuthenticatePinsets")).await;
    }
    drop(session);
    let mut busy = 0;
    for one in all {
        let error = within(one).await.expect("no panic").expect_err("no answer");
        busy += usize::from(matches!(error, RequestError::Busy));
    }
    assert!(busy >= 20, "{busy}");
}
