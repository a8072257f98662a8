//! Prompts from the web: a prompt that is a URL is fetched and played.

use std::fmt;
use std::time::Duration;

use pinset::Started;

use crate::asterisk::call::Call;
use crate::asterisk::log::log_once;
use crate::http::sound_cache::{self, SoundRequest};
use crate::http::{self, UrlOrigin};

/// How long a caller waits for a sound to be fetched; then it is skipped.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// Starts the sound at a URL. One that can't be fetched or played is missing, and
/// the log says why.
pub(crate) fn start(call: &mut Call<'_>, name: &[u8]) -> Started {
    let skipped = |sound: &str, why: &dyn fmt::Display| {
        log_once!(Warning, "sound '{sound}' is skipped: {why}");
        Started::Missing
    };
    let url = match http::url_of_sound(name) {
        Ok(url) => url,
        Err(why) => return skipped(&String::from_utf8_lossy(name), &why),
    };
    let request = SoundRequest {
        url: &url,
        origin: UrlOrigin::Dialplan,
        connect: FETCH_TIMEOUT,
        whole: FETCH_TIMEOUT,
    };
    let sound = http::url_for_log(&url);
    match sound_cache::get(call, request) {
        None => Started::Gone,
        Some(Err(why)) => skipped(&sound, &why),
        Some(Ok(path)) => match call.start_file(&path) {
            Started::Missing => skipped(&sound, &"Asterisk can't play it"),
            started => started,
        },
    }
}
