//! The flow of a call through the responses of a web service, until it sends the call
//! somewhere or nothing more can be done.
//!
//! Digits are read as for a PIN, by the [`Conversation`] with its prompts, timeouts and
//! attempts: [`run`] runs one for each `gather`.
//!
//! [`Conversation`]: crate::Conversation

mod attempts;
mod error;
mod line;

use super::gathered::Data;
use super::response::{Action, Gather, ServiceAnswer};
use super::say::{argument, is_language};
use crate::call::dialog::{Next, Plan, Settlement, Status};
use crate::call::driver::{self, Host, Started};
use crate::config::External;
use crate::dialplan::{Place, Route};
use crate::verdict::DenyAll;
use crate::verify::{AttemptError, Counter, LockoutContext, ServiceChannel};

use attempts::{Attempts, Meaning};
pub use error::{reveals, FlowError};
use line::{Counted, GatherChannel, GatherResult};

/// The service that is asked what to do with a call.
pub trait Service<H> {
    /// Posts all that was gathered, and serves the caller on `host` meanwhile.
    fn post(&mut self, host: &mut H, data: &Data) -> Posted;
}

/// The result of a post.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Posted {
    /// The service has answered with actions.
    Answer(ServiceAnswer),
    /// The service has answered with anything else: an HTTP error, or a body that
    /// is invalid, too large or incomplete. The log says why.
    Unusable,
    /// There is no HTTP answer: no connection, a timeout before the status line,
    /// or a service that is not asked for now. The log says why.
    NoAnswer,
    /// The caller has hung up, and the post is given up.
    Gone {
        /// The service may have received it.
        sent: bool,
    },
}

/// One call, as a service's answers need it.
pub trait Speaker: Host + ServiceChannel {
    /// Starts the sound at a URL, which may have to be fetched first. One that may not
    /// or can't be fetched is missing, and is logged.
    fn start_url(&mut self, url: &str) -> Started;
    /// Speaks a text that has no characters special to Asterisk. A text that can't be
    /// spoken is skipped and logged. Returns false if the caller has hung up.
    fn say(&mut self, text: &str, language: Option<&str>) -> bool;
    /// Returns whether the dialplan has this place, for this caller.
    fn has(&mut self, place: &Place) -> bool;
}

/// The options of a call to a service.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// How the channel is opened, and how often and how long digits are awaited.
    pub plan: &'a Plan,
    /// The options for the service.
    pub external: &'a External,
}

/// The result of a call, which [`conclude`] applies to the channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FlowOutcome {
    /// The service has sent it somewhere.
    Sent {
        /// Success or failure.
        status: Status,
        /// Where.
        place: Place,
        /// How often something was gathered and posted.
        attempts: u32,
    },
    /// It is sent nowhere.
    Refused {
        /// Failure, timeout, locked or error.
        status: Status,
        /// As above.
        attempts: u32,
        /// The service has ended the call, so no goodbye is played.
        silent: bool,
        /// Why the answer can't be carried out, for the log.
        trouble: Option<FlowError>,
    },
    /// The caller is gone.
    Gone {
        /// As above.
        attempts: u32,
    },
}

impl FlowOutcome {
    /// A call that is refused before anything is posted.
    pub fn refused(status: Status) -> Self {
        Self::Refused {
            status,
            attempts: 0,
            silent: false,
            trouble: None,
        }
    }

    /// `AUTHENTICATESTATUS`.
    pub fn status(&self) -> Status {
        match self {
            Self::Sent { status, .. } | Self::Refused { status, .. } => *status,
            Self::Gone { .. } => Status::Hangup,
        }
    }

    /// `AUTHENTICATEATTEMPTS`.
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Sent { attempts, .. }
            | Self::Refused { attempts, .. }
            | Self::Gone { attempts } => *attempts,
        }
    }
}

