//! Connections that are refused, silent, lost and made again.

use std::time::Duration;

use jiff::civil::time;
use jiff::tz::TimeZone;

use super::*;
use crate::console::pbx::error::RequestError;

#[tokio::test]
async fn refused_connection_is_reported_and_made_again() {
    let pbx = FakePbx::new().await;
    let (address, options) = (pbx.address(), pbx.options());
    drop(pbx);
    let started = start(options);
    assert_eq!(failure(&started.client).await, "connection refused");
    let error = started.client.stats().await.expect_err("down");
    let RequestError::Down(outage) = &error else {
        panic!("{error:?}");
    };
    let since = outage.since.to_zoned(TimeZone::UTC);
    let text = |now| outage.describe(&now);
    let shown = since.strftime("%T");
    let wanted = format!("main does not answer since {shown} (connection refused)");
    assert_eq!(text(since.clone()), wanted);
    let tomorrow = since
        .tomorrow()
        .expect("a day")
        .with()
        .time(time(0, 0, 0, 0));
    let shown = since.strftime("%F %T");
    let wanted = format!("main does not answer since {shown} (connection refused)");
    assert_eq!(text(tomorrow.build().expect("a time")), wanted);

    let pbx = FakePbx::at(address).await;
    let _session = within(pbx.accept_login()).await;
    state(&started.client, |state| matches!(state, PbxState::Up)).await;
}

#[tokio::test]
async fn outage_begins_at_its_first_failure() {
    let (started, pbx, session) = connected(PATIENT).await;
    drop(session);
    let down = |state: &PbxState| matches!(state, PbxState::Down(_));
    let since = |state| match state {
        PbxState::Down(outage) => outage.since,
        other => panic!("{other:?}"),
    };
    let first = since(state(&started.client, down).await);
    for text in [
        &b"SSH-2.0-OpenSSH_9.2p1\r\n"[..],
        b"HTTP/1.1 400 Bad Request\r\n",
    ] {
        let mut session = within(pbx.accept_raw()).await;
        session.send_bytes(text).await;
        assert_eq!(within(session.next()).await, None, "no secret is sent");
    }
    let not_ami = |state: &PbxState| match state {
        PbxState::Down(outage) => outage
            .why
            .to_string()
            .contains("is this Asterisk's AMI port?"),
        _ => false,
    };
    assert_eq!(since(state(&started.client, not_ami).await), first);
    // Once connected, the next outage is another one.
    drop(within(pbx.accept_login()).await);
    let later = |state: &PbxState| matches!(state, PbxState::Down(outage) if outage.since > first);
    state(&started.client, later).await;
}

#[tokio::test]
async fn wrong_secret_is_reported() {
    let pbx = FakePbx::new().await;
    let started = start(pbx.options());
    let mut session = within(pbx.accept()).await;
    let login = within(session.action("Login")).await;
    assert!(login.has("Events", b"security"), "{login:?}");
    let refusal = ["Response: Error", "Message: Authentication failed"];
    session.respond(&login, &refusal).await;
    let why = failure(&started.client).await;
    assert_eq!(why, "login refused");
}

#[tokio::test]
async fn secret_with_line_break_is_never_sent() {
    let pbx = FakePbx::new().await;
    let started = start(PbxOptions {
        secret: zeroize::Zeroizing::new(b"a\r\nAction: Command".to_vec()),
        ..pbx.options()
    });
    let mut session = within(pbx.accept()).await;
    assert_eq!(within(session.next()).await, None);
    let why = failure(&started.client).await;
    assert!(why.contains("Secret contains a line break"), "{why}");
}

#[tokio::test]
async fn peer_without_banner_is_given_up() {
    let pbx = FakePbx::new().await;
    let started = start(PbxOptions {
        timing: Timing {
            connect: Duration::from_millis(50),
            ..PATIENT
        },
        ..pbx.options()
    });
    let _silent = within(pbx.accept_tcp()).await;
    assert_eq!(failure(&started.client).await, "no answer within 0.05 s");
}

#[tokio::test]
async fn silent_pbx_is_given_up_after_a_ping() {
    let timing = Timing {
        idle: Duration::from_millis(1),
        answer: Duration::from_millis(50),
        ..PATIENT
    };
    let (started, _pbx, mut session) = connected(timing).await;
    within(session.action("Ping")).await;
    assert_eq!(failure(&started.client).await, "no answer within 0.05 s");
}

#[tokio::test]
async fn answered_pings_keep_the_connection() {
    let timing = Timing {
        idle: Duration::from_millis(1),
        ..PATIENT
    };
    let (started, _pbx, mut session) = connected(timing).await;
    for _ in 0..5 {
        let ping = within(session.action("Ping")).await;
        session
            .respond(&ping, &["Response: Success", "Ping: Pong"])
            .await;
    }
    assert!(matches!(started.client.state(), PbxState::Up));
}

#[tokio::test]
async fn overlong_message_ends_the_connection() {
    let (started, pbx, mut session) = connected(PATIENT).await;
    session
        .send_bytes(b"Event: AuthenticateFailure\r\nPinSet: ")
        .await;
    session.send_bytes(&[b'x'; 64 * 1024]).await;
    let why = failure(&started.client).await;
    assert_eq!(why, "an AMI message is over 65536 bytes");
    assert!(started.client.events().after(None).events.is_empty());
    within(pbx.accept_login()).await;
}

#[tokio::test]
async fn stop_logs_off_and_ends_the_task() {
    let (started, _pbx, mut session) = connected(PATIENT).await;
    let client = started.client.clone();
    let waiting = tokio::spawn(async move { client.stats().await });
    within(session.action("AuthenticateStats")).await;
    started.stop.send_replace(true);
    within(session.action("Logoff")).await;
    assert_eq!(within(session.next()).await, None);
    within(started.task).await.expect("no panic");
    let lost = within(waiting).await.expect("no panic");
    assert!(matches!(lost, Err(RequestError::Lost)), "{lost:?}");
    assert!(matches!(started.client.state(), PbxState::Stopped));
}

#[tokio::test]
async fn stop_ends_waits_for_the_pbx() {
    // While it connects.
    let pbx = FakePbx::new().await;
    let started = start(pbx.options());
    let _silent = within(pbx.accept_tcp()).await;
    started.stop.send_replace(true);
    within(started.task).await.expect("no panic");
    // Between two attempts.
    let options = PbxOptions {
        timing: Timing {
            first_retry: DEADLINE * 10,
            last_retry: DEADLINE * 10,
            ..PATIENT
        },
        ..pbx.options()
    };
    drop(pbx);
    let started = start(options);
    failure(&started.client).await;
    drop(started.stop);
    within(started.task).await.expect("no panic");
}
