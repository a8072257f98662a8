//! Requests and their answers.

use pinset::lockout::Kind;

use super::server::FakeSession;
use super::*;
use crate::console::pbx::answers::OutcomeCounts;
use crate::console::pbx::error::RequestError;
use crate::console::pbx::requests::ListPart;

const COUNTS: [&str; 8] = [
    "Success: 1",
    "Failure: 2",
    "Timeout: 3",
    "Expired: 4",
    "Locked: 5",
    "Hangup: 6",
    "Error: 7",
    "Attempts: 8",
];

/// Returns a row with the counts above.
fn with_counts<'a>(row: &[&'a str]) -> Vec<&'a str> {
    row.iter().chain(&COUNTS).copied().collect()
}

const PIN_SET: [&str; 9] = [
    "Event: AuthenticatePinset",
    "PinSet: customers",
    "Usable: yes",
    "State: ok",
    "Source: file:/etc/asterisk/pins/../\\x1b\u{202e}",
    "Format: auto",
    "FormatFound: csv",
    "Identify: caller",
    "Lockouts: 3",
];

/// Asks for the statistics, and lets the PBX answer by this.
async fn stats(answer: impl AsyncFnOnce(&mut FakeSession, ami::Message)) -> RequestError {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let client = started.client.clone();
    let asked = tokio::spawn(async move { client.stats().await });
    let action = within(session.action("AuthenticateStats")).await;
    within(answer(&mut session, action)).await;
    let failed = within(asked).await.expect("no panic").expect_err("refused");
    // The connection is as good as before.
    let client = started.client.clone();
    let asked = tokio::spawn(async move { client.stats().await });
    let action = within(session.action("AuthenticateStats")).await;
    let row = with_counts(&["Event: AuthenticateStat", "PinSet: doors"]);
    session.list(&action, &[&row]).await;
    let counts = within(asked).await.expect("no panic").expect("an answer");
    assert_eq!((counts.len(), counts[0].1.attempts), (1, 8));
    failed
}

#[tokio::test]
async fn pin_sets_are_read_between_events_and_other_answers() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let client = started.client.clone();
    let asked = tokio::spawn(async move { (client.pin_sets().await, client.pin_set("a").await) });
    let action = within(session.action("AuthenticatePinsets")).await;
    session
        .send(&["Event: AuthenticateSuccess", "Outcome: SUCCESS"])
        .await;
    let other = ["Response: Error", "ActionID: 4711", "Message: not this one"];
    session.send(&other).await;
    session.send(&["Response: Error", "ActionID: x"]).await;
    let row = with_counts(&[&PIN_SET[..], &["Entries: 412"]].concat());
    let empty = with_counts(&[&PIN_SET[..], &["Entries:"]].concat());
    session.list(&action, &[&row, &empty]).await;
    let action = within(session.action("AuthenticatePinset")).await;
    assert!(action.has("PinSet", b"a"), "{action:?}");
    let options = [
        "Option-source: file:/x",
        "option-hide_digits: no",
        "PepperKeys: first,second",
        "Reading: yes",
        "ReadSecondsAgo: 60",
    ];
    let detail = with_counts(&[&PIN_SET[..], &options].concat());
    session.list(&action, &[&detail]).await;

    let (sets, detail) = within(asked).await.expect("no panic");
    let sets = sets.expect("PIN sets");
    assert_eq!((sets[0].name.as_str(), sets[0].usable), ("customers", true));
    assert_eq!(sets[0].entries, Some(412));
    assert_eq!(sets[1].entries, None);
    assert_eq!(sets[0].lockouts, 3);
    let counts = OutcomeCounts {
        success: 1,
        failure: 2,
        timeout: 3,
        expired: 4,
        locked: 5,
        hangup: 6,
        error: 7,
        attempts: 8,
    };
    assert_eq!(sets[0].counts, counts);
    // Escapes stay, and what hides text is escaped.
    let source = "file:/etc/asterisk/pins/../\\x1b\\xe2\\x80\\xae";
    assert_eq!(sets[0].source, source);
    let detail = detail.expect("a PIN set");
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = [option("source", "file:/x"), option("hide_digits", "no")];
    assert_eq!(detail.options, options);
    assert_eq!(detail.pepper_keys, ["first", "second"]);
    assert_eq!((detail.reading, detail.read_seconds_ago), (true, Some(60)));
    assert_eq!(started.client.events().after(None).events.len(), 1);
}

