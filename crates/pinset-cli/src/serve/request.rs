//! Requests to services: calls to decide, and webhooks.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use pinset::external::{EnteredDigits, Received, Webhook};
use pinset::lockout::Standing;
use pinset::timestamp::since_epoch;
use pinset::Status;
use thiserror::Error;
use tokio::time::{timeout, timeout_at};
use zeroize::Zeroizing;

use crate::common::workers::BusyError;
use crate::http::client;
use crate::http::options::Limits;
use crate::serve::app::App;
use crate::serve::config::{Config, Gather, PostKind, Service};
use crate::serve::log::{CallEnd, Entry, HANGUP, UNAUTHORIZED};
use crate::serve::prompt_limit::Prompt;
use crate::serve::tally::key;
use crate::serve::verify::{Attempt, Verified};
use crate::serve::{auth, redact};

/// Longest wait for slow hashes, once the PIN file has been read.
const HASH_TIMEOUT: Duration = Duration::from_secs(15);

/// The answer to a request, and what the log records of it.
struct RequestOutcome {
    status: StatusCode,
    body: Bytes,
    outcome: &'static str,
    caller: String,
    account: String,
    /// The request, redacted.
    shown: String,
    /// The `uuid` of the call, empty if it reveals entered digits.
    uuid: String,
    call: CallEnd,
}

impl RequestOutcome {
    fn rejected(status: StatusCode, why: &str) -> Self {
        Self {
            status,
            body: format!("{why}\n").into(),
            outcome: "refused",
            caller: String::new(),
            account: String::new(),
            shown: String::new(),
            uuid: String::new(),
            call: CallEnd::default(),
        }
    }

    fn of_body(status: StatusCode, why: &str, body: &[u8]) -> Self {
        Self {
            shown: format!("{} bytes", body.len()),
            ..Self::rejected(status, why)
        }
    }
}

/// The answer to a call.
struct Decision {
    answer: Bytes,
    outcome: &'static str,
    account: Vec<u8>,
}

/// Answers a request to a service.
pub(super) async fn answer(
    app: &Arc<App>,
    config: Arc<Config>,
    (service, kind): (Arc<Service>, PostKind),
    peer: IpAddr,
    request: Request<Body>,
) -> Response<Body> {
    let (began, time) = (Instant::now(), since_epoch());
    let (head, body) = request.into_parts();
    let client = client::of(peer, &head.headers, &config.transport.trusted_proxies);
    let mut challenge = None;
    let answered =
        if let Err(denied) = auth::check(&service.auth, config.exposure(), peer, &head.headers) {
            if denied.why == auth::UNPROTECTED {
                let name = &service.name;
                app.metrics
                    .warn(&format!("service '{name}': {}", denied.why));
            }
            challenge = denied.challenge;
            RequestOutcome {
                outcome: UNAUTHORIZED,
                ..RequestOutcome::rejected(denied.status, denied.why)
            }
        } else if head.method != Method::POST {
            RequestOutcome::rejected(StatusCode::METHOD_NOT_ALLOWED, "only POST is allowed")
        } else {
            match (read(body, &config.transport.limits).await, kind) {
                (Ok(body), PostKind::Call) => answer_call(app, config, &service, &body).await,
                (Ok(body), PostKind::Webhook) => record_webhook(&body),
                (Err(error), _) => RequestOutcome::rejected(error.status(), &error.to_string()),
            }
        };
    let duration = began.elapsed();
    let RequestOutcome { status, body, .. } = &answered;
    app.metrics
        .answered(&service.name, status.as_u16(), duration);
    app.metrics.outcome(&service.name, answered.outcome);
    let mut response = Response::new(Body::from(body.clone()));
    *response.status_mut() = *status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(match *status {
            StatusCode::OK => "application/json",
            _ => "text/plain; charset=utf-8",
        }),
    );
    if *status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if let Some(challenge) = challenge {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(log) = &app.log {
        log.add(Entry {
            time: i64::try_from(time.as_millis()).unwrap_or(i64::MAX),
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            client: client.to_string(),
            caller: answered.caller,
            outcome: answered.outcome,
            account: answered.account,
            status: answered.status.as_u16(),
            duration: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            request: answered.shown,
            response: answered.body,
            service: service.name.clone(),
            uuid: answered.uuid,
            call: answered.call,
        });
    }
    response
}