/// Asks the service and does what it says, until that is settled. What the caller
/// enters is counted by `counter`: an entry as soon as its post is answered, earlier
/// steps of a call that is not admitted at its end.
pub fn run<H: Speaker, K: LockoutContext>(
    order: Order<'_>,
    host: &mut H,
    counter: &Counter<K>,
    service: &mut impl Service<H>,
) -> FlowOutcome {
    let mut flow = Flow {
        order,
        line: GatherChannel::new(host),
        data: Data::new(),
        attempts: Attempts::new(counter),
        has_entry: false,
        silences: 0,
        posted: 0,
        steps: 0,
    };
    let end = flow.go(service);
    let attempts = flow.posted;
    match end {
        End::Sent(status, place) => FlowOutcome::Sent {
            status,
            place,
            attempts,
        },
        End::Hangup => FlowOutcome::Refused {
            status: Status::Failure,
            attempts,
            silent: true,
            trouble: None,
        },
        End::Refused(status) => FlowOutcome::Refused {
            status,
            attempts,
            silent: false,
            trouble: None,
        },
        End::FlowError(trouble) => FlowOutcome::Refused {
            status: Status::Error,
            attempts,
            silent: false,
            trouble: Some(trouble),
        },
        End::Gone => FlowOutcome::Gone { attempts },
    }
}

/// Shows on the channel what has become of a call, and says where it goes. What
/// is refused goes as any PIN set's call does, by `on_error`; a call that the
/// service has ended is hung up, unless the dialplan says otherwise (options
/// `j` and `c`). `plan` is that of [`run`].
pub fn conclude<H: Host>(
    outcome: FlowOutcome,
    plan: Plan,
    external: &External,
    host: &mut H,
) -> Next {
    let (status, attempts) = (outcome.status(), outcome.attempts());
    let settlement = Settlement {
        status,
        grant: None,
        account_code: None,
        attempts,
    };
    match outcome {
        FlowOutcome::Sent { place, .. } => {
            host.settle(settlement);
            Next::Goto(place)
        }
        FlowOutcome::Gone { .. } => {
            host.settle(settlement);
            Next::HangUp
        }
        FlowOutcome::Refused { silent: true, .. } => {
            host.settle(settlement);
            let goes_on = (plan.jump && host.jump()) || plan.on_failure == Route::Continue;
            if goes_on {
                Next::Continue
            } else {
                Next::HangUp
            }
        }
        FlowOutcome::Refused { .. } => {
            let on_failure = match plan.on_failure {
                Route::Continue => Route::Continue,
                Route::Hangup | Route::Goto(_) => external.on_error.clone(),
            };
            let plan = Plan {
                refused: Some(status),
                on_failure,
                ..plan
            };
            driver::run(plan, &mut Counted { host, attempts }, &mut DenyAll)
        }
    }
}

/// The result of carrying out actions.
enum End {
    Sent(Status, Place),
    Hangup,
    Refused(Status),
    FlowError(FlowError),
    Gone,
}

struct Flow<'a, H, K: LockoutContext> {
    order: Order<'a>,
    line: GatherChannel<'a, H>,
    data: Data,
    attempts: Attempts<'a, K>,
    /// The next post has a new entry.
    has_entry: bool,
    /// How often the caller has entered nothing.
    silences: u32,
    /// How many entries were posted.
    posted: u32,
    steps: u32,
}