#[tokio::test]
async fn lockouts_are_read_and_ended() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let client = started.client.clone();
    let asked = tokio::spawn(async move {
        let part = ListPart {
            limit: Some(50),
            after: Some("1f".to_owned()),
        };
        let listed = client.lockouts(Some("doors"), &part).await;
        (listed, client.unlock(Kind::Account, "a\\x1bb", None).await)
    });
    let action = within(session.action("AuthenticateLockouts")).await;
    assert!(action.has("PinSet", b"doors"), "{action:?}");
    assert!(
        action.has("Limit", b"50") && action.has("After", b"1f"),
        "{action:?}"
    );
    let row = |by, seconds| {
        let row = [
            "Event: AuthenticateLockout",
            "PinSet: doors",
            by,
            "Value: a\\x1bb",
        ];
        [
            &row[..],
            &[
                "Endpoint: PJSIP/x",
                seconds,
                "Times: 2",
                "Failures: 0",
                "Key: 2e",
            ],
        ]
        .concat()
    };
    let rows = [
        row("LockedBy: account", "LockedSeconds: 90"),
        row("LockedBy: pinset", "LockedSeconds: by hand"),
    ];
    session
        .list_of(&action, &[&rows[0], &rows[1]], &["Total: 200000"])
        .await;
    let action = within(session.action("AuthenticateUnlock")).await;
    assert!(action.has("Type", b"account") && action.has("Value", b"a\\x1bb"));
    assert_eq!(action.get("PinSet"), None);
    session
        .respond(&action, &["Response: Success", "Unlocked: 2"])
        .await;
    let (locks, unlocked) = within(asked).await.expect("no panic");
    let page = locks.expect("lockouts");
    assert_eq!(page.total, 200_000);
    let locks = page.rows;
    assert_eq!(locks[1].key, "2e");
    assert_eq!((locks[0].by, locks[0].seconds), (Kind::Account, Some(90)));
    assert_eq!((locks[1].by, locks[1].seconds), (Kind::PinSet, None));
    assert_eq!((locks[0].value.as_str(), locks[0].times), ("a\\x1bb", 2));
    assert_eq!(unlocked.expect("unlocked"), 2);
}

#[tokio::test]
async fn uses_are_read_and_set_back() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let client = started.client.clone();
    let asked = tokio::spawn(async move {
        let listed = client.uses("doors", &ListPart::default()).await;
        (listed, client.reset_uses("doors", "2e").await)
    });
    let action = within(session.action("AuthenticateUses")).await;
    assert!(action.has("PinSet", b"doors") && action.get("Limit").is_none());
    let row = |rest: &[&'static str]| {
        let row = [
            "Event: AuthenticateUse",
            "PinSet: doors",
            "Account: ada",
            "Uses: 1",
        ];
        [&row[..], &["Key: 2e"], rest].concat()
    };
    let rows = [
        row(&["MaxUses: 5", "Line: 7"]),
        row(&["MaxUses: ", "Line: "]),
    ];
    let end = ["Total: 2"];
    session.list_of(&action, &[&rows[0], &rows[1]], &end).await;
    let action = within(session.action("AuthenticateResetUses")).await;
    assert!(action.has("PinSet", b"doors") && action.has("Key", b"2e"));
    session
        .respond(&action, &["Response: Success", "Reset: 1"])
        .await;
    let (uses, reset) = within(asked).await.expect("no panic");
    let uses = uses.expect("uses").rows;
    assert_eq!(
        (uses[0].account.as_str(), uses[0].uses.as_str()),
        ("ada", "1")
    );
    assert_eq!((uses[0].max_uses, uses[0].line), (Some(5), Some(7)));
    assert_eq!((uses[1].max_uses, uses[1].line), (None, None));
    assert_eq!(reset.expect("reset"), 1);
}

#[tokio::test]
async fn reload_returns_errors_by_file_line_and_option() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let client = started.client.clone();
    let asked = tokio::spawn(async move { (client.reload().await, client.reload().await) });
    let action = within(session.action("AuthenticateReload")).await;
    let row = [
        "Event: AuthenticateReloadError",
        "File: authenticate.conf",
        "Line: 2",
        "Section: general",
        "Option: attemps",
        "Message: there is no such option",
    ];
    let end = ["Total: 3", "Applied: no"];
    session.list_of(&action, &[&row], &end).await;
    let action = within(session.action("AuthenticateReload")).await;
    let end = ["Total: 0", "Applied: yes"];
    session.list_of(&action, &[], &end).await;
    let (rejected, applied) = within(asked).await.expect("no panic");
    let rejected = rejected.expect("an answer");
    assert_eq!((rejected.applied, rejected.total), (false, 3));
    let error = &rejected.errors[0];
    let texts = [
        &error.file,
        &error.line,
        &error.section,
        &error.option,
        &error.message,
    ];
    let wanted = [
        "authenticate.conf",
        "2",
        "general",
        "attemps",
        "there is no such option",
    ];
    assert_eq!(texts, wanted);
    assert!(applied.expect("an answer").applied);
}

#[tokio::test]
async fn value_with_line_break_is_refused_and_not_sent() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let client = started.client.clone();
    let asked = tokio::spawn(async move {
        let value = "1\r\nType: pinset\r\n\r\nAction: Command";
        let refused = client.unlock(Kind::Caller, value, None).await;
        (
            refused,
            client.unlock(Kind::Caller, "1", Some("a\nb")).await,
            client.stats().await,
        )
    });
    let action = within(session.next()).await.expect("an action");
    assert!(action.has("Action", b"AuthenticateStats"), "{action:?}");
    session.list(&action, &[]).await;
    let (first, second, stats) = within(asked).await.expect("no panic");
    assert!(matches!(first, Err(RequestError::Invalid(_))), "{first:?}");
    assert!(
        matches!(second, Err(RequestError::Invalid(_))),
        "{second:?}"
    );
    assert!(stats.expect("an answer").is_empty());
}

