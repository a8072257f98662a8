//! The line to a caller, as it outlives the conversations on it.

use std::time::Duration;

use super::Speaker;
use crate::call::dialog::{Input, Opening, Plan, Settlement, Status, Wait, HABITUAL_HASH};
use crate::call::driver::{self, Host, Started};
use crate::call::dtmf_buffer::DtmfBuffer;
use crate::config::AccountCode;
use crate::dialplan::Route;
use crate::external::{EnteredDigits, Gather};
use crate::verdict::{Entry, Grant, PinSource, Verdict};

/// A channel on which one conversation follows another: digits entered between
/// them are kept, and no verdict of theirs is shown.
pub(super) struct GatherChannel<'a, H> {
    pub(super) host: &'a mut H,
    open: bool,
    /// Digits that arrived while something was played.
    typed: DtmfBuffer,
    /// A digit has arrived since the last entry.
    heard: bool,
    /// The last entry was ended by `max_digits`.
    full: bool,
    /// The post of such an entry was answered then: a `#` that follows soon
    /// belongs to it.
    filled_at: Option<Duration>,
    taken: Option<AcceptedInput>,
    status: Option<Status>,
}

/// The result of a gather.
pub(super) enum GatherResult {
    Digits(EnteredDigits),
    /// The caller has entered nothing, and the service decides.
    Silent,
    Refused(Status),
    Gone,
}

/// The input that a gather accepts.
enum AcceptedInput {
    Digits(EnteredDigits),
    Silence,
}

impl<'a, H: Speaker> GatherChannel<'a, H> {
    pub(super) fn new(host: &'a mut H) -> Self {
        Self {
            host,
            open: false,
            typed: DtmfBuffer::new(),
            heard: false,
            full: false,
            filled_at: None,
            taken: None,
            status: None,
        }
    }

    /// Notes that the gathered digits were posted and answered.
    pub(super) fn posted(&mut self) {
        let full = std::mem::take(&mut self.full);
        self.filled_at = full.then(|| self.host.now());
    }

    /// Plays a sound to its end. Returns false if the caller has hung up.
    pub(super) fn play(&mut self, url: &str, opening: Opening) -> bool {
        if !self.open(opening) {
            return false;
        }
        match self.host.start_url(url) {
            Started::Gone => return false,
            Started::Missing => return true,
            Started::Playing => {}
        }
        loop {
            match self.listen(Wait::Sound) {
                Input::Key(key) => self.typed.push(key),
                Input::SoundEnded | Input::Silence => break,
                Input::Gone => return false,
            }
        }
        self.host.stop_sound();
        true
    }

    /// Speaks a text. Returns false if the caller has hung up.
    pub(super) fn say(&mut self, text: &str, language: Option<&str>, opening: Opening) -> bool {
        self.open(opening) && self.host.say(text, language)
    }

    /// Asks for digits; `plan` is that of the call. With `takes_silence` a caller who
    /// enters nothing is not asked again.
    pub(super) fn gather(
        &mut self,
        gather: &Gather,
        plan: &Plan,
        takes_silence: bool,
    ) -> GatherResult {
        let ask: Vec<_> = gather
            .ask
            .iter()
            .map(|url| url.as_bytes().to_vec())
            .collect();
        let plan = Plan {
            opening: plan.opening,
            account: None,
            prompts: ask.clone(),
            // Only the service knows what it asks for.
            fallback_prompt: None,
            retry: ask,
            success: Vec::new(),
            failure: Vec::new(),
            locked: Vec::new(),
            attempts: plan.attempts,
            max_digits: gather.max_digits,
            first_key: plan.first_key,
            next_key: plan.next_key,
            clear_key: plan.clear_key,
            account_code: AccountCode::Keep,
            jump: false,
            on_success: Route::Continue,
            on_failure: Route::Continue,
            on_locked: Route::Continue,
            final_prompt_when_gone: false,
            refused: None,
        };
        let mut verifier = LengthCheck {
            least: gather.min_digits,
            most: gather.max_digits,
            takes_silence,
        };
        driver::run(plan, self, &mut verifier);
        match (self.status.take(), self.taken.take()) {
            (Some(Status::Success), Some(AcceptedInput::Digits(digits))) => {
                GatherResult::Digits(digits)
            }
            (Some(Status::Success), Some(AcceptedInput::Silence)) => GatherResult::Silent,
            (Some(Status::Hangup) | None, _) => GatherResult::Gone,
            (Some(status), _) => GatherResult::Refused(status),
        }
    }

