//! A call, as the dialog uses it: `pinset::Host` on a channel.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use pinset::call::dtmf_buffer::DtmfBuffer;
use pinset::dialplan::Place;
use pinset::prompt::is_url;
use pinset::verify::ServiceChannel;
use pinset::{Grant, Host, Input, Opening, Settlement, Started, Status, Wait};

use super::channel::{self, Channel, RunResult, Silence, WaitResult};
use super::dtmf_hook::HiddenDigits;
use super::playback::{self, StartResult};

/// Distance of the priority for failures (option `j`).
const JUMP_OFFSET: i32 = 101;
/// Wait between the sounds of a list, in milliseconds, as in `ast_app_getdata`.
const SOUND_GAP: i32 = 50;

/// The dialplan variable for the outcome.
pub(crate) const STATUS: &CStr = c"AUTHENTICATESTATUS";
const ACCOUNT: &CStr = c"AUTHENTICATEACCOUNT";
const LEVEL: &CStr = c"AUTHENTICATELEVEL";
const CONTEXT: &CStr = c"AUTHENTICATECONTEXT";
/// The dialplan variable for the number of verified attempts.
pub(crate) const ATTEMPTS: &CStr = c"AUTHENTICATEATTEMPTS";
/// The dialplan variables that are cleared of an earlier verdict.
pub(crate) const CLEARED: [&CStr; 4] = [ACCOUNT, LEVEL, CONTEXT, ATTEMPTS];

