//! The caller, as a service's answers are carried out: sounds come from the web.

use std::time::Duration;

use pinset::dialplan::Place;
use pinset::external::flow::{self, Speaker};
use pinset::external::Data;
use pinset::verify::ServiceChannel;
use pinset::{Heard, Host, Opening, Settlement, Started, Wait};
use url::Url;

use super::Asked;
use crate::asterisk::call::Call;
use crate::asterisk::channel::Ran;
use crate::asterisk::log::{log, log_once};
use crate::http::sound_cache::{self, Wanted};
use crate::http::{shown, Origin};

/// One call of a PIN set that asks a service.
pub struct Caller<'a, 'call> {
    call: &'a mut Call<'call>,
    asked: &'a Asked,
    keyed: Data,
}

impl<'a, 'call> Caller<'a, 'call> {
    /// The caller on this call.
    pub fn new(call: &'a mut Call<'call>, asked: &'a Asked) -> Self {
        Self {
            call,
            asked,
            keyed: Data::new(),
        }
    }

    /// What was keyed so far is this: no line of the log shows it.
    pub fn has_keyed(&mut self, data: &Data) {
        self.keyed.clone_from(data);
    }

    /// Returns whether a destination shows what the caller has entered.
    pub fn is_revealed_by(&self, destination: &str) -> bool {
        flow::reveals(destination, &self.keyed)
    }

    /// The URL of a sound for the log. A service may put into it what it was
    /// told.
    fn shown(&self, url: &Url) -> String {
        let mut keyed = self.keyed.iter().map(|(_, keyed)| keyed.as_str());
        if keyed.any(|keyed| !keyed.is_empty() && url.path().contains(keyed)) {
            return format!("{}/…", url.origin().ascii_serialization());
        }
        shown(url)
    }
}

impl Speaker for Caller<'_, '_> {
    fn start_url(&mut self, url: &str) -> Started {
        let asked = self.asked;
        let Ok(url) = Url::parse(url) else {
            return Started::Missing;
        };
        let (name, sound) = (&asked.name, self.shown(&url));
        let skipped = |why: &str| {
            log_once!(Warning, "PIN set '{name}': {sound} is skipped: {why}");
            Started::Missing
        };
        let options = &asked.set.external;
        if !options.may_fetch(&url, &asked.url) {
            return skipped("sound_hosts and allow_http do not allow it");
        }
        let wanted = Wanted {
            url: &url,
            origin: Origin::Service,
            connect: options.connect_timeout,
            whole: options.timeout,
        };
        match sound_cache::get(self.call, wanted) {
            None => Started::Gone,
            Some(Err(why)) => skipped(&why),
            Some(Ok(path)) => match self.call.start_file(&path) {
                Started::Missing => skipped("Asterisk can't play it"),
                started => started,
            },
        }
    }

    fn say(&mut self, text: &str, language: Option<&str>) -> bool {
        let name = &self.asked.name;
        let Some(application) = &self.asked.set.external.say_app else {
            log_once!(
                Warning,
                "PIN set '{name}': texts are not said: say_app is not set"
            );
            return !self.call.is_gone();
        };
        match self.call.run(application, text, language) {
            Ran::Through => {}
            Ran::Failed if self.call.is_gone() => {}
            Ran::Failed => log!(
                Warning,
                "PIN set '{name}': a text is not said: {application} has failed"
            ),
            Ran::Unknown => log_once!(
                Warning,
                "PIN set '{name}': texts are not said: there is no application {application}"
            ),
        }
        !self.call.is_gone()
    }

    fn has(&mut self, place: &Place) -> bool {
        self.call.has_place(place)
    }
}

impl ServiceChannel for Caller<'_, '_> {
    fn listen(&mut self, milliseconds: i32) -> bool {
        self.call.listen(milliseconds)
    }
}

impl Host for Caller<'_, '_> {
    fn open(&mut self, how: Opening) -> bool {
        self.call.open(how)
    }

    fn start_sound(&mut self, sound: &[u8]) -> Started {
        self.call.start_sound(sound)
    }

    fn stop_sound(&mut self) {
        self.call.stop_sound();
    }

    fn next_key(&mut self, wait: Wait) -> Heard {
        self.call.next_key(wait)
    }

    fn settle(&mut self, settlement: Settlement<'_>) {
        self.call.settle(settlement);
    }

    fn jump(&mut self) -> bool {
        self.call.jump()
    }

    fn now(&self) -> Duration {
        self.call.now()
    }
}
