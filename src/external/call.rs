//! The call while the answers of a service are carried out: sounds come from the web.

use std::fmt;
use std::time::Duration;

use pinset::dialplan::Place;
use pinset::external::flow::{self, Speaker};
use pinset::external::Data;
use pinset::verify::ServiceChannel;
use pinset::{Host, Input, Opening, Settlement, Started, Wait};
use url::Url;

use super::service_pin_set::ServicePinSet;
use crate::asterisk::call::Call;
use crate::asterisk::channel::RunResult;
use crate::asterisk::log::{log, log_once};
use crate::http::sound_cache::{self, SoundRequest};
use crate::http::{url_for_log, UrlOrigin};

/// A call whose PIN set has a web service as its source.
pub(super) struct ServiceCall<'a, 'call> {
    call: &'a mut Call<'call>,
    pin_set: &'a ServicePinSet,
    /// The digits entered so far: no line of the log may show them.
    entered: Data,
}

impl<'a, 'call> ServiceCall<'a, 'call> {
    /// Wraps a call.
    pub(super) fn new(call: &'a mut Call<'call>, pin_set: &'a ServicePinSet) -> Self {
        Self {
            call,
            pin_set,
            entered: Data::new(),
        }
    }

    /// Sets what the caller has entered so far.
    pub(super) fn set_entered(&mut self, data: &Data) {
        self.entered.clone_from(data);
    }

    /// Returns whether a destination shows what the caller has entered.
    pub(super) fn is_revealed_by(&self, destination: &str) -> bool {
        flow::reveals(destination, &self.entered)
    }

    /// Returns the URL of a sound for the log. A service may put into it what the
    /// caller has entered.
    fn url_for_log(&self, url: &Url) -> String {
        let mut entered = self.entered.iter().map(|(_, value)| value.as_str());
        if entered.any(|value| !value.is_empty() && url.path().contains(value)) {
            return format!("{}/…", url.origin().ascii_serialization());
        }
        url_for_log(url)
    }
}

impl Speaker for ServiceCall<'_, '_> {
    fn start_url(&mut self, url: &str) -> Started {
        let pin_set = self.pin_set;
        let Ok(url) = Url::parse(url) else {
            return Started::Missing;
        };
        let (name, sound) = (&pin_set.name, self.url_for_log(&url));
        let skipped = |why: &dyn fmt::Display| {
            log_once!(Warning, "PIN set '{name}': {sound} is skipped: {why}");
            Started::Missing
        };
        let options = &pin_set.set.external;
        if !options.may_fetch(&url, &pin_set.url) {
            return skipped(&"sound_hosts and allow_http do not allow it");
        }
        let request = SoundRequest {
            url: &url,
            origin: UrlOrigin::Service,
            connect: options.connect_timeout,
            whole: options.timeout,
        };
        match sound_cache::get(self.call, request) {
            None => Started::Gone,
            Some(Err(why)) => skipped(&why),
            Some(Ok(path)) => match self.call.start_file(&path) {
                Started::Missing => skipped(&"Asterisk can't play it"),
                started => started,
            },
        }
    }

    fn say(&mut self, text: &str, language: Option<&str>) -> bool {
        let name = &self.pin_set.name;
        let Some(application) = &self.pin_set.set.external.say_app else {
            log_once!(
                Warning,
                "PIN set '{name}': texts are skipped: say_app is not set"
            );
            return !self.call.is_gone();
        };
        match self.call.run(application, text, language) {
            RunResult::Done => {}
            RunResult::Failed if self.call.is_gone() => {}
            RunResult::Failed => log!(
                Warning,
                "PIN set '{name}': a text is skipped: {application} has failed"
            ),
            RunResult::Unknown => log_once!(
                Warning,
                "PIN set '{name}': texts are skipped: there is no application {application}"
            ),
        }
        !self.call.is_gone()
    }

    fn has(&mut self, place: &Place) -> bool {
        self.call.has_place(place)
    }
}

impl ServiceChannel for ServiceCall<'_, '_> {
    fn listen(&mut self, milliseconds: i32) -> bool {
        self.call.listen(milliseconds)
    }
}

impl Host for ServiceCall<'_, '_> {
    fn open(&mut self, how: Opening) -> bool {
        self.call.open(how)
    }

    fn start_sound(&mut self, sound: &[u8]) -> Started {
        self.call.start_sound(sound)
    }

    fn stop_sound(&mut self) {
        self.call.stop_sound();
    }

    fn next_key(&mut self, wait: Wait) -> Input {
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