#[tokio::test]
async fn refusals_name_their_remedy_and_are_escaped() {
    for (message, wanted) in [
        (
            "Message: Permission denied",
            "the AMI user has no right to AuthenticateStats; write = security for the user",
        ),
        (
            "Message: Invalid/unknown command: AuthenticateStats. Use Action: ListCommands",
            "the PBX does not know AuthenticateStats; on the PBX: asterisk -rx 'module load",
        ),
        ("Message: no \x1b[31m'x'", "no \\x1b[31m'x'; "),
        ("Other: x", ""),
    ] {
        let error = stats(async |session, action| {
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
    for (change, header) in [
        ("Attempts: 8", "Attempts"),
        ("Success: +1", "Success"),
        ("Failure: 99999999999999999999", "Failure"),
        ("Locked:", "Locked"),
    ] {
        let name = change.split(':').next().unwrap_or_default();
        // The first is there twice, the others replace a valid value.
        let mut row = with_counts(&["Event: AuthenticateStat", "PinSet: doors"]);
        row.retain(|line| *line == change || !line.starts_with(name));
        row.push(change);
        let error = stats(async |session, action| session.list(&action, &[&row]).await);
        let error = error.await;
        let found = matches!(error, RequestError::InvalidHeader(name) if name == header);
        assert!(found, "{change}: {error:?}");
    }
}

#[tokio::test]
async fn list_must_be_a_list_and_complete() {
    let error = stats(async |session, action| {
        session.respond(&action, &["Response: Success"]).await;
    });
    assert!(matches!(error.await, RequestError::NoList(_)));
    let error = stats(async |session, action| {
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
    let error = stats(async |session, action| {
        let end = ["Event: Done", "EventList: Complete", "ListItems: 0"];
        session.respond(&action, &end).await;
    });
    assert!(matches!(error.await, RequestError::NoList(_)));
}

#[tokio::test]
async fn list_is_bounded() {
    let error = stats(async |session, action| {
        let row = ["Event: AuthenticateStat", "PinSet: x"];
        session.list(&action, &vec![&row[..]; 10_001]).await;
    });
    assert!(matches!(error.await, RequestError::TooManyRows(10_000)));
    let error = stats(async |session, action| {
        let long = format!("PinSet: {}", "x".repeat(60_000));
        let row = ["Event: AuthenticateStat", &long];
        session.list(&action, &[&row[..]; 300]).await;
    });
    assert!(matches!(error.await, RequestError::TooLarge(_)));
    // Headers need memory, too.
    let error = stats(async |session, action| {
        let row: Vec<_> = std::iter::once("Event: AuthenticateStat")
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
    let error = within(started.client.stats()).await.expect_err("silence");
    assert!(matches!(error, RequestError::TimedOut(_)), "{error:?}");
    let late = within(session.action("AuthenticateStats")).await;
    session.list(&late, &[]).await;
    assert!(matches!(started.client.state(), PbxState::Up));
    // The answer that was too late is not the one to the next request.
    let client = started.client.clone();
    let asked = tokio::spawn(async move { client.stats().await });
    let second = within(session.action("AuthenticateStats")).await;
    assert_ne!(second.get("ActionID"), late.get("ActionID"));
    within(asked).await.expect("no panic").expect_err("silence");
}

#[tokio::test]
async fn lost_connection_ends_list_and_next_one_works() {
    let (started, pbx, mut session) = connected(PATIENT).await;
    let client = started.client.clone();
    let asked = tokio::spawn(async move { client.stats().await });
    let action = within(session.action("AuthenticateStats")).await;
    session
        .respond(&action, &["Response: Success", "EventList: start"])
        .await;
    session
        .respond(&action, &["Event: AuthenticateStat", "PinSet: x"])
        .await;
    drop(session);
    let lost = within(asked).await.expect("no panic");
    assert!(matches!(lost, Err(RequestError::Lost)), "{lost:?}");

    let mut session = within(pbx.accept_login()).await;
    state(&started.client, |state| matches!(state, PbxState::Up)).await;
    let client = started.client.clone();
    let asked = tokio::spawn(async move { client.stats().await });
    let action = within(session.action("AuthenticateStats")).await;
    session.list(&action, &[]).await;
    within(asked).await.expect("no panic").expect("an answer");
}

#[tokio::test]
async fn requests_beyond_the_queue_are_refused_at_once() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let all: Vec<_> = (0..100)
        .map(|_| {
            let client = started.client.clone();
            tokio::spawn(async move { client.stats().await })
        })
        .collect();
    // 16 are in flight and 64 wait; none is answered.
    for _ in 0..16 {
        within(session.action("AuthenticateStats")).await;
    }
    drop(session);
    let mut busy = 0;
    for one in all {
        let error = within(one).await.expect("no panic").expect_err("no answer");
        busy += usize::from(matches!(error, RequestError::Busy));
    }
    assert!(busy >= 20, "{busy}");
}
