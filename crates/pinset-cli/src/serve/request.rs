//! A call is posted: what it is answered with.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use pinset::external::{Keyed, Received, Webhook};
use pinset::lockout::Standing;
use pinset::timestamp::since_epoch;
use pinset::Status;
use thiserror::Error;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::serve::app::App;
use crate::serve::asks::Ask;
use crate::serve::config::{Config, Gather, Limits, PostKind, Service};
use crate::serve::log::{Call, Entry, HANGUP, UNAUTHORIZED};
use crate::serve::verify::{Case, Judged};
use crate::serve::workers::BusyError;
use crate::serve::{auth, client, redact};

/// What is left to be done once a list has said what it knows: slow hashes.
const HASHES: Duration = Duration::from_secs(15);

/// What a request is answered with, and what the log has of it.
struct Answered {
    status: StatusCode,
    body: Bytes,
    outcome: &'static str,
    caller: String,
    account: String,
    /// The request as it may be shown.
    shown: String,
    /// Of the call, as it may be shown.
    uuid: String,
    call: Call,
}

impl Answered {
    fn refused(status: StatusCode, why: &str) -> Self {
        Self {
            status,
            body: format!("{why}\n").into(),
            outcome: "refused",
            caller: String::new(),
            account: String::new(),
            shown: String::new(),
            uuid: String::new(),
            call: Call::default(),
        }
    }

    fn of_body(status: StatusCode, why: &str, body: &[u8]) -> Self {
        Self {
            shown: format!("{} bytes", body.len()),
            ..Self::refused(status, why)
        }
    }
}

/// What a call is answered with.
struct Decision {
    answer: Bytes,
    outcome: &'static str,
    account: Vec<u8>,
}