/// An observer of a call's outcome.
pub(crate) trait OutcomeObserver {
    /// Called when the call begins.
    fn begins(&self, channel: &Channel<'_>);
    /// Called with the grant of the PIN that is right.
    fn admitted(&self, grant: &Grant);
    /// Called with the outcome and the number of verified attempts. The first call
    /// counts.
    fn verdict(&self, channel: &Channel<'_>, outcome: Status, attempts: u32);
}

/// Fetches a sound from the web, whose URL is given, and starts it.
pub(crate) type StartUrl = fn(&mut Call<'_>, &[u8]) -> Started;

/// One call inside the application.
pub(crate) struct Call<'call> {
    channel: Channel<'call>,
    start_url: StartUrl,
    began: Instant,
    /// Digits that came while something else was waited for.
    typed_ahead: DtmfBuffer,
    hidden: Option<HiddenDigits<'call>>,
    silence: Option<Silence<'call>>,
    observer: Option<Box<dyn OutcomeObserver>>,
}

impl<'call> Call<'call> {
    /// Wraps a channel, and fails closed first of all: the status is `ERROR` until
    /// there is a verdict, nothing is left of an earlier `Authenticate`, and with
    /// `hides_arguments` the arguments are hidden.
    pub(crate) fn new(channel: Channel<'call>, start_url: StartUrl, hides_arguments: bool) -> Self {
        let mut call = Self {
            channel,
            start_url,
            began: Instant::now(),
            typed_ahead: DtmfBuffer::new(),
            hidden: None,
            silence: None,
            observer: None,
        };
        call.channel
            .fail_closed(STATUS, c"ERROR", &CLEARED, hides_arguments);
        call
    }

    /// Sets the status to `ERROR`.
    pub(crate) fn fail(&mut self) {
        self.channel.set_variable(STATUS, b"ERROR");
    }

    /// Ends the call in the application. Without a verdict, that is an error.
    pub(crate) fn leave(&self) {
        self.report(Status::Error, 0);
    }

    fn report(&self, status: Status, attempts: u32) {
        if let Some(observer) = &self.observer {
            observer.verdict(&self.channel, status, attempts);
        }
    }

    /// Sets the observer of the outcome.
    pub(crate) fn observe(&mut self, observer: impl OutcomeObserver + 'static) {
        observer.begins(&self.channel);
        self.observer = Some(Box::new(observer));
    }

    /// Returns the caller and the channel.
    pub(crate) fn origin(&self) -> channel::Origin {
        self.channel.origin()
    }

    /// Returns the channel's name.
    pub(crate) fn name(&self) -> String {
        self.channel.name()
    }

    /// Returns its place in the dialplan: `context,extension,priority`.
    pub(crate) fn place(&self) -> String {
        self.channel.place()
    }

    /// Returns the caller number, if there is one.
    pub(crate) fn caller_number(&self) -> Option<Vec<u8>> {
        self.channel.caller_number()
    }

    /// Hides digits from Asterisk's log and events until the call leaves the
    /// application. Returns false if there is not enough memory.
    pub(crate) fn hide_digits(&mut self) -> bool {
        self.hidden = HiddenDigits::new(&self.channel);
        self.hidden.is_some()
    }

    /// Goes to a place in the dialplan. Returns false if there is none.
    pub(crate) fn go_to(&mut self, place: &Place) -> bool {
        self.channel.go_to(place)
    }

    /// Returns the number that was dialled, or the extension.
    pub(crate) fn dialled(&self) -> Vec<u8> {
        self.channel.dialled()
    }

    /// Returns whether the caller has hung up, or a redirect waits for us to return.
    pub(crate) fn is_gone(&self) -> bool {
        self.channel.is_gone()
    }

    /// Returns whether there is such a place in the dialplan, with priority 1.
    pub(crate) fn has_place(&self, place: &Place) -> bool {
        self.channel.has_place(&place.context, &place.exten)
    }

    /// Runs another application, in this language.
    pub(crate) fn run(
        &mut self,
        application: &str,
        data: &str,
        language: Option<&str>,
    ) -> RunResult {
        self.silence = None;
        self.channel.run(application, data, language)
    }

    /// Starts a file, whose path has no extension. Returns [`Started::Missing`] if it
    /// can't be played, and does not log that.
    pub(crate) fn start_file(&mut self, path: &[u8]) -> Started {
        self.silence = None;
        if self.channel.is_gone() {
            return Started::Gone;
        }
        match playback::try_start(&mut self.channel, path) {
            StartResult::Playing => Started::Playing,
            StartResult::Missing | StartResult::New => Started::Missing,
        }
    }

    /// Takes a digit that has come already.
    fn typed(&mut self) -> Option<u8> {
        let (typed_ahead, hidden) = (&mut self.typed_ahead, &self.hidden);
        let next = || typed_ahead.take().or_else(|| hidden.as_ref()?.take());
        std::iter::from_fn(next).find(|key| is_key(*key))
    }

    /// Returns whether a signal that has come is that of a hidden digit, which may have
    /// been taken before.
    fn is_of_digit(&self) -> bool {
        self.hidden.as_ref().is_some_and(HiddenDigits::is_signal)
    }

    /// Waits for a digit until the time is up, whatever other frames come.
    fn wait_digit(&mut self, milliseconds: i32) -> WaitResult {
        let began = Instant::now();
        let mut left = milliseconds;
        loop {
            match self.channel.wait_digit(left) {
                WaitResult::Controlled => {
                    self.is_of_digit();
                    if let Some(key) = self.typed() {
                        return WaitResult::Digit(key);
                    }
                }
                WaitResult::Digit(key) if !is_key(key) => {}
                waited => return waited,
            }
            let gone = i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
            left = milliseconds.saturating_sub(gone).max(0);
        }
    }

    fn wait_sound(&mut self) -> WaitResult {
        loop {
            match self.channel.wait_sound() {
                WaitResult::Digit(key) if !is_key(key) => {}
                WaitResult::Over if self.channel.is_streaming() => {
                    let of_digit = self.is_of_digit();
                    match self.typed() {
                        Some(key) => return WaitResult::Digit(key),
                        None if of_digit => {}
                        None => return WaitResult::Controlled,
                    }
                }
                waited => return waited,
            }
        }
    }
}

/// Keeps the digits that come meanwhile.
impl ServiceChannel for Call<'_> {
    fn listen(&mut self, milliseconds: i32) -> bool {
        match self.channel.wait_digit(milliseconds) {
            WaitResult::Digit(key) => {
                self.typed_ahead.push(key);
                true
            }
            WaitResult::Controlled => {
                self.is_of_digit();
                true
            }
            waited => waited != WaitResult::Gone,
        }
    }
}

fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

/// Sets the variables with the account, level and context of a PIN.
pub(crate) fn announce(channel: &mut Channel<'_>, grant: &Grant) {
    if let Some(account) = &grant.account {
        channel.set_variable(ACCOUNT, account);
    }
    if let Some(level) = grant.level {
        channel.set_variable(LEVEL, level.to_string().as_bytes());
    }
    if let Some(context) = &grant.context {
        channel.set_variable(CONTEXT, context.as_bytes());
    }
}

/// Returns whether a telephone can send it: drivers also report a fax tone as a digit.
fn is_key(key: u8) -> bool {
    key == b'#' || pinset::pin::is_key(key)
}

impl Host for Call<'_> {
    fn open(&mut self, how: Opening) -> bool {
        if self.channel.is_up() {
            self.channel.publish();
            return !self.channel.is_gone();
        }
        let opened = match how {
            Opening::Answer => self.channel.answer(),
            Opening::Progress => {
                self.channel.progress();
                !self.channel.is_gone()
            }
        };
        // Answering has published the channel, and the hidden arguments with it.
        if !self.channel.is_up() {
            self.channel.publish();
        }
        opened
    }