impl<H: Speaker, K: LockoutContext> Flow<'_, H, K> {
    fn go(&mut self, service: &mut impl Service<H>) -> End {
        loop {
            let step = self.post(service);
            if let Err(end) = step.and_then(|actions| self.carry_out(actions)) {
                return end;
            }
        }
    }

    /// Posts what was gathered, and counts it by the answer.
    fn post(&mut self, service: &mut impl Service<H>) -> Result<Vec<Action>, End> {
        if std::mem::take(&mut self.has_entry) {
            self.attempts
                .charge(self.line.host)
                .map_err(|halt| match halt {
                    AttemptError::Locked => End::Refused(Status::Locked),
                    AttemptError::Busy | AttemptError::Unknown => End::Refused(Status::Error),
                    AttemptError::Gone => End::Gone,
                })?;
            self.posted += 1;
        }
        let (meaning, result) = match service.post(self.line.host, &self.data) {
            Posted::Answer(answer) => (self.meaning(&answer.actions), Ok(answer.actions)),
            Posted::Unusable => (Meaning::Wrong, Err(End::Refused(Status::Error))),
            Posted::NoAnswer => (Meaning::Unknown, Err(End::Refused(Status::Error))),
            // Hanging up before the answer does not make a guess free.
            Posted::Gone { sent: true } => (Meaning::Wrong, Err(End::Gone)),
            Posted::Gone { sent: false } => (Meaning::Unknown, Err(End::Gone)),
        };
        self.attempts.settle(meaning);
        self.line.posted();
        result
    }

    /// Returns what an answer means for the entry that was posted.
    fn meaning(&self, actions: &[Action]) -> Meaning {
        let external = self.order.external;
        let end = actions.iter().find_map(|action| match action {
            Action::Gather(gather) if !self.has_entered(&gather.variable_name) => {
                Some(Meaning::Step)
            }
            Action::Connect { destination } | Action::Dial { destination }
                if external.admits(destination) =>
            {
                Some(Meaning::Admitted)
            }
            Action::Play { .. } | Action::Say { .. } => None,
            _ => Some(Meaning::Wrong),
        });
        end.unwrap_or(Meaning::Wrong)
    }

    /// Whether the caller has entered something for this variable.
    fn has_entered(&self, variable: &str) -> bool {
        let entered = self.data.get(variable);
        entered.is_some_and(|entered| !entered.is_empty())
    }

    /// Carries actions out up to the first `gather`: the next answer replaces those
    /// after it.
    fn carry_out(&mut self, actions: Vec<Action>) -> Result<(), End> {
        let (plan, most) = (self.order.plan, self.order.external.max_steps);
        for action in actions {
            if self.steps >= most {
                return Err(End::FlowError(FlowError::TooManySteps(most)));
            }
            self.steps += 1;
            let there = match action {
                Action::Gather(gather) => return self.gather(&gather),
                Action::Play { url } => self.line.play(&url, plan.opening),
                Action::Say { text, language } => {
                    let language = language.as_deref().filter(|name| is_language(name));
                    self.line.say(&argument(&text), language, plan.opening)
                }
                Action::Connect { destination } => {
                    let place = self.order.external.connect(&destination);
                    return Err(self.send("connect", &destination, place));
                }
                Action::Dial { destination } => {
                    let place = self.order.external.dial(&destination);
                    return Err(self.send("dial", &destination, place));
                }
                Action::Hangup => return Err(End::Hangup),
            };
            if !there {
                return Err(End::Gone);
            }
        }
        Err(End::FlowError(FlowError::NoDestination))
    }

    fn gather(&mut self, gather: &Gather) -> Result<(), End> {
        let Order { plan, external } = self.order;
        // Bounds a service that asks a silent caller again and again.
        let posts_silence = external.post_silence && self.silences < plan.attempts;
        match self.line.gather(gather, plan, posts_silence) {
            GatherResult::Digits(digits) => {
                self.data.insert(&gather.variable_name, digits);
                self.has_entry = true;
                Ok(())
            }
            GatherResult::Silent => {
                self.data.insert(&gather.variable_name, "");
                self.silences += 1;
                Ok(())
            }
            GatherResult::Refused(status) => Err(End::Refused(status)),
            GatherResult::Gone => Err(End::Gone),
        }
    }

    /// `place` is where the destination is, or `None` if it is refused.
    fn send(&mut self, action: &'static str, destination: &str, place: Option<Place>) -> End {
        let shown = || error::shown(destination, &self.data);
        match place {
            None => End::FlowError(FlowError::DestinationNotAllowed(action, shown())),
            Some(place) if !self.line.host.has(&place) => {
                End::FlowError(FlowError::MissingExtension(place.context, shown()))
            }
            Some(place) => {
                let status = match self.order.external.admits(destination) {
                    true => Status::Success,
                    false => Status::Failure,
                };
                End::Sent(status, place)
            }
        }
    }
}

#[cfg(test)]
mod tests;