/// Answers a request to a service.
pub async fn answer(
    app: &Arc<App>,
    config: Arc<Config>,
    (service, kind): (Arc<Service>, PostKind),
    peer: IpAddr,
    request: Request<Body>,
) -> Response<Body> {
    let (began, time) = (Instant::now(), since_epoch());
    let (head, body) = request.into_parts();
    let client = client::of(peer, &head.headers, &config.trusted_proxies);
    let mut challenge = None;
    let answered =
        if let Err(denied) = auth::check(&service.auth, config.exposure(), peer, &head.headers) {
            if denied.why == auth::UNPROTECTED {
                let name = &service.name;
                app.metrics
                    .say(&format!("service '{name}': {}", denied.why));
            }
            challenge = denied.challenge;
            Answered {
                outcome: UNAUTHORIZED,
                ..Answered::refused(denied.status, denied.why)
            }
        } else if head.method != Method::POST {
            Answered::refused(StatusCode::METHOD_NOT_ALLOWED, "POST a call")
        } else {
            match (read(body, &config.limits).await, kind) {
                (Ok(body), PostKind::Call) => take(app, config, &service, &body).await,
                (Ok(body), PostKind::Webhook) => take_webhook(&body),
                (Err(error), _) => Answered::refused(error.status(), &error.to_string()),
            }
        };
    let duration = began.elapsed();
    let Answered { status, body, .. } = &answered;
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
    #[error("the body did not come in time")]
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

/// The whole body, which is wiped when dropped.
async fn read(mut body: Body, limits: &Limits) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    let most = limits.body;
    let whole = async {
        // No copy is left behind by growing, as far as it is told how long it is.
        let told = http_body::Body::size_hint(&body).exact().unwrap_or(4096);
        let room = usize::try_from(told).unwrap_or(usize::MAX).min(most);
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

async fn take(
    app: &Arc<App>,
    config: Arc<Config>,
    service: &Arc<Service>,
    body: &[u8],
) -> Answered {
    let received = match Received::parse(body) {
        Ok(received) => received,
        Err(why) => {
            return Answered::of_body(StatusCode::BAD_REQUEST, &why.to_string(), body);
        }
    };
    let shown = redact::masked(body, &received.data).unwrap_or_default();
    let decision = decide(app, config, service, &received).await;
    let uuid = received.uuid.clone().unwrap_or_default();
    Answered {
        status: StatusCode::OK,
        body: decision.answer,
        outcome: decision.outcome,
        caller: received.caller.unwrap_or_default(),
        account: String::from_utf8_lossy(&decision.account).into_owned(),
        shown,
        uuid: Some(uuid)
            .filter(|uuid| !redact::reveals(uuid, &received.data))
            .unwrap_or_default(),
        call: Call::default(),
    }
}

/// Takes note of the end of a call. What else a webhook reports is not kept.
fn take_webhook(body: &[u8]) -> Answered {
    let ended = match Webhook::parse(body) {
        Ok(Webhook::Hangup(ended)) => ended,
        Ok(Webhook::Other) => {
            return Answered {
                outcome: "ignored",
                ..Answered::of_body(StatusCode::OK, "{}", body)
            }
        }
        Err(why) => return Answered::of_body(StatusCode::BAD_REQUEST, &why.to_string(), body),
    };
    Answered {
        outcome: HANGUP,
        caller: ended.caller.unwrap_or_default(),
        uuid: ended.uuid,
        call: Call {
            outcome: ended.outcome.unwrap_or_default(),
            destination: ended.destination.unwrap_or_default(),
            duration: ended.duration,
        },
        ..Answered::of_body(StatusCode::OK, "{}", body)
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
    let uuid = received.uuid.as_deref();
    let tries = uuid.map_or(0, |uuid| app.state.tries(name, uuid));
    let case = Case {
        lists: app.lists(&config),
        service: Arc::clone(service),
        state: Arc::clone(&app.state),
        caller: received.caller.clone(),
        listed: Arc::new(AtomicBool::new(false)),
    };
    let (account, pin) = match entry(app, &case, received, tries) {
        Ok(entry) => entry,
        Err(decision) => return decision,
    };
    if !uuid.is_none_or(|uuid| app.state.take_try(name, uuid, most)) {
        return say(&answers.failure, "failure");
    }
    let judged = verify(app, case, account, pin, config.settings.source_timeout).await;
    let status = judged.as_ref().map(|judged| judged.outcome.status);
    // Whatever else it is, it may have been compared with the list.
    if let (Some(Status::Success), Some(uuid)) = (status, uuid) {
        app.state.refund_try(name, uuid);
    }
    let mut decision = match status {
        Some(Status::Success) => say(&answers.success, "success"),
        Some(Status::Locked) => say(&answers.locked, "locked"),
        None | Some(Status::Error | Status::Hangup) => say(&answers.error, "error"),
        Some(_) if uuid.is_some() && tries + 1 < most => say(&service.pin.again, "again"),
        Some(Status::Expired) => say(&answers.failure, "expired"),
        Some(_) => say(&answers.failure, "failure"),
    };
    decision.account = judged.map_or_else(Vec::new, |Judged { account, .. }| account);
    decision
}

/// Verifies an entry. Returns `None` if that takes too long, or can't be done.
async fn verify(
    app: &App,
    case: Case,
    account: Option<Keyed>,
    pin: Keyed,
    source_timeout: Duration,
) -> Option<Judged> {
    let name = case.service.name.clone();
    let listed = Arc::clone(&case.listed);
    let verifying = case.verify(account, pin);
    let deciding = async {
        match verifying {
            Ok(verified) => verified.await.ok(),
            Err(BusyError) => {
                let why =
                    format!("service '{name}' admits nobody: too many calls wait for its list");
                app.metrics.say(&why);
                None
            }
        }
    };
    tokio::pin!(deciding);
    let mut judged = timeout(source_timeout, &mut deciding).await;
    if judged.is_err() && listed.load(Relaxed) {
        judged = timeout(HASHES, &mut deciding).await;
    }
    if judged.is_err() {
        let why = format!("service '{name}' admits nobody: its list did not answer in time");
        app.metrics.say(&why);
    }
    judged.ok().flatten()
}

fn say(answer: &Bytes, outcome: &'static str) -> Decision {
    Decision {
        answer: answer.clone(),
        outcome,
        account: Vec::new(),
    }
}

/// Returns the account and the PIN to verify, or the answer if there is nothing to
/// verify: no more tries, a lock, a caller who can't be anybody, or something that
/// is still to be asked for.
fn entry(
    app: &App,
    case: &Case,
    received: &Received,
    tries: u32,
) -> Result<(Option<Keyed>, Keyed), Decision> {
    let service = &case.service;
    let answers = &service.answers;
    if tries >= service.set.attempts {
        return Err(say(&answers.failure, "failure"));
    }
    let look = case.look();
    match look.standing {
        Standing::Locked(_) => return Err(say(&answers.locked, "locked")),
        Standing::OneTry if tries > 0 => return Err(say(&answers.locked, "locked")),
        Standing::OneTry | Standing::Open => {}
    }
    if look.refuses {
        return Err(say(&answers.failure, "failure"));
    }
    let given = |gather: &Gather| {
        let entered = received.data.get(&gather.variable).cloned();
        entered.ok_or_else(|| ask(app, case, received, gather, &look.number))
    };
    let account = look
        .asks_account
        .then(|| given(&service.account))
        .transpose()?;
    let pin = given(&service.pin)?;
    app.asks.entered(&service.name, &look.number);
    Ok((account, pin))
}

/// The answer that asks for something, unless it was asked for often enough.
fn ask(app: &App, case: &Case, received: &Received, gather: &Gather, number: &str) -> Decision {
    let service = &case.service;
    let ask = Ask {
        service: &service.name,
        variable: &gather.variable,
        uuid: received.uuid.as_deref(),
        caller: number,
    };
    let now = since_epoch().as_secs();
    match app.asks.take(ask, service.set.attempts, now) {
        Some(0) => say(&gather.answer, "gather"),
        Some(_) => say(&gather.again, "gather"),
        None => say(&service.answers.failure, "failure"),
    }
}