    fn start_sound(&mut self, name: &[u8]) -> Started {
        self.silence = None;
        if self.channel.is_gone() {
            return Started::Gone;
        }
        if is_url(name) {
            return (self.start_url)(self, name);
        }
        self.start_final_sound(name)
    }

    /// Starts a sound, as Asterisk does, on a channel that has been hung up, too.
    fn start_final_sound(&mut self, name: &[u8]) -> Started {
        self.silence = None;
        if playback::start(&mut self.channel, name) {
            Started::Playing
        } else {
            Started::Missing
        }
    }

    fn stop_sound(&mut self) {
        self.channel.stop_stream();
    }

    fn next_key(&mut self, wait: Wait) -> Input {
        if let Some(key) = self.typed() {
            return Input::Key(key);
        }
        let waited = match wait {
            Wait::Sound => self.wait_sound(),
            Wait::BetweenSounds | Wait::FirstKey(_) | Wait::NextKey(_) => {
                let (first, next) = self.channel.key_timeouts();
                if self.silence.is_none() {
                    self.silence = self.channel.silence();
                }
                self.wait_digit(match wait {
                    Wait::FirstKey(time) => time.map_or(first, milliseconds),
                    Wait::NextKey(time) => time.map_or(next, milliseconds),
                    _ => SOUND_GAP,
                })
            }
        };
        match waited {
            WaitResult::Digit(key) => Input::Key(key),
            WaitResult::Gone => Input::Gone,
            WaitResult::Over | WaitResult::Controlled if wait == Wait::Sound => Input::SoundEnded,
            WaitResult::Over | WaitResult::Controlled => Input::Silence,
        }
    }

    fn settle(&mut self, settlement: Settlement<'_>) {
        self.silence = None;
        if let Some(code) = settlement.account_code {
            self.channel.set_account_code(code);
        }
        if let Some(grant) = settlement.grant {
            if let Some(observer) = &self.observer {
                observer.admitted(grant);
            }
            announce(&mut self.channel, grant);
        }
        let attempts = settlement.attempts.to_string();
        self.channel.set_variable(ATTEMPTS, attempts.as_bytes());
        let status = settlement.status.word();
        self.channel.set_variable(STATUS, status.as_bytes());
        self.report(settlement.status, settlement.attempts);
    }

    fn jump(&mut self) -> bool {
        self.channel.jump(JUMP_OFFSET)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}
