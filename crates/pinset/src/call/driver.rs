//! The loop that runs a dialog: the channel on one side, the source of PINs on the other.

use std::time::Duration;

use crate::call::dialog::{
    Conversation, Event, Input, Next, Opening, Plan, Settlement, Step, Wait,
};
use crate::verdict::PinSource;

/// The result of starting a sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Started {
    /// It plays.
    Playing,
    /// There is no such sound; it is skipped and never decides a call.
    Missing,
    /// The caller has hung up, or the call was redirected.
    Gone,
}

/// The channel of one call, as the dialog needs it.
pub trait Host {
    /// Answers, or indicates progress, if the channel is not up. Returns false if the
    /// caller has hung up.
    fn open(&mut self, how: Opening) -> bool;
    /// Starts a sound in the channel's language; one that plays is stopped.
    fn start_sound(&mut self, sound: &[u8]) -> Started;
    /// The same of a final prompt, which starts even if the caller has hung up.
    /// Where there is no such prompt, that is [`Host::start_sound`].
    fn start_final_sound(&mut self, sound: &[u8]) -> Started {
        self.start_sound(sound)
    }
    /// Stops what plays.
    fn stop_sound(&mut self);
    /// Waits for a digit. With [`Wait::Sound`], the sound continues until it ends or
    /// [`Host::stop_sound`] is called.
    fn next_key(&mut self, wait: Wait) -> Input;
    /// The verdict: sets the status variables and the account code.
    fn settle(&mut self, settlement: Settlement<'_>);
    /// Goes to priority n+101. Returns false if there is none.
    fn jump(&mut self) -> bool;
    /// Returns the time since any fixed point.
    fn now(&self) -> Duration;
}

/// Runs the dialog of one call and returns where the call continues.
pub fn run<H: Host>(plan: Plan, host: &mut H, source: &mut dyn PinSource<H>) -> Next {
    let mut conversation = Conversation::new(plan);
    let mut event = Event::Begin;
    let mut playing = false;
    loop {
        let step = conversation.step(event, host.now());
        if playing && !matches!(step, Step::NextKey(Wait::Sound) | Step::Settle(_)) {
            host.stop_sound();
            playing = false;
        }
        event = match step {
            Step::Open(how) => {
                if host.open(how) {
                    Event::Opened
                } else {
                    Event::Input(Input::Gone)
                }
            }
            Step::Play(sound) => started(host.start_sound(sound), &mut playing),
            Step::PlayFinal(sound) => started(host.start_final_sound(sound), &mut playing),
            Step::NextKey(wait) => Event::Input(host.next_key(wait)),
            Step::Verify(entry) => match source.verify(host, entry) {
                Some(verdict) => Event::Verified(verdict),
                None => Event::Input(Input::Gone),
            },
            Step::Settle(settlement) => {
                host.settle(settlement);
                Event::Settled
            }
            Step::Jump => Event::Jumped(host.jump()),
            Step::Finish(next) => return next,
        };
    }
}

/// The event of a sound that was to start.
fn started(started: Started, playing: &mut bool) -> Event {
    *playing = started == Started::Playing;
    match started {
        Started::Playing => Event::Playing,
        Started::Missing => Event::Missing,
        Started::Gone => Event::Input(Input::Gone),
    }
}
