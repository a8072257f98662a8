//! A scripted caller and a scripted service.

use std::collections::VecDeque;
use std::time::Duration;

use crate::call::dialog::{Input, Opening, Settlement, Wait};
use crate::call::driver::{Host, Started};
use crate::dialplan::Place;
use crate::external::flow::{Posted, Service, Speaker};
use crate::external::{Data, ServiceAnswer};
use crate::verify::ServiceChannel;

/// A caller who enters the digits of a script. Time passes only where it says so.
#[derive(Default)]
pub(super) struct Phone {
    pub script: VecDeque<Cue>,
    /// The sounds on the line, and the operations on the channel.
    pub log: Vec<String>,
    pub now: Duration,
    /// The number of further operations after which the caller hangs up.
    pub patience: Option<usize>,
    /// Hung up by now.
    pub gone: bool,
    pub missing: bool,
    pub no_place: bool,
    pub jumps: bool,
    /// Called for each sound and each wait for digits.
    pub watch: Option<Box<dyn FnMut()>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Cue {
    /// Enters this digit.
    Key(u8),
    /// The sound ends, or the wait does.
    Nothing,
    /// This much time passes.
    Pass(Duration),
}

impl Phone {
    /// `_` stands for silence, and for the end of a sound.
    pub(super) fn entering(script: &str) -> Self {
        let cue = |key| match key {
            b'_' => Cue::Nothing,
            key => Cue::Key(key),
        };
        Self {
            script: script.bytes().map(cue).collect(),
            ..Self::default()
        }
    }

    /// Counts an operation. Returns false if the caller has hung up.
    fn there(&mut self) -> bool {
        match &mut self.patience {
            Some(0) => self.gone = true,
            Some(patience) => *patience -= 1,
            None => {}
        }
        !self.gone
    }

    fn watched(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch();
        }
    }

    fn note(&mut self, text: impl Into<String>) {
        assert!(!self.gone, "nothing is done after the hang-up");
        self.log.push(text.into());
    }
}

impl Host for Phone {
    fn open(&mut self, how: Opening) -> bool {
        if !self.there() {
            return false;
        }
        self.note(format!("{how:?}"));
        true
    }

    fn start_sound(&mut self, sound: &[u8]) -> Started {
        self.start_url(&String::from_utf8_lossy(sound))
    }

    fn stop_sound(&mut self) {}

    fn next_key(&mut self, wait: Wait) -> Input {
        self.watched();
        if !self.there() {
            return Input::Gone;
        }
        loop {
            return match (self.script.pop_front(), wait) {
                (Some(Cue::Pass(time)), _) => {
                    self.now += time;
                    continue;
                }
                (Some(Cue::Key(key)), _) => Input::Key(key),
                (Some(Cue::Nothing) | None, Wait::Sound) => Input::SoundEnded,
                (Some(Cue::Nothing) | None, _) => Input::Silence,
            };
        }
    }

    fn settle(&mut self, settlement: Settlement<'_>) {
        assert_eq!((settlement.grant, settlement.account_code), (None, None));
        let (status, attempts) = (settlement.status.word(), settlement.attempts);
        self.log.push(format!("{status} {attempts}"));
    }

    fn jump(&mut self) -> bool {
        self.note("jump");
        self.jumps
    }

    fn now(&self) -> Duration {
        self.now
    }
}

impl Speaker for Phone {
    fn start_url(&mut self, url: &str) -> Started {
        self.watched();
        if !self.there() {
            return Started::Gone;
        }
        if self.missing {
            return Started::Missing;
        }
        self.note(url.trim_start_matches("https://h/"));
        Started::Playing
    }

    fn say(&mut self, text: &str, language: Option<&str>) -> bool {
        if !self.there() {
            return false;
        }
        self.note(format!("say {text:?} {language:?}"));
        true
    }

    fn has(&mut self, place: &Place) -> bool {
        assert_eq!(place.priority, "1");
        !self.no_place
    }
}

impl ServiceChannel for Phone {
    fn listen(&mut self, _: i32) -> bool {
        self.there()
    }
}

/// A service with these answers; the last one repeats for ever.
pub(super) struct Answers {
    pub answers: Vec<Result<String, Posted>>,
    pub posts: Vec<String>,
    /// How many of them ended, with or without an answer, before the caller hung up.
    pub done: usize,
}

impl Answers {
    pub(super) fn of(answers: &[&str]) -> Self {
        Self {
            answers: answers.iter().map(|seq| Ok((*seq).to_owned())).collect(),
            posts: Vec::new(),
            done: 0,
        }
    }

    /// With another result in the end.
    pub(super) fn then(mut self, last: Posted) -> Self {
        self.answers.push(Err(last));
        self
    }
}

impl Service<Phone> for Answers {
    fn post(&mut self, phone: &mut Phone, data: &Data) -> Posted {
        assert!(!phone.gone, "nothing is posted after the hang-up");
        let at = self.posts.len().min(self.answers.len() - 1);
        self.posts.push(serde_json::to_string(data).expect("JSON"));
        if !phone.there() {
            return Posted::Gone { sent: true };
        }
        self.done += 1;
        match &self.answers[at] {
            Ok(seq) => {
                let json = format!(r#"{{"version":"1","seq":[{seq}]}}"#);
                Posted::Answer(ServiceAnswer::parse(json.as_bytes()).expect("an answer"))
            }
            Err(result) => result.clone(),
        }
    }
}