/// The reason why the body of a request can't be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
enum BodyError {
    #[error("the body was cut off")]
    CutOff,
    #[error("the body is too large")]
    TooLarge,
    #[error("the body took too long")]
    Timeout,
}

impl BodyError {
    fn status(self) -> StatusCode {
        match self {
            Self::CutOff => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
        }
    }
}

/// Reads the whole body, which is wiped when dropped.
async fn read(mut body: Body, limits: &Limits) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    let most = limits.body;
    let whole = async {
        // If the length is announced, the buffer never grows, which would leave a copy.
        let announced = http_body::Body::size_hint(&body).exact().unwrap_or(4096);
        let room = usize::try_from(announced).unwrap_or(usize::MAX).min(most);
        let mut whole = Zeroizing::new(Vec::with_capacity(room));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| BodyError::CutOff)?;
            let data = frame.into_data().unwrap_or_default();
            if whole.len() + data.len() > most {
                return Err(BodyError::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole)
    };
    timeout(limits.body_timeout, whole)
        .await
        .unwrap_or(Err(BodyError::Timeout))
}

async fn answer_call(
    app: &Arc<App>,
    config: Arc<Config>,
    service: &Arc<Service>,
    body: &[u8],
) -> RequestOutcome {
    let received = match Received::parse(body) {
        Ok(received) => received,
        Err(why) => {
            return RequestOutcome::of_body(StatusCode::BAD_REQUEST, &why.to_string(), body);
        }
    };
    let shown = redact::redact(body, &received.data).unwrap_or_default();
    let decision = decide(app, config, service, &received).await;
    let uuid = received.uuid.clone().unwrap_or_default();
    RequestOutcome {
        status: StatusCode::OK,
        body: decision.answer,
        outcome: decision.outcome,
        caller: received.caller.unwrap_or_default(),
        account: String::from_utf8_lossy(&decision.account).into_owned(),
        shown,
        uuid: Some(uuid)
            .filter(|uuid| !redact::reveals(uuid, &received.data))
            .unwrap_or_default(),
        call: CallEnd::default(),
    }
}

/// Records the end of a call. Everything else that a webhook reports is dropped.
fn record_webhook(body: &[u8]) -> RequestOutcome {
    let ended = match Webhook::parse(body) {
        Ok(Webhook::Hangup(ended)) => ended,
        Ok(Webhook::Other) => {
            return RequestOutcome {
                outcome: "ignored",
                ..RequestOutcome::of_body(StatusCode::OK, "{}", body)
            }
        }
        Err(why) => {
            return RequestOutcome::of_body(StatusCode::BAD_REQUEST, &why.to_string(), body)
        }
    };
    RequestOutcome {
        outcome: HANGUP,
        caller: ended.caller.unwrap_or_default(),
        uuid: ended.uuid,
        call: CallEnd {
            outcome: ended.outcome.unwrap_or_default(),
            destination: ended.destination.unwrap_or_default(),
            duration: ended.duration,
        },
        ..RequestOutcome::of_body(StatusCode::OK, "{}", body)
    }
}

async fn decide(
    app: &Arc<App>,
    config: Arc<Config>,
    service: &Arc<Service>,
    received: &Received,
) -> Decision {
    let answers = &service.answers;
    let most = service.set.attempts;
    let name = service.name.as_str();
    let call = received.uuid.as_deref().map(|uuid| key(&[name, uuid]));
    let tries = call.map_or(0, |call| app.state.tries(&call));
    let attempt = Attempt {
        pin_files: app.pin_files(&config),
        service: Arc::clone(service),
        state: Arc::clone(&app.state),
        caller: received.caller.clone(),
        file_read: Arc::new(AtomicBool::new(false)),
        until: Instant::now() + config.settings.source_timeout,
    };
    let (account, pin) = match entry(app, &attempt, received, tries).await {
        Ok(entry) => entry,
        Err(decision) => return decision,
    };
    if !call.is_none_or(|call| app.state.take_try(call, most)) {
        return decision(&answers.failure, "failure");
    }
    let verified = verify(app, attempt, account, pin).await;
    let status = verified.as_ref().map(|verified| verified.outcome.status);
    // Any other status may mean that the entry was compared with the file.
    if let (Some(Status::Success), Some(call)) = (status, call) {
        app.state.refund_try(call);
    }
    let mut decision = match status {
        Some(Status::Success) => decision(&answers.success, "success"),
        Some(Status::Locked) => decision(&answers.locked, "locked"),
        None | Some(Status::Error | Status::Hangup) => decision(&answers.error, "error"),
        Some(_) if call.is_some() && tries + 1 < most => decision(&service.pin.again, "again"),
        Some(Status::Expired) => decision(&answers.failure, "expired"),
        Some(_) => decision(&answers.failure, "failure"),
    };
    decision.account = verified.map_or_else(Vec::new, |Verified { account, .. }| account);
    decision
}

