#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use pinset::timestamp::{Moment, Zone};

// A validity does not end before it begins, and a time is read as it is written.
fuzz_target!(|text: &str| {
    let zone = Zone::utc();
    let from = Moment::from_which(text, &zone);
    let until = Moment::until_which(text, &zone);
    assert_eq!(from.is_some(), until.is_some());
    let (Some(from), Some(until)) = (from, until) else {
        return;
    };
    assert!(from <= until);
    if let Ok(seconds) = u64::try_from(from.seconds()) {
        let written = zone.text(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(Moment::from_which(&written, &zone), Some(from), "{written}");
    }
});