    /// Returns the next input from the channel, but skips the `#` that belongs to an
    /// entry that was complete without it.
    fn listen(&mut self, wait: Wait) -> Input {
        loop {
            let heard = self.host.next_key(wait);
            let Input::Key(key) = heard else {
                return heard;
            };
            let now = self.host.now();
            let filled_at = self.filled_at.take();
            let habit = filled_at.is_some_and(|at| now.saturating_sub(at) <= HABITUAL_HASH);
            if key != b'#' || !habit {
                return heard;
            }
        }
    }
}

impl<H: Speaker> Host for GatherChannel<'_, H> {
    fn open(&mut self, how: Opening) -> bool {
        self.open = self.open || self.host.open(how);
        self.open
    }

    /// The only sound of a gather is the one that asks.
    fn start_sound(&mut self, url: &[u8]) -> Started {
        match std::str::from_utf8(url) {
            Ok(url) => self.host.start_url(url),
            Err(_) => Started::Missing,
        }
    }

    fn stop_sound(&mut self) {
        self.host.stop_sound();
    }

    fn next_key(&mut self, wait: Wait) -> Input {
        let typed = self.typed.take().map(Input::Key);
        let heard = typed.unwrap_or_else(|| self.listen(wait));
        self.heard |= matches!(heard, Input::Key(_));
        heard
    }

    fn settle(&mut self, settlement: Settlement<'_>) {
        self.status = Some(settlement.status);
    }

    fn jump(&mut self) -> bool {
        false
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}

/// Accepts an entry by its number of digits alone.
struct LengthCheck {
    least: usize,
    most: usize,
    takes_silence: bool,
}

impl<H: Speaker> PinSource<GatherChannel<'_, H>> for LengthCheck {
    fn verify(&mut self, line: &mut GatherChannel<'_, H>, entry: Entry<'_>) -> Option<Verdict> {
        // With `min_digits` 0, `#` alone is an entry, and silence is not.
        let heard = std::mem::take(&mut line.heard);
        if !heard && self.takes_silence {
            line.taken = Some(AcceptedInput::Silence);
            return Some(Verdict::Right(Grant::default()));
        }
        if !heard || entry.pin.len() < self.least {
            return Some(Verdict::Wrong);
        }
        line.full = entry.pin.len() >= self.most;
        line.taken = Some(AcceptedInput::Digits(EnteredDigits::from(entry.pin)));
        Some(Verdict::Right(Grant::default()))
    }
}

/// A channel that reports the number of posted entries as the attempts of the call,
/// though nothing is asked any more.
pub(super) struct Counted<'a, H> {
    pub(super) host: &'a mut H,
    pub(super) attempts: u32,
}

impl<H: Host> Host for Counted<'_, H> {
    fn open(&mut self, how: Opening) -> bool {
        self.host.open(how)
    }

    fn start_sound(&mut self, sound: &[u8]) -> Started {
        self.host.start_sound(sound)
    }

    fn stop_sound(&mut self) {
        self.host.stop_sound();
    }

    fn next_key(&mut self, wait: Wait) -> Input {
        self.host.next_key(wait)
    }

    fn settle(&mut self, settlement: Settlement<'_>) {
        self.host.settle(Settlement {
            attempts: self.attempts,
            ..settlement
        });
    }

    fn jump(&mut self) -> bool {
        self.host.jump()
    }

    fn now(&self) -> Duration {
        self.host.now()
    }
}