/// Verifies an entry. Returns `None` if that takes too long or fails.
async fn verify(
    app: &App,
    attempt: Attempt,
    account: Option<EnteredDigits>,
    pin: EnteredDigits,
) -> Option<Verified> {
    if let Some(verified) = attempt.verify_at_once(account.as_ref(), &pin) {
        return Some(verified);
    }
    let name = attempt.service.name.clone();
    let file_read = Arc::clone(&attempt.file_read);
    let until = attempt.until.into();
    let verifying = attempt.verify(account, pin);
    let deciding = async {
        match verifying {
            Ok(verified) => verified.await.ok(),
            Err(BusyError) => {
                let why =
                    format!("service '{name}': call rejected: too many calls wait for its list");
                app.metrics.warn(&why);
                None
            }
        }
    };
    tokio::pin!(deciding);
    let mut verified = timeout_at(until, &mut deciding).await;
    if verified.is_err() && file_read.load(Relaxed) {
        verified = timeout(HASH_TIMEOUT, &mut deciding).await;
    }
    if verified.is_err() {
        let why = format!("service '{name}': call rejected: its list did not respond in time");
        app.metrics.warn(&why);
    }
    verified.ok().flatten()
}

fn decision(answer: &Bytes, outcome: &'static str) -> Decision {
    Decision {
        answer: answer.clone(),
        outcome,
        account: Vec::new(),
    }
}

/// Returns the account and the PIN to verify, or the answer if there is nothing to
/// verify: no attempts left, a lockout, a caller that can't match any row, or a value
/// that the caller has not entered yet.
async fn entry(
    app: &App,
    attempt: &Attempt,
    received: &Received,
    tries: u32,
) -> Result<(Option<EnteredDigits>, EnteredDigits), Decision> {
    let service = &attempt.service;
    let answers = &service.answers;
    if tries >= service.set.attempts {
        return Err(decision(&answers.failure, "failure"));
    }
    let Some(known) = attempt.caller_state().await else {
        return Err(decision(&answers.error, "error"));
    };
    match known.standing {
        Standing::Locked(_) => return Err(decision(&answers.locked, "locked")),
        Standing::OneTry if tries > 0 => return Err(decision(&answers.locked, "locked")),
        Standing::Unknown => return Err(decision(&answers.error, "error")),
        Standing::OneTry | Standing::Open => {}
    }
    if known.refuses {
        return Err(decision(&answers.failure, "failure"));
    }
    let given = |gather: &Gather| {
        let entered = received.data.get(&gather.variable).cloned();
        entered.ok_or_else(|| prompt(app, attempt, received, gather, &known.number))
    };
    let account = known
        .asks_account
        .then(|| given(&service.account))
        .transpose()?;
    let pin = given(&service.pin)?;
    app.prompts.entered(&service.name, &known.number);
    Ok((account, pin))
}

/// Returns the answer that prompts for a value, or a failure if the call has been
/// prompted for it often enough.
fn prompt(
    app: &App,
    attempt: &Attempt,
    received: &Received,
    gather: &Gather,
    number: &str,
) -> Decision {
    let service = &attempt.service;
    let prompt = Prompt {
        service: &service.name,
        variable: &gather.variable,
        uuid: received.uuid.as_deref(),
        caller: number,
    };
    let now = since_epoch().as_secs();
    match app.prompts.take(prompt, service.set.attempts, now) {
        Some(0) => decision(&gather.answer, "gather"),
        Some(_) => decision(&gather.again, "gather"),
        None => decision(&service.answers.failure, "failure"),
    }
}
